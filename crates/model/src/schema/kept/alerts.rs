//! What alert rules found.

use super::super::ColumnType::{Date, Double, Int64, Text, TextList, Timestamp};
use super::super::{Table, column};

/// One row per change of an alert.
pub const ALERTS: Table = Table {
    name: "alerts",
    doc: "One row per change of an alert: it fires, fires still, is resolved, or is silenced. Its state is its last row that is no silence.",
    sort: &["recorded_at"],
    columns: &[
        column("date", Date, "UTC day of the recording. Partition.").required(),
        column("recorded_at", Timestamp, "When it was recorded.").required(),
        column("rule", Text, "Name of the rule.").required().dict(),
        column("event", Text, "firing, still_firing, resolved, silenced.").required().dict(),
        column("value", Double, "What the rule measured."),
        column("threshold", Double, "What it was held against."),
        column("samples", Int64, "How many calls, runs or weeks the value rests on."),
        column("since", Timestamp, "Beginning of the window."),
        column("until", Timestamp, "End of the window; of a silence when it ends."),
        column("runs", TextList, "Ids of runs behind it."),
        column("message", Text, "What was said."),
        column("author", Text, "Who silenced it.").dict(),
    ],
};
