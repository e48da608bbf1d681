//! The model calls of some runs with what they were told and answered: what examples are made of, and what is scored.
//!
//! A record of each run would say more and ask more; here all runs of a few hundred are asked about at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::{Map, Value};
use tracewell_model::time::Day;

use crate::ask::{Ask, RunsError, rows};
use crate::calls::{LogTexts, call};
use crate::record::{Document, ModelCall};
use crate::rows::{CALL_COLUMNS, LOG_COLUMNS, LogRow, Ref};
use crate::sql::{Days, ids, over};

/// Runs that are asked about at once.
const AT_ONCE: usize = 400;

/// A run, and the UTC day of its spans in days since 1970.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub struct RunDay {
    pub trace_id: String,
    pub day: i32,
}

/// A model call with its texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// Its run.
    pub trace_id: String,
    /// The call; its offset is from 1970, in nanoseconds.
    pub call: ModelCall,
    /// The texts that it names, by their hash, as far as they have not expired.
    pub texts: BTreeMap<String, String>,
    /// What the run had retrieved when the call began.
    pub documents: Vec<Document>,
    /// What it cost in US dollars, exact; `None` where it is unpriced.
    pub cost_usd: Option<String>,
}

/// Which texts are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// What went in, what came out, and what was retrieved.
    All,
    /// What came out.
    Outputs,
}

/// The chats and completions of `runs`, in the order of their start in each.
///
/// # Errors
/// When a query fails.
pub async fn cases(source: &impl Ask, runs: &[RunDay], texts: Texts) -> Result<Vec<Case>, RunsError> {
    let mut runs = runs.to_vec();
    runs.sort_by(|a, b| (a.day, &a.trace_id).cmp(&(b.day, &b.trace_id)));
    runs.dedup();
    let mut found = Vec::new();
    for some in runs.chunks(AT_ONCE) {
        found.extend(of_some(source, some, texts).await?);
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Cost {
    trace_id: String,
    span_id: String,
    cost_usd: Option<String>,
}

#[derive(Deserialize)]
struct TracedLog {
    trace_id: String,
    #[serde(flatten)]
    log: LogRow,
}

async fn of_some(source: &impl Ask, runs: &[RunDay], texts: Texts) -> Result<Vec<Case>, RunsError> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(Vec::new()) };
    let days = Days { first: Day(first.day), last: Day(last.day) }.beside();
    let traces = ids(runs.iter().map(|run| run.trace_id.as_str()));
    let mine = format!("{} AND trace_id IN ({traces})", days.condition());
    let views = ["span_records", "call_spans", "merged_calls", "llm_calls", "span_costs"];
    let views = over(&[("spans", mine.clone()), ("logs", mine.clone())], &views);
    let calls = format!(
        "{views} SELECT trace_id, {CALL_COLUMNS} FROM llm_calls WHERE kind IN ('chat', 'completion')
        ORDER BY trace_id, start_unix_nano, span_id"
    );
    let costs = format!("{views} SELECT trace_id, span_id, CAST(cost_usd AS text) AS cost_usd FROM span_costs");
    let logs = format!(
        "SELECT trace_id, {LOG_COLUMNS} FROM logs WHERE {mine}
            AND (input_refs IS NOT NULL OR output_refs IS NOT NULL OR system_ref IS NOT NULL)
        ORDER BY trace_id, time_unix_nano, seq, event_name"
    );
    let (calls, costs, logs, retrieved) = futures::try_join!(
        rows::<Map<String, Value>>(source, &calls),
        rows::<Cost>(source, &costs),
        rows::<TracedLog>(source, &logs),
        retrieved(source, days, &traces, &mine, texts),
    )?;
    let mut by_trace: HashMap<String, Vec<LogRow>> = HashMap::new();
    for TracedLog { trace_id, log } in logs {
        by_trace.entry(trace_id).or_default().push(log);
    }
    let costs = costs.into_iter().map(|Cost { trace_id, span_id, cost_usd }| ((trace_id, span_id), cost_usd));
    let mut costs: HashMap<(String, String), Option<String>> = costs.collect();
    let mut cases = Vec::new();
    for mut row in calls {
        let Some(Value::String(trace_id)) = row.remove("trace_id") else { continue };
        let logs = by_trace.get(&trace_id).map_or(&[][..], Vec::as_slice);
        let call = call(row, 0, &LogTexts::of(logs))?;
        let documents = retrieved.get(&trace_id).into_iter().flatten();
        let documents = documents.filter(|(at, _)| *at <= call.offset_ns).map(|(_, document)| document.clone());
        let documents = documents.collect();
        let cost_usd = costs.remove(&(trace_id.clone(), call.span_id.clone())).flatten();
        cases.push(Case { trace_id, call, texts: BTreeMap::new(), documents, cost_usd });
    }
    fill(source, days, &mut cases, texts).await?;
    Ok(cases)
}

