//! How a gate's file is read, and what is said of wrong ones.

use super::*;
use crate::scorers::{Order, Rule};
use crate::statistics::Correction;

fn problems(text: &str) -> Vec<String> {
    Gate::parse(text).unwrap_err().0.iter().map(ToString::to_string).collect()
}

/// The file in the module's documentation.
fn documented() -> String {
    let source = include_str!("../file.rs");
    let lines = source.lines().skip_while(|line| *line != "//! ```toml").skip(1);
    let lines = lines.take_while(|line| *line != "//! ```");
    lines.map(|line| line.trim_start_matches("//!").trim_start().to_owned() + "\n").collect()
}

#[test]
fn the_documented_file_is_read() {
    let gate = Gate::parse(&documented()).unwrap();
    assert_eq!(gate.dataset, DatasetVersion { name: "refunds".to_owned(), version: "v3".to_owned() });
    assert_eq!(gate.baseline, Some(Contender::Live(Some("production".to_owned()))));
    assert_eq!(gate.candidate, Contender::Version("13".to_owned()));
    assert_eq!((gate.confidence, gate.correction), (0.95, Correction::Holm));
    assert_eq!((gate.minimum_sample, gate.repetitions), (50, 3));
    assert_eq!(gate.never_fail, ["refund-above-limit"]);
    let [scored] = &gate.scorers[..] else { panic!() };
    assert!(matches!(scored.source, Source::Rule(Rule::ToolCalls { order: Order::Any, .. })));
    assert_eq!(scored.criteria, [Criterion::MinPassRate(0.9), Criterion::MaxPassRateDrop(0.02)]);
    assert_eq!((scored.confidence, scored.minimum_sample), (0.95, 50));
    assert_eq!(gate.budget.mean_cost, Some(amount("0.004")));
    assert_eq!(gate.budget.p95_latency, Some(Duration::from_secs(6)));
    assert_eq!(gate.budget.max_cost_rise, Some(0.1));
    let until = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
    assert_eq!(gate.flaky, [Flaky { example: "what-day-is-it".to_owned(), until, reason: None }]);
}

#[test]
fn a_recorded_score_brings_its_scale() {
    let gate = gate(
        "[[scorer]]\nname = 'helpful'\nkind = 'recorded'\nscore = 'judge.helpfulness'\nworst = 1\nbest = 5\nat_least = 4\nmin_pass_rate = 0.8\n",
    );
    let scale = Scale { score: "judge.helpfulness".to_owned(), worst: 1.0, best: 5.0, at_least: Some(4.0) };
    assert_eq!(gate.scorers[0].source, Source::Recorded(scale));
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_right_one() {
    let text = format!(
        "{HEAD}minimum_smaple = 3\n\n[[scorer]]\nname = 's'\nkind = 'regex'\npatern = 'x'\n\
         [[scorer]]\nname = 't'\nkind = 'exct'\n[budget]\nmean_costs = '1'\n[[flaky]]\nexample = 'x'\nuntill = 2026-01-01\n"
    );
    assert_eq!(
        problems(&text),
        [
            "line 5: there is no key `minimum_smaple`; did you mean `minimum_sample`?",
            "line 10: in a scorer of kind `regex` there is no key `patern`; did you mean `pattern`?",
            "line 13: there is no kind `exct`; did you mean `exact`?",
            "line 15: in `[budget]` there is no key `mean_costs`; did you mean `mean_cost`?",
            "line 18: in `[[flaky]]` there is no key `untill`; did you mean `until`?",
        ]
    );
    // A key of another kind is none of this one.
    let problem = &problems(&format!("{HEAD}[[scorer]]\nname = 's'\nkind = 'exact'\npattern = 'x'\n"))[0];
    assert!(problem.starts_with("line 8: in a scorer of kind `exact` there is no key `pattern`"), "{problem}");
}

#[test]
fn every_problem_is_told_with_its_line() {
    let text = "name = 'g'\ndataset = 'refunds'\ncandidate = 'v13'\nconfidence = 95\ncorrection = 'bonferroni'
repetitions = 0\nnever_fail = ['a']\n[[scorer]]\nname = 's'\nkind = 'regex'\npattern = '('
[[scorer]]\nname = 't'\nkind = 'rouge-l'\nmin_pass_rate = 0.5\nmax_drop = 2
[[scorer]]\nname = 't'\nkind = 'latency'\nmin_score = 0.5\n[budget]\nmax_cost_rise = -1\n[[flaky]]\nexample = 'a'\nuntil = 10:00:00\n";
    let problems = problems(text);
    let lines: Vec<&str> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
    assert_eq!(
        lines,
        [1, 2, 3, 4, 5, 6, 10, 14, 16, 18, 19, 22, 24, 25].map(|line| format!("line {line}")),
        "{problems:#?}"
    );
}

#[test]
fn what_is_not_toml_or_of_a_wrong_type_is_told_with_its_line() {
    assert!(problems("name = 'g'\ndataset = \n")[0].starts_with("line 2: "));
    let problem = &problems(&format!("{HEAD}[[scorer]]\nname = 's'\nkind = 'exact'\nmin_score = 'high'\n"))[0];
    assert!(problem.starts_with("line 8: "), "{problem}");
    let problem =
        &problems(&format!("{HEAD}[[scorer]]\nname = 's'\nkind = 'latency'\nat_most = 'soon'\nmin_pass_rate = 1\n"))[0];
    assert!(problem.starts_with("line 7: "), "{problem}");
    // Money is text: a number would be read as a binary float.
    let problem = &problems(&format!("{HEAD}[budget]\nmean_cost = 0.1\n"))[0];
    assert!(problem.starts_with("line 6: ") && problem.contains("expected a string"), "{problem}");
    let problem = &problems(&format!("{HEAD}[budget]\nmean_cost = '0,1'\n"))[0];
    assert_eq!(problem, "line 6: `0,1` is not a decimal number");
    let problem = &problems("dataset = 'd@1'\n")[0];
    assert!(problem.contains("missing field `name`"), "{problem}");
}

#[test]
fn a_gate_that_asks_for_nothing_is_refused() {
    let problem = &problems(&format!("{HEAD}[[scorer]]\nname = 's'\nkind = 'exact'\n"))[0];
    assert!(problem.contains("nothing has to hold"), "{problem}");
}

#[test]
fn what_is_no_number_draws_no_line() {
    for wrong in ["max_cost_rise = inf", "max_latency_rise = nan"] {
        let problem = &problems(&format!("{HEAD}[budget]\n{wrong}\n"))[0];
        assert!(problem.ends_with("is a share, such as 0.1 for a tenth more"), "{problem}");
    }
    for wrong in ["min_score = nan", "min_pass_rate = inf"] {
        let problem = &problems(&format!("{HEAD}[[scorer]]\nname = 's'\nkind = 'exact'\n{wrong}\n"))[0];
        assert!(problem.ends_with("is not from 0 to 1"), "{problem}");
    }
}
