//! The prompt of `tracewell sql`: history, completion, statements over several lines.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor, Helper};
use tracewell_model::schema::asked_tables;
use tracewell_query::VIEWS;

const KEYWORDS: [&str; 24] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "HAVING",
    "JOIN",
    "LEFT JOIN",
    "ON",
    "AND",
    "OR",
    "NOT",
    "NULL",
    "IS",
    "IN",
    "LIKE",
    "BETWEEN",
    "DISTINCT",
    "DESC",
    "WITH",
    "DESCRIBE",
    "EXPLAIN",
    "INTERVAL",
];

/// What a statement is made of, in order.
struct Words(Vec<String>);

impl Words {
    fn known() -> Self {
        let columns = asked_tables().flat_map(|table| table.columns.iter().map(|column| column.name));
        let views = VIEWS.iter().flat_map(|view| view.columns.iter().map(|(column, _)| *column).chain([view.name]));
        let tables = asked_tables().map(|table| table.name);
        let words = KEYWORDS.into_iter().chain(tables).chain(columns).chain(views);
        Self(words.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// The words that begin like the one before `position`, and where that begins.
    fn complete(&self, line: &str, position: usize) -> (usize, Vec<&str>) {
        let before = &line[..position];
        let typed = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let fits = |word: &&str| {
            word.len() > typed.len() && word.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed))
        };
        let words = self.0.iter().map(String::as_str).filter(fits);
        (position - typed.len(), if typed.is_empty() { Vec::new() } else { words.collect() })
    }
}

/// Whether a statement is whole; otherwise it goes on in the next line.
fn is_whole(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.ends_with(';') || text.starts_with('\\') || text == "exit" || text == "quit"
}

impl Helper for Words {}
impl Highlighter for Words {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        Cow::Borrowed(prompt)
    }
}
impl Hinter for Words {
    type Hint = String;
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_whole(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = self.complete(line, position);
        let pair = |word: &str| Pair { display: word.to_owned(), replacement: word.to_owned() };
        Ok((start, words.into_iter().map(pair).collect()))
    }
}

fn history() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")))?;
    let folder = folder.join("tracewell");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// Reads statements until the end of input, and gives each to `run`.
pub(crate) async fn read(mut run: impl AsyncFnMut(&str)) -> anyhow::Result<()> {
    let config = Config::builder().completion_type(rustyline::CompletionType::List).auto_add_history(true).build();
    let mut editor: Editor<Words, _> = Editor::with_config(config)?;
    editor.set_helper(Some(Words::known()));
    let history = history();
    if let Some(path) = &history {
        let _ = editor.load_history(path);
    }
    eprintln!("End a statement with `;`. Tab completes. `exit` or Ctrl-D ends. `DESCRIBE spans;` lists the columns.");
    loop {
        let line = tokio::task::block_in_place(|| editor.readline("tracewell> "));
        match line {
            Ok(line) => {
                let statement = line.trim().trim_end_matches(';').trim();
                match statement {
                    "" => {}
                    "exit" | "quit" | "\\q" => break,
                    statement => run(statement).await,
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(path) = &history {
        let _ = editor.save_history(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed_behind_any_character() {
        let words = Words::known();
        for (line, start, found) in [
            ("SELECT * FROM llm_ca", 14, "llm_calls"),
            // Quotation marks and dashes of three bytes, a letter of two, and one of four.
            ("SELECT '—' FROM (span_c", 19, "span_costs"),
            ("…messag", 3, "messages"),
            ("🌱usage_fl", 4, "usage_flags"),
            ("sel", 0, "SELECT"),
        ] {
            let completed = words.complete(line, line.len());
            assert!(completed.0 == start && completed.1.contains(&found), "{line}: {completed:?}");
        }
        for line in ["", "SELECT ", "SELECT '—", "é", "…"] {
            assert_eq!(words.complete(line, line.len()).1, Vec::<&str>::new(), "{line}");
        }
        assert!(words.complete("sel — x", 3).1.contains(&"SELECT"), "what stands behind the cursor does not matter");
    }

    #[test]
    fn a_statement_goes_on_until_its_semicolon() {
        assert!(["", " ", "SELECT 1;", "SELECT\n1 ; ", "exit", "quit", "\\q"].into_iter().all(is_whole));
        assert!(!["SELECT 1", "SELECT 1; --", "SELECT ';'\n"].into_iter().any(is_whole));
    }
}
