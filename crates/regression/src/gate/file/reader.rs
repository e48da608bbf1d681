//! From what is written to what is meant.

use chrono::NaiveDate;
use serde::Deserialize as _;

use super::places::Places;
use super::{File, FileBudget, FileFlaky, FileScorer, Problem, keys};
use crate::gate::{Budget, Contender, Criterion, DatasetVersion, Flaky, Gate, Scale, Scored, Source};
use crate::scorers::{Rule, Scorer};
use crate::statistics::{Bootstrap, Correction};

/// Turns what is written into what is meant, and notes what cannot be.
pub(super) struct Reader<'a> {
    places: Places<'a>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(places: Places<'a>) -> Self {
        Self { places, problems: Vec::new() }
    }

    /// The gate, or everything that is wrong with it.
    pub(super) fn read(mut self, file: File, tables: &toml::Table) -> Result<Gate, Vec<Problem>> {
        let gate = self.gate(file, tables);
        self.problems.sort_by_key(|problem| problem.line);
        if self.problems.is_empty() { Ok(gate) } else { Err(self.problems) }
    }

    fn wrong(&mut self, section: &str, place: usize, key: &str, reason: impl Into<String>) {
        self.problems.push(Problem { line: self.places.line(section, place, key), reason: reason.into() });
    }

    fn gate(&mut self, file: File, tables: &toml::Table) -> Gate {
        let confidence = self.confidence("", 0, file.confidence).unwrap_or(0.95);
        let minimum_sample = file.minimum_sample.unwrap_or(30);
        let empty = Vec::new();
        let rules = tables.get("scorer").and_then(toml::Value::as_array).unwrap_or(&empty);
        let mut scorers = Vec::new();
        for (place, (scorer, table)) in file.scorer.into_iter().zip(rules).enumerate() {
            if scorers.iter().any(|other: &Scored| other.name == scorer.name) {
                self.wrong("scorer", place, "name", format!("there are two scorers named `{}`", scorer.name));
            }
            scorers.extend(self.scored(place, scorer, table, confidence, minimum_sample));
        }
        let gate = Gate {
            name: file.name,
            dataset: self.dataset(&file.dataset),
            baseline: file.baseline.as_deref().map(|text| self.contender("baseline", text)),
            candidate: self.contender("candidate", &file.candidate),
            confidence,
            correction: self.correction(file.correction.as_deref()),
            minimum_sample,
            repetitions: file.repetitions.unwrap_or(1),
            bootstrap: Bootstrap {
                resamples: file.resamples.unwrap_or(Bootstrap::default().resamples),
                seed: file.seed.unwrap_or_default(),
            },
            scorers,
            budget: self.budget(&file.budget),
            flaky: self.flaky(file.flaky, &file.never_fail),
            never_fail: file.never_fail,
        };
        self.whole(&gate);
        gate
    }

    /// What no key alone can tell.
    fn whole(&mut self, gate: &Gate) {
        if !(1..=1000).contains(&gate.repetitions) {
            self.wrong("", 0, "repetitions", "`repetitions` has to be from 1 to 1000");
        }
        if !(1000..=1_000_000).contains(&gate.bootstrap.resamples) {
            self.wrong("", 0, "resamples", "`resamples` has to be from 1000 to 1000000");
        }
        if gate.baseline.is_none() && gate.compares() {
            self.wrong("", 0, "name", "something is compared, so `baseline` is needed, such as `baseline = \"live\"`");
        }
        // A scorer that is wrong is not among them.
        if self.problems.is_empty()
            && gate.never_fail.is_empty()
            && gate.budget == Budget::default()
            && gate.scorers.iter().all(|scored| scored.criteria.is_empty())
        {
            self.wrong("", 0, "name", "nothing has to hold: give a scorer a `min_score`, for one");
        }
    }

    fn dataset(&mut self, text: &str) -> DatasetVersion {
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        if name.is_empty() || version.is_empty() {
            self.wrong(
                "",
                0,
                "dataset",
                format!("`{text}` names no version; write `name@version`, such as `refunds@v3`"),
            );
        }
        DatasetVersion { name: name.to_owned(), version: version.to_owned() }
    }

    fn contender(&mut self, key: &str, text: &str) -> Contender {
        let (kind, rest) = text.split_once(':').map_or((text, None), |(kind, rest)| (kind, Some(rest.to_owned())));
        match (kind, rest.filter(|rest| !rest.is_empty())) {
            ("live", environment) => Contender::Live(environment),
            ("version", Some(version)) => Contender::Version(version),
            ("prompt", Some(prompt)) => Contender::Prompt(prompt),
            ("run", Some(run)) => Contender::Run(run),
            ("file", Some(path)) => Contender::File(path),
            _ => {
                let forms =
                    "`live`, `live:ENVIRONMENT`, `version:VERSION`, `prompt:NAME@REVISION`, `run:ID` or `file:PATH`";
                self.wrong("", 0, key, format!("`{key} = \"{text}\"` is none of {forms}"));
                Contender::Live(None)
            }
        }
    }

    fn correction(&mut self, name: Option<&str>) -> Correction {
        let Some(name) = name else { return Correction::default() };
        Correction::ALL.into_iter().find(|correction| correction.name() == name).unwrap_or_else(|| {
            let names = Correction::ALL.map(|correction| format!("`{correction}`")).join(", ");
            self.wrong("", 0, "correction", format!("`{name}` is none of {names}"));
            Correction::default()
        })
    }

    fn confidence(&mut self, section: &str, place: usize, confidence: Option<f64>) -> Option<f64> {
        if confidence.is_some_and(|confidence| !(0.5..1.0).contains(&confidence)) {
            self.wrong(section, place, "confidence", "`confidence` has to be from 0.5 to below 1, such as 0.95");
        }
        confidence
    }

    fn scored(
        &mut self,
        place: usize,
        scorer: FileScorer,
        table: &toml::Value,
        confidence: f64,
        minimum_sample: usize,
    ) -> Option<Scored> {
        let criteria = self.criteria(place, &scorer);
        let own = self.confidence("scorer", place, scorer.confidence);
        let source = if scorer.kind == keys::RECORDED {
            self.scale(place, &scorer)
        } else {
            let source = rule(&scorer.kind, table);
            source.map_err(|reason| self.wrong("scorer", place, "kind", reason)).ok()?
        };
        if criteria.iter().any(|criterion| criterion.is_of_passes()) && !source.draws_a_line() {
            let reason = format!("scorer `{}` has no line between pass and fail; give it `at_least`", scorer.name);
            self.wrong("scorer", place, "kind", reason);
        }
        if matches!(&source, Source::Rule(Rule::Latency { .. } | Rule::Cost { .. }))
            && criteria.iter().any(|criterion| !criterion.is_of_passes())
        {
            self.wrong("scorer", place, "kind", "a measure has no score from 0 to 1; set its limits under `[budget]`");
        }
        Some(Scored {
            name: scorer.name,
            source,
            tags: scorer.tags,
            criteria,
            confidence: own.unwrap_or(confidence),
            minimum_sample: scorer.minimum_sample.unwrap_or(minimum_sample),
        })
    }

    fn criteria(&mut self, place: usize, scorer: &FileScorer) -> Vec<Criterion> {
        let written = [
            ("min_score", scorer.min_score.map(Criterion::MinScore)),
            ("min_pass_rate", scorer.min_pass_rate.map(Criterion::MinPassRate)),
            ("max_drop", scorer.max_drop.map(Criterion::MaxDrop)),
            ("max_pass_rate_drop", scorer.max_pass_rate_drop.map(Criterion::MaxPassRateDrop)),
        ];
        let mut criteria = Vec::new();
        for (key, criterion) in written {
            let Some(criterion) = criterion else { continue };
            let (Criterion::MinScore(share)
            | Criterion::MinPassRate(share)
            | Criterion::MaxDrop(share)
            | Criterion::MaxPassRateDrop(share)) = criterion;
            if !(0.0..=1.0).contains(&share) {
                self.wrong("scorer", place, key, format!("`{key} = {share}` is not from 0 to 1"));
            }
            criteria.push(criterion);
        }
        criteria
    }

    fn scale(&mut self, place: usize, scorer: &FileScorer) -> Source {
        let (worst, best) = (scorer.worst.unwrap_or(0.0), scorer.best.unwrap_or(1.0));
        if worst == best || !worst.is_finite() || !best.is_finite() {
            self.wrong("scorer", place, "best", "`best` and `worst` have to differ");
        }
        let score = scorer.score.clone().unwrap_or_else(|| scorer.name.clone());
        Source::Recorded(Scale { score, worst, best, at_least: scorer.at_least })
    }

    fn budget(&mut self, file: &FileBudget) -> Budget {
        for (key, share) in [("max_cost_rise", file.max_cost_rise), ("max_latency_rise", file.max_latency_rise)] {
            if share.is_some_and(|share| !share.is_finite() || share < 0.0) {
                self.wrong("budget", 0, key, format!("`{key}` is a share, such as 0.1 for a tenth more"));
            }
        }
        Budget {
            mean_cost: file.mean_cost,
            total_cost: file.total_cost,
            mean_latency: file.mean_latency,
            p95_latency: file.p95_latency,
            max_cost_rise: file.max_cost_rise,
            max_latency_rise: file.max_latency_rise,
        }
    }

    fn flaky(&mut self, cases: Vec<FileFlaky>, never_fail: &[String]) -> Vec<Flaky> {
        let mut flaky = Vec::new();
        for (place, case) in cases.into_iter().enumerate() {
            if never_fail.contains(&case.example) {
                let reason = format!("`{}` must never fail, so it cannot be flaky", case.example);
                self.wrong("flaky", place, "example", reason);
            }
            let date = case.until.date.and_then(|date| {
                NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day))
            });
            match date {
                Some(until) => flaky.push(Flaky { example: case.example, until, reason: case.reason }),
                None => self.wrong("flaky", place, "until", "`until` is no date; write it as 2026-12-31"),
            }
        }
        flaky
    }
}

/// The rule of a scorer's table.
fn rule(kind: &str, table: &toml::Value) -> Result<Source, String> {
    let mut own: toml::Table = table.as_table().cloned().unwrap_or_default();
    own.retain(|key, _| key == "kind" || Rule::keys(kind).is_some_and(|keys| keys.contains(&key)));
    let rule = Rule::deserialize(toml::Value::Table(own)).map_err(|error| error.message().to_owned())?;
    Scorer::new(rule.clone()).map_err(|error| error.to_string())?;
    Ok(Source::Rule(rule))
}
