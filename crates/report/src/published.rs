//! What was published of a period, and how that differs from what is known now.

use serde::Deserialize;
use tracewell_pricing::Amount;

use crate::ask::{Questions, RowSource};
use crate::error::ReportError;
use crate::figures::{Both, Totals};
use crate::money::{dollars, minus, signed};
use crate::page::{Outcome, Page, Published};
use crate::period::Window;
use crate::request::Request;
use crate::sql::{moment, quoted};
use crate::words::counted;

/// The page as it was published under a name, if it was; of several time zones the first, or that of `window`.
///
/// # Errors
/// When the table of reports cannot be read.
pub async fn published_page<A: RowSource>(
    source: &A,
    name: &str,
    period: &str,
    window: Option<Window>,
) -> Result<Option<Page>, ReportError> {
    let within = window.map_or_else(String::new, |Window { since, until }| {
        format!(" AND since = {} AND until = {}", moment(since), moment(until))
    });
    let sql = format!(
        "SELECT page FROM reports WHERE event = 'published' AND name = {} AND period = {}{within}
ORDER BY recorded_at LIMIT 1",
        quoted(name),
        quoted(period)
    );
    let query = || "What was published".to_owned();
    let rows = source.rows(&sql).await.map_err(|reason| ReportError::Query { query: query(), reason })?;
    let page = rows.first().and_then(|row| row.get("page")).and_then(serde_json::Value::as_str);
    let read = page.map(serde_json::from_str).transpose();
    read.map_err(|error| ReportError::Answer { query: query(), reason: error.to_string() })
}

#[derive(Deserialize)]
struct Before {
    recorded_at: String,
    #[serde(flatten)]
    totals: Published,
}

#[derive(Deserialize)]
struct Prices {
    prices_version: Option<String>,
}

impl Published {
    /// The totals of now; and in words how they differ from those that were first published of the period.
    pub(crate) async fn ask<A: RowSource>(
        questions: &mut Questions<'_, A>,
        request: &Request,
        totals: &Both<Totals>,
        outcome: Option<Outcome>,
    ) -> Result<(Self, Vec<String>), ReportError> {
        let prices = format!(
            "SELECT prices_version
FROM span_costs
WHERE {} AND cost_usd IS NOT NULL
LIMIT 1",
            request.window().condition("start_time")
        );
        let prices = questions.ask::<Prices>("The version of the prices in force", prices).await?;
        let now = Self {
            calls: totals.now.calls,
            unpriced_calls: totals.now.unpriced(),
            cost_usd: totals.now.cost_usd,
            prices_version: prices.rows.into_iter().find_map(|row| row.prices_version),
            outcome,
        };
        if !request.is_over() {
            return Ok((now, Vec::new()));
        }
        // A period is its moments: UTC and Etc/UTC name the same.
        let before = format!(
            "SELECT
    recorded_at, calls, unpriced_calls, cost_usd, prices_version,
    json_get_int(page, 'totals', 'runs') AS runs,
    json_get_int(page, 'totals', 'failed_runs') AS failed_runs,
    json_get_int(page, 'totals', 'scores') AS scores
FROM reports
WHERE event = 'published' AND since = {} AND until = {}
ORDER BY recorded_at",
            moment(request.period.window().since),
            moment(request.period.window().until)
        );
        let before = questions.ask::<Before>("What was published of the period", before).await?;
        let query = before.number;
        let money = before.rows.first().and_then(|before| now.against(before));
        let runs = before.rows.iter().find(|before| before.totals.outcome.is_some());
        let runs = runs.and_then(|before| now.outcome_against(before));
        let notes = money.into_iter().chain(runs).map(|note| format!("{note} [query {query}]"));
        Ok((now, notes.collect()))
    }

    fn outcome_against(&self, Before { recorded_at, totals }: &Before) -> Option<String> {
        let (now, before) = (self.outcome?, totals.outcome?);
        let said = |outcome: Outcome| {
            let Outcome { runs, failed_runs, scores } = outcome;
            let failed = tracewell_blocks::count(failed_runs);
            format!("{}, {failed} failed, {}", counted(runs, "run", "runs"), counted(scores, "score", "scores"))
        };
        (now != before).then(|| {
            format!(
                "Restated: published on {} of {}; now {}, because data came late or is gone. What was published stays.",
                recorded_at.get(..10).unwrap_or(recorded_at),
                said(before),
                said(now)
            )
        })
    }

