//! Blocks on a terminal.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::units::{duration, line, tidy};
use super::{Bar, Block};

/// How a terminal shows text.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether colours are wanted.
    pub color: bool,
}

const NARROWEST: usize = 40;
/// How narrow a column of a table gets, also before figures are cut, up to which length a word widens it, and how many
/// lines a cell has.
const SMALLEST: usize = 4;
const NARROW: usize = 8;
const LONGEST: usize = 16;
const HIGHEST: usize = 12;
/// Levels of a tree that are set in; deeper ones stand under the last.
const DEEPEST: usize = 16;

impl Look {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color && !code.is_empty() && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Writes `blocks` for a terminal. What they hold cannot steer it.
#[must_use]
pub fn terminal(blocks: &[Block], look: Look) -> String {
    let look = Look { width: look.width.max(NARROWEST), ..look };
    let mut out = String::new();
    for block in blocks {
        match block {
            Block::Heading(level, text) => {
                let text = look.paint(if *level == 1 { "1;4" } else { "1" }, &fit(&line(text), look.width));
                out += &format!("{}{text}\n", if out.is_empty() { "" } else { "\n" });
            }
            Block::Facts(facts) => {
                let widest = facts.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
                for (name, value) in facts {
                    let name = look.paint("2", &pad(name, widest));
                    out += &format!("  {name}  {}\n", hang(&line(value), look.width, widest + 4));
                }
            }
            Block::Table(heads, rows) => out += &table(heads, rows, look),
            Block::Waterfall(bars) => out += &waterfall(bars, look),
            Block::Text(label, text) => {
                out += &format!("  {}\n", look.paint("36", &fit(&line(label), look.width - 2)));
                for text in tidy(text).lines() {
                    out += &format!("    {}\n", hang(&text.replace('\t', "    "), look.width, 4));
                }
            }
            Block::Code(label, text) => {
                out += &format!("  {}\n", look.paint("36", &fit(&line(label), look.width - 2)));
                for text in tidy(text).lines() {
                    out += &format!("    {text}\n");
                }
            }
            Block::Note(text) => out += &format!("  {}\n", hang(&line(text), look.width, 2)),
            Block::Difference(lines) => {
                for (sign, text) in lines {
                    let code = match sign {
                        '-' => "31",
                        '+' => "32",
                        _ => "2",
                    };
                    let text = hang(&tidy(text).replace(['\t', '\n'], " "), look.width, 6);
                    let painted: Vec<String> =
                        format!("{sign} {text}").lines().map(|text| look.paint(code, text)).collect();
                    out += &format!("    {}\n", painted.join("\n"));
                }
            }
        }
    }
    out
}

/// Columns side by side. Where they do not fit, the widest of those of words give way first, and what no longer fits into
/// one line goes on in the next; figures are cut only where nothing else is left.
fn table(heads: &[Cow<'static, str>], rows: &[Vec<String>], look: Look) -> String {
    let heads: Vec<String> = heads.iter().map(|head| line(head)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| line(cell)).collect()).collect();
    let of_column = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let (mut widths, mut least, mut narrow) = (Vec::new(), Vec::new(), Vec::new());
    for (column, head) in heads.iter().enumerate() {
        let widest = |measure: fn(&String) -> usize| of_column(column).map(measure).max().unwrap_or_default();
        let width = widest(|cell| cell.width()).max(head.width());
        let figures = of_column(column).all(|cell| is_figure(cell));
        let word = widest(|cell| longest_word(cell)).max(head.width()).min(LONGEST);
        widths.push(width);
        least.push(if figures { width } else { word });
        narrow.push(if figures { width } else { NARROW });
    }
    let room = look.width.saturating_sub(2 * widths.len());
    for least in [least, narrow, vec![SMALLEST; widths.len()]] {
        while widths.iter().sum::<usize>() > room {
            let may = (0..widths.len()).filter(|column| widths[*column] > least[*column]);
            match may.max_by_key(|column| widths[*column]) {
                Some(widest) => widths[widest] -= 1,
                None => break,
            }
        }
    }
    let mut out = String::new();
    for (row, code) in std::iter::once((&heads, "2")).chain(rows.iter().map(|row| (row, ""))) {
        let cells: Vec<Vec<String>> = row.iter().zip(&widths).map(|(cell, width)| within(cell, *width)).collect();
        for height in 0..cells.iter().map(Vec::len).max().unwrap_or_default() {
            let shown = cells.iter().zip(&widths);
            let shown = shown.map(|(cell, width)| pad(cell.get(height).map_or("", String::as_str), *width));
            let shown = shown.collect::<Vec<_>>().join("  ");
            out += format!("  {}", look.paint(code, shown.trim_end())).trim_end();
            out.push('\n');
        }
    }
    out
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or_default()
}

/// The lines of a cell of `width` columns, and the last says where there would be more than a few.
fn within(cell: &str, width: usize) -> Vec<String> {
    if is_figure(cell) {
        return vec![fit(cell, width)];
    }
    let mut lines = broken(cell, width);
    if lines.len() > HIGHEST {
        let rest = lines.split_off(HIGHEST - 1).join(" ");
        lines.push(fit(&rest, width));
    }
    lines
}

/// Whether a cell is a number, with its sign, currency and unit, or a time, or says that there is none. A sentence that
/// begins with a number is none: its words can go on in the next line.
fn is_figure(cell: &str) -> bool {
    let number = cell.trim_start_matches(['+', '-', '−', '$', '€', '±', ' ']);
    let is_word = |part: &str| part.chars().count() > 3 && part.chars().all(char::is_alphabetic);
    matches!(number, "" | "—")
        || (number.starts_with(|first: char| first.is_ascii_digit()) && !number.split(' ').any(is_word))
}

fn waterfall(bars: &[Bar], look: Look) -> String {
    let label = |bar: &Bar| {
        let indent = "  ".repeat(bar.depth.min(DEEPEST));
        format!("{indent}{} {}", if bar.failed { "✗" } else { "·" }, line(&bar.name))
    };
    let widest = bars.iter().map(|bar| label(bar).width()).max().unwrap_or_default();
    let names = widest.min(look.width * 2 / 5);
    let time = look.width / 4;
    let rest = look.width.saturating_sub(names + time + 2 + 2 + 2 + 8);
    let mut out = String::new();
    for bar in bars {
        let name = pad(&fit(&label(bar), names), names);
        let took = bar.duration_ns.map_or_else(|| "…".to_owned(), duration);
        let name = if bar.failed { look.paint("31", &name) } else { name };
        let kind = if bar.note.is_empty() { bar.kind.clone() } else { format!("{} {}", bar.kind, bar.note) };
        let drawn = look.paint(if bar.failed { "31" } else { color(&bar.kind) }, &draw(bar, time));
        out += &format!("  {name}  {drawn}{took:>8}  {}\n", look.paint("2", &fit(&line(&kind), rest)));
    }
    out
}

fn color(kind: &str) -> &'static str {
    match kind {
        "chat" | "completion" | "embedding" => "34",
        "tool" | "mcp" => "35",
        "retrieval" | "rerank" => "36",
        "human" => "33",
        _ => "37",
    }
}

