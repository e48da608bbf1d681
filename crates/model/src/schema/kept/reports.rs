//! What was published of a period, and to whom it was sent.

use super::super::ColumnType::{Date, Int64, Text, Timestamp};
use super::super::{Table, column};

/// One row per thing that happened to a report.
pub const REPORTS: Table = Table {
    name: "reports",
    doc: "One row per thing that happened to a report: it was published, once for each name and period (by hand, of each time zone), or its delivery was tried, done or given up.",
    sort: &["recorded_at"],
    columns: &[
        column("date", Date, "UTC day of the recording. Partition.").required(),
        column("recorded_at", Timestamp, "When it was recorded.").required(),
        column("event", Text, "published, attempt, delivered, failed.").required().dict(),
        column("name", Text, "Name of the schedule; of one published by hand the name of the report.")
            .required()
            .dict(),
        column("report", Text, "cost, quality, leadership.").dict(),
        column("period", Text, "The period, such as 2026-W46.").required().dict(),
        column("time_zone", Text, "Its time zone.").dict(),
        column("since", Timestamp, "Its first moment."),
        column("until", Timestamp, "Its end, not included."),
        column("due_at", Timestamp, "When the schedule was due."),
        column("calls", Int64, "Model calls, as published."),
        column("unpriced_calls", Int64, "Of which without a price, as published."),
        column(
            "cost_usd",
            Text,
            "Cost in US dollars as an exact decimal, as published; NULL where nothing had a price.",
        ),
        column("prices_version", Text, "Version of the prices it was worked out by; several are parted by commas."),
        column("page", Text, "The report as published: JSON."),
        column("destination", Text, "Where it is sent to.").dict(),
        column("attempt", Int64, "The how manieth attempt to send it there."),
        column("reason", Text, "Why an attempt failed."),
    ],
};
