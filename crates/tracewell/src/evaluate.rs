//! Rules that judge what is in the tables: named queries of the group `evaluators`, whose rows are scores.
//!
//! A row names what it judges (`trace_id`, and `span_id` where it is a span; `session_id`; `document_id`) and says
//! `value` (a number or a truth) or `label`, and `explanation`. The score is called like the query and given by
//! `evaluator/<name>`. What a rule said before and says again is not said twice. What evaluators themselves did is not
//! judged: runs whose root is an evaluator, sessions of such runs alone, and in other runs what is below an evaluator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{bail, ensure};
use arrow::datatypes::{DataType, Schema};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tracewell_ingest::receive::Collector;
use tracewell_ingest::scores::{Score, Value};
use tracewell_lake::Lake;
use tracewell_query::Engine;
use tracewell_query::named::{Catalogue, NamedQuery};
use tracewell_runs::{Ask, rows};

use crate::config::EvaluateSettings;

mod own;
mod round;

/// The group of named queries that are evaluators.
pub(crate) const GROUP: &str = "evaluators";
/// So many scores are kept by one request.
pub(crate) const REQUEST_SCORES: usize = 1_000;

/// What the server judges by itself.
pub(crate) struct Judge {
    rules: Vec<NamedQuery>,
    settings: EvaluateSettings,
    engine: Arc<Engine>,
    collector: Collector,
    lake: Lake,
}

impl Judge {
    /// The rules of the settings, which all have to be there.
    pub(crate) fn new(
        settings: &EvaluateSettings,
        catalogue: &Catalogue,
        engine: &Arc<Engine>,
        collector: &Collector,
        lake: &Lake,
    ) -> anyhow::Result<Self> {
        ensure!((0.0..=1.0).contains(&settings.sample), "evaluate.sample is a part: from 0 to 1");
        let find = |name: &String| match catalogue.get(name).filter(|query| query.group == GROUP) {
            Some(rule) => Ok(rule.clone()),
            None => bail!("evaluate.rules names `{name}`, which is no evaluator; `tracewell evaluate` lists all"),
        };
        let rules = settings.rules.iter().map(find).collect::<anyhow::Result<_>>()?;
        let (settings, engine, collector) = (settings.clone(), Arc::clone(engine), collector.clone());
        Ok(Self { rules, settings, engine, collector, lake: lake.clone() })
    }

    /// Judges round by round until `stop`: those rounds that no other server has.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        if self.rules.is_empty() {
            return;
        }
        let interval = self.settings.interval.get();
        let names: BTreeSet<&str> = self.rules.iter().map(|rule| rule.name.as_str()).collect();
        let rounds = async {
            loop {
                let moment = round::began(now_ms(), interval);
                match round::is_ours(&self.lake, &names, moment, interval).await {
                    Ok(true) => self.judge_all().await,
                    Ok(false) => {}
                    Err(error) => tracing::error!("cannot judge, and will try again: {error:#}"),
                }
                tokio::time::sleep(round::until_next(moment, interval, now_ms())).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn judge_all(&self) {
        for rule in &self.rules {
            if let Err(error) = self.round(rule).await {
                tracing::error!(evaluator = rule.name, "cannot judge, and will try again: {error:#}");
            }
        }
    }

    async fn round(&self, rule: &NamedQuery) -> anyhow::Result<()> {
        let mut parameters = self.settings.parameters.clone();
        let since = chrono::Utc::now() - chrono::Duration::from_std(self.settings.back.get())?;
        parameters.insert("since".to_owned(), since.to_rfc3339());
        let asked = Asked::new(rule, &parameters)?;
        let schema = self.engine.sql(&asked.columns()).await?.schema();
        let judged = asked.judge(&schema, self.settings.sample, &self.engine).await?;
        for scores in judged.scores.chunks(REQUEST_SCORES) {
            self.collector.keep(scores).await.map_err(anyhow::Error::msg)?;
        }
        tracing::info!(evaluator = rule.name, judged = judged.things, kept = judged.scores.len(), "judged");
        Ok(())
    }
}

fn now_ms() -> i64 {
    crate::clock::moment().timestamp_millis()
}

/// What a rule has to say.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Things that it judges.
    pub(crate) things: usize,
    /// The scores of those that it judges for the first time, or otherwise than before.
    pub(crate) scores: Vec<Score>,
}

#[derive(Deserialize)]
struct Row {
    trace_id: Option<String>,
    span_id: Option<String>,
    session_id: Option<String>,
    document_id: Option<String>,
    value: Option<f64>,
    label: Option<String>,
    explanation: Option<String>,
    is_news: bool,
}

impl Row {
    fn place(&self) -> Option<own::Place> {
        self.trace_id.clone().zip(self.span_id.clone())
    }
}

/// A rule with the values it is asked with.
pub(crate) struct Asked<'r> {
    rule: &'r NamedQuery,
    sql: String,
    version: String,
}

impl<'r> Asked<'r> {
    /// The rule with those of the values that it has parameters for: the others are for other rules.
    pub(crate) fn new(rule: &'r NamedQuery, parameters: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let known = |name: &String| rule.parameters.iter().any(|parameter| parameter.name == *name);
        let mut values = parameters.clone();
        values.retain(|name, _| known(name));
        Ok(Self { rule, sql: rule.bind(&values)?, version: version(&rule.sql, &values) })
    }

    /// A query without rows, whose columns are those of the rule.
    pub(crate) fn columns(&self) -> String {
        format!("SELECT * FROM (\n{}\n) AS rule LIMIT 0", self.sql)
    }

