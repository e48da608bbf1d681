//! From what a rule caught to examples.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::{Map, Value};
use tracewell_regression::capture::{Caught, place};
use tracewell_regression::example::{Document, Message, Source};
use tracewell_regression::{Answer, Example, sent};
use tracewell_runs::cases::{self, Case, RunDay};
use tracewell_runs::record::{self, ModelCall};
use tracewell_runs::{Ask, rows};

use crate::LedgerError;
use tracewell_runs::sql::ids;

/// What a rule may catch at once.
const MOST: usize = 200_000;
/// Of that, so much is looked at: whole cases are read for it.
const MOST_LOOKED_AT: usize = 20_000;

/// Days before the rule's beginning in which a run that was judged later may lie.
const JUDGED_LATER: &str = "366";

/// A row of a rule's answer.
#[derive(Clone, Debug, Deserialize)]
struct Hit {
    trace_id: Option<String>,
    span_id: Option<String>,
    /// Days since 1970, where the rule looked at spans.
    day: Option<i32>,
    reason: Option<String>,
    stratum: Option<String>,
    /// What the output should have been, by whoever corrected it.
    expected: Option<String>,
}

/// What a rule caught.
#[derive(Clone, Debug, Default)]
pub struct Catch {
    /// As examples.
    pub caught: Vec<Caught>,
    /// Ids of runs whose texts, tools or documents were not sent or have expired.
    pub without_texts: Vec<String>,
    /// Ids of runs that hold no model call.
    pub without_calls: Vec<String>,
    /// How many of the hits are trials, which are no traffic.
    pub trials: usize,
    /// How many of the hits were looked at.
    pub looked_at: usize,
    /// How many were not: there were enough without them, or these were as many as are looked at.
    pub left: usize,
    /// Whether the rule catches more than may be caught at once.
    pub cut: bool,
}

/// Asks a rule: SQL whose rows name `trace_id`, and if they like `span_id`, `day`, `reason`, `stratum` and `expected`.
/// A run, or a span that is no model call, stands for the last call of the run, which has been told all before.
///
/// Hits are looked at in an order that `seed` makes, strata in turn: as many as examples are `wanted`, and then as many
/// again and again, until what was caught is `enough`.
///
/// # Errors
/// When a query fails, or `enough` does.
pub async fn ask(
    source: &impl Ask,
    rule: &str,
    seed: u64,
    wanted: usize,
    enough: impl Fn(&Catch) -> Result<bool, LedgerError>,
) -> Result<Catch, LedgerError> {
    let query = format!("SELECT * FROM (\n{rule}\n) AS caught LIMIT {}", MOST + 1);
    let mut hits: Vec<Hit> = rows(source, &query).await?;
    let cut = hits.len() > MOST;
    hits.truncate(MOST);
    let mut catch = Catch { cut, ..Catch::default() };
    let mut hits = in_turn(hits, seed).into_iter();
    loop {
        let some: Vec<Hit> = hits.by_ref().take(next(catch.looked_at, wanted)).collect();
        catch.looked_at += some.len();
        catch.left = hits.len();
        look_at(source, some, &mut catch).await?;
        if catch.left == 0 || catch.looked_at >= MOST_LOOKED_AT || enough(&catch)? {
            return Ok(catch);
        }
    }
}

/// How many hits are looked at after so many.
fn next(looked_at: usize, wanted: usize) -> usize {
    looked_at.max(wanted).min(MOST_LOOKED_AT.saturating_sub(looked_at))
}

/// One hit of each stratum, another of each, and so on; those of a stratum in the order of a keyed hash of what they
/// name, so that it is the same in whichever order they come.
fn in_turn(hits: Vec<Hit>, seed: u64) -> Vec<Hit> {
    let mut strata: BTreeMap<Option<String>, Vec<Hit>> = BTreeMap::new();
    for hit in hits {
        strata.entry(hit.stratum.clone()).or_default().push(hit);
    }
    let mut turns = Vec::new();
    for mut stratum in strata.into_values() {
        stratum.sort_by_cached_key(|hit| {
            let named = [&hit.trace_id, &hit.span_id].map(|id| id.as_deref().unwrap_or_default());
            (place(seed, &named.concat()), hit.reason.clone(), hit.expected.clone())
        });
        turns.extend(stratum.into_iter().enumerate());
    }
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, hit)| hit).collect()
}

