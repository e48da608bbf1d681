//! Keys that are none.

use toml::de::DeTable;

use super::Problem;
use super::places::Places;
use crate::scorers::Rule;

/// The kind of a score that somebody else gave.
pub(super) const RECORDED: &str = "recorded";

const GATE: &[&str] = &[
    "name",
    "dataset",
    "baseline",
    "candidate",
    "confidence",
    "correction",
    "minimum_sample",
    "repetitions",
    "seed",
    "resamples",
    "never_fail",
    "scorer",
    "budget",
    "flaky",
];
const SCORER: &[&str] = &[
    "name",
    "kind",
    "tags",
    "min_score",
    "min_pass_rate",
    "max_drop",
    "max_pass_rate_drop",
    "confidence",
    "minimum_sample",
];
const SCALE: &[&str] = &["score", "worst", "best", "at_least"];
const BUDGET: &[&str] =
    &["mean_cost", "total_cost", "mean_latency", "p95_latency", "max_cost_rise", "max_latency_rise"];
const FLAKY: &[&str] = &["example", "until", "reason"];

/// A problem for each key and kind that there is not.
pub(super) fn unknown(places: &Places<'_>) -> Vec<Problem> {
    let mut problems = unknown_of(places, places.gate(), GATE, "");
    for budget in places.tables("budget") {
        problems.extend(unknown_of(places, budget, BUDGET, "in `[budget]` "));
    }
    for flaky in places.tables("flaky") {
        problems.extend(unknown_of(places, flaky, FLAKY, "in `[[flaky]]` "));
    }
    for scorer in places.tables("scorer") {
        problems.extend(unknown_of_scorer(places, scorer));
    }
    problems.sort_by_key(|problem| problem.line);
    problems
}

fn unknown_of_scorer(places: &Places<'_>, scorer: &DeTable<'_>) -> Vec<Problem> {
    // Without a kind there is no telling; that it is missing is said later.
    let Some(kind) = scorer.get("kind") else { return Vec::new() };
    let Some(name) = kind.get_ref().as_str() else { return Vec::new() };
    let keys = if name == RECORDED { Some(SCALE) } else { Rule::keys(name) };
    let Some(keys) = keys else {
        let hint = suggestion(name, Rule::kinds().chain([RECORDED]));
        return vec![Problem {
            line: places.line_at(kind.span().start),
            reason: format!("there is no kind `{name}`{hint}"),
        }];
    };
    unknown_of(places, scorer, &[SCORER, keys].concat(), &format!("in a scorer of kind `{name}` "))
}

fn unknown_of(places: &Places<'_>, table: &DeTable<'_>, known: &[&str], within: &str) -> Vec<Problem> {
    let keys = table.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
    keys.map(|key| {
        let hint = suggestion(key.get_ref(), known.iter().copied());
        Problem {
            line: places.line_at(key.span().start),
            reason: format!("{within}there is no key `{}`{hint}", key.get_ref()),
        }
    })
    .collect()
}

/// The word that was probably meant; all of them where none is near.
fn suggestion<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearness = |word: &&str| strsim::jaro_winkler(wrong, word);
    match known.iter().copied().max_by(|one, other| nearness(one).total_cmp(&nearness(other))) {
        Some(word) if nearness(&word) > 0.75 => format!("; did you mean `{word}`?"),
        _ => format!("; there are `{}`", known.join("`, `")),
    }
}
