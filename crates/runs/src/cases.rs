//! The model calls of some runs with what they were told and answered: what examples are made of, and what is scored.
//!
//! A record of each run would say more and ask more; here all runs of a few hundred are asked about at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value};
use tracewell_model::time::Day;

use crate::ask::{Ask, RunsError, rows};
use crate::calls::{LogTexts, call};
use crate::record::{Document, Message, ModelCall};
use crate::rows::{CALL_COLUMNS, LOG_COLUMNS, LogRow, Ref};
use crate::sql::{Days, ids, over};

/// Runs that are asked about at once.
const AT_ONCE: usize = 400;

/// The views that make one row of each model call, and what tells its price.
const VIEWS: [&str; 5] = ["span_records", "call_spans", "merged_calls", "llm_calls", "span_costs"];

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
    /// The UTC day of its run in days since 1970.
    pub day: i32,
    /// The call; its offset is from 1970, in nanoseconds.
    pub call: ModelCall,
    /// Whether it belongs to a replay or a test harness.
    pub is_trial: bool,
    /// The texts that it names, by their hash, as far as they were asked for and have not expired.
    pub texts: BTreeMap<String, String>,
    /// What the run had retrieved when the call began.
    pub documents: Vec<Document>,
    /// What it cost in US dollars, exact; `None` where it is unpriced.
    pub cost_usd: Option<String>,
}

/// The chats and completions of `runs`, in the order of their start in each, without texts, documents and costs.
///
/// # Errors
/// When a query fails.
pub async fn calls(source: &impl Ask, runs: &[RunDay]) -> Result<Vec<Case>, RunsError> {
    let mut found = Vec::new();
    for some in by_day(runs.to_vec()).chunks(AT_ONCE) {
        let calls = Group::of(some).calls(source, "").await?;
        // What only another trace is known to tell of in full, such as a proxy's, is told of here as well.
        let told: HashSet<&str> = calls.iter().map(|case| case.trace_id.as_str()).collect();
        let others = some.iter().filter(|run| !told.contains(run.trace_id.as_str())).cloned().collect::<Vec<_>>();
        if !others.is_empty() {
            let others = Group::of(&others);
            found.extend(others.calls(source, &others.alone()).await?);
        }
        found.extend(calls);
    }
    Ok(found)
}

/// The chats and completions of `runs` with what they answered and cost.
///
/// # Errors
/// When a query fails.
pub async fn answers(source: &impl Ask, runs: &[RunDay]) -> Result<Vec<Case>, RunsError> {
    let mut found = Vec::new();
    for runs in by_day(runs.to_vec()).chunks(AT_ONCE) {
        let group = Group::of(runs);
        let alone = group.alone();
        let (mut cases, mut costs) = futures::try_join!(group.calls(source, &alone), group.costs(source, &alone))?;
        group.fill(source, &mut cases.iter_mut().collect::<Vec<_>>(), |call| call.output.iter().collect()).await?;
        for case in &mut cases {
            case.cost_usd = costs.remove(&(case.trace_id.clone(), case.call.span_id.clone())).flatten();
        }
        found.extend(cases);
    }
    Ok(found)
}

/// Puts in what `cases` were told and answered, and what was retrieved before.
///
/// # Errors
/// When a query fails.
pub async fn tell(source: &impl Ask, mut cases: Vec<&mut Case>) -> Result<(), RunsError> {
    cases.sort_by_key(|case| case.day);
    for cases in cases.chunks_mut(AT_ONCE) {
        let runs = cases.iter().map(|case| RunDay { trace_id: case.trace_id.clone(), day: case.day });
        let group = Group::of(&by_day(runs.collect()));
        let (retrieved, ()) = futures::try_join!(group.retrieved(source), group.fill(source, cases, named))?;
        for case in cases {
            let documents = retrieved.get(&case.trace_id).into_iter().flatten();
            let before = documents.filter(|(at, _)| *at <= case.call.offset_ns);
            case.documents = before.map(|(_, document)| document.clone()).collect();
        }
    }
    Ok(())
}

/// All messages of a call.
fn named(call: &ModelCall) -> Vec<&Message> {
    let ModelCall { system, tools, input, output, .. } = call;
    input.iter().chain(system).chain(tools).chain(output).collect()
}

/// Each run once, in the order of their days.
fn by_day(mut runs: Vec<RunDay>) -> Vec<RunDay> {
    runs.sort_by(|a, b| (a.day, &a.trace_id).cmp(&(b.day, &b.trace_id)));
    runs.dedup();
    runs
}

/// What calls cost, by run and span.
type Costs = HashMap<(String, String), Option<String>>;

/// By trace: what was retrieved, and when its search began.
type Retrieved = HashMap<String, Vec<(i64, Document)>>;

/// Runs that are asked about at once, as SQL names them.
struct Group {
    days: Days,
    /// The day of each.
    day_of: HashMap<String, i32>,
    /// Their ids as a list.
    traces: String,
    /// The condition that a row is theirs.
    mine: String,
}

impl Group {
    /// Of `runs` in the order of their days.
    fn of(runs: &[RunDay]) -> Self {
        let day = |run: Option<&RunDay>| Day(run.map_or(0, |run| run.day));
        let days = Days { first: day(runs.first()), last: day(runs.last()) }.beside();
        let traces = ids(runs.iter().map(|run| run.trace_id.as_str()));
        let mine = format!("{} AND trace_id IN ({traces})", days.condition());
        Self { days, day_of: runs.iter().map(|run| (run.trace_id.clone(), run.day)).collect(), traces, mine }
    }

