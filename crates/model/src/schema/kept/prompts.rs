//! The table of prompts: the system of record of what models are told.

use super::super::ColumnType::{Date, Int64, Text, TextList, Timestamp};
use super::super::{Table, column};

/// One row per revision of a prompt.
pub const PROMPTS: Table = Table {
    name: "prompts",
    doc: "One row per revision of a prompt or workflow, whole and never changed: what a rollback needs is here, whatever else has expired.",
    sort: &["name", "revision"],
    columns: &[
        column("date", Date, "UTC day of the recording.").required(),
        column("recorded_at", Timestamp, "When it was recorded.").required().stats(),
        column("name", Text, "Name of the prompt or workflow.").required().dict().stats(),
        column("revision", Int64, "Counted from 1.").required().stats(),
        column(
            "version",
            Text,
            "What the application reports as its version; the revision where it has none of its own.",
        )
        .required(),
        column("author", Text, "Who recorded it.").required().dict(),
        column("note", Text, "What changed and why."),
        column("template", Text, "The messages with places for variables: JSON, `[{role, content}]`.").required(),
        column("variables", TextList, "Variables of the template.").dict(),
        column("parameters", Text, "Temperature and the like: JSON object.").dict(),
        column("routing", Text, "Where calls go: JSON, `{provider, model, …}`.").dict(),
        column("policy", Text, "What binds the calls: JSON, `{tools, tool_choice, response_format, …}`.").dict(),
        column("owner", Text, "Who answers for it.").dict(),
        column("reviewers", TextList, "Who may approve the releases that come after it, or its own where none of its prompt is live; anyone where empty.").dict(),
        column("approvals", Int64, "Approvals that its release needs at least, and those after it; 1 where nothing is said."),
        column("purpose", Text, "What it is for.").dict(),
        column("thresholds", Text, "What the verdict that it goes live on has to show: JSON, `{scorer: least share}`.").dict(),
        column("source", Text, "Where it was taken from, such as the path of a file.").dict(),
        column("commit", Text, "Commit of the source.").dict(),
        column("content_hash", Text, "BLAKE3 of the template; of a workflow, whose text is elsewhere, with its version.").required(),
        column("routing_hash", Text, "BLAKE3 of routing and parameters.").required(),
        column("policy_hash", Text, "BLAKE3 of the policy.").required(),
        column("kind", Text, "prompt or workflow; NULL, which is prompt, in rows of before schema 0.6.").dict(),
    ],
};