/// The bar of one span within `width` columns, at least one of them.
fn draw(bar: &Bar, width: usize) -> String {
    let columns = width as f64;
    let from = ((bar.from.clamp(0.0, 1.0) * columns) as usize).min(width.saturating_sub(1));
    let length = ((bar.share.clamp(0.0, 1.0) * columns).round() as usize).clamp(1, width - from);
    format!("{}{}{}", " ".repeat(from), "━".repeat(length), " ".repeat(width - from - length))
}

/// `text` in at most `width` columns.
fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or_default();
        if used + 1 > width {
            break;
        }
        out.push(c);
    }
    out + "…"
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// `text` broken into lines of `width` columns, each but the first set in by `indent`.
fn hang(text: &str, width: usize, indent: usize) -> String {
    broken(text, width.saturating_sub(indent).max(10)).join(&format!("\n{}", " ".repeat(indent)))
}

/// `text` in lines of `room` columns, broken between words where that is possible.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let wide = word.trim_end().width();
        if used > 0 && used + wide > room {
            lines.push(String::new());
            used = 0;
        }
        for c in word.chars() {
            let columns = c.width().unwrap_or_default();
            if used > 0 && used + columns > room && c != ' ' {
                lines.push(String::new());
                used = 0;
            }
            if let Some(last) = lines.last_mut() {
                last.push(c);
            }
            used += columns;
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { width: 40, color: false };

    #[test]
    fn words_give_way_before_figures() {
        let row = |name: &str| vec![name.to_owned(), "−$1,234.56 (−18.9 %)".to_owned(), "60.0 %".to_owned()];
        let rows = vec![row("a prompt whose name has no end in sight"), row("b")];
        let shown = terminal(&[Block::table(vec!["prompt", "change", "share"], rows)], PLAIN);
        assert_eq!(shown.matches("−$1,234.56 (−18.9 %)  60.0 %").count(), 2, "{shown}");
    }

    #[test]
    fn words_go_on_in_the_next_line_and_none_is_lost() {
        let why = "the candidate answered two of nine refunds with another amount";
        let shown =
            terminal(&[Block::table(vec!["decision", "why"], vec![vec!["fail".to_owned(), why.to_owned()]])], PLAIN);
        assert!(shown.lines().count() > 2, "{shown}");
        assert!(why.split(' ').all(|word| shown.contains(word)) && !shown.contains('…'), "{shown}");
        let endless = terminal(&[Block::table(vec!["a"], vec![vec!["word ".repeat(1000)]])], PLAIN);
        assert_eq!((endless.lines().count(), endless.contains('…')), (1 + HIGHEST, true), "{endless}");
    }

    #[test]
    fn a_time_stays_whole_while_names_can_be_broken() {
        let row = ["2026-11-23 02:49", "invoke-workflow!", "gpt-4.1-mini-202"].map(str::to_owned).to_vec();
        let shown = terminal(&[Block::table(vec!["started", "name", "models"], vec![row])], PLAIN);
        assert!(shown.contains("  2026-11-23 02:49  invoke-wo  gpt-4.1-m\n"), "{shown}");
        assert!(shown.contains("rkflow!") && shown.contains("ini-202") && !shown.contains('…'), "{shown}");
    }

    #[test]
    fn a_sentence_that_begins_with_a_number_goes_on_in_the_next_line() {
        let why = "35 results are missing: `ex-08a84c313f7f3e74`, candidate, repetition 1: it was not run";
        let row = vec!["not enough evidence".to_owned(), why.to_owned()];
        let shown = terminal(&[Block::table(vec!["decision", "why"], vec![row])], PLAIN);
        assert!(shown.contains("not run") && !shown.contains('…'), "{shown}");
    }

    #[test]
    fn no_text_steers_the_terminal_and_no_line_is_wider_than_it() {
        let hostile = "x\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m".repeat(9);
        let bar = Bar {
            depth: 40,
            name: hostile.clone(),
            kind: "chat".to_owned(),
            note: hostile.clone(),
            from: 0.5,
            share: f64::NAN,
            duration_ns: Some(5),
            failed: false,
        };
        let blocks = [
            Block::Heading(1, hostile.clone()),
            Block::Facts(vec![("fact", hostile.clone())]),
            Block::table(vec!["a", "b"], vec![vec![hostile.clone(), hostile.clone()]]),
            Block::Waterfall(vec![bar]),
            Block::Text(hostile.clone(), hostile.clone()),
            Block::Note(hostile.clone()),
            Block::Difference(vec![('+', hostile)]),
        ];
        let text = terminal(&blocks, PLAIN);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        let too_wide: Vec<&str> = text.lines().filter(|line| line.width() > PLAIN.width).collect();
        assert!(too_wide.is_empty(), "{too_wide:?}");
    }

    #[test]
    fn code_is_as_it_is_pasted() {
        let sql = "SELECT 1 -- what stands behind this is no code, however long it is\nFROM t";
        let shown = terminal(&[Block::Code("[1] one".to_owned(), sql.to_owned())], PLAIN);
        assert_eq!(shown, format!("  [1] one\n    {}\n", sql.replace('\n', "\n    ")));
        let hostile = terminal(&[Block::Code(String::new(), "a\u{1b}[2Jb".to_owned())], PLAIN);
        assert!(!hostile.contains('\u{1b}'), "{hostile:?}");
    }

    #[test]
    fn colours_stand_only_where_they_are_wanted() {
        let blocks = [Block::Heading(1, "run".to_owned())];
        assert_eq!(terminal(&blocks, PLAIN), "run\n");
        assert_eq!(terminal(&blocks, Look { color: true, ..PLAIN }), "\u{1b}[1;4mrun\u{1b}[0m\n");
    }

    #[test]
    fn rows_without_heads_and_colours_leave_nothing_behind() {
        let table = [Block::table(vec!["", ""], vec![vec!["Spent".to_owned(), "$1.20".to_owned()]])];
        let look = Look { color: true, ..PLAIN };
        assert_eq!(terminal(&table, look), "\n  Spent  $1.20\n");
    }

    #[test]
    fn wide_letters_count_for_two_columns() {
        assert_eq!(fit("種子の在庫", 6), "種子…");
        assert_eq!(hang("aaaa bbbb cccc", 12, 2), "aaaa bbbb\n  cccc");
    }
}
