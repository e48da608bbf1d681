//! Decoded requests to rows of the fact tables.
//!
//! One [`Rows`] collects what a shard has received since its last seal, apart for each day. It is filled again the
//! same way from the write-ahead log after a crash, so nothing here may depend on the clock or on chance.

use std::collections::{BTreeMap, HashMap};

use arrow::array::RecordBatch;
use tracewell_dialects::{Normalized, Normalizer, ResourceFacts, TEAM_KEYS};
use tracewell_model::schema;
use tracewell_model::time::Day;
use tracewell_otlp::json::Unreadable;
use tracewell_otlp::{Decoder, Limits, LogIndex, MalformedRequest, Refusal, Resource, Scope, TraceIndex};

use self::cells::LastOfKey;
use crate::columns::Columns;
use crate::names;
use crate::seen::SeenContents;

mod cells;
mod content;
mod log;
mod score;
mod span;

/// Where a request stands in the log, and when and for whom it came.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// Its sequence number in the shard's write-ahead log.
    pub seq: u64,
    /// When it was received, in nanoseconds since 1970.
    pub received_at: i64,
    /// The tenant of its credential.
    pub tenant: &'a str,
}

/// What became of the spans or records of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many were taken in.
    pub accepted: u64,
    /// How many can never be.
    pub rejected: u64,
    /// Why, for the first few.
    pub reasons: Vec<String>,
    /// How many for each [reason](Refusal::reason).
    pub rejected_by: BTreeMap<&'static str, u64>,
}

/// Reasons beyond these are only counted.
const REASONS_TOLD: usize = 5;

impl Outcome {
    fn count(&mut self, position: usize, refused: Option<Refusal>) {
        let Some(refusal) = refused else {
            self.accepted += 1;
            return;
        };
        self.rejected += 1;
        *self.rejected_by.entry(refusal.reason()).or_default() += 1;
        if self.reasons.len() < REASONS_TOLD {
            self.reasons.push(format!("number {position}: {refusal}"));
        }
    }

    /// Tells what was wrong with the JSON, where that is why a span or record was refused.
    pub(crate) fn explain(&mut self, unreadable: &[Unreadable]) {
        for Unreadable { position, reason } in unreadable {
            let number = format!("number {position}: ");
            if let Some(told) = self.reasons.iter_mut().find(|told| told.starts_with(&number)) {
                *told = number + reason;
            }
        }
    }
}

struct DayRows {
    spans: Columns,
    logs: Columns,
    contents: Columns,
    scores: Columns,
}

impl DayRows {
    /// No rows of `day`; those to come are likely as many as there were `last` time.
    fn new(day: Day, last: Option<Last>) -> Self {
        let mut contents = Columns::new(&schema::CONTENTS);
        if let Some(last) = last.filter(|last| last.day == day) {
            contents.reserve(names::contents::CONTENT, last.bytes.next_power_of_two());
        }
        Self {
            spans: Columns::new(&schema::SPANS),
            logs: Columns::new(&schema::LOGS),
            contents,
            scores: Columns::new(&schema::SCORES),
        }
    }

    fn tables(&mut self) -> [(&'static str, &mut Columns); 4] {
        [
            (schema::CONTENTS.name, &mut self.contents),
            (schema::LOGS.name, &mut self.logs),
            (schema::SCORES.name, &mut self.scores),
            (schema::SPANS.name, &mut self.spans),
        ]
    }
}

/// The contents that were taken last: those of the day that had most.
#[derive(Clone, Copy)]
struct Last {
    day: Day,
    bytes: usize,
}

/// The rows of each table and day that one [`Rows::take`] gives.
pub type TakenRows = Vec<(&'static str, Day, RecordBatch)>;

/// The flag of a row of which an attribute's key stands more than once: the last value is stored.
const REPEATED_KEY: &str = "repeated_key";

/// Rows under construction.
pub struct Rows {
    normalizer: Normalizer,
    team_keys: Vec<String>,
    limits: Limits,
    days: HashMap<Day, DayRows>,
    last: Option<Last>,
    seen: SeenContents,
    text: String,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl Rows {
    /// No rows yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            normalizer: Normalizer::new(),
            team_keys: TEAM_KEYS.iter().map(|key| (*key).to_owned()).collect(),
            limits,
            days: HashMap::new(),
            last: None,
            seen: SeenContents::new(None),
            text: String::new(),
        }
    }

    /// Contents expire after `retention`; never when `None`.
    pub(crate) fn with_contents_retention(mut self, retention: Option<std::time::Duration>) -> Self {
        self.seen = SeenContents::new(retention);
        self
    }

    /// The first of `team_keys` that a span's metadata or its resource states names the team, in place of [`TEAM_KEYS`].
    #[must_use]
    pub fn with_team_keys(mut self, team_keys: &[String]) -> Self {
        self.normalizer = Normalizer::with_team_keys(team_keys);
        self.team_keys = team_keys.to_owned();
        self
    }

    /// Forgets which contents `day` holds: it loses some, and whatever comes from here on is stored again.
    pub fn forget_contents(&mut self, day: Day) {
        self.seen.forget(day);
    }

    /// Forgets which contents any day holds: the rows taken since then may not have been stored.
    pub(crate) fn forget_all_contents(&mut self) {
        self.seen.forget_all();
    }

    /// About how much memory the rows take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.days
            .values()
            .map(|day| day.spans.bytes() + day.logs.bytes() + day.contents.bytes() + day.scores.bytes())
            .sum()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.values().all(|day| day.spans.rows() + day.logs.rows() + day.contents.rows() + day.scores.rows() == 0)
    }