/// Puts the texts in.
async fn fill(source: &impl Ask, days: Days, cases: &mut [Case], texts: Texts) -> Result<(), RunsError> {
    let hashes: BTreeSet<&str> = cases.iter().flat_map(|case| named(&case.call, texts)).collect();
    let known = contents(source, days, &hashes.into_iter().collect::<Vec<_>>()).await?;
    for case in cases {
        let named = named(&case.call, texts).into_iter();
        case.texts = named.filter_map(|hash| Some((hash.to_owned(), known.get(hash)?.clone()))).collect();
    }
    Ok(())
}

fn named(call: &ModelCall, texts: Texts) -> Vec<&str> {
    let input = call.input.iter().chain(&call.system).chain(&call.tools);
    let input = input.filter(|_| texts == Texts::All);
    input.chain(&call.output).map(|message| message.hash.as_str()).collect()
}

async fn contents(source: &impl Ask, days: Days, hashes: &[&str]) -> Result<HashMap<String, String>, RunsError> {
    #[derive(Deserialize)]
    struct Text {
        hash: String,
        content: String,
    }
    let mut known = HashMap::new();
    for some in hashes.chunks(4_000) {
        let list = ids(some.iter().copied());
        let query = format!("SELECT hash, content FROM contents WHERE {} AND hash IN ({list})", days.condition());
        known.extend(rows::<Text>(source, &query).await?.into_iter().map(|text| (text.hash, text.content)));
    }
    Ok(known)
}

/// By trace: what was retrieved, and when its search began.
type Retrieved = HashMap<String, Vec<(i64, Document)>>;

async fn retrieved(
    source: &impl Ask,
    days: Days,
    traces: &str,
    mine: &str,
    texts: Texts,
) -> Result<Retrieved, RunsError> {
    #[derive(Deserialize)]
    struct Search {
        output_refs: Option<Vec<Ref>>,
    }
    #[derive(Deserialize)]
    struct Row {
        trace_id: String,
        at: i64,
        position: Option<i64>,
        document_id: Option<String>,
        score: Option<f64>,
        hash: Option<String>,
        text: Option<String>,
    }
    if texts == Texts::Outputs {
        return Ok(Retrieved::new());
    }
    let searches = format!("SELECT output_refs FROM spans WHERE {mine} AND kind IN ('retrieval', 'rerank')");
    let searches: Vec<Search> = rows(source, &searches).await?;
    if searches.is_empty() {
        return Ok(Retrieved::new());
    }
    let hashes = searches.iter().flat_map(|search| search.output_refs.iter().flatten());
    let hashes = ids(hashes.map(|reference| reference.hash.as_str()));
    let contents = format!("{} AND hash IN ({hashes})", days.condition());
    let query = format!(
        "{} SELECT trace_id, CAST(start_time AS bigint) * 1000 AS at, position, document_id, score, hash, text
        FROM retrievals WHERE trace_id IN ({traces}) ORDER BY trace_id, start_time, span_id, position",
        over(&[("spans", mine.to_owned()), ("contents", contents)], &["retrievals"])
    );
    let mut found = Retrieved::new();
    for Row { trace_id, at, position, document_id: id, score, hash, text } in rows::<Row>(source, &query).await? {
        if text.is_some() || hash.is_some() {
            found.entry(trace_id).or_default().push((at, Document { position, id, score, hash, text }));
        }
    }
    Ok(found)
}
