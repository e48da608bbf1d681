//! Examples as a table: one a row, with JSON in the cells of what is nested.
//!
//! People open it in a spreadsheet: see [`spreadsheet`] for cells that it would take for formulas.

use csv::{ReaderBuilder, StringRecord, Writer};
use serde_json::{Map, Value, json};
use tracewell_blocks::spreadsheet;

use super::entry::Given;
use super::{Exported, Read, read};
use crate::{Answer, Example};

const COLUMNS: [&str; 18] = [
    "id",
    "revision",
    "input",
    "expected",
    "expected_tool_calls",
    "output",
    "output_tool_calls",
    "reason",
    "split",
    "tags",
    "trace_id",
    "span_id",
    "content_hash",
    "messages",
    "tools",
    "documents",
    "parameters",
    "metadata",
];
/// Columns whose cells are JSON.
const NESTED: [&str; 7] =
    ["expected_tool_calls", "output_tool_calls", "messages", "tools", "documents", "parameters", "metadata"];

pub(super) fn export(examples: &[Example]) -> Exported {
    let mut writer = Writer::from_writer(Vec::new());
    let mut write = |cells: &[String; COLUMNS.len()]| {
        writer.write_record(cells.each_ref().map(|cell| spreadsheet::cell(cell).into_owned()))
    };
    let mut exported = Exported::default();
    let header = COLUMNS.map(str::to_owned);
    let mut failed = write(&header).err();
    for example in examples {
        failed = failed.or_else(|| write(&cells(example)).err());
        if let Some(error) = &failed {
            exported.skipped.push((example.id.clone(), error.to_string()));
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    exported.text = String::from_utf8_lossy(&bytes).into_owned();
    exported
}

fn cells(example: &Example) -> [String; COLUMNS.len()] {
    let source = example.source.clone().unwrap_or_default();
    let text = |answer: &Option<Answer>| answer.as_ref().and_then(|answer| answer.text.clone()).unwrap_or_default();
    let calls = |answer: &Option<Answer>| nested(&json!(answer.as_ref().map(|answer| &answer.tool_calls)));
    [
        example.id.clone(),
        example.revision.to_string(),
        example.question().unwrap_or_default(),
        text(&example.expected),
        calls(&example.expected),
        text(&example.output),
        calls(&example.output),
        example.reason.clone().unwrap_or_default(),
        example.split.clone().unwrap_or_default(),
        tags(&example.tags),
        source.trace_id.unwrap_or_default(),
        source.span_id.unwrap_or_default(),
        source.content_hash.unwrap_or_default(),
        nested(&json!(example.messages)),
        nested(&json!(example.tools)),
        nested(&json!(example.documents)),
        nested(&json!(example.parameters)),
        nested(&json!(example.metadata)),
    ]
}

/// With commas between them, or as JSON where that would not come back.
fn tags(tags: &[String]) -> String {
    let is_plain = |tag: &String| !tag.is_empty() && tag.trim() == tag && !tag.contains(',') && !tag.starts_with('[');
    if tags.iter().all(is_plain) { tags.join(",") } else { json!(tags).to_string() }
}

/// JSON; nothing for nothing.
fn nested(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Object(members) if members.is_empty() => String::new(),
        value => value.to_string(),
    }
}

pub(super) fn import(bytes: &[u8]) -> Read {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return vec![(1, Err(format!("the header cannot be read: {error}")))],
    };
    if !["id", "input", "messages"].iter().any(|needed| header.iter().any(|column| column == *needed)) {
        let reason = "there is no column `id`, `input` or `messages`; the first line names the columns";
        return vec![(1, Err(reason.to_owned()))];
    }
    let mut read = Vec::new();
    let mut record = StringRecord::new();
    loop {
        let line = reader.position().line() as usize;
        match reader.read_record(&mut record) {
            Ok(false) => return read,
            Ok(true) => {
                let line = record.position().map_or(line, |position| position.line() as usize);
                read.push((line, example(&header, &record)));
            }
            Err(error) => {
                let reason = match error.kind() {
                    csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
                    _ => error.to_string(),
                };
                let line = error.position().map_or(line, |position| position.line() as usize);
                read.push((line, Err(reason)));
            }
        }
    }
}

fn example(header: &StringRecord, record: &StringRecord) -> Result<Given, String> {
    if header.len() != record.len() {
        return Err(format!("it has {} cells and the header {}", record.len(), header.len()));
    }
    let mut members = Map::new();
    for (column, cell) in header.iter().zip(record).filter(|(_, cell)| !cell.is_empty()) {
        let cell = spreadsheet::text_of(cell);
        let value = match column {
            column if NESTED.contains(&column) => {
                serde_json::from_str(cell).map_err(|error| format!("`{column}` is not JSON: {error}"))?
            }
            "revision" => cell.parse::<u32>().map_err(|_| format!("`revision`: `{cell}` is no number"))?.into(),
            "tags" if cell.starts_with('[') => {
                serde_json::from_str(cell).map_err(|error| format!("`tags` is not JSON: {error}"))?
            }
            "tags" => cell.split(',').map(str::trim).map(Value::from).collect(),
            _ => Value::from(cell),
        };
        members.insert(column.to_owned(), value);
    }
    // The column is for people; the messages hold it.
    if members.contains_key("messages") {
        members.remove("input");
    }
    read::example(members)
}
