//! The prompt of `tracewell sql`: history, completion, statements over several lines.

use std::borrow::Cow;
use std::path::PathBuf;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor, Helper};
use tracewell_model::schema::asked_tables;

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

struct Words(Vec<String>);

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
        let text = context.input().trim();
        let done = text.is_empty() || text.ends_with(';') || text.starts_with('\\') || text == "exit" || text == "quit";
        Ok(if done { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let start = line[..position].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let typed = &line[start..position];
        let fits = |word: &&String| word.len() > typed.len() && word[..typed.len()].eq_ignore_ascii_case(typed);
        let pair = |word: &String| Pair { display: word.clone(), replacement: word.clone() };
        Ok((start, if typed.is_empty() { Vec::new() } else { self.0.iter().filter(fits).map(pair).collect() }))
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
    let columns = asked_tables().flat_map(|table| table.columns.iter().map(|column| column.name));
    let tables = asked_tables().map(|table| table.name);
    let mut words: Vec<String> = KEYWORDS.into_iter().chain(tables).chain(columns).map(str::to_owned).collect();
    words.sort();
    words.dedup();
    let config = Config::builder().completion_type(rustyline::CompletionType::List).auto_add_history(true).build();
    let mut editor: Editor<Words, _> = Editor::with_config(config)?;
    editor.set_helper(Some(Words(words)));
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
