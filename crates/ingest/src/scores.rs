//! Scores that people and scripts give, as the log records they are kept as.
//!
//! A score is an OpenTelemetry event `gen_ai.evaluation.result` with attributes of our own for what that cannot say
//! ([`own`]), so it goes the way of every log record: through the write-ahead log into `logs` and `scores`.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use serde::{Deserialize, Serialize};
use tracewell_dialects::own_score as own;
use tracewell_model::time::believed_start;
use tracewell_otlp::Limits;
use tracewell_proto::v1;

/// A request may have so many scores: an empty one is two bytes of it, and hundreds in memory.
pub(crate) const MOST_SCORES: usize = 10_000;
/// A text of a score may have so many bytes.
const TEXT_BYTES: usize = 1 << 20;
/// An id or a name may have so many bytes.
const NAME_BYTES: usize = 1024;

/// A score as somebody gives it: `value`, `label`, `text` or `correction` says what kind it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "columns of `scores`")]
pub struct Score {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A category; beside a number the word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the output should have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// RFC 3339; now where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A number, or true or false.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "`value` is a number, true or false; give a word as `label`, or what was written as `text`"
)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Value {
    Truth(bool),
    Number(f64),
}

/// What is told of a request with more than [`MOST_SCORES`].
pub(crate) fn too_many() -> String {
    format!("a request has at most {MOST_SCORES} scores; send these in several")
}

/// Why scores are not kept.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("score {position}: {reason}")]
pub struct WrongScore {
    /// From 1, in the order given.
    pub position: usize,
    /// What is wrong.
    pub reason: String,
}

