//! The model calls of a run.
//!
//! A call that one row tells of is that row, with the facts that the spans around it tell: the first half of the view
//! `llm_calls`. The rows are at hand, so only calls that several rows tell of are asked of the view that merges them.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::around::Around;
use crate::ask::{Ask, RunsError};
use crate::record::{Message, ModelCall, SpanName};
use crate::rows::{CallRefs, LogRow, PartRow, messages};

/// Kinds of spans that can be calls.
pub(crate) const KINDS: [&str; 4] = ["chat", "completion", "embedding", "rerank"];

/// The calls of a run, and its spans that repeat calls of other traces.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    rows: Vec<Map<String, Value>>,
    pub(crate) counted_elsewhere: BTreeMap<String, SpanName>,
}

impl Calls {
    /// Asks which of the `spans` of the trace `id` are calls.
    pub(crate) async fn find(
        source: &impl Ask,
        around: &Around<'_>,
        id: &str,
        spans: &[Map<String, Value>],
    ) -> Result<Self, RunsError> {
        let is_call = |row: &&Map<String, Value>| {
            row.get("kind").and_then(Value::as_str).is_some_and(|kind| KINDS.contains(&kind))
        };
        let by_id: HashMap<&str, &Map<String, Value>> =
            spans.iter().filter(is_call).filter_map(|row| Some((row.get("span_id")?.as_str()?, row))).collect();
        if by_id.is_empty() {
            return Ok(Self::default());
        }
        let mut calls = Self::default();
        let mut is_merged = false;
        let (parts, mut costs) = futures::try_join!(around.parts(source), around.costs(source))?;
        for part in parts {
            match part.role.as_str() {
                "call" if part.call_rows > 1 => is_merged = true,
                "call" => calls.rows.extend(by_id.get(part.span_id.as_str()).map(|row| filled(row, part))),
                "duplicate" if part.call_trace_id != id => {
                    let call = SpanName { trace_id: Some(part.call_trace_id), span_id: part.call_span_id };
                    calls.counted_elsewhere.insert(part.span_id, call);
                }
                _ => {}
            }
        }
        if is_merged {
            let (rows, of_merged) = futures::try_join!(around.merged(source), around.merged_costs(source))?;
            calls.rows.extend(rows);
            // They stand for the spans that they are merged from.
            costs.extend(of_merged);
        }
        calls.price(costs);
        Ok(calls)
    }

    /// Puts what a call costs into its row; of `costs` with one span id the last holds.
    fn price(&mut self, costs: Vec<Map<String, Value>>) {
        let id = |row: &Map<String, Value>| row.get("span_id").and_then(Value::as_str).map(str::to_owned);
        let mut costs: HashMap<String, Map<String, Value>> =
            costs.into_iter().filter_map(|cost| Some((id(&cost)?, cost))).collect();
        for row in &mut self.rows {
            row.extend(id(row).and_then(|id| costs.remove(&id)).into_iter().flatten());
        }
    }

    /// The calls in the order of their start, with the texts that log records carry for them.
    pub(crate) fn told(self, start: i64, logs: &LogTexts<'_>) -> Result<Vec<ModelCall>, RunsError> {
        let calls = self.rows.into_iter().map(|row| call(row, start, logs));
        let mut calls = calls.collect::<Result<Vec<_>, _>>()?;
        calls.sort_by(|a, b| (a.offset_ns, &a.span_id).cmp(&(b.offset_ns, &b.span_id)));
        Ok(calls)
    }
}

/// The row of a span with the facts of its call.
fn filled(row: &Map<String, Value>, part: PartRow) -> Map<String, Value> {
    let mut row = row.clone();
    for name in [
        "conversation_id",
        "user_id",
        "team",
        "agent_name",
        "workflow_name",
        "workflow_version",
        "prompt_name",
        "prompt_version",
        "prompt_label",
    ] {
        match part.facts.get(name) {
            Some(fact) => row.insert(name.to_owned(), fact.clone()),
            None => row.remove(name),
        };
    }
    if let Some(wrapper) = part.wrapper_span_id {
        let usage = json!({
            "span_id": wrapper, "input_tokens": part.wrapper_input_tokens, "output_tokens": part.wrapper_output_tokens
        });
        row.insert("reported_subtree_usage".to_owned(), usage);
    }
    row
}

pub(crate) fn call(row: Map<String, Value>, start: i64, told: &LogTexts<'_>) -> Result<ModelCall, RunsError> {
    let refs = CallRefs::deserialize(&row).map_err(|error| RunsError::Answer(error.to_string()))?;
    let mut call: ModelCall = offset(row, start)?;
    call.input = messages(refs.input_refs.as_ref());
    call.output = messages(refs.output_refs.as_ref());
    call.system = refs.system_ref.as_ref().map(Message::from);
    call.tools = refs.tools_ref.as_ref().map(Message::from);
    let spans: Vec<&str> = std::iter::once(&call.span_id)
        .chain(call.duplicates.iter().map(|other| &other.span_id))
        .map(String::as_str)
        .collect();
    let system = call.system.is_none().then(|| told.system(&spans)).flatten();
    let input = if call.input.is_empty() { told.input(&spans) } else { Vec::new() };
    let output = if call.output.is_empty() { told.output(&spans) } else { Vec::new() };
    call.system = call.system.or(system);
    call.input.extend(input);
    call.output.extend(output);
    Ok(call)
}

/// A member of the record out of a row, with its start as it lies after the run's.
pub(crate) fn offset<T: DeserializeOwned>(mut row: Map<String, Value>, start: i64) -> Result<T, RunsError> {
    let at = row.get("start_unix_nano").and_then(Value::as_i64).unwrap_or(start);
    row.insert("offset_ns".to_owned(), at.saturating_sub(start).into());
    serde_json::from_value(Value::Object(row)).map_err(|error| RunsError::Answer(error.to_string()))
}

/// The texts that log records of a span carry, for spans that carry none themselves.
pub(crate) struct LogTexts<'a>(HashMap<&'a str, Vec<&'a LogRow>>);

impl<'a> LogTexts<'a> {
    /// `logs` are in the order of their time.
    pub(crate) fn of(logs: &'a [LogRow]) -> Self {
        let mut by_span: HashMap<&str, Vec<&LogRow>> = HashMap::new();
        for log in logs {
            if let Some(span) = &log.span_id {
                by_span.entry(span).or_default().push(log);
            }
        }
        Self(by_span)
    }

    /// The texts of the first of `spans` that has any.
    fn find(&self, spans: &[&str], of: impl Fn(&LogRow) -> Vec<Message>) -> Vec<Message> {
        let found =
            spans.iter().filter_map(|span| self.0.get(span)).map(|logs| logs.iter().flat_map(|log| of(log)).collect());
        found.into_iter().find(|messages: &Vec<Message>| !messages.is_empty()).unwrap_or_default()
    }

    pub(crate) fn input(&self, spans: &[&str]) -> Vec<Message> {
        self.find(spans, |log| messages(log.input_refs.as_ref()))
    }

    pub(crate) fn output(&self, spans: &[&str]) -> Vec<Message> {
        self.find(spans, |log| messages(log.output_refs.as_ref()))
    }

    fn system(&self, spans: &[&str]) -> Option<Message> {
        self.find(spans, |log| log.system_ref.as_ref().map(Message::from).into_iter().collect()).into_iter().next()
    }
}