/// Adds what `hits` are to what was caught.
async fn look_at(source: &impl Ask, hits: Vec<Hit>, catch: &mut Catch) -> Result<(), LedgerError> {
    let days = days(source, &hits).await?;
    let runs: Vec<RunDay> = hits
        .iter()
        .filter_map(|hit| hit.trace_id.as_ref())
        .filter_map(|id| Some(RunDay { trace_id: id.clone(), day: *days.get(id)? }))
        .collect();
    let mut by_run: HashMap<String, Vec<Case>> = HashMap::new();
    for case in cases::calls(source, &runs).await? {
        by_run.entry(case.trace_id.clone()).or_default().push(case);
    }
    let mut meant = BTreeMap::new();
    let mut named = Vec::new();
    for hit in hits {
        let id = hit.trace_id.clone().unwrap_or_default();
        match by_run.get(&id).and_then(|calls| called(calls, hit.span_id.as_deref())) {
            None => catch.without_calls.push(id),
            Some(case) if case.is_trial => catch.trials += 1,
            Some(case) => {
                let name = (id, case.call.span_id.clone());
                meant.entry(name.clone()).or_insert_with(|| case.clone());
                named.push((name, hit));
            }
        }
    }
    cases::tell(source, meant.values_mut().collect()).await?;
    for (name, hit) in named {
        match meant.get(&name).and_then(|case| example(case, &hit)) {
            Some(caught) => catch.caught.push(caught),
            None => catch.without_texts.push(name.0),
        }
    }
    Ok(())
}

/// On which days the runs began.
async fn days(source: &impl Ask, hits: &[Hit]) -> Result<HashMap<String, i32>, LedgerError> {
    #[derive(Deserialize)]
    struct Row {
        trace_id: String,
        day: i32,
    }
    let known = hits.iter().filter_map(|hit| Some((hit.trace_id.clone()?, hit.day?)));
    let mut days: HashMap<String, i32> = known.collect();
    let unknown: Vec<&str> =
        hits.iter().filter_map(|hit| hit.trace_id.as_deref()).filter(|id| !days.contains_key(*id)).collect();
    let mut found = Vec::new();
    for some in unknown.chunks(2_000) {
        let query = format!(
            "SELECT trace_id, CAST(min(date) AS int) AS day FROM spans
            WHERE date >= current_date - INTERVAL '{JUDGED_LATER} days' AND trace_id IN ({}) GROUP BY trace_id",
            ids(some.iter().copied())
        );
        found.extend(rows::<Row>(source, &query).await?);
    }
    days.extend(found.into_iter().map(|row| (row.trace_id, row.day)));
    Ok(days)
}

/// The call that a span is, or is told by, or else the last of the run.
fn called<'a>(calls: &'a [Case], span: Option<&str>) -> Option<&'a Case> {
    let tells = |call: &ModelCall, span: &str| {
        call.span_id == span || call.duplicates.iter().any(|other| other.span_id == span)
    };
    let exact = span.and_then(|span| calls.iter().find(|case| tells(&case.call, span)));
    exact.or_else(|| calls.iter().max_by_key(|case| case.call.offset_ns))
}

fn example(case: &Case, hit: &Hit) -> Option<Caught> {
    let call = &case.call;
    let text = |message: &record::Message| case.texts.get(&message.hash).map(String::as_str);
    let mut messages = Vec::new();
    let leads = |system: &&record::Message| call.input.first().is_none_or(|first| first.hash != system.hash);
    if let Some(system) = call.system.as_ref().filter(leads) {
        messages.extend(
            sent::messages(text(system)?, Some("system"))
                .into_iter()
                .map(|message| Message { role: "system".to_owned(), ..message }),
        );
    }
    for message in &call.input {
        messages.extend(sent::messages(text(message)?, message.role.as_deref()));
    }
    // Where contents are not recorded, what is left is roles and names.
    if messages.iter().all(|message| message.text().is_none_or(|text| text.trim().is_empty())) {
        return None;
    }
    let tools = call.tools.as_ref().map(|tools| text(tools).map(sent::tools));
    let mut example = Example {
        messages,
        // Tools that were offered and are not known make it another case.
        tools: match tools {
            Some(tools) => tools?,
            None => Vec::new(),
        },
        documents: case.documents.iter().map(document).collect::<Option<_>>()?,
        parameters: parameters(call),
        output: output(case),
        expected: hit.expected.clone().map(Answer::of_text),
        reason: hit.reason.clone(),
        metadata: metadata(call),
        ..Example::default()
    };
    let hash = example.content_hash();
    example.id = format!("ex-{}", &hash[..16]);
    example.revision = 1;
    example.source = Some(Source {
        trace_id: Some(case.trace_id.clone()),
        span_id: Some(call.span_id.clone()),
        content_hash: Some(hash),
    });
    Some(Caught { stratum: hit.stratum.clone().unwrap_or_default(), example })
}

/// What a call answered, where its texts are kept.
#[must_use]
pub fn output(case: &Case) -> Option<Answer> {
    let texts = case.call.output.iter().map(|message| Some((case.texts.get(&message.hash)?, message.role.as_deref())));
    answer(texts.collect::<Option<Vec<_>>>()?.into_iter().map(|(text, role)| (text.as_str(), role)))
}

/// Messages that came out, as one answer.
pub(crate) fn answer<'a>(sent: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Option<Answer> {
    let messages = sent.flat_map(|(text, role)| sent::messages(text, Some(role.unwrap_or("assistant"))));
    messages.map(|message| message.answer()).reduce(|mut all, next| {
        all.text = match (all.text, next.text) {
            (Some(one), Some(other)) => Some(one + "\n" + &other),
            (one, other) => one.or(other),
        };
        all.tool_calls.extend(next.tool_calls);
        all
    })
}