/// The OTLP logs export that holds `scores`, given at `now` (nanoseconds since 1970) where they do not say when.
///
/// # Errors
/// When one of them cannot be kept.
pub fn export(scores: &[Score], now: u64) -> Result<Vec<u8>, WrongScore> {
    // Of those that one request has of one thing the later is the last word.
    let records = scores
        .iter()
        .zip(now..)
        .zip(1..)
        .map(|((score, now), position)| record(score, now).map_err(|reason| WrongScore { position, reason }));
    let scope = InstrumentationScope { name: "tracewell.scores".to_owned(), ..Default::default() };
    let scope_logs =
        vec![ScopeLogs { scope: Some(scope), log_records: records.collect::<Result<_, _>>()?, ..Default::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
    Ok(ExportLogsServiceRequest { resource_logs }.encode_to_vec())
}

/// Whether a score given at `now` can be kept.
///
/// # Errors
/// What is wrong with it.
pub fn check(score: &Score, now: u64) -> Result<(), String> {
    record(score, now).map(|_| ())
}

fn record(score: &Score, now: u64) -> Result<LogRecord, String> {
    check_said(score)?;
    let trace_id = score.trace_id.as_deref().map(|id| hexadecimal::<16>("trace_id", id)).transpose()?;
    let span_id = score.span_id.as_deref().map(|id| hexadecimal::<8>("span_id", id)).transpose()?;
    let target = target(trace_id, span_id, score)?;
    let time = match score.time {
        None => now,
        Some(time) => time
            .timestamp_nanos_opt()
            .and_then(|nanos| u64::try_from(nanos).ok())
            .filter(|nanos| !believed_start(*nanos, i64::try_from(now).unwrap_or(i64::MAX)).1)
            .ok_or("`time` lies before 2015 or more than a day ahead")?,
    };
    let mut attributes = vec![text("gen_ai.evaluation.name", &score.name), text(own::TARGET, target)];
    attributes.extend(score.value.map(|value| {
        let value = match value {
            Value::Truth(truth) => Any::BoolValue(truth),
            Value::Number(number) => Any::DoubleValue(number),
        };
        attribute("gen_ai.evaluation.score.value", value)
    }));
    let texts = [
        ("gen_ai.evaluation.score.label", &score.label),
        ("gen_ai.evaluation.explanation", &score.explanation),
        (own::TEXT, &score.text),
        (own::CORRECTION, &score.correction),
        (own::SESSION, &score.session_id),
        (own::DOCUMENT, &score.document_id),
        (own::SOURCE, &score.source),
        (own::AUTHOR, &score.author),
    ];
    attributes.extend(texts.into_iter().filter_map(|(key, value)| Some(text(key, value.as_ref()?))));
    attributes.extend(score.metadata.iter().map(|(key, value)| text(key, value)));
    // A record of more is refused when it is read, and a score that was answered has to be kept.
    let Limits { max_attributes: most, .. } = Limits::default();
    if attributes.len() > most {
        return Err(format!(
            "`metadata` has too many members: with them a score has {}, and may have {most}",
            attributes.len()
        ));
    }
    let short = [Some(&score.name), score.session_id.as_ref(), score.document_id.as_ref(), score.author.as_ref()];
    let too_long = short.into_iter().flatten().any(|text| text.len() > NAME_BYTES);
    let long = texts.iter().filter_map(|(_, value)| value.as_ref()).map(String::len).sum::<usize>();
    if too_long || long > TEXT_BYTES {
        return Err(format!("names and ids have at most {NAME_BYTES} bytes, and all texts together {TEXT_BYTES}"));
    }
    Ok(LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: now,
        event_name: "gen_ai.evaluation.result".to_owned(),
        attributes,
        trace_id: trace_id.map(Vec::from).unwrap_or_default(),
        span_id: span_id.map(Vec::from).unwrap_or_default(),
        ..Default::default()
    })
}

/// Whether it says one thing, and says it well.
fn check_said(score: &Score) -> Result<(), String> {
    let is_one_of = |source: &String| ["human", "model", "code", "user"].contains(&source.as_str());
    if score.name.trim().is_empty() {
        return Err("`name` says what is judged, and is missing".to_owned());
    }
    if score.source.as_ref().is_some_and(|source| !is_one_of(source)) {
        return Err("`source` is human, model, code or user".to_owned());
    }
    let given = [score.value.is_some() || score.label.is_some(), score.text.is_some(), score.correction.is_some()];
    match given.iter().filter(|given| **given).count() {
        0 => return Err("there is no `value`, `label`, `text` or `correction`".to_owned()),
        1 => {}
        _ => {
            return Err("`value` or `label`, `text` and `correction` are scores of their own: give one each".to_owned());
        }
    }
    if let Some(Value::Number(number)) = score.value.filter(|value| matches!(value, Value::Number(n) if !n.is_finite()))
    {
        return Err(format!("`value` is {number}, which is no number to count with"));
    }
    let ours = |key: &&String| key.starts_with("gen_ai.evaluation.") || key.starts_with("tracewell.score.");
    if let Some(key) = score.metadata.keys().find(ours) {
        return Err(format!("`{key}` is a name that scores themselves use; `metadata` needs another"));
    }
    Ok(())
}

/// What it is about.
fn target(trace: Option<[u8; 16]>, span: Option<[u8; 8]>, score: &Score) -> Result<&'static str, &'static str> {
    Ok(match (trace, span, &score.session_id, &score.document_id) {
        (.., Some(_), Some(_)) => return Err("a score is about a session or a document, not both"),
        (Some(_), _, None, Some(_)) | (None, None, None, Some(_)) => "document",
        (None, None, Some(_), None) => "session",
        (Some(_), Some(_), None, None) => "span",
        (Some(_), None, None, None) => "run",
        (None, Some(_), ..) => return Err("a `span_id` needs its `trace_id`"),
        (Some(_), _, Some(_), None) => {
            return Err("a score is about a session, or about a run or span: give `session_id` or `trace_id`");
        }
        (None, None, None, None) => {
            return Err("it is about nothing: give `trace_id` (and `span_id`), `session_id` or `document_id`");
        }
    })
}

/// An id of `N` bytes that is not all zeros.
fn hexadecimal<const N: usize>(name: &str, digits: &str) -> Result<[u8; N], String> {
    let mut id = [0; N];
    if hex::decode_to_slice(digits, &mut id).is_err() || id == [0; N] {
        return Err(format!("`{name}` is {} hexadecimal digits, not all zero; it is `{digits}`", 2 * N));
    }
    Ok(id)
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

impl From<v1::Score> for Score {
    fn from(score: v1::Score) -> Self {
        use v1::score::Value as Given;
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let (mut value, mut label, mut text, mut correction) = (None, None, None, None);
        match score.value {
            Some(Given::Number(number)) => value = Some(Value::Number(number)),
            Some(Given::Truth(truth)) => value = Some(Value::Truth(truth)),
            Some(Given::Label(given)) => label = Some(given),
            Some(Given::Text(given)) => text = Some(given),
            Some(Given::Correction(given)) => correction = Some(given),
            None => {}
        }
        let time = i64::try_from(score.time_unix_nano).unwrap_or(i64::MAX);
        Self {
            name: score.name,
            value,
            label,
            text,
            correction,
            trace_id: some(score.trace_id),
            span_id: some(score.span_id),
            session_id: some(score.session_id),
            document_id: some(score.document_id),
            explanation: some(score.explanation),
            source: some(score.source),
            author: some(score.author),
            time: (time != 0).then(|| chrono::DateTime::from_timestamp_nanos(time)),
            metadata: score.metadata.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tracewell_otlp::Decoder;

    use super::*;

    #[test]
    fn of_scores_given_at_once_the_later_is_the_last_word() {
        let score = |time: Option<&str>| Score {
            name: "helpful".to_owned(),
            value: Some(Value::Number(0.5)),
            session_id: Some("s".to_owned()),
            time: time.map(|time| time.parse().expect("a moment")),
            ..Score::default()
        };
        let now = 1_795_000_000_000_000_000;
        let bytes =
            export(&[score(None), score(Some("2026-11-17T08:00:00Z")), score(None)], now).expect("they are well");
        let request = ExportLogsServiceRequest::decode(&bytes[..]).expect("it is an export");
        let records = &request.resource_logs[0].scope_logs[0].log_records;
        let times: Vec<u64> = records.iter().map(|record| record.time_unix_nano).collect();
        assert_eq!(times, [now, 1_794_902_400_000_000_000, now + 2]);
    }

    #[test]
    fn a_score_that_is_taken_is_one_that_can_be_read() {
        let with = |members: usize| Score {
            name: "helpful".to_owned(),
            value: Some(Value::Truth(true)),
            session_id: Some("s".to_owned()),
            metadata: (0..members).map(|member| (member.to_string(), String::new())).collect(),
            ..Score::default()
        };
        // Its name, its target, its value and its session are attributes too.
        let most = Limits::default().max_attributes - 4;
        let now = 1_795_000_000_000_000_000;
        let bytes = record(&with(most), now).expect("it fits").encode_to_vec();
        assert!(Decoder::new(Limits::default()).decode_log(&bytes).is_ok());
        let told = check(&with(most + 1), now).expect_err("the limit is a record's");
        assert!(told.contains("may have 16384"), "{told}");
    }
}
