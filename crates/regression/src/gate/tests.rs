//! What a gate decides, and what it must never decide.

use std::time::Duration;

use chrono::NaiveDate;
use tracewell_pricing::Amount;

use super::*;
use crate::Answer;
use crate::oracle::random;

mod file;
mod rates;
mod rendered;

const HEAD: &str = "name = 'g'\ndataset = 'd@v1'\nbaseline = 'live'\ncandidate = 'version:2'\n";

fn gate(rest: &str) -> Gate {
    Gate::parse(&format!("{HEAD}{rest}")).unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
}

fn cases(count: usize) -> Vec<Case> {
    (0..count).map(|place| Case { id: format!("case-{place}"), tags: Vec::new() }).collect()
}

/// A trial that costs a tenth of a dollar and takes a second.
fn trial(case: usize, side: Side, repetition: u32, scores: &[(&str, Score)]) -> Trial {
    Trial {
        example: format!("case-{case}"),
        side,
        repetition,
        answer: Some(Answer::of_text("as before")),
        latency: Some(Duration::from_secs(1)),
        cost: Some(amount("0.1")),
        scores: scores.iter().map(|(name, score)| ((*name).to_owned(), score.clone())).collect(),
    }
}

fn scored(share: f64) -> Score {
    Score::Known { value: Value::Share(share), passed: Some(share == 1.0), explanation: "it is so".to_owned() }
}

/// Trials of `count` cases on both sides, once each, with the score `s`.
fn trials(count: usize, score: impl Fn(usize, Side) -> f64) -> Vec<Trial> {
    let sides = [Side::Baseline, Side::Candidate];
    let all = (0..count).flat_map(|case| sides.map(|side| (case, side)));
    all.map(|(case, side)| trial(case, side, 1, &[("s", scored(score(case, side)))])).collect()
}

fn decide(gate: &Gate, cases: &[Case], trials: &[Trial]) -> Verdict {
    gate.decide(&Evidence { cases, trials, today: today() })
}

const COMPARED: &str = "minimum_sample = 20\n[[scorer]]\nname = 's'\nkind = 'exact'\nmax_pass_rate_drop = 0.05\n";
const EVERYTHING: &str = "minimum_sample = 20\nnever_fail = ['case-3']\nrepetitions = 2
    [[scorer]]\nname = 's'\nkind = 'exact'\nmin_score = 0.5\nmin_pass_rate = 0.5\nmax_drop = 0.1\nmax_pass_rate_drop = 0.1
    [budget]\nmean_cost = '1'\ntotal_cost = '1000'\nmean_latency = '9s'\np95_latency = '9s'\nmax_cost_rise = 0.1\nmax_latency_rise = 0.1\n";

#[test]
fn the_same_results_pass_once_there_are_enough() {
    let gate = gate(COMPARED);
    for (count, decision) in
        [(19, Decision::NotEnoughEvidence), (20, Decision::NotEnoughEvidence), (200, Decision::Pass)]
    {
        let verdict = decide(&gate, &cases(count), &trials(count, |_, _| 1.0));
        assert_eq!(verdict.decision, decision, "{count}: {verdict:?}");
    }
}