    /// The rows so far; the tables start again empty. What contents a day holds stays remembered.
    pub fn take(&mut self) -> TakenRows {
        let mut taken = Vec::new();
        let contents = self.days.iter().map(|(day, rows)| Last { day: *day, bytes: rows.contents.bytes() });
        self.last = contents.max_by_key(|last| last.bytes);
        for (day, mut rows) in self.days.drain() {
            for (table, columns) in rows.tables() {
                if columns.rows() > 0 {
                    taken.push((table, day, columns.finish()));
                }
            }
        }
        taken
    }

    /// Takes in an `ExportTraceServiceRequest`.
    ///
    /// # Errors
    /// When its framing is broken; nothing is taken in then.
    pub fn traces(&mut self, body: &[u8], receipt: Receipt<'_>) -> Result<Outcome, MalformedRequest> {
        let index: TraceIndex = tracewell_otlp::index_traces(body)?;
        let mut outcome = Outcome::default();
        let mut decoder = Decoder::new(self.limits);
        let mut normalized = Normalized::default();
        let (mut of_resource, mut of_scope) = (Vec::new(), Vec::new());
        let mut position = 0;
        for spans in index.spans().chunk_by(|a, b| a.scope == b.scope) {
            let resource =
                decoder.decode_resource(body, &index.resources()[spans[0].resource as usize], &mut of_resource);
            let scope = decoder.decode_scope(body, &index.scopes()[spans[0].scope as usize], &mut of_scope);
            let source = Source::of(resource, scope, receipt, &self.team_keys);
            for entry in spans {
                let refused = match &source {
                    Ok(source) => match decoder.decode_span(entry.bytes(body)) {
                        Ok(span) => {
                            self.span(&span, source, &mut normalized);
                            None
                        }
                        Err(refusal) => Some(refusal),
                    },
                    Err(refusal) => Some(*refusal),
                };
                outcome.count(position, refused);
                position += 1;
            }
        }
        Ok(outcome)
    }

    /// Takes in an `ExportLogsServiceRequest`.
    ///
    /// # Errors
    /// When its framing is broken; nothing is taken in then.
    pub fn logs(&mut self, body: &[u8], receipt: Receipt<'_>) -> Result<Outcome, MalformedRequest> {
        let index: LogIndex = tracewell_otlp::index_logs(body)?;
        let mut outcome = Outcome::default();
        let mut decoder = Decoder::new(self.limits);
        let mut normalized = Normalized::default();
        let (mut of_resource, mut of_scope) = (Vec::new(), Vec::new());
        let mut position = 0;
        for records in index.records().chunk_by(|a, b| a.scope == b.scope) {
            let resource =
                decoder.decode_resource(body, &index.resources()[records[0].resource as usize], &mut of_resource);
            let scope = decoder.decode_scope(body, &index.scopes()[records[0].scope as usize], &mut of_scope);
            let source = Source::of(resource, scope, receipt, &self.team_keys);
            for entry in records {
                let refused = match &source {
                    Ok(source) => match decoder.decode_log(entry.bytes(body)) {
                        Ok(record) => {
                            self.log(&record, (position, entry.bytes(body)), source, &mut normalized);
                            None
                        }
                        Err(refusal) => Some(refusal),
                    },
                    Err(refusal) => Some(*refusal),
                };
                outcome.count(position, refused);
                position += 1;
            }
        }
        Ok(outcome)
    }
}

/// What stands around a span or record in its request.
struct Source<'s, 'a> {
    resource: Resource<'s, 'a>,
    resource_keys: LastOfKey<'s, 'a>,
    scope: Scope<'s, 'a>,
    scope_keys: LastOfKey<'s, 'a>,
    facts: ResourceFacts<'a>,
    receipt: Receipt<'s>,
}

impl<'s, 'a> Source<'s, 'a> {
    fn of(
        resource: Result<Resource<'s, 'a>, Refusal>,
        scope: Result<Scope<'s, 'a>, Refusal>,
        receipt: Receipt<'s>,
        team_keys: &[String],
    ) -> Result<Self, Refusal> {
        let (resource, scope) = (resource?, scope?);
        Ok(Self {
            resource,
            resource_keys: LastOfKey::of(resource.attributes),
            scope,
            scope_keys: LastOfKey::of(scope.attributes),
            facts: ResourceFacts::with_team_keys(resource.attributes, team_keys),
            receipt,
        })
    }

    /// Whether a key stands more than once in the resource or scope.
    fn repeats(&self) -> bool {
        self.resource_keys.repeats() || self.scope_keys.repeats()
    }
}

#[cfg(test)]
mod tests;
