//! The table of datasets: revisions of their examples.

use super::super::ColumnType::{Date, Int64, Text, TextList, Timestamp};
use super::super::{Table, column};

/// One row per revision of an example in a dataset.
pub const EXAMPLES: Table = Table {
    name: "examples",
    doc: "One row per revision of an example. A version of a dataset is one change to it: its rows have the same `version`. The state of a dataset at a version is the last row of each example up to it, without those whose last row is `archive`.",
    sort: &["dataset", "version", "example"],
    columns: &[
        column("date", Date, "UTC day of the recording.").required(),
        column("recorded_at", Timestamp, "When it was recorded.").required().stats(),
        column("dataset", Text, "Name of the dataset.").required().dict().stats(),
        column("version", Int64, "Version of the dataset that this change made, counted from 1.").required().stats(),
        column("change", Text, "create, patch, archive, restore; `describe` for a row about the dataset itself.").required().dict(),
        column("author", Text, "Who made the change.").required().dict(),
        column("note", Text, "Why, in words.").dict(),
        column("example", Text, "Id of the example, the same in all revisions; empty in a row about the dataset itself.").required(),
        column("revision", Int64, "Revision of the example, counted from 1; 0 in a row about the dataset itself.").required(),
        column("messages", Text, "What the model is told: JSON, messages in the form of OpenAI's chat completions."),
        column("tools", Text, "Tools offered: JSON, in the form of OpenAI's chat completions.").dict(),
        column("documents", Text, "Documents retrieved: JSON, `[{id, text, score, metadata}]`."),
        column("parameters", Text, "Model and parameters of the call: JSON object.").dict(),
        column("output", Text, "What came out: JSON, `{text, tool_calls}`."),
        column("expected", Text, "What should have: JSON, `{text, tool_calls}`."),
        column("reason", Text, "Why it was caught."),
        column("trace_id", Text, "Run that it was taken from.").bloom(),
        column("span_id", Text, "Span that it was taken from."),
        column("content_hash", Text, "BLAKE3 of what the model is told: messages, tools, documents and parameters. Names the case when its span has expired.").bloom(),
        column("split", Text, "Such as train or test.").dict(),
        column("tags", TextList, "Words to choose it by.").dict(),
        column("metadata", Text, "Whatever else is known: JSON object. In a row about the dataset itself `{description, schema}`."),
    ],
};
