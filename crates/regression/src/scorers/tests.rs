//! What each rule says of answers, and of what is missing.

use serde_json::json;
use tracewell_pricing::Amount;

use super::*;
use crate::ToolCall;
use crate::oracle::{ask, random};

/// The score of a rule as people write it.
fn score(rule: serde_json::Value, subject: &Subject<'_>) -> Score {
    Scorer::new(serde_json::from_value(rule).unwrap()).unwrap().score(subject)
}

/// The share and the verdict on two texts.
fn of_texts(rule: serde_json::Value, answered: &str, expected: &str) -> (f64, Option<bool>) {
    let (answer, expected) = (Answer::of_text(answered), Answer::of_text(expected));
    known(score(rule, &Subject { answer: Some(&answer), expected: Some(&expected), ..Subject::default() }))
}

#[track_caller]
fn known(score: Score) -> (f64, Option<bool>) {
    match score {
        Score::Known { value: Value::Share(share), passed, explanation } => {
            assert!(!explanation.is_empty());
            (share, passed)
        }
        other => panic!("{other:?}"),
    }
}

fn explanation(rule: serde_json::Value, answered: &str, expected: &str) -> String {
    let (answer, expected) = (Answer::of_text(answered), Answer::of_text(expected));
    match score(rule, &Subject { answer: Some(&answer), expected: Some(&expected), ..Subject::default() }) {
        Score::Known { explanation, .. } => explanation,
        Score::Unknown { reason } => panic!("{reason}"),
    }
}

const PASSED: (f64, Option<bool>) = (1.0, Some(true));
const FAILED: (f64, Option<bool>) = (0.0, Some(false));

