//! The table of verdicts: what gates decided, and by which evidence.

use super::super::ColumnType::{Date, Int64, Text, Timestamp};
use super::super::{Table, column};

/// One row per decision of a gate.
pub const VERDICTS: Table = Table {
    name: "verdicts",
    doc: "One row per decision of a gate, with its evidence.",
    sort: &["recorded_at"],
    columns: &[
        column("date", Date, "UTC day of the recording.").required(),
        column("recorded_at", Timestamp, "When it was decided.").required().stats(),
        column("verdict", Text, "Its id.").required(),
        column("gate", Text, "Name of the gate.").required().dict().stats(),
        column("decision", Text, "pass, fail or not_enough_evidence.").required().dict().stats(),
        column("dataset", Text, "Name of the dataset.").required().dict(),
        column("dataset_version", Int64, "Version of the dataset.").required(),
        column("baseline", Text, "What was compared with, as in the gate's file; NULL where nothing was.").dict(),
        column("baseline_replay", Text, "Replay that the baseline's results are of, where they are of one."),
        column("candidate", Text, "What was to be released, as in the gate's file.").required().dict(),
        column("candidate_replay", Text, "Replay that the candidate's results are of, where they are of one."),
        column("prompt", Text, "Prompt on record that the candidate is a revision of, where it is one.").dict(),
        column("prompt_revision", Int64, "The revision."),
        column("examples", Int64, "Examples of the dataset's version.").required(),
        column("repetitions", Int64, "How often each was run.").required(),
        column("author", Text, "Who ran the gate.").required().dict(),
        column("file", Text, "The gate's file.").required(),
        column("findings", Text, "Each thing that has to hold and whether it does: JSON.").required(),
        column("changes", Text, "Examples that came out otherwise than with the baseline: JSON.").required(),
        column("report", Text, "The whole verdict: JSON.").required(),
        column(
            "trials",
            Text,
            "What was run and how it was scored: JSON, `[{example, side, repetition, trace_id, span_id, scores}]`.",
        )
        .required(),
        column(
            "baseline_version",
            Text,
            "What the baseline's trials are marked with: for `live`, what was live then. NULL where there are none, and in rows of before schema 0.6.",
        )
        .dict(),
        column("baseline_file", Text, "The baseline's own file, where it is one."),
        column(
            "candidate_version",
            Text,
            "What the candidate's trials are marked with, such as `refund-helper@13`; NULL in rows of before schema 0.6.",
        )
        .dict(),
        column("candidate_file", Text, "The candidate's own file, where it is one."),
    ],
};
