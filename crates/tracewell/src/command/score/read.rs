//! Scores from files of CSV and JSON lines.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use tracewell_ingest::scores::{Score, Value};

/// A row with its line in the file, or what is wrong with it.
pub(super) type Row = (u64, Result<Score, String>);

/// What a word or number says: a number, a truth, or else a category.
pub(super) fn judgement(text: String) -> (Option<Value>, Option<String>) {
    match text.trim() {
        word if word.eq_ignore_ascii_case("true") => (Some(Value::Truth(true)), None),
        word if word.eq_ignore_ascii_case("false") => (Some(Value::Truth(false)), None),
        number => match number.parse() {
            Ok(number) => (Some(Value::Number(number)), None),
            Err(_) => (None, Some(text)),
        },
    }
}

/// What is meant as a number and is none would be taken for a category, and leave every mean.
fn like_a_number(word: &str) -> bool {
    let word = word.trim();
    word.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '.' | ',' | '-' | '+'))
        && word.contains(|letter: char| letter.is_ascii_digit())
        && word.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | ',' | '-' | '+' | '%' | ' '))
}

/// The rows of a file: CSV by its name, else JSON lines.
pub(super) fn file(path: &Path) -> std::io::Result<Vec<Row>> {
    let file = File::open(path)?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        return csv(file);
    }
    let lines = (1..).zip(BufReader::new(file).split(b'\n'));
    let rows = lines.map(|(number, line)| {
        let line = line?;
        let is_empty = line.iter().all(u8::is_ascii_whitespace);
        let row = (!is_empty).then(|| serde_json::from_slice(&line).map_err(|error| error.to_string()));
        Ok(row.map(|row| (number, row)))
    });
    rows.filter_map(Result::transpose).collect()
}

fn csv(file: File) -> std::io::Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header = reader.headers()?.clone();
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        let row = match reader.read_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) if record.len() > header.len() => Err("there are more cells than columns".to_owned()),
            Ok(true) => score(header.iter().map(str::trim).zip(&record)),
            Err(error) if matches!(error.kind(), csv::ErrorKind::Io(_)) => return Err(error.into()),
            Err(error) => Err(error.to_string()),
        };
        rows.push((record.position().map_or(0, csv::Position::line), row));
    }
}

/// A score of cells; an empty cell is none.
fn score<'c>(cells: impl Iterator<Item = (&'c str, &'c str)>) -> Result<Score, String> {
    let mut score = Score::default();
    for (column, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
        let text = cell.to_owned();
        match column {
            "name" => score.name = text,
            "value" => match judgement(text) {
                (Some(value), _) => score.value = Some(value),
                (None, Some(word)) if like_a_number(&word) => {
                    return Err(format!(
                        "`{word}` is no number; write it like 0.5, or as a `label` where it is a category"
                    ));
                }
                (None, label) => score.label = label,
            },
            "label" => score.label = Some(text),
            "text" => score.text = Some(text),
            "correction" => score.correction = Some(text),
            "trace_id" => score.trace_id = Some(text),
            "span_id" => score.span_id = Some(text),
            "session_id" => score.session_id = Some(text),
            "document_id" => score.document_id = Some(text),
            "explanation" => score.explanation = Some(text),
            "source" => score.source = Some(text),
            "author" => score.author = Some(text),
            "time" => {
                let time = text.parse().map_err(|_| format!("`time` is no RFC 3339 time with an offset: `{text}`"));
                score.time = Some(time?);
            }
            "metadata" => score.metadata.extend(
                serde_json::from_str::<std::collections::BTreeMap<String, String>>(cell)
                    .map_err(|error| format!("`metadata` is no JSON object of texts: {error}"))?,
            ),
            other => match other.strip_prefix("metadata.") {
                Some(key) => drop(score.metadata.insert(key.to_owned(), text)),
                None => return Err(format!("there is no column `{other}`")),
            },
        }
    }
    Ok(score)
}