    fn against(&self, Before { recorded_at, totals }: &Before) -> Option<String> {
        if (self.calls, self.unpriced_calls, self.cost_usd) == (totals.calls, totals.unpriced_calls, totals.cost_usd) {
            return None;
        }
        let amount = |amount: Option<Amount>| amount.map_or_else(|| "no amount".to_owned(), dollars);
        let difference = minus(self.cost_usd.unwrap_or_default(), totals.cost_usd.unwrap_or_default());
        let more = self.calls - totals.calls;
        let late = match more {
            0 => None,
            _ if more > 0 => Some(counted(more, "call came late", "calls came late")),
            _ => Some(counted(-more, "call is gone", "calls are gone")),
        };
        let prices = (self.prices_version != totals.prices_version).then(|| "prices were corrected".to_owned());
        let why: Vec<String> = late.into_iter().chain(prices).collect();
        let why = if why.is_empty() { "facts of its calls changed".to_owned() } else { why.join(", and ") };
        Some(format!(
            "Restated: published on {} as {} for {}; now {}, {} ({why}). The published totals stay.",
            recorded_at.get(..10).unwrap_or(recorded_at),
            amount(totals.cost_usd),
            counted(totals.calls, "call", "calls"),
            amount(self.cost_usd),
            if difference == Amount::ZERO { "no difference in money".to_owned() } else { signed(difference) },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(calls: i64, cost: &str, prices: &str) -> Published {
        let cost_usd = Some(cost.parse().expect("it is an amount"));
        Published { calls, unpriced_calls: 0, cost_usd, prices_version: Some(prices.into()), outcome: None }
    }

    #[test]
    fn a_difference_to_what_was_published_is_told_with_its_cause() {
        let before = Before { recorded_at: "2026-11-16T07:00:01Z".into(), totals: totals(10, "2.5", "a") };
        assert_eq!(totals(10, "2.50", "b").against(&before), None, "other prices, the same amount");
        let told = |now: Published| now.against(&before).expect("it differs");
        assert_eq!(
            told(totals(12, "12.75", "a")),
            "Restated: published on 2026-11-16 as $2.50 for 10 calls; now $12.75, +$10.25 (2 calls came late). The published totals stay."
        );
        assert!(told(totals(10, "2", "b")).contains("−$0.500 (prices were corrected)"));
        assert!(told(totals(9, "2", "b")).contains("(1 call is gone, and prices were corrected)"));
    }

    #[test]
    fn runs_and_scores_that_came_late_are_told_where_a_page_told_of_them() {
        let of = |runs, failed_runs, scores| Published {
            outcome: Some(Outcome { runs, failed_runs, scores }),
            ..totals(10, "2.5", "a")
        };
        let before = |totals| Before { recorded_at: "2026-11-16T07:00:01Z".into(), totals };
        assert_eq!(of(3, 1, 0).outcome_against(&before(of(3, 1, 0))), None);
        assert_eq!(of(3, 1, 0).outcome_against(&before(totals(10, "2.5", "a"))), None);
        assert_eq!(
            of(4, 1, 1).outcome_against(&before(of(3, 0, 0))).as_deref(),
            Some(
                "Restated: published on 2026-11-16 of 3 runs, 0 failed, 0 scores; now 4 runs, 1 failed, 1 score, because data came late or is gone. What was published stays."
            )
        );
    }

    #[test]
    fn pages_of_before_say_nothing_of_runs() {
        let read = |text: &str| serde_json::from_str::<Published>(text).expect("it reads");
        assert_eq!(read(r#"{"calls":1,"unpriced_calls":0}"#).outcome, None);
        let written = serde_json::to_string(&Published {
            outcome: Some(Outcome { runs: 3, failed_runs: 1, scores: 2 }),
            ..Published::default()
        });
        let written = written.expect("it writes");
        assert!(written.ends_with(r#""runs":3,"failed_runs":1,"scores":2}"#), "{written}");
        assert_eq!(read(&written).outcome.map(|outcome| outcome.scores), Some(2));
    }
}
