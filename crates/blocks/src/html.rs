//! Blocks as one page of HTML that needs nothing else: no script, no font, no address.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::units::{duration, line, tidy};
use super::{Bar, Block};

const STYLE: &str = include_str!("page.css");

/// Writes a page. What `blocks` hold is text in it, and never markup; nothing is loaded from anywhere.
#[must_use]
pub fn html(title: &str, blocks: &[Block]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&line(title))
    );
    for block in blocks {
        // Writing to a string does not fail.
        let _ = write(&mut out, block);
    }
    out + "</main>\n</body>\n</html>\n"
}

fn write(out: &mut String, block: &Block) -> std::fmt::Result {
    match block {
        Block::Heading(level, text) => writeln!(out, "<h{level}>{}</h{level}>", escape(&line(text))),
        Block::Facts(facts) => {
            writeln!(out, "<dl>")?;
            for (name, value) in facts {
                writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(&line(value)))?;
            }
            writeln!(out, "</dl>")
        }
        Block::Table(heads, rows) => {
            let head = |head: &Cow<'_, str>| format!("<th scope=\"col\">{}</th>", escape(&line(head)));
            let heads: String = heads.iter().map(head).collect();
            writeln!(out, "{}<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>", wide("Table"))?;
            for row in rows {
                let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escape(&line(cell)))).collect();
                writeln!(out, "<tr>{cells}</tr>")?;
            }
            writeln!(out, "</tbody>\n</table></div>")
        }
        Block::Waterfall(bars) => {
            writeln!(out, "{}<table class=\"waterfall\">\n<tbody>", wide("Spans"))?;
            bars.iter().try_for_each(|one| bar(out, one))?;
            writeln!(out, "</tbody>\n</table></div>")
        }
        Block::Text(label, text) | Block::Code(label, text) => {
            writeln!(
                out,
                "<figure><figcaption>{}</figcaption><pre>{}</pre></figure>",
                escape(&line(label)),
                escape(&tidy(text))
            )
        }
        Block::Note(text) => writeln!(out, "<p>{}</p>", escape(&line(text))),
        Block::Difference(lines) => {
            writeln!(out, "<pre class=\"difference\">")?;
            for (sign, text) in lines {
                let tag = match sign {
                    '-' => "del",
                    '+' => "ins",
                    _ => "span",
                };
                writeln!(out, "<{tag}>{sign} {}</{tag}>", escape(&tidy(text).replace('\n', " ")))?;
            }
            writeln!(out, "</pre>")
        }
    }
}

/// Begins what may be wider than the page; the keys of a keyboard move it, too.
fn wide(label: &str) -> String {
    format!("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">")
}

fn bar(out: &mut String, bar: &Bar) -> std::fmt::Result {
    // Not by its colour alone.
    let (failed, mark) = if bar.failed { (" class=\"failed\"", "✗ ") } else { ("", "") };
    let took = bar.duration_ns.map_or_else(|| "…".to_owned(), duration);
    let share = |share: f64| if share.is_finite() { share.clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    writeln!(
        out,
        "<tr{failed}><th scope=\"row\" style=\"padding-left:{:.1}em\">{mark}{}</th><td class=\"kind\">{}</td>\
         <td class=\"bar\"><i style=\"margin-left:{:.2}%;width:{:.2}%\"></i></td><td class=\"number\">{took}</td><td>{}</td></tr>",
        bar.depth.min(40) as f64 * 1.2 + 0.3,
        escape(&line(&bar.name)),
        escape(&line(&bar.kind)),
        share(bar.from),
        share(bar.share),
        escape(&line(&bar.note)),
    )
}

/// `text` as it can stand between tags and within quotes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let hostile = "</pre></title><script>alert(1)</script><img src=x onerror='y'>\"&";
        let own = |text: &str| text.to_owned();
        let bar = Bar {
            depth: 1,
            name: own(hostile),
            kind: own(hostile),
            note: own(hostile),
            from: f64::NAN,
            share: 2.0,
            duration_ns: None,
            failed: true,
        };
        let page = html(
            hostile,
            &[
                Block::Heading(2, own(hostile)),
                Block::Facts(vec![("name", own(hostile))]),
                Block::table(vec![own(hostile)], vec![vec![own(hostile)]]),
                Block::Waterfall(vec![bar]),
                Block::Text(own(hostile), own(hostile)),
                Block::Note(own(hostile)),
                Block::Difference(vec![('-', own(hostile))]),
            ],
        );
        let lower = page.to_lowercase();
        assert!(!lower.contains("<script") && !lower.contains("<img"), "{page}");
        // Eleven times in blocks, once in the title.
        assert_eq!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count(), 12);
        assert_eq!((page.matches("</title>").count(), page.matches("</pre>").count()), (1, 2));
    }

    #[test]
    fn who_sees_no_colours_or_uses_no_mouse_reads_all_of_it() {
        let bar = |failed| Bar {
            depth: 0,
            name: "step".to_owned(),
            kind: "tool".to_owned(),
            note: String::new(),
            from: 0.0,
            share: 1.0,
            duration_ns: Some(1),
            failed,
        };
        let table = Block::table(vec!["what"], vec![vec!["x".to_owned()]]);
        let page = html("run", &[table, Block::Waterfall(vec![bar(true), bar(false)])]);
        assert_eq!((page.matches(">✗ step<").count(), page.matches(">step<").count()), (1, 1), "{page}");
        assert_eq!(page.matches("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=").count(), 2);
        assert!(page.contains("<th scope=\"col\">what</th>"), "{page}");
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = html("run", &[]);
        for address in ["http:", "https:", "url(", "@import", "src=", "href="] {
            assert!(!page.contains(address), "{address}");
        }
    }
}
