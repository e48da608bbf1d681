//! What people decided and what users said.

use serde::Deserialize;

use crate::ask::{Questions, RowSource};
use crate::error::ReportError;
use crate::figures::{Both, which};
use crate::page::Tile;
use crate::request::Request;
use crate::runs::{AGAINST, DECIDED, Runs, compared, share, tile};
use crate::sql::{OF_RUNS, trial_runs};
use crate::words::{counted, percent, ratio};

/// What people decided, in runs and in sessions that have no traces.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct People {
    decisions: i64,
    against: i64,
}

impl People {
    pub(crate) async fn ask<A: RowSource>(
        questions: &mut Questions<'_, A>,
        request: &Request,
    ) -> Result<Both<Self>, ReportError> {
        let both = request.both();
        let sql = format!(
            "SELECT
    {which} AS period,
    count(*) AS decisions,
    count(*) FILTER (WHERE {AGAINST}) AS against
FROM (
    -- A record that was sent again is one decision; several tools may be decided on at once.
    SELECT DISTINCT
        tenant, date, time AS start_time, service, trace_id, conversation_id, tool_name, tool_call_id, decision
    FROM logs
    WHERE {DECIDED}
) AS people
LEFT JOIN {trials} AS trials ON trials.tenant = people.tenant AND trials.trace_id = people.trace_id
WHERE {both}
    AND trials.trace_id IS NULL
GROUP BY 1",
            which = which(request),
            trials = trial_runs(request.with_before()),
        );
        Both::ask(questions, "What people decided", sql).await
    }
}

/// How often people stepped in.
pub(crate) fn interventions(people: &Both<People>, runs: &Both<Runs>) -> Tile {
    let rate = |runs: &Runs| share(runs.stepped_in, runs.runs);
    let now = rate(&runs.now);
    let (note, _) = compared(now, rate(&runs.before), percent);
    let People { decisions, against } = people.now;
    let decided = match decisions {
        0 => String::new(),
        _ => format!(" ({against} of {}, in runs or not)", counted(decisions, "decision", "decisions")),
    };
    Tile {
        label: "Runs in which people stepped in".into(),
        note: format!("by a step of theirs or a decision against what was proposed{decided}; {note}"),
        queries: vec![runs.query, people.query],
        ..tile(ratio(now), runs.query)
    }
}

/// What users said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Feedback {
    said: i64,
    good: i64,
}

impl Feedback {
    pub(crate) async fn ask<A: RowSource>(
        questions: &mut Questions<'_, A>,
        request: &Request,
    ) -> Result<Both<Self>, ReportError> {
        let sql = format!(
            "SELECT
    {which} AS period,
    count(*) AS said,
    count(*) FILTER (WHERE {is_good}) AS good
FROM (
    SELECT tenant, trace_id, date, time AS start_time, value, label
    FROM evaluations
    WHERE source = 'user' AND superseded_at IS NULL AND (value IS NOT NULL OR label IS NOT NULL) AND {OF_RUNS}
) AS feedback
LEFT JOIN {trials} AS trials ON trials.tenant = feedback.tenant AND trials.trace_id = feedback.trace_id
WHERE {both}
    AND trials.trace_id IS NULL
GROUP BY 1",
            which = which(request),
            is_good = request.good.is_good_feedback(),
            trials = trial_runs(request.with_before()),
            both = request.both(),
        );
        Both::ask(questions, "Feedback of end users", sql).await
    }
}

/// How users feel about it.
pub(crate) fn feedback(request: &Request, feedback: &Both<Feedback>) -> Tile {
    let Feedback { said, good, .. } = feedback.now;
    let sure = match crate::interval::of_share(good, said) {
        Some(sure) => format!(", between {} and {} with 95 %", percent(sure.low), percent(sure.high)),
        None if said > 0 => ", too few for an interval".to_owned(),
        None => String::new(),
    };
    Tile {
        label: "Users' feedback that is good".into(),
        note: format!(
            "of {}{sure}; good is {} or more, or a label such as {}",
            counted(said, "answer", "answers"),
            request.good.feedback_at_least,
            request.good.feedback_labels.first().map_or("none", String::as_str)
        ),
        ..tile(ratio(share(good, said)), feedback.query)
    }
}
