//! Blocks as Markdown, as GitHub and most others read it.

use std::fmt::Write as _;

use super::Block;
use super::units::{duration, line, tidy};

/// Writes `blocks` as Markdown. What they hold is text in it, and never markup.
#[must_use]
pub fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        // Writing to a string does not fail.
        let _ = write(&mut out, block);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

fn write(out: &mut String, block: &Block) -> std::fmt::Result {
    match block {
        Block::Heading(level, text) => writeln!(out, "{} {}", "#".repeat(usize::from(*level)), inline(text)),
        Block::Facts(facts) => {
            facts.iter().try_for_each(|(name, value)| writeln!(out, "- **{name}:** {}", inline(value)))
        }
        Block::Table(heads, rows) => {
            let named = heads.iter().map(|head| inline(head)).collect::<Vec<_>>().join(" | ");
            writeln!(out, "| {named} |\n|{}", " --- |".repeat(heads.len()))?;
            rows.iter().try_for_each(|row| {
                writeln!(out, "| {} |", row.iter().map(|cell| inline(cell)).collect::<Vec<_>>().join(" | "))
            })
        }
        Block::Waterfall(bars) => {
            writeln!(out, "| span | kind | start | duration | |\n| --- | --- | ---: | ---: | --- |")?;
            bars.iter().try_for_each(|bar| {
                let indent = "&nbsp;".repeat(2 * bar.depth.min(40));
                let failed = if bar.failed { "**failed**" } else { "" };
                let took = bar.duration_ns.map_or_else(|| "…".to_owned(), duration);
                let (name, kind, note) = (inline(&bar.name), inline(&bar.kind), inline(&bar.note));
                writeln!(out, "| {indent}{name} | {kind} | {:.1}% | {took} | {failed} {note} |", bar.from * 100.0)
            })
        }
        Block::Text(label, text) | Block::Code(label, text) => {
            let text = tidy(text);
            let fence = fence(&text);
            writeln!(out, "{}\n\n{fence}text\n{text}\n{fence}", inline(label))
        }
        Block::Note(text) => writeln!(out, "{}", inline(text)),
        Block::Difference(lines) => {
            let text: Vec<String> =
                lines.iter().map(|(sign, text)| format!("{sign} {}", tidy(text).replace('\n', " "))).collect();
            let text = text.join("\n");
            let fence = fence(&text);
            writeln!(out, "{fence}diff\n{text}\n{fence}")
        }
    }
}

/// A fence that no run of backticks in `text` closes.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

/// `text` on one line, with everything that means something in Markdown or HTML escaped.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for c in line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' | '~' => {
                out.extend(['\\', c]);
            }
            // Bare addresses become links.
            ':' => out.push_str("&#58;"),
            '@' => out.push_str("&#64;"),
            c => out.push(c),
        }
    }
    // What opens a list or a rule at the start of a line.
    match out.chars().next() {
        Some('-' | '=') => format!("\\{out}"),
        Some(digit) if digit.is_ascii_digit() => {
            let number = out.find(|c: char| !c.is_ascii_digit()).unwrap_or(out.len());
            if out[number..].starts_with('.') { format!("{}\\{}", &out[..number], &out[number..]) } else { out }
        }
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let inner = inline("# [x](javascript:alert(1)) <img src=x onerror=y> | `a` **b**\n- c");
        for markup in ["<", "](", "javascript:", " | ", "**b"] {
            assert!(!inner.contains(markup), "{markup} in {inner}");
        }
        assert_eq!(inline("- item"), "\\- item");
        assert_eq!(inline("1. item"), "1\\. item");
        assert_eq!(inline("1.5 s"), "1\\.5 s");
    }

    #[test]
    fn no_text_closes_the_fence_around_it() {
        let text = markdown(&[Block::Text("a".to_owned(), "```\n# out\n`````".to_owned())]);
        assert_eq!(text, "a\n\n``````text\n```\n# out\n`````\n``````\n");
    }
}