    /// `WITH` the views of calls as if there were no other runs.
    fn alone(&self) -> String {
        over(&[("spans", self.mine.clone()), ("logs", self.mine.clone())], &VIEWS)
    }

    async fn calls(&self, source: &impl Ask, with: &str) -> Result<Vec<Case>, RunsError> {
        #[derive(Deserialize)]
        struct TracedLog {
            trace_id: String,
            #[serde(flatten)]
            log: LogRow,
        }
        #[derive(Deserialize)]
        struct Row {
            trace_id: String,
            is_trial: Option<bool>,
            #[serde(flatten)]
            call: Map<String, Value>,
        }
        let calls = format!(
            "{with} SELECT trace_id, is_trial, {CALL_COLUMNS} FROM llm_calls WHERE {} AND kind IN ('chat', 'completion')
            ORDER BY trace_id, start_unix_nano, span_id",
            self.mine
        );
        let logs = format!(
            "SELECT trace_id, {LOG_COLUMNS} FROM logs WHERE {}
                AND (input_refs IS NOT NULL OR output_refs IS NOT NULL OR system_ref IS NOT NULL)
            ORDER BY trace_id, time_unix_nano, seq, event_name",
            self.mine
        );
        let (calls, logs) = futures::try_join!(rows::<Row>(source, &calls), rows::<TracedLog>(source, &logs))?;
        let mut by_trace: HashMap<String, Vec<LogRow>> = HashMap::new();
        for TracedLog { trace_id, log } in logs {
            by_trace.entry(trace_id).or_default().push(log);
        }
        let mut cases = Vec::new();
        for Row { trace_id, is_trial, call: row } in calls {
            let Some(day) = self.day_of.get(&trace_id).copied() else { continue };
            let logs = by_trace.get(&trace_id).map_or(&[][..], Vec::as_slice);
            let call = call(row, 0, &LogTexts::of(logs))?;
            cases.push(Case { trace_id, day, call, is_trial: is_trial == Some(true), ..Case::default() });
        }
        Ok(cases)
    }

    async fn costs(&self, source: &impl Ask, with: &str) -> Result<Costs, RunsError> {
        #[derive(Deserialize)]
        struct Row {
            trace_id: String,
            span_id: String,
            cost_usd: Option<String>,
        }
        let query = format!(
            "{with} SELECT trace_id, span_id, CAST(cost_usd AS text) AS cost_usd FROM span_costs
            WHERE {} AND kind IN ('chat', 'completion')",
            self.mine
        );
        let rows = rows::<Row>(source, &query).await?.into_iter();
        Ok(rows.map(|Row { trace_id, span_id, cost_usd }| ((trace_id, span_id), cost_usd)).collect())
    }

    /// Puts in the texts that are `named`, by their hashes.
    async fn fill(
        &self,
        source: &impl Ask,
        cases: &mut [&mut Case],
        named: fn(&ModelCall) -> Vec<&Message>,
    ) -> Result<(), RunsError> {
        #[derive(Deserialize)]
        struct Text {
            hash: String,
            content: String,
        }
        let hashes: BTreeSet<&str> =
            cases.iter().flat_map(|case| named(&case.call)).map(|message| message.hash.as_str()).collect();
        let mut known = HashMap::new();
        for some in hashes.into_iter().collect::<Vec<_>>().chunks(4_000) {
            let list = ids(some.iter().copied());
            let query =
                format!("SELECT hash, content FROM contents WHERE {} AND hash IN ({list})", self.days.condition());
            known.extend(rows::<Text>(source, &query).await?.into_iter().map(|text| (text.hash, text.content)));
        }
        for case in cases {
            let named = named(&case.call).into_iter().map(|message| &message.hash);
            case.texts = named.filter_map(|hash| Some((hash.clone(), known.get(hash)?.clone()))).collect();
        }
        Ok(())
    }

    /// What the runs had retrieved.
    async fn retrieved(&self, source: &impl Ask) -> Result<Retrieved, RunsError> {
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
        let searches = format!("SELECT output_refs FROM spans WHERE {} AND kind IN ('retrieval', 'rerank')", self.mine);
        let searches: Vec<Search> = rows(source, &searches).await?;
        if searches.is_empty() {
            return Ok(Retrieved::new());
        }
        let hashes = searches.iter().flat_map(|search| search.output_refs.iter().flatten());
        let hashes = ids(hashes.map(|reference| reference.hash.as_str()));
        let contents = format!("{} AND hash IN ({hashes})", self.days.condition());
        let query = format!(
            "{} SELECT trace_id, CAST(start_time AS bigint) * 1000 AS at, position, document_id, score, hash, text
            FROM retrievals WHERE trace_id IN ({}) ORDER BY trace_id, start_time, span_id, position",
            over(&[("spans", self.mine.clone()), ("contents", contents)], &["retrievals"]),
            self.traces
        );
        let mut found = Retrieved::new();
        for Row { trace_id, at, position, document_id: id, score, hash, text } in rows::<Row>(source, &query).await? {
            if text.is_some() || hash.is_some() {
                found.entry(trace_id).or_default().push((at, Document { position, id, score, hash, text }));
            }
        }
        Ok(found)
    }
}
