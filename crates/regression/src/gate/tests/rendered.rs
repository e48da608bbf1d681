//! A verdict as others read it.

use serde_json::json;
use tracewell_blocks::{Look, html, markdown, terminal};

use super::*;
use crate::oracle::ask;
use crate::privacy::{Masker, Policy};

const HOSTILE: &str = "<b>\u{1b}[31m]]>&\u{0}\u{fffe}";

fn verdict() -> Verdict {
    let gate = gate(
        "never_fail = ['case-0', 'nowhere']\n[[scorer]]\nname = 's'\nkind = 'exact'\nmax_pass_rate_drop = 0.05\nmin_score = 0.5\n",
    );
    let mut trials = trials(100, |case, side| if side == Side::Candidate && case % 4 == 0 { 0.0 } else { 1.0 });
    for trial in &mut trials {
        if trial.side == Side::Candidate {
            trial.answer = Some(Answer::of_text(HOSTILE));
        }
        if let Some(Score::Known { explanation, .. }) = trial.scores.get_mut("s") {
            *explanation = HOSTILE.to_owned();
        }
    }
    decide(&gate, &cases(100), &trials)
}

#[test]
fn junit_says_what_the_verdict_says() {
    let verdict = verdict();
    let found = |decision| verdict.findings.iter().filter(|finding| finding.decision == decision).count();
    assert_eq!([Decision::Fail, Decision::NotEnoughEvidence, Decision::Pass].map(found), [2, 1, 1]);
    let Some(read) = ask("junit", "junit_reader.py", &[json!(junit(&verdict).unwrap())]) else { return };
    let cases: Vec<(String, String, Option<String>)> = serde_json::from_value(read[0].clone()).unwrap();
    assert_eq!(cases.len(), verdict.findings.len());
    for ((name, result, message), finding) in cases.iter().zip(&verdict.findings) {
        assert_eq!(*name, format!("{} {}", finding.about, finding.rule));
        let expected = match finding.decision {
            Decision::Pass => "passed",
            Decision::Fail => "failure",
            Decision::NotEnoughEvidence => "error",
        };
        assert_eq!(result, expected);
        if let Some(message) = message {
            // What no XML may hold is marked, and the rest is as it was.
            let clean = finding.why.replace(['\u{0}', '\u{1b}', '\u{fffe}'], "\u{fffd}");
            assert_eq!(*message, clean);
        }
        assert_eq!(message.is_some(), expected != "passed");
    }
}

#[test]
fn every_form_tells_every_finding_and_no_text_is_markup() {
    let verdict = verdict();
    let blocks = page(&verdict);
    let text = terminal(&blocks, Look { width: 200, color: false });
    let page = html("gate", &blocks);
    for finding in &verdict.findings {
        assert!(text.contains(&finding.about), "{text}");
    }
    assert!(!text.contains("serve the candidate best"), "nothing is missing: {text}");
    for form in [&text, &markdown(&blocks), &page] {
        assert!(form.contains("case-96") && form.contains("not enough evidence") && !form.contains('\u{1b}'), "{form}");
    }
    assert!(!page.contains("<b>"));
}

#[test]
fn a_side_without_results_has_no_mean() {
    let gate = gate(COMPARED);
    for (side, column, told) in [
        (Side::Baseline, "baseline", "the baseline has no results to compare with"),
        (Side::Candidate, "candidate", "the candidate has no results to compare"),
    ] {
        let rest: Vec<Trial> = trials(60, |_, _| 1.0).into_iter().filter(|trial| trial.side != side).collect();
        let verdict = decide(&gate, &cases(60), &rest);
        let finding = &verdict.findings[0];
        assert_eq!(finding.decision, Decision::NotEnoughEvidence);
        assert!(finding.why.starts_with(told) && finding.why.contains("60 results are missing"), "{}", finding.why);
        assert!(!finding.why.contains("at its best"), "{}", finding.why);
        let json = serde_json::to_value(finding).unwrap();
        for absent in [column, "low", "high"] {
            assert!(json["measured"].get(absent).is_none(), "{absent}: {json}");
        }
        let text = terminal(&page(&verdict), Look { width: 200, color: false });
        let row =
            text.split("Compared with the baseline").nth(1).unwrap().lines().find(|line| line.contains("max_pass"));
        assert!(row.unwrap().contains("no results") && row.unwrap().contains("1.000"), "{text}");
        assert!(text.contains("serve the candidate best"), "{text}");
        assert_eq!(serde_json::from_value::<Finding>(json).unwrap(), *finding);
    }
}

#[test]
fn a_verdict_survives_json() {
    let verdict = verdict();
    let text = serde_json::to_string(&verdict).unwrap();
    assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
}

#[test]
fn what_is_cut_off_is_not_shown_in_part() {
    let mut masker = Masker::new(&Policy::default()).unwrap();
    for (said, shown) in [
        ("`no` instead of `my card 4111 1111 1111 11…`", "`no` instead of `my card …`"),
        ("`write to ann@example.o…` is not there", "`write to …` is not there"),
        ("`{\"card\":\"4111-1111-1111-1…` instead of `ten days`", "`{\"card\":\"…` instead of `ten days`"),
        ("`in 10 days, or…` instead of `in 9 days`", "`in 10 days, …` instead of `in 9 days`"),
    ] {
        let mut verdict = verdict();
        verdict.changes[0].explanation = said.to_owned();
        verdict.findings[0].why = said.to_owned();
        let masked = verdict.masked(&mut masker);
        assert_eq!([masked.changes[0].explanation.as_str(), masked.findings[0].why.as_str()], [shown; 2]);
    }
}

#[test]
fn the_exit_code_tells_the_decision() {
    let codes = [Decision::Pass, Decision::Fail, Decision::NotEnoughEvidence].map(Decision::exit_code);
    assert_eq!(codes, [0, 1, 2]);
}

#[test]
fn what_was_said_in_trials_is_masked_and_the_decision_stays() {
    let mut verdict = verdict();
    let change = &mut verdict.changes[0];
    change.explanation = "it names ann@example.org".to_owned();
    let line = |sign: char, text: &str| (sign, text.to_owned());
    change.difference = vec![
        line(' ', "Dear customer,"),
        line('-', "write to bob@example.org"),
        line('+', "write to ann@example.org"),
        line('+', "-----BEGIN PRIVATE KEY-----"),
        line('+', "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"),
        line('+', "-----END PRIVATE KEY-----"),
    ];
    verdict.findings[0].why = "`case-0`: the endpoint said: no account ann@example.org".to_owned();
    let masked = verdict.masked(&mut Masker::new(&Policy::default()).unwrap());
    assert_eq!(masked.findings[0].why, "`case-0`: the endpoint said: no account [EMAIL_1]");
    assert_eq!(masked.changes[0].explanation, "it names [EMAIL_1]");
    assert_eq!(
        masked.changes[0].difference,
        [
            line(' ', "Dear customer,"),
            line('-', "write to [EMAIL_2]"),
            line('+', "write to [EMAIL_1]"),
            line('+', "[SECRET_1]"),
        ]
    );
    assert_eq!((masked.decision, &masked.changes[1..]), (verdict.decision, &verdict.changes[1..]));
}
