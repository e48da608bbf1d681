//! Rows and pages to standard output, in the format asked for.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_options;
use clap::{Args, ValueEnum};
use serde::Serialize;
use tracewell_blocks::spreadsheet;
use tracewell_runs::render::{Block, Look, html, markdown, terminal};
use tracewell_serve::format::Format as Encoding;

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For reading.
    Table,
    /// An array of objects.
    Json,
    /// An object a line.
    Ndjson,
    /// With a header line; nested values as JSON.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For a terminal.
    Text,
    /// As JSON, with all there is.
    Json,
    /// Markdown.
    Md,
    /// One page of HTML that needs nothing else.
    Html,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Shown {
    /// Format; for reading on a terminal, else JSON
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl Shown {
    /// That of rows: the one asked for, else a table on a terminal and JSON elsewhere.
    pub(crate) fn format(self) -> Format {
        self.format.unwrap_or(if std::io::stdout().is_terminal() { Format::Table } else { Format::Json })
    }

    /// That of a page: text where rows are a table.
    pub(crate) fn form(self) -> Form {
        if self.format() == Format::Table { Form::Text } else { Form::Json }
    }
}

/// Columns where nothing tells how many there are.
const COLUMNS: usize = 120;

/// What a column of a table takes that can be read.
const LEGIBLE: usize = 14;

/// Writes a page: `blocks`, or `value` as JSON.
pub(crate) fn page(form: Form, title: &str, blocks: &[Block], value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match form {
        Form::Text => out.write_all(terminal(blocks, look()).as_bytes())?,
        Form::Json => {
            serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        Form::Md => out.write_all(markdown(blocks).as_bytes())?,
        Form::Html => out.write_all(html(title, blocks).as_bytes())?,
    }
    Ok(out.flush()?)
}

/// Colours on a terminal alone, and not where `NO_COLOR` is set to anything (<https://no-color.org>).
pub(crate) fn has_colors(stream: &impl IsTerminal) -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && !plain
}

/// How a page looks on standard output.
pub(crate) fn look() -> Look {
    let stdout = std::io::stdout();
    let is_terminal = stdout.is_terminal();
    let told = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = terminal_size::terminal_size().filter(|_| is_terminal).map(|(width, _)| usize::from(width.0));
    Look { width: width.or_else(told).unwrap_or(COLUMNS), color: has_colors(&stdout) }
}

/// Blocks as text for a file.
pub(crate) fn plain(blocks: &[Block]) -> String {
    terminal(blocks, Look { width: COLUMNS, color: false })
}

/// Prints rows.
pub(crate) fn print(format: Format, rows: &RecordBatch) -> anyhow::Result<()> {
    write(&mut std::io::stdout().lock(), format, &rows.schema(), std::slice::from_ref(rows))
}

/// Rows of text.
pub(crate) fn table<T, const N: usize>(
    names: &[&str; N],
    rows: impl IntoIterator<Item = T>,
    cells: impl Fn(T) -> [Option<String>; N],
) -> anyhow::Result<RecordBatch> {
    let rows: Vec<[Option<String>; N]> = rows.into_iter().map(cells).collect();
    let column = |position: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row[position].as_deref()).collect::<StringArray>())
    };
    Ok(RecordBatch::try_from_iter_with_nullable(
        names.iter().enumerate().map(|(position, name)| (*name, column(position), true)),
    )?)
}

/// What was sent is shown, never obeyed: escape sequences set titles, colours and clipboards.
fn steers_a_terminal(letter: char) -> bool {
    letter.is_control() && letter != '\n'
}

/// Writes all rows.
pub(crate) fn write(
    out: &mut dyn Write,
    format: Format,
    schema: &SchemaRef,
    rows: &[RecordBatch],
) -> anyhow::Result<()> {
    match format {
        Format::Table => {
            let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
            let with_header = [RecordBatch::new_empty(Arc::clone(schema))];
            let rows = if rows.is_empty() { &with_header } else { rows };
            let look = std::io::stdout().is_terminal().then(look);
            writeln!(out, "{}", fitted(schema, rows, look)?.trim_end())?;
            writeln!(out, "{count} row{}", if count == 1 { "" } else { "s" })?;
        }
        Format::Json => encode(out, Encoding::Json, schema, rows).and_then(|()| Ok(writeln!(out)?))?,
        Format::Ndjson => encode(out, Encoding::Ndjson, schema, rows)?,
        Format::Csv => encode(out, Encoding::Csv, schema, rows)?,
        Format::Arrow => encode(out, Encoding::Arrow, schema, rows)?,
        Format::Parquet => encode(out, Encoding::Parquet, schema, rows)?,
    }
    Ok(out.flush()?)
}

