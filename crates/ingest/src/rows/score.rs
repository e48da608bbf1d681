//! What a span or record judges, as rows of `scores`.

use tracewell_dialects::{Normalized, ScoreTarget};
use tracewell_model::id::{span_id, trace_id};
use tracewell_model::time::{Day, believed_start};

use super::cells::some_text;
use super::{DayRows, Rows, Source};
use crate::names::scores as e;

pub(super) struct ScorePlace {
    pub(super) time: u64,
    pub(super) trace: Option<[u8; 16]>,
    pub(super) span: Option<[u8; 8]>,
    pub(super) parent: Option<[u8; 8]>,
    pub(super) link: Option<([u8; 16], [u8; 8])>,
}

impl Rows {
    pub(super) fn scores(&mut self, place: &ScorePlace, source: &Source<'_, '_>, n: &Normalized<'_>) {
        let receipt = source.receipt;
        let (time, _) = believed_start(place.time, receipt.received_at);
        let day = Day::of(time);
        let rows = self.days.entry(day).or_insert_with(|| DayRows::new(day, self.last));
        let to = &mut rows.scores;
        for score in &n.scores {
            let (target, trace, span) = match &score.target {
                ScoreTarget::ThisSpan => ("span", place.trace, place.span),
                ScoreTarget::LinkedSpan => match place.link {
                    Some((trace, span)) => ("span", Some(trace), Some(span)),
                    None => ("span", place.trace, place.span),
                },
                ScoreTarget::ParentSpan => ("span", place.trace, place.parent.or(place.span)),
                ScoreTarget::Run => ("run", place.link.map(|(trace, _)| trace).or(place.trace), None),
                ScoreTarget::Session(_) => ("session", None, None),
                ScoreTarget::Document(_) => ("document", place.trace, place.span),
            };
            to.int(e::TIME, time / 1_000);
            to.int(e::TIME_UNIX_NANO, time);
            to.text(e::TENANT, receipt.tenant);
            to.text(e::TARGET, target);
            if let Some(id) = &trace {
                to.text(e::TRACE_ID, trace_id(id).as_str());
            }
            if let Some(id) = &span {
                to.text(e::SPAN_ID, span_id(id).as_str());
            }
            match &score.target {
                ScoreTarget::Document(id) => to.text(e::DOCUMENT_ID, id),
                ScoreTarget::Session(id) => {
                    some_text(to, e::SESSION_ID, id.as_deref().or(n.conversation_id.as_deref()))
                }
                _ => some_text(to, e::RESPONSE_ID, n.response_id.as_deref()),
            }
            to.text(e::NAME, &score.name);
            to.text(e::DATA_TYPE, score.data_type);
            if let Some(value) = score.value {
                to.double(e::VALUE, value);
            }
            some_text(to, e::LABEL, score.label.as_deref());
            some_text(to, e::TEXT, score.text.as_deref());
            some_text(to, e::EXPLANATION, score.explanation.as_deref());
            some_text(to, e::SOURCE, score.source.as_deref());
            some_text(to, e::AUTHOR, score.author.as_deref());
            if !score.metadata.is_empty() {
                to.map(e::METADATA, |map| score.metadata.iter().for_each(|(key, value)| map.push(key, value)));
            }
            some_text(to, e::SERVICE, source.facts.service);
            to.int(e::RECEIVED_AT, receipt.received_at / 1_000);
            to.int(e::SEQ, receipt.seq as i64);
            to.end_row();
        }
    }
}
