//! The table of reviews: what people were asked about outputs, and what they said.

use super::super::ColumnType::{Date, Int64, Text, TextList, Timestamp};
use super::super::{Table, column};

/// One row per step of a review.
pub const REVIEWS: Table = Table {
    name: "reviews",
    doc: "One row per step in the review of an item: queued, assigned, opened, answered, released. An item is an example of a dataset.",
    sort: &["queue", "item", "entry"],
    columns: &[
        column("date", Date, "UTC day of the recording.").required(),
        column("recorded_at", Timestamp, "When it was recorded.").required().stats(),
        column("queue", Text, "Name of the queue.").required().dict().stats(),
        column("item", Text, "Id of the item in the queue; empty in a row about the queue itself.").required(),
        column("entry", Int64, "Number of the step in the life of the item, counted from 1.").required(),
        column("step", Text, "describe, add, assign, open, release, answer.").required().dict(),
        column("author", Text, "Who took the step.").required().dict(),
        column("reviewer", Text, "Whom it is about: who is assigned, has it open, or answers.").dict(),
        column("until", Timestamp, "Until when it is kept open for the reviewer."),
        column("outcome", Text, "Of an answer: accept, correct, decline.").dict(),
        column("answers", Text, "Answers to the questions: JSON object."),
        column("expected", Text, "Of a correction, what the output should have been: JSON, `{text, tool_calls}`."),
        column("note", Text, "Remark."),
        column("dataset", Text, "Dataset of the example.").dict(),
        column("example", Text, "Id of the example."),
        column("trace_id", Text, "Run that the output is of."),
        column("span_id", Text, "Span that the output is of."),
        column("questions", Text, "Of the queue: JSON, `[{name, kind, choices, required}]`."),
        column("reviewers", Int64, "Of the queue: answers that an item needs."),
        column("blind", Text, "Of the queue: `yes` where reviewers do not see each other's answers before theirs.")
            .dict(),
        column("tags", TextList, "Words to choose it by.").dict(),
    ],
};