/// Rows as a table. One that is wider than the terminal has cells of several lines, and where there are too many
/// columns for that, each row is a table of its own.
fn fitted(schema: &SchemaRef, rows: &[RecordBatch], look: Option<Look>) -> anyhow::Result<String> {
    let options = FormatOptions::default().with_display_error(true);
    let table = pretty_format_batches_with_options(rows, &options)?.to_string();
    // The first line is the border.
    let width = table.lines().next().map_or(0, str::len);
    let Some(look) = look.filter(|look| look.width < width) else {
        return Ok(table.replace(steers_a_terminal, "\u{fffd}"));
    };
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut cells: Vec<Vec<String>> = Vec::new();
    for batch in rows {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let of_row =
            |row: usize| -> Vec<String> { columns.iter().map(|column| column.value(row).to_string()).collect() };
        cells.extend((0..batch.num_rows()).map(of_row));
    }
    if names.len() * LEGIBLE <= look.width {
        return Ok(terminal(&[Block::table(names, cells)], look));
    }
    let of_row = |(position, row): (usize, Vec<String>)| {
        let members = names.iter().cloned().zip(row).map(|(name, value)| vec![name, value]).collect();
        [Block::Heading(2, format!("row {}", position + 1)), Block::table(vec!["column", "value"], members)]
    };
    Ok(terminal(&cells.into_iter().enumerate().flat_map(of_row).collect::<Vec<_>>(), look))
}

/// Prints rows; below a table without any it says why that may be.
pub(crate) fn print_or_say(
    format: Format,
    (schema, rows): &(SchemaRef, Vec<RecordBatch>),
    why: &str,
) -> anyhow::Result<()> {
    write(&mut std::io::stdout().lock(), format, schema, rows)?;
    if format == Format::Table && rows.iter().all(|rows| rows.num_rows() == 0) {
        eprintln!("{why}");
    }
    Ok(())
}

fn encode(out: &mut dyn Write, encoding: Encoding, schema: &SchemaRef, rows: &[RecordBatch]) -> anyhow::Result<()> {
    let mut encoder = encoding.encoder(schema)?;
    for batch in rows {
        out.write_all(&encoder.batch(batch)?)?;
    }
    Ok(out.write_all(&encoder.end()?)?)
}

/// Rows whose texts no spreadsheet takes for formulas.
pub(crate) fn for_spreadsheets(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
        let column: ArrayRef = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
                let texts = cast(column, &DataType::Utf8)?;
                let cells = texts.as_string::<i32>().iter().map(|text| text.map(spreadsheet::cell));
                Arc::new(cells.collect::<StringArray>())
            }
            _ => Arc::clone(column),
        };
        Ok((field.name(), column, true))
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Result<Vec<_>, ArrowError>>()?)
}

/// Takes for success that whoever reads has seen enough, as with `| head`.
pub(crate) fn until_broken(written: anyhow::Result<()>) -> anyhow::Result<()> {
    let is_broken = |error: &anyhow::Error| {
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
        causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
    };
    written.or_else(|error| if is_broken(&error) { Ok(()) } else { Err(error) })
}

/// What went wrong, and why: each cause once, where an error repeats its cause in its own words.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let full = || anyhow::Error::from(std::io::Error::other("the disk is full"));
        let error = full().context("cannot write: the disk is full").context("table `spans`");
        assert_eq!(told(&error), "table `spans`: cannot write: the disk is full");
        assert_eq!(told(&full().context("cannot write")), "cannot write: the disk is full");
    }

    #[test]
    fn a_table_is_no_wider_than_the_terminal() {
        let why = "a reason that is longer than the line is wide";
        let rows = table(&["name", "why"], ["x"], |name| [Some(name.to_owned()), Some(why.to_owned())]).unwrap();
        let shown = |width| {
            let look = Some(Look { width, color: false });
            fitted(&rows.schema(), std::slice::from_ref(&rows), look).unwrap()
        };
        assert!(shown(80).starts_with("+------+--"));
        assert!(shown(40).lines().all(|line| line.len() <= 40), "{}", shown(40));
        assert!(why.split(' ').all(|word| shown(40).contains(word)), "{}", shown(40));
    }

    #[test]
    fn many_columns_are_shown_row_by_row() {
        let rows = table(&["a", "b", "c", "d"], ["value"], |value| [(); 4].map(|()| Some(value.repeat(4)))).unwrap();
        let look = Some(Look { width: 50, color: false });
        let shown = fitted(&rows.schema(), std::slice::from_ref(&rows), look).unwrap();
        let expected: Vec<String> =
            ["a", "b", "c", "d"].map(|name| format!("  {name}       {}", "value".repeat(4))).into();
        assert_eq!(
            shown.trim().lines().collect::<Vec<_>>(),
            [vec!["row 1", "  column  value"], expected.iter().map(String::as_str).collect()].concat()
        );
    }
}
