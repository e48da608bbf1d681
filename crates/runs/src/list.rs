//! The newest runs that fit a filter, page by page.

use serde::{Deserialize, Serialize};
use tracewell_model::time::Day;
use tracewell_pricing::Amount;

use crate::ask::{Ask, RunsError, rows};
use crate::find::is_empty;
use crate::moment::parse_moment;
use crate::sql::{is_hex, quoted};

/// Rows of a page at most.
const MOST: usize = 10_000;

/// Which runs. What is not said is not asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each names the column of the view `runs` that it is compared with")]
pub struct Filter {
    /// Runs that began then or later.
    pub since: Option<String>,
    /// Runs that began earlier.
    pub until: Option<String>,
    pub service: Option<String>,
    pub environment: Option<String>,
    pub release: Option<String>,
    pub team: Option<String>,
    pub user: Option<String>,
    pub session: Option<String>,
    pub workflow: Option<String>,
    /// `name`, or `name@version`.
    pub prompt: Option<String>,
    pub model: Option<String>,
    pub tool: Option<String>,
    /// ok, error, or unset.
    pub status: Option<String>,
    /// Kind of the root.
    pub kind: Option<String>,
    /// Text that the name of the root holds.
    pub name: Option<String>,
    /// Such as `2s`.
    pub min_duration: Option<String>,
    /// US dollars that the run cost at least.
    pub min_cost: Option<String>,
    /// What was last said of the run or one of its spans: `name`, `name=label`, or `name<0.5` (also <=, >, >=, =).
    pub score: Option<String>,
    /// What each run cost, too: every call of the runs looked at has to be priced.
    pub costs: bool,
    /// What was last said of each run and its spans, too.
    pub scores: bool,
    /// Rows of a page.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub before: Option<String>,
}

/// A run in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "columns of the view `runs`")]
pub struct RunRow {
    pub trace_id: String,
    pub start_time: String,
    pub duration_ns: i64,
    pub root_name: Option<String>,
    pub root_kind: Option<String>,
    pub missing_root: bool,
    pub status: Option<String>,
    pub service: Option<String>,
    pub environment: Option<String>,
    pub release: Option<String>,
    pub team: Option<String>,
    pub conversation_id: Option<String>,
    pub user_id: Option<String>,
    pub workflow_name: Option<String>,
    pub models: Vec<String>,
    pub prompts: Vec<String>,
    pub tools: Vec<String>,
    pub span_count: i64,
    pub error_count: i64,
    pub call_count: i64,
    pub tool_count: i64,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub input_preview: Option<String>,
    pub output_preview: Option<String>,
    /// In US dollars, exact; only where costs are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpriced_calls: Option<i64>,
    /// The newest first; only where scores are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Vec<RunScore>>,
}

/// What was said of a run or one of its spans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "members of `scores` in the view `runs`")]
pub struct RunScore {
    pub name: String,
    pub value: Option<f64>,
    pub label: Option<String>,
    pub source: Option<String>,
    pub span_id: Option<String>,
}

const COLUMNS: &str =
    "trace_id, start_time, duration_ns, root_name, root_kind, missing_root, status, service, environment,
    release, team, conversation_id, user_id, workflow_name, models, prompts, tools, span_count, error_count, call_count,
    tool_count, input_tokens, output_tokens, input_preview, output_preview";

