//! What a record lacks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SpanName;
use super::form::is_unsaid;

records! {
    /// What the record lacks, and what is known to be odd about it.
    Completeness {
        /// Nothing below says that something is missing.
        complete: bool,
        root_missing: bool,
        missing_parents: Vec<MissingParent>,
        /// Spans whose start alone has been told.
        unfinished_spans: Vec<String>,
        /// Spans whose parents form a circle.
        circular_spans: Vec<String>,
        /// Rows of spans that were sent again.
        resent_spans: u64,
        late: Option<Late>,
        sampling: Sampling,
        /// Spans by what is flagged on them.
        flags: BTreeMap<String, Vec<String>>,
        usage_flags: BTreeMap<String, Vec<String>>,
        truncated_spans: Vec<String>,
        unparsable_spans: Vec<String>,
        redacted: Vec<Redacted>,
        unreadable_attributes: Vec<Attribute>,
        /// Attributes of spans of a language-model dialect that fill no column, and are kept as sent.
        unmapped_attributes: Vec<Attribute>,
        dropped_attributes: u64,
        dropped_events: u64,
        dropped_links: u64,
        /// Hashes that spans refer to and that are no longer in `contents`.
        expired_contents: Vec<String>,
        calls_without_usage: Vec<String>,
        calls_without_input: Vec<String>,
        calls_without_output: Vec<String>,
        log_records: u64,
        /// Calls that other traces tell of as well: this run's spans by the span that stands for the call.
        counted_elsewhere: BTreeMap<String, SpanName>,
        /// Other traces at the same time in which calls were looked for that are this run's.
        neighbours: u64,
        /// There were more than could be looked at.
        neighbours_cut: Option<bool>,
    }
    /// A parent that spans name and that has not come.
    MissingParent {
        span_id: String,
        children: Vec<String>,
    }
    /// Spans that came long after their end.
    Late {
        spans: Vec<String>,
        /// How long the latest of them took from its end to its receipt.
        most_ns: i64,
        /// All of them did, as in a back-fill.
        whole_run: bool,
    }
    /// What is known of sampling.
    Sampling {
        /// Spans whose trace flags say that they were sampled.
        sampled_spans: u64,
        /// Spans whose trace flags do not: most exporters leave them out.
        unsaid_spans: u64,
        /// Of all traces, the share that was kept, by the thresholds in `tracestate`.
        kept_share: Vec<f64>,
    }
    /// Spans on which something was masked before it was sent, by a mark that is known.
    Redacted {
        mark: String,
        spans: Vec<String>,
    }
    /// An attribute key and on how many spans it stands.
    Attribute {
        key: String,
        dialect: String,
        spans: u64,
    }
}

always_said!(Completeness, Sampling);
