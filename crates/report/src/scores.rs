//! Scores by prompt version, each mean with its interval.

use serde::Deserialize;

use crate::ask::{Answer, Questions, RowSource};
use crate::error::ReportError;
use crate::figures::which;
use crate::interval::{CONFIDENCE, FEW, LEAST, of_mean, of_share};
use crate::page::{Cell, Chart, Data, Estimate, Item, Outcome, Table, Tone, head, number};
use crate::request::Request;
use crate::runs::{Runs, judgements};
use crate::sql::TRAFFIC;
use crate::words::{count, counted, decimal, plain};

#[derive(Clone, Debug, Deserialize)]
struct ScoreRow {
    period: String,
    prompt: Option<String>,
    version: Option<String>,
    score: String,
    source: Option<String>,
    scores: i64,
    mean: f64,
    deviation: Option<f64>,
    /// Values that are neither 0 nor 1.
    graded: i64,
    ones: i64,
}

/// Scores by prompt version.
pub(crate) struct Scores {
    pub(crate) query: usize,
    rows: Vec<ScoreRow>,
}

impl Scores {
    pub(crate) async fn ask<A: RowSource>(
        questions: &mut Questions<'_, A>,
        request: &Request,
    ) -> Result<Self, ReportError> {
        let sql = format!(
            "WITH said AS {judgements},
calls AS (
    -- By each span that tells of them: a judge may name that of a second instrumentation.
    SELECT tenant, trace_id, span_id, prompt_name, prompt_version FROM llm_calls WHERE {both}
    UNION ALL
    SELECT tenant, other['trace_id'], other['span_id'], prompt_name, prompt_version
    FROM (
        SELECT tenant, trace_id, span_id, prompt_name, prompt_version, unnest(duplicates) AS other
        FROM llm_calls
        WHERE {both} AND duplicate_spans > 0
    ) AS told
    WHERE (other['trace_id'] IS DISTINCT FROM trace_id) OR other['span_id'] <> span_id
),
judged AS (
    -- What is said of a whole run, or of a span that is no call, is said of the run's prompt, where it used only one.
    SELECT
        t.date, t.start_time, s.name, s.source, s.value,
        CASE WHEN c.span_id IS NOT NULL THEN c.prompt_name ELSE regexp_replace(t.only_prompt, '@[^@]*$', '') END AS prompt,
        CASE
            WHEN c.span_id IS NOT NULL THEN c.prompt_version
            WHEN strpos(t.only_prompt, '@') > 0 THEN regexp_replace(t.only_prompt, '^.*@', '')
        END AS version
    FROM said AS s
    JOIN (
        SELECT tenant, trace_id, date, start_time, CASE WHEN cardinality(prompts) = 1 THEN prompts[1] END AS only_prompt
        FROM traces
        WHERE {TRAFFIC}
    ) AS t ON t.tenant = s.tenant AND t.trace_id = s.trace_id
    LEFT JOIN calls AS c ON c.tenant = s.tenant AND c.trace_id = s.trace_id AND c.span_id = s.span_id
)
SELECT
    {which} AS period, prompt, version, name AS score, source,
    count(*) AS scores,
    avg(value) AS mean,
    stddev_samp(value) AS deviation,
    count(*) FILTER (WHERE value NOT IN (0, 1)) AS graded,
    count(*) FILTER (WHERE value = 1) AS ones
FROM judged
WHERE {both}
GROUP BY 1, 2, 3, 4, 5
ORDER BY scores DESC, prompt, version, score, source, period",
            judgements = judgements(request),
            which = which(request),
            both = request.both(),
        );
        let Answer { number, rows } = questions.ask("Scores by prompt version", sql).await?;
        Ok(Self { query: number, rows })
    }

    /// Prompt versions that have some.
    pub(crate) fn prompts(&self) -> usize {
        self.now().map(|row| (&row.prompt, &row.version)).collect::<std::collections::BTreeSet<_>>().len()
    }

    /// What is published of runs.
    pub(crate) fn outcome(&self, runs: &Runs) -> Outcome {
        let scores = self.now().map(|row| row.scores).sum();
        Outcome { runs: runs.runs, failed_runs: runs.failed, scores }
    }

    /// Averages that rest on few.
    pub(crate) fn few(&self) -> usize {
        self.now().filter(|row| row.scores < FEW).count()
    }

