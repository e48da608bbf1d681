//! The entry point: from a decoded span or log record to its canonical facts.

use tracewell_model::kind::{Dialect, Kind};

use crate::detect::{self, Marks};
use crate::fields::Field;
use crate::fields::facts::{Facts, Hit};
use crate::fingerprint::Fingerprints;
use crate::input::{LogInput, SpanInput};
use crate::keys::{KEYS, Keys};
use crate::normalized::Normalized;
use crate::resource::TEAM_KEYS;
use crate::{content, errors, finish, identity, kinds, logs, params, scores, timing, usage};

/// Reads spans and log records, one at a time. What is equal to what it read before it need not read again.
#[derive(Debug)]
pub struct Normalizer {
    keys: &'static Keys,
    team_keys: Vec<String>,
    hits: Vec<Hit>,
    contents: content::Known,
    fingerprints: Fingerprints,
}

impl Default for Normalizer {
    fn default() -> Self {
        Self::new()
    }
}

impl Normalizer {
    /// A normalizer that takes [`TEAM_KEYS`] in user metadata for the team.
    #[must_use]
    pub fn new() -> Self {
        Self::with_team_keys(TEAM_KEYS)
    }

    /// A normalizer that takes the first of `team_keys` found in user metadata for the team.
    #[must_use]
    pub fn with_team_keys(team_keys: &[impl AsRef<str>]) -> Self {
        let team_keys = team_keys.iter().map(|key| key.as_ref().to_owned()).collect();
        let (contents, fingerprints) = (content::Known::default(), Fingerprints::default());
        Self { keys: &KEYS, team_keys, hits: Vec::new(), contents, fingerprints }
    }

    /// Reads `span` into `out`, which is cleared first.
    pub fn span<'a>(&mut self, span: &SpanInput<'_, 'a>, out: &mut Normalized<'a>) {
        out.clear();
        let marks = self.look_up(span);
        out.dialect = detect::dialect(span, marks);
        if out.dialect != Dialect::Plain || !self.hits.is_empty() || span.status_code == 2 {
            self.scalars(span, None, out);
        }
        content::span(span, &mut self.contents, out);
        scores::span(span, out);
        self.fingerprints.fill(out);
    }

    /// Reads `log` into `out`, which is cleared first.
    pub fn log<'a>(&mut self, log: &LogInput<'_, 'a>, out: &mut Normalized<'a>) {
        out.clear();
        let Some(event) = logs::Event::of(log) else { return };
        out.dialect = event.dialect;
        if let Some(as_span) = event.as_span(log) {
            self.look_up(&as_span.span);
            self.scalars(&as_span.span, as_span.kind, out);
        }
        logs::log(log, &event, out);
    }

    /// Finds the known attributes of `span`, and what they betray of its dialect.
    fn look_up(&mut self, span: &SpanInput<'_, '_>) -> Marks {
        self.hits.clear();
        let mut marks = Marks::default();
        for (position, attribute) in span.attributes.iter().enumerate() {
            if let Some((entry, class)) = self.keys.look_up(attribute.key) {
                marks.set(class.mark);
                if entry.is_some() || class.family.is_some() {
                    self.hits.push(Hit { attribute: position as u32, entry, class });
                }
            }
        }
        marks
    }

    /// Reads what is a column of its own; the kind follows from the span unless it is known.
    fn scalars<'a>(&self, span: &SpanInput<'_, 'a>, kind: Option<Kind>, out: &mut Normalized<'a>) {
        let mut facts = Facts::read(span.attributes, &self.hits, out.dialect, out);
        out.kind = kind.unwrap_or_else(|| kinds::kind(span, &facts, out.dialect));
        if facts.text(Field::Example).is_some() {
            out.flags.push("trial");
        }
        if out.dialect == Dialect::Plain {
            identity::context(&facts, &self.team_keys, out);
            errors::fill(span, &facts, out);
            return;
        }
        facts.read_members(&self.hits, out.kind, out);
        identity::context(&facts, &self.team_keys, out);
        identity::call(span, &facts, out);
        identity::work(span, &facts, out);
        identity::prompt(span, &facts, out);
        params::fill(&facts, out);
        usage::fill(span, &facts, out);
        finish::fill(span, &facts, out);
        timing::fill(span, &facts, out);
        errors::fill(span, &facts, out);
        // Logfire sends a placeholder when a span starts; the span itself follows.
        if facts.text(Field::LogfireType).is_some_and(|kind| kind == "pending_span") {
            out.flags.push("pending_span");
        }
        // And the output of a stream in a record of its own, beside the span of the request.
        if out.dialect == Dialect::Logfire && span.name.starts_with("streaming response from") {
            out.flags.push("streaming_record");
            out.streaming = Some(true);
        }
    }
}

#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod truth;
