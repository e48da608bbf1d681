//! `tracewell dataset export`: masked, then written.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::json::LineDelimitedWriter;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tracewell_ledger::datasets;
use tracewell_regression::Example;
use tracewell_regression::exchange::{self, Exported, Imported, Source};

use super::Choice;
use crate::command::masking::{Masking, mask};
use crate::command::source::Asked;

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    choice: Choice,
    /// For whom
    #[arg(long, value_enum)]
    to: Target,
    /// The file, or for Parquet the folder; standard output otherwise
    #[arg(long, short = 'o', value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    masking: Masking,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Lines of JSON with all there is.
    Jsonl,
    /// For spreadsheets.
    Csv,
    /// A folder that Hugging Face `datasets` opens.
    Parquet,
    /// Tests of promptfoo.
    PromptfooYaml,
    /// The same in JSON.
    PromptfooJson,
    /// OpenAI evals.
    OpenaiEvals,
    /// OpenAI's fine-tuning.
    OpenaiFineTuning,
    /// Inspect AI.
    Inspect,
    /// Dataset items of Langfuse.
    Langfuse,
}

impl Target {
    fn format(self) -> Option<exchange::Format> {
        Some(match self {
            Self::Parquet => return None,
            Self::Jsonl => exchange::Format::Jsonl,
            Self::Csv => exchange::Format::Csv,
            Self::PromptfooYaml => exchange::Format::PromptfooYaml,
            Self::PromptfooJson => exchange::Format::PromptfooJson,
            Self::OpenaiEvals => exchange::Format::OpenaiEvals,
            Self::OpenaiFineTuning => exchange::Format::OpenaiFineTuning,
            Self::Inspect => exchange::Format::Inspect,
            Self::Langfuse => exchange::Format::Langfuse,
        })
    }
}

impl Export {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let dataset = datasets::existing(&self.asked.open().await?, &self.choice.pin).await?;
        let examples = dataset.examples().filter(|example| self.choice.fits(example)).cloned();
        let mut masker = self.masking.masker()?;
        let masked = |example| match &mut masker {
            Some(masker) => mask(masker, example),
            None => Ok(example),
        };
        let examples: Vec<Example> = examples.map(masked).collect::<Result<_, _>>()?;
        let masked = self.masking.told(masker.as_ref())?;
        let skipped = match (self.to.format(), &self.output) {
            (Some(format), output) => {
                let Exported { text, skipped } = exchange::export(format, &dataset.name, &examples);
                match output {
                    Some(path) => {
                        std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?
                    }
                    None => std::io::stdout().write_all(text.as_bytes())?,
                }
                skipped
            }
            (None, Some(folder)) => {
                write_parquet(folder, &examples)?;
                Vec::new()
            }
            (None, None) => bail!("Parquet is a folder of files; name it with --output FOLDER"),
        };
        for (id, reason) in &skipped {
            eprintln!("tracewell: `{id}` was left out: {reason}");
        }
        eprintln!("{} examples of `{}@v{}`; {masked}", examples.len() - skipped.len(), dataset.name, dataset.version);
        Ok(())
    }
}

/// Columns whose cells are JSON.
const NESTED: [&str; 6] = ["tools", "documents", "parameters", "output", "expected", "metadata"];

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let message = Fields::from(vec![text("role"), text("content"), text("tool_calls"), text("tool_call_id")]);
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

/// One file a split, as Hugging Face `datasets` looks for them: `data/test-00000-of-00001.parquet`.
fn write_parquet(folder: &Path, examples: &[Example]) -> anyhow::Result<()> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).with_context(|| format!("cannot make `{}`", data.display()))?;
    let mut splits: Vec<&str> = examples.iter().map(split).collect();
    splits.sort_unstable();
    splits.dedup();
    for name in splits {
        let rows: Vec<Value> = examples.iter().filter(|example| split(example) == name).map(row).collect();
        let mut decoder =
            arrow::json::ReaderBuilder::new(schema()).with_batch_size(rows.len().max(1)).build_decoder()?;
        decoder.serialize(&rows)?;
        let Some(batch) = decoder.flush()? else { continue };
        let path = data.join(format!("{}-00000-of-00001.parquet", name.replace(['/', '\\'], "_")));
        let file = std::fs::File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None)?;
        writer.write(&batch)?;
        writer.close()?;
    }
    Ok(())
}

/// Where nobody says otherwise, examples are for training as far as the layout knows.
fn split(example: &Example) -> &str {
    example.split.as_deref().unwrap_or("train")
}

fn row(example: &Example) -> Value {
    let nested = |value: Value| match &value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        _ => Some(value.to_string()),
    };
    let messages = example.messages.iter().map(|message| {
        let content = match &message.content {
            Value::String(text) => Some(text.clone()),
            other => nested(other.clone()),
        };
        let calls = message.rest.get("tool_calls").cloned().and_then(nested);
        json!({ "role": message.role, "content": content, "tool_calls": calls,
            "tool_call_id": message.rest.get("tool_call_id") })
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
pub(super) fn read_parquet(bytes: Vec<u8>, strict: bool) -> anyhow::Result<Imported> {
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
    Ok(exchange::import(Source::Jsonl, &text, strict)?)
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
    for message in row.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        message.get_mut("tool_calls").into_iter().for_each(read);
        if message.get("tool_calls").is_some() {
            message.get_mut("content").into_iter().for_each(read);
        }
    }
}