/// Some runs, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The runs.
    pub runs: Vec<RunRow>,
    /// What `before` has to be for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Filter {
    /// The conditions on rows of the view `runs`.
    fn conditions(&self, now: i64) -> Result<Vec<String>, RunsError> {
        let mut conditions = Vec::new();
        let mut add = |condition: String| conditions.push(condition);
        if let Some(since) = &self.since {
            add(format!("start_time >= {}", time(parse_moment(since, now)?)));
        }
        if let Some(until) = &self.until {
            add(format!("start_time < {}", time(parse_moment(until, now)?)));
        }
        for (column, value) in [
            ("service", &self.service),
            ("environment", &self.environment),
            ("release", &self.release),
            ("team", &self.team),
            ("user_id", &self.user),
            ("conversation_id", &self.session),
            ("workflow_name", &self.workflow),
            ("root_kind", &self.kind),
        ] {
            if let Some(value) = value {
                add(format!("{column} = {}", quoted(value)));
            }
        }
        for (column, value) in [("models", &self.model), ("tools", &self.tool)] {
            if let Some(value) = value {
                add(format!("array_has({column}, {})", quoted(value)));
            }
        }
        if let Some(prompt) = &self.prompt {
            // Without a version the name alone stands there.
            let (exact, versions) = (quoted(prompt), quoted(&format!("{prompt}@")));
            add(format!(
                "(array_has(prompts, {exact}) OR strpos('\n' || array_to_string(prompts, '\n'), '\n' || {versions}) > 0)"
            ));
        }
        if let Some(name) = &self.name {
            add(format!("strpos(lower(root_name), lower({})) > 0", quoted(name)));
        }
        match self.status.as_deref() {
            None => {}
            Some("unset") => add("status IS NULL".to_owned()),
            Some(status @ ("ok" | "error")) => add(format!("status = '{status}'")),
            Some(other) => {
                return Err(RunsError::Filter(format!("`{other}` is no status; it is ok, error or unset")));
            }
        }
        if let Some(duration) = &self.min_duration {
            let parsed = humantime::parse_duration(duration)
                .map_err(|_| RunsError::Filter(format!("`{duration}` is no duration; write 500ms, 2s or 1m 30s")))?;
            add(format!("duration_ns >= {}", i64::try_from(parsed.as_nanos()).unwrap_or(i64::MAX)));
        }
        if let Some(cost) = &self.min_cost {
            let amount: Amount = cost.parse().map_err(|_| {
                RunsError::Filter(format!("`{cost}` is no amount of US dollars; write it with a point, such as 0.05"))
            })?;
            add(format!("cost_usd >= CAST('{amount}' AS DECIMAL(38, {}))", Amount::SCALE));
        }
        if let Some(score) = &self.score {
            add(format!(
                "EXISTS (SELECT 1 FROM evaluations AS e WHERE e.tenant = runs.tenant AND e.trace_id = runs.trace_id
                    AND e.superseded_at IS NULL AND {})",
                said(score)?
            ));
        }
        if let Some(cursor) = &self.before {
            let (at, id) = cursor.split_once('/').unwrap_or((cursor, ""));
            let (Ok(at), true) = (parse_moment(at, now), id.is_empty() || is_hex(id)) else {
                return Err(RunsError::Filter(format!("`{cursor}` is no cursor; take it from the page before")));
            };
            let at = time(at);
            // The second says no more than the first, in a form that leaves files out.
            add(format!("(start_time < {at} OR (start_time = {at} AND trace_id < '{id}'))"));
            add(format!("start_time <= {at}"));
        }
        Ok(conditions)
    }

    /// The columns that are asked for.
    fn columns(&self) -> String {
        let mut columns = COLUMNS.to_owned();
        if self.costs {
            columns += ", CAST(cost_usd AS text) AS cost_usd, unpriced_calls";
        }
        if self.scores {
            columns += ", scores";
        }
        columns
    }

    /// The conditions on the date, which leave days out before runs are put together.
    fn dates(&self, now: i64) -> Result<Vec<String>, RunsError> {
        let day = |moment: &str, more: i32| -> Result<String, RunsError> {
            let nanos = parse_moment(moment, now)?.saturating_mul(1_000);
            Ok(format!("DATE '{}'", Day(Day::of(nanos).0 + more)))
        };
        let since = self.since.as_deref().map(|since| Ok(format!("date >= {}", day(since, 0)?)));
        // A record is of the day on which it was written; what it tells of may have begun on the day before.
        let cursor = self.before.as_deref().and_then(|before| before.split('/').next());
        let until = [self.until.as_deref(), cursor].into_iter().flatten();
        let until = until.map(|until| Ok(format!("date <= {}", day(until, 1)?)));
        since.into_iter().chain(until).collect()
    }
}

