//! What alert rules found.

use super::super::ColumnType::{Date, Double, Int64, Text, TextList, Timestamp};
use super::super::{Table, column};

/// One row per change of an alert, and per step of its delivery.
pub const ALERTS: Table = Table {
    name: "alerts",
    doc: "One row per change of an alert: it fires, fires still, is resolved, or is silenced; and per step of its delivery: each destination is told the last change, once the silence is over. Its state is the event of its last change.",
    sort: &["recorded_at"],
    columns: &[
        column("date", Date, "UTC day of the recording. Partition.").required(),
        column("recorded_at", Timestamp, "When it was recorded.").required(),
        column("rule", Text, "Name of the rule.").required().dict(),
        column(
            "event",
            Text,
            "A change: firing, still_firing, resolved. Besides: silenced; attempt, delivered, failed.",
        )
        .required()
        .dict(),
        column("value", Double, "What the rule measured."),
        column("threshold", Double, "What it was held against."),
        column("samples", Int64, "How many calls, runs or weeks the value rests on."),
        column("since", Timestamp, "Beginning of the window."),
        column("until", Timestamp, "End of the window; of a silence when it ends."),
        column("runs", TextList, "Ids of runs behind it."),
        column("message", Text, "What was said."),
        column("author", Text, "Who silenced it.").dict(),
        column(
            "number",
            Int64,
            "The how manieth change of its rule it is, or is a step in the delivery of; of a silence the how manieth silence; NULL in rows of before schema 0.6, whose changes were sent at once.",
        ),
        column("destination", Text, "Where the change is sent to.").dict(),
        column("attempt", Int64, "The how manieth attempt to send it there."),
        column("reason", Text, "Why an attempt failed."),
    ],
};
