//! The table of releases: the ledger of a prompt's or workflow's life.

use super::super::ColumnType::{Bool, Date, Int64, Text, TextList, Timestamp};
use super::super::{Table, column};

/// One row per step of a release.
pub const RELEASES: Table = Table {
    name: "releases",
    doc: "One row per step of a release: proposed, approved, staged, live, rolled back. The state of a prompt in an environment is its last row.",
    sort: &["prompt", "entry"],
    columns: &[
        column("date", Date, "UTC day of the recording.").required(),
        column("recorded_at", Timestamp, "When it was recorded.").required().stats(),
        column("prompt", Text, "Name of the prompt or workflow.").required().dict().stats(),
        column("entry", Int64, "Number of the step in the ledger of the prompt, counted from 1.").required().stats(),
        column("environment", Text, "Where it is to be live.").required().dict(),
        column("revision", Int64, "Revision of the prompt.").required(),
        column("version", Text, "The revision as the application reports it.").required(),
        column("step", Text, "propose, approve, reject, stage, live, rollback.").required().dict(),
        column("state", Text, "State of the revision after the step: draft, review, staged, live, rolled_back.")
            .required()
            .dict(),
        column(
            "effective_at",
            Timestamp,
            "Since when it holds; differs from `recorded_at` for what was recorded afterwards.",
        )
        .required(),
        column("author", Text, "Who took the step.").required().dict(),
        column("why", Text, "Why."),
        column("replaces", Int64, "Revision that was live before, for `live` and `rollback`."),
        column("change", TextList, "What changed against the revision that was live: content, routing, policy.").dict(),
        column("verdict", Text, "Verdict of a gate that it rests on."),
        column("decision", Text, "What the gate decided.").dict(),
        column("approvals", Int64, "Approvals that were needed."),
        column(
            "forced",
            Bool,
            "Whether `author` took the step without the approvals or the verdict that it needs, for the reason in `why`; NULL for steps that need none, and in rows of before schema 0.5.",
        ),
        column("kind", Text, "prompt or workflow; NULL, which is prompt, in rows of before schema 0.6.").dict(),
    ],
};