/// One page of runs.
///
/// # Errors
/// When the filter cannot be read or a query fails.
pub async fn list(source: &impl Ask, filter: &Filter, now: i64) -> Result<Page, RunsError> {
    let limit = filter.limit.unwrap_or(20);
    if limit == 0 || limit > MOST {
        return Err(RunsError::Filter(format!("a page has 1 to {MOST} runs")));
    }
    let mut conditions = filter.conditions(now)?;
    conditions.extend(filter.dates(now)?);
    let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    let query = format!(
        "SELECT {} FROM runs WHERE {condition} ORDER BY start_time DESC, trace_id DESC LIMIT {}",
        filter.columns(),
        limit + 1
    );
    let mut runs = rows::<RunRow>(source, &query).await?;
    for run in &mut runs {
        run.cost_usd = run.cost_usd.take().map(|cost| shortest(&cost));
    }
    if runs.is_empty() && is_empty(source).await? {
        return Err(RunsError::Empty);
    }
    let more = runs.len() > limit;
    runs.truncate(limit);
    let next = runs.last().filter(|_| more).map(|last| format!("{}/{}", last.start_time, last.trace_id));
    Ok(Page { runs, next })
}

/// The condition that a row of `evaluations` says `score`.
fn said(score: &str) -> Result<String, RunsError> {
    let wrong = || {
        RunsError::Filter(format!("`{score}` is no score; write its name, name=label, or name<0.5 (also <=, >, >=, =)"))
    };
    let end = score.find(['<', '>', '=']).unwrap_or(score.len());
    let (name, compared) = (score[..end].trim(), &score[end..]);
    let value = compared.trim_start_matches(['<', '>', '=']);
    let (operator, value) = (&compared[..compared.len() - value.len()], value.trim());
    let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
    let is_said = match (operator, number) {
        _ if name.is_empty() => return Err(wrong()),
        ("", _) => "true".to_owned(),
        ("<" | "<=" | ">" | ">=" | "=", Some(number)) => format!("e.value {operator} {number:e}"),
        ("=", None) if !value.is_empty() => format!("e.label = {}", quoted(value)),
        _ => return Err(wrong()),
    };
    Ok(format!("e.name = {} AND {is_said}", quoted(name)))
}

/// An exact amount without the zeros at its end.
fn shortest(cost: &str) -> String {
    cost.parse::<Amount>().map_or_else(|_| cost.to_owned(), |amount| amount.to_string())
}

/// A literal of a point in time.
fn time(micros: i64) -> String {
    format!("arrow_cast({micros}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_filter_stays_text_and_what_cannot_be_read_is_refused() {
        let hostile = Filter { user: Some("x' OR 'a' = 'a".to_owned()), ..Filter::default() };
        assert_eq!(hostile.conditions(0).unwrap(), ["user_id = 'x'' OR ''a'' = ''a'"]);
        for wrong in [
            Filter { status: Some("bad".to_owned()), ..Filter::default() },
            Filter { min_duration: Some("long".to_owned()), ..Filter::default() },
            Filter { before: Some("2026-11-20T00:00:00Z/x'".to_owned()), ..Filter::default() },
            Filter { min_cost: Some("1 OR true".to_owned()), ..Filter::default() },
            Filter { score: Some("<0.5".to_owned()), ..Filter::default() },
            Filter { score: Some("tone<kind".to_owned()), ..Filter::default() },
            Filter { score: Some("tone<>1".to_owned()), ..Filter::default() },
        ] {
            assert!(wrong.conditions(0).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_score_is_compared_by_its_value_or_its_label() {
        for (score, condition) in [
            ("tone", "e.name = 'tone' AND true"),
            ("tone <= 0.5", "e.name = 'tone' AND e.value <= 5e-1"),
            ("tone=kind", "e.name = 'tone' AND e.label = 'kind'"),
            ("it's=x' OR 'a' = 'a", "e.name = 'it''s' AND e.label = 'x'' OR ''a'' = ''a'"),
        ] {
            assert_eq!(said(score).unwrap(), condition);
        }
    }

    #[test]
    fn costs_and_scores_are_worked_out_only_for_who_asks() {
        assert_eq!(Filter::default().columns(), COLUMNS);
        let asked = Filter { costs: true, scores: true, ..Filter::default() }.columns();
        assert!(asked.contains("cost_usd") && asked.ends_with(", scores"), "{asked}");
    }
}
