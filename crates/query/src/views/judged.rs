//! Views of what is said of runs, tried, released, and understood of what comes.

use super::View;

pub(super) const EVALUATIONS: View = View {
    name: "evaluations",
    doc: "One row is one score, however often it was sent.",
    sql: include_str!("../../../../queries/views/evaluations.sql"),
    columns: &[("superseded_at", "When the same judge judged the same anew; NULL for the last word.")],
    uses: &[],
    derived: None,
    reach: None,
};

pub(super) const TRIALS: View = View {
    name: "trials",
    doc: "One row is one trial: a candidate tried on an example of a dataset, once.",
    sql: include_str!("../../../../queries/views/trials.sql"),
    columns: &[
        ("span_id", "The span that is marked; the spans below it are of the trial, too."),
        ("dataset", "`tracewell.dataset`: the dataset, with its version where the sender says it."),
        ("example", "`tracewell.example.id`: the example."),
        ("revision", "`tracewell.example.revision`: its revision; NULL where the sender does not say it."),
        ("candidate", "`tracewell.candidate`: what is tried."),
        ("replay", "`tracewell.replay.id`: the replay that it is of; NULL where it is of none."),
        ("repetition", "`tracewell.repetition`: which time, counted from 1."),
    ],
    uses: &[],
    derived: None,
    reach: None,
};

pub(super) const LIVE_RELEASES: View = View {
    name: "live_releases",
    doc: "One row is one time in which a revision of a prompt or workflow was live in an environment.",
    sql: include_str!("../../../../queries/views/live_releases.sql"),
    columns: &[
        ("live_from", "Since when it was live."),
        ("live_until", "Until when; NULL for what is live now."),
        ("author", "Who made it live."),
        ("why", "Why."),
        ("kind", "prompt or workflow."),
    ],
    uses: &[],
    derived: None,
    reach: None,
};

pub(super) const SPAN_RELEASES: View = View {
    name: "span_releases",
    doc: "One row is one span beside a release that was live then: of the prompt that it names, or of the workflow of its run.",
    sql: include_str!("../../../../queries/views/span_releases.sql"),
    columns: &[
        ("release_environment", "Environment of the release."),
        ("release_revision", "Revision of the prompt or workflow that was live; NULL where none was."),
        ("release_version", "The same as the application reports it."),
        ("live_from", "Since when it was live."),
        ("live_until", "Until when; NULL for what is live now."),
        ("agrees", "Whether the version is the one that was live; NULL where none is named."),
        ("release_kind", "prompt or workflow: whose release it is."),
        ("workflow_name", "Workflow of the run, where the release is one of a workflow."),
        ("workflow_version", "Its version as the application reports it."),
    ],
    uses: &["live_releases"],
    derived: None,
    reach: None,
};

pub(super) const MAPPING_COVERAGE: View = View {
    name: "mapping_coverage",
    doc: "One row is one attribute key as one version of an instrumentation sends it, on spans or on log records of one event, and whether it is understood.",
    sql: include_str!("../../../../queries/views/mapping_coverage.sql"),
    columns: &[
        ("event_name", "The event, where log records carry it, empty where they name none; NULL for spans."),
        ("key", "Attribute key; `body` for a log record's body that carries contents."),
        ("state", "mapped, kept or unreadable."),
        ("spans", "Spans, or log records, that carry it."),
        ("unreadable_spans", "Those on which it could not be read."),
        ("first_seen", "Start of the first of them."),
        ("last_seen", "Start of the last of them."),
    ],
    uses: &[],
    derived: None,
    reach: None,
};
