//! Examples in Parquet, out and in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::json::LineDelimitedWriter;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tracewell_regression::Example;
use tracewell_regression::exchange::{self, Imported, Source};

/// Columns whose cells are JSON.
const NESTED: [&str; 6] = ["tools", "documents", "parameters", "output", "expected", "metadata"];

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let message = ["role", "content", "tool_calls", "tool_call_id", "parts", "more"].map(text);
    let message = Fields::from(message.to_vec());
    let message = Field::new("item", DataType::Struct(message), true);
    let mut fields = vec![
        text("id"),
        Field::new("revision", DataType::Int64, true),
        text("question"),
        text("answer"),
        Field::new("messages", DataType::List(Arc::new(message)), true),
        text("reason"),
        text("split"),
        Field::new("tags", DataType::new_list(DataType::Utf8, true), true),
        text("trace_id"),
        text("span_id"),
        text("content_hash"),
    ];
    fields.extend(NESTED.map(text));
    Arc::new(Schema::new(fields))
}

/// What the files of a folder end with: each is whole.
const ENDING: &str = "-00000-of-00001.parquet";

/// One file a split, as Hugging Face `datasets` looks for them: `data/test-00000-of-00001.parquet`. Files of splits that
/// were written there before, and are gone, are taken away.
pub(super) fn write(folder: &Path, examples: &[Example]) -> anyhow::Result<()> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).with_context(|| format!("cannot make `{}`", data.display()))?;
    let mut splits: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for example in examples {
        splits.entry(file_name(example)).or_default().push(row(example));
    }
    for entry in std::fs::read_dir(&data)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name.ends_with(ENDING) && !splits.contains_key(&name) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
    }
    for (name, rows) in splits {
        let mut decoder =
            arrow::json::ReaderBuilder::new(schema()).with_batch_size(rows.len().max(1)).build_decoder()?;
        decoder.serialize(&rows)?;
        let Some(batch) = decoder.flush()? else { continue };
        let path = data.join(name);
        let file = std::fs::File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None)?;
        writer.write(&batch)?;
        writer.close()?;
    }
    Ok(())
}

/// The file of an example's split; splits whose names come to the same share one, and the column `split` tells them apart.
/// `datasets` takes letters, digits and `_` for a name. Where nobody says otherwise, examples are for training as far as the
/// layout knows.
fn file_name(example: &Example) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
    let name: String =
        example.split.as_deref().filter(|name| !name.is_empty()).unwrap_or("train").chars().map(plain).collect();
    name + ENDING
}

fn row(example: &Example) -> Value {
    let nested = |value: Value| match &value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        _ => Some(value.to_string()),
    };
    // Beside its text stand what is more than text, and members that have no column.
    let messages = example.messages.iter().map(|message| {
        let mut more = message.rest.clone();
        let calls = more.remove("tool_calls").and_then(nested);
        let call_id = more.remove("tool_call_id");
        let parts = Some(&message.content).filter(|content| !content.is_string()).cloned().and_then(nested);
        json!({ "role": message.role, "content": message.text(), "tool_calls": calls, "tool_call_id": call_id,
            "parts": parts, "more": nested(Value::Object(more)) })
    });
    let source = example.source.clone().unwrap_or_default();
    json!({
        "id": example.id, "revision": example.revision, "question": example.question(),
        "answer": example.expected.as_ref().and_then(|expected| expected.text.clone()),
        "messages": messages.collect::<Vec<_>>(), "reason": example.reason, "split": example.split,
        "tags": example.tags, "trace_id": source.trace_id, "span_id": source.span_id,
        "content_hash": source.content_hash, "tools": nested(json!(example.tools)),
        "documents": nested(json!(example.documents)), "parameters": nested(json!(example.parameters)),
        "output": nested(json!(example.output)), "expected": nested(json!(example.expected)),
        "metadata": nested(json!(example.metadata)),
    })
}

/// Reads examples from a Parquet file: ours, or one whose columns have names that are known of other tools.
pub(super) fn read(bytes: Vec<u8>, strict: bool) -> anyhow::Result<Imported> {
    Ok(exchange::import(Source::Jsonl, &lines(bytes)?, strict)?)
}

/// Reads all Parquet files of a folder, such as [`write()`] makes: they are there, or in its folder `data`. Lines are
/// rows, counted over all files in the order of their names.
pub(super) fn read_folder(folder: &Path, strict: bool) -> anyhow::Result<Imported> {
    let mut paths = Vec::new();
    for folder in [folder.to_owned(), folder.join("data")] {
        if folder.is_dir() {
            for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
                paths.push(entry?.path());
            }
        }
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    paths.sort();
    ensure!(!paths.is_empty(), "there is no Parquet file in `{0}` or `{0}/data`", folder.display());
    let mut text = Vec::new();
    for path in paths {
        let what = || format!("`{}`", path.display());
        text.extend(lines(std::fs::read(&path).with_context(what)?).with_context(what)?);
    }
    Ok(exchange::import(Source::Jsonl, &text, strict)?)
}