/// A document as far as it was sent; `None` where it has expired, which makes it another case.
fn document(document: &record::Document) -> Option<Document> {
    let record::Document { id, text, score, .. } = document.clone();
    (id.is_some() || text.is_some() || score.is_some()).then_some(Document { id, text, score, metadata: Map::new() })
}

/// Model and parameters, by the names of OpenAI's chat completions.
fn parameters(call: &ModelCall) -> Map<String, Value> {
    let typed = [
        ("model", call.request_model.clone().map(Value::from)),
        ("temperature", call.temperature.map(Value::from)),
        ("top_p", call.top_p.map(Value::from)),
        ("max_tokens", call.max_tokens.map(Value::from)),
        ("seed", call.seed.map(Value::from)),
    ];
    let typed = typed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let others = call
        .request_params
        .iter()
        .map(|(name, text)| (name.clone(), serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))));
    others.chain(typed).collect()
}

fn metadata(call: &ModelCall) -> Map<String, Value> {
    let mut known = BTreeMap::from([
        ("prompt_name", call.prompt_name.clone()),
        ("prompt_version", call.prompt_version.clone()),
        ("prompt_hash", call.prompt_hash.clone()),
        ("prompt_shape", call.prompt_shape.clone().filter(|_| call.prompt_name.is_none())),
        ("provider", call.provider.clone()),
        ("response_model", call.response_model.clone()),
        ("agent_name", call.agent_name.clone()),
        ("error_type", call.error_type.clone()),
        ("status_message", call.status_message.clone()),
    ]);
    if call.status.as_deref() == Some("error") {
        known.insert("status", call.status.clone());
    }
    let mut metadata: Map<String, Value> =
        known.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?)))).collect();
    if !call.prompt_variables.is_empty() {
        let variables = call.prompt_variables.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str())));
        metadata.insert("variables".to_owned(), Value::Object(variables.collect()));
    }
    metadata
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A call that was told `asked`, after `documents` were retrieved.
    fn case(asked: &str, documents: Vec<record::Document>) -> Case {
        let message = record::Message { role: Some("user".to_owned()), hash: "m".to_owned(), ..Default::default() };
        let call = ModelCall { input: vec![message], ..ModelCall::default() };
        let texts = BTreeMap::from([("m".to_owned(), asked.to_owned())]);
        Case { call, texts, documents, ..Case::default() }
    }

    fn hit() -> Hit {
        Hit { trace_id: None, span_id: None, day: None, reason: None, stratum: None, expected: None }
    }

    #[test]
    fn documents_are_kept_as_far_as_they_were_sent_and_expired_ones_make_no_case() {
        let of = |id: Option<&str>, text: Option<&str>| record::Document {
            id: id.map(str::to_owned),
            text: text.map(str::to_owned),
            hash: Some("d".to_owned()),
            ..Default::default()
        };
        let documents = vec![of(Some("doc-11"), None), of(None, Some("Ten days."))];
        let kept = example(&case("How long?", documents), &hit()).unwrap().example.documents;
        let told: Vec<(Option<&str>, Option<&str>)> =
            kept.iter().map(|one| (one.id.as_deref(), one.text.as_deref())).collect();
        assert_eq!(told, [(Some("doc-11"), None), (None, Some("Ten days."))]);
        assert_eq!(example(&case("How long?", vec![of(Some("doc-11"), None), of(None, None)]), &hit()), None);
    }

    #[test]
    fn strata_take_turns_and_the_order_of_the_hits_makes_no_difference() {
        let hit = |stratum: &str, span: &str| Hit {
            stratum: Some(stratum.to_owned()),
            span_id: Some(span.to_owned()),
            ..hit()
        };
        let hits = || vec![hit("many", "1"), hit("many", "2"), hit("many", "3"), hit("rare", "4")];
        let spans = |hits: Vec<Hit>| hits.into_iter().filter_map(|hit| hit.span_id).collect::<Vec<_>>();
        let first = spans(in_turn(hits(), 7));
        assert_eq!(first[1], "4", "a rare one is not crowded out");
        assert_eq!(spans(in_turn(hits().into_iter().rev().collect(), 7)), first);
        let orders: HashSet<Vec<String>> = (0..20).map(|seed| spans(in_turn(hits(), seed))).collect();
        assert!(orders.len() > 1, "another seed makes another order");
    }

    #[test]
    fn no_more_hits_are_looked_at_than_may_be_however_many_are_wanted() {
        assert_eq!([next(0, 50), next(50, 50), next(100, 50)], [50, 50, 100]);
        assert_eq!([next(0, 1_000_000), next(12_800, 50)], [20_000, 7_200]);
    }

    #[test]
    fn a_call_whose_tools_or_messages_have_expired_is_no_case() {
        let mut without_tools = case("How long?", Vec::new());
        without_tools.call.tools = Some(record::Message { hash: "t".to_owned(), ..Default::default() });
        assert_eq!(example(&without_tools, &hit()), None);
        let without_messages = Case { texts: BTreeMap::new(), ..case("How long?", Vec::new()) };
        assert_eq!(example(&without_messages, &hit()), None);
    }
}