    fn now(&self) -> impl Iterator<Item = &ScoreRow> {
        self.rows.iter().filter(|row| row.period == "this")
    }

    /// The picture of those with most scores, and the table.
    pub(crate) fn items(&self, most: usize) -> Vec<Item> {
        if self.now().next().is_none() {
            return vec![Item::Note(
                "No score was given to a call or a run of this period; tracewell score and evaluators give some."
                    .into(),
            )];
        }
        let estimates: Vec<Estimate> = self.now().take(most).filter_map(ScoreRow::estimate).collect();
        let mut items = Vec::new();
        if !estimates.is_empty() {
            let description =
                estimates.iter().map(|one| format!("{}: {}", one.label, one.text)).collect::<Vec<_>>().join("; ");
            let title = format!("Mean score and its {:.0} % interval", CONFIDENCE * 100.0);
            items.push(Item::Chart(Chart {
                title,
                description,
                data: Data::Intervals(estimates),
                queries: vec![self.query],
            }));
        }
        let without = self.now().take(most).filter(|row| row.interval().is_none()).count() as i64;
        if without > 0 {
            items.push(Item::Note(format!(
                "{} on fewer than {LEAST} scores, too few for an interval, and not in a picture.",
                counted(without, "average rests", "averages rest")
            )));
        }
        items.push(self.table(most));
        items
    }

    fn table(&self, most: usize) -> Item {
        let before = |row: &ScoreRow| {
            let same = |other: &&ScoreRow| {
                other.period != "this"
                    && (&other.prompt, &other.version, &other.score, &other.source)
                        == (&row.prompt, &row.version, &row.score, &row.source)
            };
            self.rows.iter().find(same)
        };
        let rows =
            self.now().take(most).map(|row| {
                let few = (row.scores < FEW).then_some(Tone::Bad);
                vec![
                    Cell::name(row.prompt.as_deref()),
                    Cell::name(row.version.as_deref()),
                    Cell::text(&row.score),
                    Cell::name(row.source.as_deref()),
                    Cell { tone: few, ..count(row.scores) },
                    plain(Some(row.mean)),
                    Cell::text(row.interval().map_or_else(
                        || "too few".into(),
                        |(low, high)| format!("{} to {}", decimal(low), decimal(high)),
                    )),
                    plain(before(row).map(|before| before.mean)),
                ]
            });
        Item::Table(Table {
            caption: "Scores, the last word of each judge".into(),
            heads: vec![
                head("prompt"),
                head("version"),
                head("score"),
                head("source"),
                number("scores"),
                number("mean"),
                number("95 % interval"),
                number("before"),
            ],
            rows: rows.collect(),
            queries: vec![self.query],
        })
    }
}

impl ScoreRow {
    /// A share where all values are 0 or 1, else a mean.
    fn interval(&self) -> Option<(f64, f64)> {
        let interval = match self.graded {
            0 => of_share(self.ones, self.scores),
            _ => of_mean(self.mean, self.deviation?, self.scores),
        }?;
        Some((interval.low, interval.high))
    }

    fn estimate(&self) -> Option<Estimate> {
        let (low, high) = self.interval()?;
        let version = self.version.as_deref().map(|version| format!("@{version}")).unwrap_or_default();
        let prompt = self.prompt.as_deref().unwrap_or("(no prompt)");
        let source = self.source.as_deref().map(|source| format!(" ({source})")).unwrap_or_default();
        let label = format!("{prompt}{version} {}{source}", self.score);
        Some(Estimate { label, value: self.mean, low, high, text: format!("{} n={}", decimal(self.mean), self.scores) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_models_who_give_one_score_are_told_apart() {
        let row = |source: Option<&str>| ScoreRow {
            period: "this".into(),
            prompt: Some("greet".into()),
            version: Some("2".into()),
            score: "polite".into(),
            source: source.map(str::to_owned),
            scores: 20,
            mean: 0.5,
            deviation: None,
            graded: 0,
            ones: 10,
        };
        let label = |source| row(source).estimate().expect("an interval").label;
        assert_eq!(label(Some("human")), "greet@2 polite (human)");
        assert_eq!(label(Some("model")), "greet@2 polite (model)");
        assert_eq!(label(None), "greet@2 polite");
    }
}