/// The rows of a file, a line of JSON each.
fn lines(bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).context("it is no Parquet file")?.build()?;
    let mut lines = LineDelimitedWriter::new(Vec::new());
    for batch in reader {
        lines.write(&batch?)?;
    }
    lines.finish()?;
    let mut text = Vec::new();
    for line in lines.into_inner().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut row: Value = serde_json::from_slice(line)?;
        unnest(&mut row);
        serde_json::to_writer(&mut text, &row)?;
        text.push(b'\n');
    }
    Ok(text)
}

fn unnest(row: &mut Value) {
    let Some(row) = row.as_object_mut() else { return };
    if row.contains_key("messages") {
        // What others ask for in a column of its own stands in the messages, and in the answer.
        row.remove("question");
        row.remove("answer");
    }
    let read = |value: &mut Value| {
        if let Some(text) = value.as_str().filter(|text| text.starts_with(['{', '[']))
            && let Ok(inner) = serde_json::from_str(text)
        {
            *value = inner;
        }
    };
    NESTED.iter().for_each(|name| row.get_mut(*name).into_iter().for_each(read));
    let messages = row.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten();
    for message in messages.filter_map(Value::as_object_mut) {
        for name in ["tool_calls", "parts", "more"] {
            message.get_mut(name).into_iter().for_each(read);
        }
        if let Some(parts) = message.remove("parts") {
            message.insert("content".to_owned(), parts);
        }
        if let Some(Value::Object(more)) = message.remove("more") {
            message.extend(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracewell_regression::Answer;
    use tracewell_regression::example::Message;

    use super::*;

    fn example(id: &str, split: Option<&str>) -> Example {
        Example {
            id: id.to_owned(),
            revision: 1,
            messages: vec![Message::of_text("user", format!("Where is {id}?"))],
            expected: Some(Answer::of_text("Here.")),
            split: split.map(str::to_owned),
            ..Example::default()
        }
    }

    /// The files of an exported folder.
    fn files(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder.join("data")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn each_split_is_a_file_that_says_so_and_those_that_are_gone_go() {
        let folder = tempfile::tempdir().unwrap();
        let all = [
            example("a", None),
            example("b", Some("pre-prod")),
            example("c", Some("pre/prod")),
            example("d", Some("test")),
        ];
        write(folder.path(), &all).unwrap();
        let named =
            |names: &[&str]| names.iter().map(|name| format!("{name}-00000-of-00001.parquet")).collect::<Vec<_>>();
        assert_eq!(files(folder.path()), named(&["pre_prod", "test", "train"]));
        let shared = std::fs::read(folder.path().join("data").join(&named(&["pre_prod"])[0])).unwrap();
        let back = read(shared, true).unwrap();
        let back: Vec<&Example> = back.entries.iter().map(|entry| &entry.example).collect();
        assert_eq!(back, [&all[1], &all[2]]);

        std::fs::write(folder.path().join("data/notes.txt"), "mine").unwrap();
        for named in [folder.path().to_owned(), folder.path().join("data")] {
            let whole = read_folder(&named, true).unwrap();
            let whole: Vec<&Example> = whole.entries.iter().map(|entry| &entry.example).collect();
            assert_eq!(whole, [&all[1], &all[2], &all[3], &all[0]]);
        }
        let empty = tempfile::tempdir().unwrap();
        assert!(read_folder(empty.path(), true).unwrap_err().to_string().contains("there is no Parquet file in `"));
        write(folder.path(), &all[3..]).unwrap();
        assert_eq!(files(folder.path()), [&["notes.txt".to_owned()][..], &named(&["test"])].concat());
    }

    #[test]
    fn everything_of_an_example_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let whole = json!({
            "id": "a", "revision": 2, "split": "test", "tags": ["x", "y"], "reason": "it failed",
            "messages": [
                {"role": "system", "content": "{\"not\": \"parts\"}"},
                {"role": "user", "name": "ann", "content": [{"type": "text", "text": "What is this?"}]},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function",
                    "function": {"name": "find", "arguments": "{}"}}]},
                {"role": "tool", "content": "[1]", "tool_call_id": "c"}
            ],
            "tools": [{"type": "function", "function": {"name": "find"}}],
            "documents": [{"id": "doc-1", "score": 0.5}], "parameters": {"temperature": 0.5},
            "output": {"text": "No."}, "expected": {"tool_calls": [{"name": "find", "arguments": {"id": 7}}]},
            "source": {"trace_id": "t", "span_id": "s", "content_hash": "h"}, "metadata": {"customer": {"tier": 1}}
        });
        let whole: Example = serde_json::from_value(whole).unwrap();
        write(folder.path(), std::slice::from_ref(&whole)).unwrap();
        let file = std::fs::read(folder.path().join("data/test-00000-of-00001.parquet")).unwrap();
        let back = read(file, true).unwrap();
        assert_eq!(back.entries.len(), 1);
        assert_eq!(json!(back.entries[0].example), json!(whole));
        assert!(read(b"no parquet".to_vec(), false).unwrap_err().to_string().contains("it is no Parquet file"));
    }
}