#[test]
fn what_is_missing_to_be_sure_is_estimated_well() {
    let gate = gate(COMPARED);
    let verdict = decide(&gate, &cases(30), &trials(30, |_, _| 1.0));
    let why = &verdict.findings[0].why;
    let needed: usize = why.split("about ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let decision = |count| decide(&gate, &cases(count), &trials(count, |_, _| 1.0)).decision;
    assert_eq!(decision(needed + 1), Decision::Pass);
    assert_eq!(decision(needed - 2), Decision::NotEnoughEvidence);
}

#[test]
fn a_candidate_that_breaks_a_fifth_fails_and_says_which() {
    let gate = gate(COMPARED);
    let broken = |case: usize, side| if side == Side::Candidate && case.is_multiple_of(5) { 0.0 } else { 1.0 };
    let mut trials = trials(100, broken);
    for trial in trials.iter_mut().filter(|trial| trial.side == Side::Candidate) {
        trial.answer = Some(Answer::of_text("as never before"));
    }
    let verdict = decide(&gate, &cases(100), &trials);
    assert_eq!(verdict.decision, Decision::Fail);
    let mut broke: Vec<usize> =
        verdict.changes.iter().map(|change| change.example.trim_start_matches("case-").parse().unwrap()).collect();
    broke.sort_unstable();
    assert_eq!(broke, (0..100).step_by(5).collect::<Vec<_>>());
    let change = &verdict.changes[0];
    assert!(change.broke() && change.explanation == "it is so");
    assert_eq!(change.difference, [('-', "as before".to_owned()), ('+', "as never before".to_owned())]);
}

#[test]
fn a_result_that_is_missing_is_never_a_pass() {
    let gate = gate(EVERYTHING);
    let cases = cases(60);
    let all: Vec<Trial> = (0..60)
        .flat_map(|case| [(case, Side::Baseline), (case, Side::Candidate)])
        .flat_map(|(case, side)| [1, 2].map(|repetition| trial(case, side, repetition, &[("s", scored(1.0))])))
        .collect();
    assert_eq!(decide(&gate, &cases, &all).decision, Decision::Pass);
    let lacking: [fn(&mut Vec<Trial>, usize); 6] = [
        |trials, place| drop(trials.remove(place)),
        |trials, place| trials[place].scores.clear(),
        |trials, place| drop(trials[place].scores.insert("s".to_owned(), Score::Unknown { reason: "no".to_owned() })),
        |trials, place| trials[place].cost = None,
        |trials, place| trials[place].latency = None,
        |trials, place| trials.push(trials[place].clone()),
    ];
    for (kind, lack) in lacking.iter().enumerate() {
        for place in 0..all.len() {
            let mut trials = all.clone();
            lack(&mut trials, place);
            let verdict = decide(&gate, &cases, &trials);
            assert_eq!(verdict.decision, Decision::NotEnoughEvidence, "{kind} at {place}");
            let lacks = |finding: &&Finding| finding.decision == Decision::NotEnoughEvidence;
            assert!(
                verdict.findings.iter().filter(lacks).all(|finding| finding.missing == 1 && !finding.why.is_empty())
            );
        }
    }
    // A case of the dataset that nobody ran.
    let more = [cases.clone(), vec![Case { id: "new".to_owned(), tags: Vec::new() }]].concat();
    assert_eq!(decide(&gate, &more, &all).decision, Decision::NotEnoughEvidence);
    assert_eq!(decide(&gate, &[], &[]).decision, Decision::NotEnoughEvidence);
}

#[test]
fn what_even_the_best_of_the_missing_cannot_save_fails() {
    for rest in [
        "[[scorer]]\nname = 's'\nkind = 'exact'\nmin_score = 0.9",
        COMPARED,
        "[budget]\ntotal_cost = '9'",
        "[budget]\np95_latency = '900ms'",
        "never_fail = ['case-99']\n[[scorer]]\nname = 's'\nkind = 'exact'",
    ] {
        let mut trials = trials(100, |_, side| if side == Side::Candidate { 0.0 } else { 1.0 });
        trials.remove(1);
        let verdict = decide(&gate(rest), &cases(100), &trials);
        assert_eq!(verdict.decision, Decision::Fail, "{rest}: {verdict:?}");
    }
}

#[test]
fn a_flaky_case_is_left_out_until_its_day_is_over() {
    let rest = |until| {
        format!("{COMPARED}min_pass_rate = 1.0\n[[flaky]]\nexample = 'case-7'\nuntil = {until}\nreason = 'the clock'\n")
    };
    let trials = trials(200, |case, side| if case == 7 && side == Side::Candidate { 0.0 } else { 1.0 });
    let verdict = |until| decide(&gate(&rest(until)), &cases(200), &trials);
    let known = verdict("2026-11-20");
    assert_eq!((known.decision, known.flaky.len(), known.changes.len()), (Decision::Pass, 1, 0));
    assert!(known.findings.iter().all(|finding| finding.examples == 199));
    let expired = verdict("2026-11-19");
    assert_eq!((expired.decision, expired.flaky.len(), expired.changes.len()), (Decision::Fail, 0, 1));
    assert_eq!(expired.notes, ["`case-7` was flaky until 2026-11-19 and counts again"]);
}

#[test]
fn a_case_that_must_never_fail_may_not_fail_once() {
    let gate = gate("repetitions = 3\nnever_fail = ['case-1']\n[[scorer]]\nname = 's'\nkind = 'exact'\n");
    let decision = |shares: [f64; 3]| {
        let trials: Vec<Trial> = (1..)
            .zip(shares)
            .map(|(repetition, share)| trial(1, Side::Candidate, repetition, &[("s", scored(share))]))
            .collect();
        decide(&gate, &cases(2), &trials).decision
    };
    assert_eq!(decision([1.0, 1.0, 1.0]), Decision::Pass);
    assert_eq!(decision([1.0, 0.0, 1.0]), Decision::Fail);
    // There is no such case; and nothing that says whether it passes.
    for rest in [
        "never_fail = ['case-9']\n[[scorer]]\nname = 's'\nkind = 'exact'\n",
        "never_fail = ['case-1']\n[[scorer]]\nname = 's'\nkind = 'rouge-l'\n",
        "never_fail = ['case-1']\n[[scorer]]\nname = 's'\nkind = 'exact'\ntags = ['other']\n",
    ] {
        let trials = [trial(1, Side::Candidate, 1, &[("s", scored(1.0))])];
        assert_eq!(decide(&self::gate(rest), &cases(2), &trials).decision, Decision::NotEnoughEvidence, "{rest}");
    }
}

#[test]
fn a_budget_is_exact() {
    // Ten times 0.1 is 1, to the last digit.
    for (budget, decision) in [
        ("total_cost = '5'", Decision::Pass),
        ("total_cost = '4.9999999999'", Decision::Fail),
        ("mean_cost = '0.1'", Decision::Pass),
        ("mean_cost = '0.0999999999'", Decision::Fail),
        ("mean_latency = '1s'", Decision::Pass),
        ("mean_latency = '999ms'", Decision::Fail),
        ("max_cost_rise = 0.0", Decision::Pass),
        ("max_latency_rise = 0.5", Decision::Pass),
    ] {
        let verdict = decide(&gate(&format!("[budget]\n{budget}\n")), &cases(50), &trials(50, |_, _| 1.0));
        assert_eq!(verdict.decision, decision, "{budget}: {verdict:?}");
    }
}

#[test]
fn p95_is_the_nearest_rank() {
    let mut trials = trials(100, |_, _| 1.0);
    for trial in &mut trials {
        let case: u64 = trial.example.trim_start_matches("case-").parse().unwrap();
        trial.latency = Some(Duration::from_millis(case + 1));
    }
    let decision =
        |limit: &str| decide(&gate(&format!("[budget]\np95_latency = '{limit}'\n")), &cases(100), &trials).decision;
    assert_eq!((decision("95ms"), decision("94ms")), (Decision::Pass, Decision::Fail));
}

#[test]
fn a_dearer_candidate_fails_and_a_little_dearer_one_passes() {
    let gate = gate("[budget]\nmax_cost_rise = 0.1\n");
    let mut random = random(21);
    let mut with = |factor: i64| {
        let mut trials = trials(200, |_, _| 1.0);
        for pair in trials.chunks_mut(2) {
            let base = 1000 + random(9000) as i64;
            pair[0].cost = Some(Amount::from_units(i128::from(base) * 10_i128.pow(18)));
            pair[1].cost =
                Some(Amount::from_units(i128::from(base * factor / 100 + random(100) as i64) * 10_i128.pow(18)));
        }
        decide(&gate, &cases(200), &trials).decision
    };
    assert_eq!((with(130), with(104)), (Decision::Fail, Decision::Pass));
}

#[test]
fn small_figures_are_legible() {
    let figures = [0.0, 0.00041234567, 0.5, 12.3456, 123456.7, -0.25].map(decide::figure);
    assert_eq!(figures, ["0.000", "0.0004123", "0.5000", "12.35", "123457", "-0.2500"]);
}

#[test]
fn one_bad_figure_among_many_does_not_fail_by_chance() {
    let rest = |correction: &str| {
        let scorers: String =
            (0..20).map(|name| format!("[[scorer]]\nname = 's{name}'\nkind = 'exact'\nmax_drop = 0.0\n")).collect();
        format!("correction = '{correction}'\n{scorers}")
    };
    // One scorer of twenty got worse on six examples and better on none: about 1 in 100 by chance.
    let trials: Vec<Trial> = (0..200)
        .flat_map(|case| [(case, Side::Baseline), (case, Side::Candidate)])
        .map(|(case, side)| {
            let share = |name: usize| if name == 0 && case < 6 && side == Side::Candidate { 0.0 } else { 1.0 };
            let scores: Vec<(String, Score)> = (0..20).map(|name| (format!("s{name}"), scored(share(name)))).collect();
            let scores: Vec<(&str, Score)> =
                scores.iter().map(|(name, score)| (name.as_str(), score.clone())).collect();
            trial(case, side, 1, &scores)
        })
        .collect();
    let decision = |correction| decide(&gate(&rest(correction)), &cases(200), &trials).decision;
    assert_eq!(decision("none"), Decision::Fail);
    assert_eq!(decision("holm"), Decision::NotEnoughEvidence);
}

#[test]
fn a_scorer_looks_at_the_examples_with_its_tags() {
    let gate =
        gate("minimum_sample = 10\n[[scorer]]\nname = 's'\nkind = 'exact'\ntags = ['refund']\nmin_score = 1.0\n");
    let mut cases = cases(40);
    cases.iter_mut().skip(20).for_each(|case| case.tags.push("refund".to_owned()));
    let trials = trials(40, |case, _| if case < 20 { 0.0 } else { 1.0 });
    let verdict = decide(&gate, &cases, &trials);
    assert_eq!((verdict.decision, verdict.findings[0].examples), (Decision::Pass, 20));
}

#[test]
fn results_of_no_example_are_told() {
    let mut all = trials(30, |_, _| 1.0);
    all.push(trial(99, Side::Candidate, 1, &[("s", scored(1.0))]));
    let gate = gate("[[scorer]]\nname = 's'\nkind = 'exact'\nmin_score = 1.0\n");
    let one = decide(&gate, &cases(30), &all);
    all.push(trial(1, Side::Candidate, 2, &[("s", scored(0.0))]));
    let two = decide(&gate, &cases(30), &all);
    assert_eq!((one.decision, two.decision), (Decision::Pass, Decision::Pass));
    let rest = "of no example or repetition of this gate, and not looked at";
    assert_eq!(
        (&one.notes, &two.notes),
        (&vec![format!("1 result is {rest}")], &vec![format!("2 results are {rest}")])
    );
}

#[test]
fn a_recorded_score_is_read_on_its_scale() {
    let stars = Scale { score: "stars".to_owned(), worst: 1.0, best: 5.0, at_least: Some(4.0) };
    let read = |scale: &Scale, value| match scale.read(value) {
        Score::Known { value: Value::Share(share), passed, .. } => Some((share, passed)),
        _ => None,
    };
    assert_eq!(read(&stars, 4.0), Some((0.75, Some(true))));
    assert_eq!(read(&stars, 3.0), Some((0.5, Some(false))));
    assert_eq!([0.0, 6.0, f64::NAN].map(|value| read(&stars, value)), [None; 3]);
    let toxicity = Scale { score: "toxicity".to_owned(), worst: 1.0, best: 0.0, at_least: Some(0.1) };
    assert_eq!(read(&toxicity, 0.25), Some((0.75, Some(false))));
    assert_eq!(read(&toxicity, 0.0), Some((1.0, Some(true))));
}

#[test]
fn of_many_changes_the_largest_are_listed() {
    let gate = gate("[[scorer]]\nname = 's'\nkind = 'rouge-l'\nmax_drop = 0.02\n");
    let share = |case: usize, side| if side == Side::Baseline { 0.5 } else { case as f64 / 2000.0 };
    let verdict = decide(&gate, &cases(2000), &trials(2000, share));
    assert_eq!(verdict.changes.len(), 1000);
    assert_eq!((&*verdict.changes[0].example, &*verdict.changes[999].example), ("case-0", "case-1999"));
    // That of case 1000 is none.
    assert_eq!(verdict.notes, ["999 smaller changes are not listed"]);
}