    /// What the rule says of a part of what it can judge: `sample` from 0 to 1. Which part is chosen by a hash of the
    /// run's id (else the session's, the document's), so that it is the same for all rules and at all times. What
    /// evaluators themselves did is never judged. `schema` is that of the [`columns`](Self::columns).
    pub(crate) async fn judge(&self, schema: &Schema, sample: f64, source: &impl Ask) -> anyhow::Result<Judged> {
        let name = &self.rule.name;
        let is_truth = check(name, schema)?;
        let mut judged: Vec<Row> = rows(source, &question(name, &self.sql, schema, sample)).await?;
        let own = own::spans(judged.iter().filter_map(Row::place).collect(), source).await?;
        judged.retain(|row| row.place().is_none_or(|place| !own.contains(&place)));
        let things = judged.len();
        let scores = judged.into_iter().filter(|row| row.is_news).map(|row| Score {
            name: name.clone(),
            value: row.value.map(|value| if is_truth { Value::Truth(value != 0.0) } else { Value::Number(value) }),
            label: row.label,
            trace_id: row.trace_id,
            span_id: row.span_id,
            session_id: row.session_id,
            document_id: row.document_id,
            explanation: row.explanation,
            source: Some("code".to_owned()),
            author: Some(author(name)),
            metadata: BTreeMap::from([("rule".to_owned(), self.version.clone())]),
            ..Score::default()
        });
        Ok(Judged { things, scores: scores.collect() })
    }
}

/// Who gives the scores of a rule.
fn author(rule: &str) -> String {
    format!("evaluator/{rule}")
}

/// A hash of the rule and the values it was asked with.
fn version(sql: &str, values: &BTreeMap<String, String>) -> String {
    let asked = values.iter().filter(|(name, _)| !matches!(name.as_str(), "since" | "until"));
    let asked: Vec<String> = asked.map(|(name, value)| format!("{name}={value}")).collect();
    blake3::hash(format!("{sql}\n{}", asked.join("\n")).as_bytes()).to_hex()[..12].to_owned()
}

const TARGETS: [&str; 4] = ["trace_id", "span_id", "session_id", "document_id"];

/// Whether `value` is a truth; an error for columns that make no scores.
fn check(name: &str, schema: &Schema) -> anyhow::Result<bool> {
    let has = |column: &str| schema.field_with_name(column).is_ok();
    ensure!(
        TARGETS.iter().any(|target| *target != "span_id" && has(target)),
        "the evaluator `{name}` gives no column `trace_id`, `session_id` or `document_id` that says what it judges"
    );
    ensure!(has("value") || has("label"), "the evaluator `{name}` gives no column `value` or `label`");
    if let Ok(value) = schema.field_with_name("value") {
        let kind = value.data_type();
        if !(kind.is_numeric() || *kind == DataType::Boolean) {
            bail!("the column `value` of the evaluator `{name}` is {kind}; a number or a truth is wanted");
        }
        return Ok(*kind == DataType::Boolean);
    }
    Ok(false)
}

/// The rule's rows with all columns of a score, and whether they say anything new.
fn question(name: &str, sql: &str, schema: &Schema, sample: f64) -> String {
    let column = |name: &str, kind: &str| match schema.field_with_name(name) {
        Ok(_) => format!("CAST({name} AS {kind}) AS {name}"),
        Err(_) => format!("CAST(NULL AS {kind}) AS {name}"),
    };
    let columns = TARGETS.iter().chain(&["label", "explanation"]).map(|name| column(name, "text"));
    let columns = columns.chain([column("value", "double")]).collect::<Vec<_>>().join(", ");
    let key = "concat_ws('/', coalesce(trace_id, ''), coalesce(span_id, ''), coalesce(session_id, ''), \
        coalesce(document_id, ''))";
    let author = author(name).replace('\'', "''");
    // The first digits of a hash below those of the share.
    let share = match sample {
        1.0.. => String::new(),
        sample => {
            let below = (sample.max(0.0) * f64::from(u32::MAX)) as u32;
            format!("\n    AND left(md5(coalesce(trace_id, session_id, document_id)), 8) < '{below:08x}'")
        }
    };
    // Only rules of sessions read all sessions.
    let sessions = match schema.field_with_name("session_id") {
        Ok(_) => {
            "
    AND (judged.session_id IS NULL OR judged.session_id NOT IN (
        SELECT spans.conversation_id
        FROM spans LEFT JOIN own ON own.trace_id = spans.trace_id
        WHERE spans.conversation_id IS NOT NULL
        GROUP BY spans.conversation_id
        HAVING count(own.trace_id) = count(*)
    ))"
        }
        Err(_) => "",
    };
    format!(
        "WITH own AS (
    SELECT DISTINCT trace_id
    FROM spans
    WHERE kind = 'evaluator' AND parent_span_id IS NULL
),
said AS (
    SELECT {key} AS key, value, label
    FROM evaluations
    WHERE author = '{author}' AND superseded_at IS NULL
)
SELECT judged.trace_id, judged.span_id, judged.session_id, judged.document_id, judged.value, judged.label,
    judged.explanation,
    said.key IS NULL OR (judged.value IS DISTINCT FROM said.value) OR (judged.label IS DISTINCT FROM said.label)
        AS is_news
FROM (
    SELECT *, {key} AS key
    FROM (SELECT {columns} FROM (
{sql}
    ) AS rule) AS given
    WHERE coalesce(trace_id, session_id, document_id) IS NOT NULL AND (value IS NOT NULL OR label IS NOT NULL){share}
) AS judged
LEFT JOIN said ON said.key = judged.key
WHERE (judged.trace_id IS NULL OR judged.trace_id NOT IN (SELECT trace_id FROM own)){sessions}"
    )
}