#[test]
fn exact_is_byte_for_byte() {
    let rule = || json!({ "kind": "exact" });
    assert_eq!(of_texts(rule(), "Refund of 12 €", "Refund of 12 €"), PASSED);
    assert_eq!(of_texts(rule(), "refund of 12 €", "Refund of 12 €"), FAILED);
    assert_eq!(
        explanation(rule(), "the red one", "the blue one"),
        "differs from character 5: `red one` instead of `blue one`"
    );
    // Numbers and addresses are quoted from where they begin, so that they can be told and masked.
    assert_eq!(
        explanation(rule(), "card 4111 1111 1111 1111", "card 4112 1111 1111 1111"),
        "differs from character 9: `4111 1111 1111 1111` instead of `4112 1111 1111 1111`"
    );
    assert_eq!(
        explanation(rule(), r#"é {"a":1,"b":2}"#, r#"é {"a":1,"b":3}"#),
        "differs from character 14: `2}` instead of `3}`"
    );
}

#[test]
fn normalised_looks_past_form_case_and_space() {
    let rule = || json!({ "kind": "normalised" });
    assert_eq!(of_texts(rule(), "  ﬁne\n Résumé ", "Fine re\u{301}sume\u{301}"), PASSED);
    assert_eq!(of_texts(rule(), "fine!", "fine"), FAILED);
    assert_eq!(of_texts(json!({ "kind": "normalised", "ignore_punctuation": true }), "Fine!", "“fine”"), PASSED);
    // What is quoted is as it was written: an address without its punctuation would not be masked.
    let ignoring = json!({ "kind": "normalised", "ignore_punctuation": true });
    assert_eq!(explanation(ignoring, "Ann@example.org", "Nobody."), "`Ann@example.org` instead of `Nobody.`");
}

#[test]
fn contains_and_its_opposite() {
    assert_eq!(of_texts(json!({ "kind": "contains" }), "It is on shelf 7.", "shelf 7"), PASSED);
    assert_eq!(of_texts(json!({ "kind": "contains" }), "It is on Shelf 7.", "shelf 7"), FAILED);
    assert_eq!(of_texts(json!({ "kind": "contains", "ignore_case": true }), "It is on Shelf 7.", "shelf 7"), PASSED);
    let absent = json!({ "kind": "contains", "text": "as an AI", "absent": true });
    assert_eq!(of_texts(absent.clone(), "Of course.", ""), PASSED);
    assert_eq!(of_texts(absent, "Speaking as an AI, no.", ""), FAILED);
}

#[test]
fn regex_searches_anywhere() {
    let rule = || json!({ "kind": "regex", "pattern": r"\[\d+\]" });
    assert_eq!(of_texts(rule(), "As shown in [12].", ""), PASSED);
    assert_eq!(of_texts(rule(), "As shown.", ""), FAILED);
    let wrong = Scorer::new(Rule::Regex { pattern: "(".to_owned(), absent: false }).unwrap_err().to_string();
    assert!(wrong.contains("`(` is not a regular expression"), "{wrong}");
}

#[test]
fn a_schema_allows_or_says_where_not() {
    let schema = json!({
        "type": "object", "required": ["id"],
        "properties": { "id": { "type": "integer" }, "state": { "enum": ["open", "closed"] } }
    });
    let rule = |fenced| json!({ "kind": "json-schema", "schema": schema, "fenced": fenced });
    assert_eq!(of_texts(rule(false), r#"{"id": 7, "state": "open"}"#, ""), PASSED);
    assert_eq!(of_texts(rule(false), "```json\n{\"id\": 7}\n```", ""), FAILED);
    assert_eq!(of_texts(rule(true), "```json\n{\"id\": 7}\n```\n", ""), PASSED);
    let told = explanation(rule(false), r#"{"id": "7", "state": "lost"}"#, "");
    assert!(told.contains("/id: ") && told.contains("/state: "), "{told}");
    assert!(explanation(rule(false), "I cannot", "").starts_with("not JSON"));
}

#[test]
fn a_schema_that_points_elsewhere_is_refused() {
    let reference = json!({ "$ref": "https://127.0.0.1:1/schema.json" });
    let wrong = Scorer::new(Rule::JsonSchema { schema: reference, fenced: false }).unwrap_err();
    assert!(matches!(wrong, RuleError::Schema(_)));
}

#[test]
fn json_fields_are_compared_by_value() {
    let rule = |pointers: &[&str]| json!({ "kind": "json-fields", "pointers": pointers });
    assert_eq!(of_texts(rule(&[]), r#"{"a": 1, "b": [2.0]}"#, r#"{"b": [2], "a": 1.0}"#), PASSED);
    assert_eq!(of_texts(rule(&[]), "9007199254740993", "9007199254740992"), FAILED);
    let (is, wanted) =
        (r#"{"order": {"id": 7, "state": "open"}, "x": 1}"#, r#"{"order": {"id": 7, "state": "closed"}}"#);
    assert_eq!(of_texts(rule(&["/order/id"]), is, wanted), PASSED);
    assert_eq!(of_texts(rule(&["/order/id", "/order/state"]), is, wanted), (0.5, Some(false)));
    assert_eq!(explanation(rule(&["/order/state"]), is, wanted), r#"/order/state: `"open"` instead of `"closed"`"#);
    assert_eq!(of_texts(rule(&[]), "no", wanted), FAILED);
    let refused = |pointers: &[&str], absent: &[&str]| {
        let [pointers, absent] = [pointers, absent].map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        Scorer::new(Rule::JsonFields { pointers, absent, fenced: false }).is_err()
    };
    assert!(refused(&["order.id"], &[]) && refused(&[], &["order.id"]) && refused(&[], &[""]));
    assert!(!refused(&[""], &["/order/id"]));
}

#[test]
fn a_field_that_is_to_be_absent_is_not_there() {
    let rule =
        |pointers: &[&str], absent: &[&str]| json!({ "kind": "json-fields", "pointers": pointers, "absent": absent });
    let (is, wanted) = (r#"{"order": {"id": 7}, "card": "4111"}"#, r#"{"order": {"id": 7}}"#);
    assert_eq!(of_texts(rule(&[], &["/iban"]), is, "what is expected says nothing of it"), PASSED);
    assert_eq!(of_texts(rule(&[], &["/card"]), is, wanted), FAILED);
    assert_eq!(of_texts(rule(&["/order/id"], &["/card"]), is, wanted), (0.5, Some(false)));
    assert_eq!(explanation(rule(&["/order/id"], &["/card"]), is, wanted), r#"/card: `"4111"` instead of nothing"#);
    assert_eq!(explanation(rule(&["/order/id"], &["/iban"]), is, wanted), "1 equal, 1 absent");
    assert_eq!(explanation(rule(&[], &["/iban"]), is, wanted), "1 absent");
    assert_eq!(of_texts(rule(&[], &["/card"]), "no", wanted), FAILED, "it is no JSON");
    let answer = Answer::of_text(is);
    let alone = Subject { answer: Some(&answer), ..Subject::default() };
    assert_eq!(known(score(rule(&[], &["/iban"]), &alone)), PASSED, "nothing has to be expected");
}

#[test]
fn tool_calls_are_compared_by_name_arguments_and_order() {
    let call = ToolCall::parse;
    let wanted = vec![call("find", r#"{"sku": "BL-42", "shop": 1}"#), call("refund", r#"{"amount": 12}"#)];
    let of = |rule: serde_json::Value, calls: Vec<ToolCall>| {
        let answer = Answer { text: None, tool_calls: calls };
        let expected = Answer { text: None, tool_calls: wanted.clone() };
        known(score(rule, &Subject { answer: Some(&answer), expected: Some(&expected), ..Subject::default() }))
    };
    let same = || json!({ "kind": "tool-calls" });
    let swapped = || wanted.iter().rev().cloned().collect::<Vec<_>>();
    assert_eq!(of(same(), vec![call("find", r#"{"shop":1.0,"sku":"BL-42"}"#), wanted[1].clone()]), PASSED);
    assert_eq!(of(same(), swapped()), FAILED);
    assert_eq!(of(json!({ "kind": "tool-calls", "order": "any" }), swapped()), PASSED);
    let other = || vec![call("find", r#"{"sku": "BL-43", "shop": 1}"#), wanted[1].clone()];
    assert_eq!(of(same(), other()), (0.5, Some(false)));
    assert_eq!(of(json!({ "kind": "tool-calls", "arguments": "none" }), other()), PASSED);
    assert_eq!(of(json!({ "kind": "tool-calls", "arguments": ["shop", "amount"] }), other()), PASSED);
    // What is called besides counts against it, in any order.
    let more = || [wanted.clone(), vec![call("delete", "")]].concat();
    for order in ["same", "any"] {
        assert_eq!(of(json!({ "kind": "tool-calls", "order": order }), more()), (2.0 / 3.0, Some(false)));
    }
    assert_eq!(of(same(), vec![]), FAILED);
    // The same call twice is not two different ones.
    let twice = vec![wanted[0].clone(), wanted[0].clone()];
    assert_eq!(of(json!({ "kind": "tool-calls", "order": "any" }), twice), (0.5, Some(false)));
}

#[test]
fn what_is_compared_and_nobody_expects_is_told() {
    let absent = |rule: serde_json::Value, expected: &[&Answer]| -> Vec<String> {
        let scorer = Scorer::new(serde_json::from_value(rule).unwrap()).unwrap();
        scorer.absent(expected).into_iter().map(str::to_owned).collect()
    };
    let (order, text) = (Answer::of_text(r#"{"order": {"id": 7}}"#), Answer::of_text("Ten days."));
    let fields = || json!({ "kind": "json-fields", "pointers": ["/order/id", "/ordr/id"] });
    assert_eq!(absent(fields(), &[&text, &order]), ["/ordr/id"]);
    assert_eq!(absent(fields(), &[&text]), [""; 0], "no field is expected at all");
    let calls = Answer { text: None, tool_calls: vec![ToolCall::parse("find", r#"{"sku": "BL-42"}"#)] };
    let named = || json!({ "kind": "tool-calls", "arguments": ["sku", "sko"] });
    assert_eq!(absent(named(), &[&text, &calls]), ["sko"]);
    assert_eq!(absent(named(), &[&text]), [""; 0], "no call is expected at all");
    assert_eq!(absent(json!({ "kind": "exact" }), &[&text]), [""; 0]);
}

#[test]
fn measures_are_held_against_their_line() {
    let subject = Subject {
        latency: Some(Duration::from_millis(1500)),
        cost: Some("0.0003".parse::<Amount>().unwrap()),
        ..Subject::default()
    };
    for (rule, passed, explanation) in [
        (json!({ "kind": "latency" }), None, "1.500s"),
        (json!({ "kind": "latency", "at_most": "2s" }), Some(true), "1.500s, within 2.000s"),
        (json!({ "kind": "latency", "at_most": "1s" }), Some(false), "1.500s, over 1.000s"),
        (json!({ "kind": "cost", "at_most": "0.0003" }), Some(true), "0.0003 USD, within 0.0003 USD"),
        (json!({ "kind": "cost", "at_most": "0.00029" }), Some(false), "0.0003 USD, over 0.00029 USD"),
    ] {
        match score(rule, &subject) {
            Score::Known { passed: is, explanation: told, .. } => assert_eq!((is, &*told), (passed, explanation)),
            Score::Unknown { reason } => panic!("{reason}"),
        }
    }
}

#[test]
fn what_is_missing_is_unknown_and_never_nought() {
    let text = Answer::of_text("{}");
    let call = Answer { text: None, tool_calls: vec![ToolCall::parse("find", "{}")] };
    let answered = |expected| Subject { answer: Some(&text), expected, ..Subject::default() };
    let unanswered = Subject { expected: Some(&text), ..Subject::default() };
    let reason = |rule: &serde_json::Value, subject: &Subject<'_>| match score(rule.clone(), subject) {
        Score::Unknown { reason } => reason,
        known => panic!("{rule}: {known:?}"),
    };
    for kind in
        ["exact", "normalised", "contains", "json-fields", "rouge-l", "token-f1", "edit-similarity", "tool-calls"]
    {
        let rule = json!({ "kind": kind });
        assert_eq!(reason(&rule, &answered(None)), "the example has no expected answer");
        assert_eq!(reason(&rule, &unanswered), "there is no answer");
        if kind != "tool-calls" {
            assert_eq!(reason(&rule, &answered(Some(&call))), "the expected answer has no text");
        }
    }
    assert!(
        reason(&json!({ "kind": "json-fields" }), &answered(Some(&Answer::of_text("no"))))
            .starts_with("expected: not JSON")
    );
    assert_eq!(reason(&json!({ "kind": "latency" }), &unanswered), "the call's latency is not known");
    assert_eq!(reason(&json!({ "kind": "cost" }), &unanswered), "the call is unpriced");
}

#[test]
fn overlap_is_that_of_rouge_score_and_of_the_definitions() {
    const WORDS: [&str; 16] = [
        "the",
        "a",
        "An",
        "refund",
        "Refund,",
        "order-7",
        "shelf",
        "it's",
        "grüß",
        "don't",
        "–",
        "the–cat",
        "12.50",
        "€",
        "\n",
        "see_also",
    ];
    let mut random = random(11);
    let mut text = || (0..random(14)).map(|_| WORDS[random(16) as usize]).collect::<Vec<_>>().join(" ");
    let mut pairs: Vec<(String, String)> = (0..300).map(|_| (text(), text())).collect();
    pairs.push(("The same text.".to_owned(), "the same text".to_owned()));
    let cases: Vec<_> = pairs.iter().map(|pair| json!(pair)).collect();
    let Some(answers) = ask("overlap", "scorers_oracle.py", &cases) else { return };
    for ((answered, expected), theirs) in pairs.iter().zip(answers) {
        for (kind, key) in [("rouge-l", "rouge_l"), ("token-f1", "token_f1"), ("edit-similarity", "edit")] {
            let (ours, passed) = of_texts(json!({ "kind": kind, "at_least": 0.5 }), answered, expected);
            let theirs = theirs[key].as_f64().unwrap();
            assert!((ours - theirs).abs() < 1e-12, "{kind}: ours {ours}, theirs {theirs}: {answered:?} {expected:?}");
            assert_eq!(passed, Some(ours >= 0.5));
        }
    }
}

#[test]
fn a_rule_with_an_unknown_key_or_a_wrong_line_is_refused() {
    assert!(serde_json::from_value::<Rule>(json!({ "kind": "exact", "pattern": "x" })).is_err());
    assert!(serde_json::from_value::<Rule>(json!({ "kind": "latency", "at_most": "soon" })).is_err());
    assert!(Scorer::new(Rule::RougeL { at_least: Some(50.0) }).is_err());
}
