//! A page as text, Markdown or HTML.

mod html;
mod svg;

pub use html::html;
use tracewell_blocks::Block;

use crate::money::drawn;
use crate::page::{Chart, Column, Data, Item, Page, Table, Tile};

/// The page as blocks, for a terminal and as Markdown.
#[must_use]
pub fn blocks(page: &Page) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, format!("{}: {}", page.title, page.period))];
    blocks.extend(page.notices.iter().map(|notice| Block::Note(format!("Mind: {notice}"))));
    blocks.push(Block::Note(format!("{} ({}). Worked out {}.", page.span, page.time_zone, page.produced)));
    blocks.extend(page.summary.iter().cloned().map(Block::Note));
    for section in &page.sections {
        blocks.push(Block::Heading(2, section.title.clone().into_owned()));
        for item in &section.items {
            match item {
                Item::Tiles(tiles) => blocks.push(tiles_of(tiles)),
                Item::Table(table) => blocks.extend(table_of(table)),
                Item::Chart(chart) => blocks.push(Block::Note(format!("{}{}", line_of(chart), source(&chart.queries)))),
                Item::Note(text) => blocks.push(Block::Note(text.clone())),
            }
        }
    }
    blocks.push(Block::Heading(2, "The queries behind the numbers".to_owned()));
    let prices = page.totals.prices_version.as_ref();
    let prices = prices.map(|version| format!(" --prices {version}")).unwrap_or_default();
    blocks.push(Block::Note(format!("Each can be pasted into `tracewell sql{prices}`.")));
    for query in &page.queries {
        blocks.push(Block::Code(format!("[{}] {}", query.number, query.title), query.sql.clone()));
    }
    blocks
}

/// ` [1, 2]`.
fn source(queries: &[usize]) -> String {
    let numbers: Vec<String> = queries.iter().map(usize::to_string).collect();
    if numbers.is_empty() { String::new() } else { format!(" [{}]", numbers.join(", ")) }
}

fn tiles_of(tiles: &[Tile]) -> Block {
    let rows = tiles
        .iter()
        .map(|tile| vec![tile.label.clone(), tile.text.clone(), format!("{}{}", tile.note, source(&tile.queries))]);
    Block::table(vec!["", "", ""], rows.collect())
}

fn table_of(table: &Table) -> [Block; 2] {
    let heads = table.heads.iter().map(|head| head.text.clone()).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(|cell| cell.text.clone()).collect()).collect();
    [Block::Note(format!("{}{}", table.caption, source(&table.queries))), Block::table(heads, rows)]
}

/// A chart as a line of text.
fn line_of(chart: &Chart) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let Data::Columns(columns) = &chart.data else { return format!("{}. {}", chart.title, chart.description) };
    let value = |column: &Column| column.value.map(drawn);
    let highest = columns.iter().filter_map(value).fold(0.0, f64::max);
    let level = |value: f64| LEVELS[((value / highest * 7.0).round() as usize).min(7)];
    let bars = columns.iter().map(|column| match value(column) {
        Some(value) if highest > 0.0 => level(value),
        _ => ' ',
    });
    format!("{} {} {}", chart.title, bars.collect::<String>().trim_end(), chart.description)
}
