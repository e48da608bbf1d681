use serde_json::json;

use super::*;

fn entry(item: &str, number: i64, more: Value) -> Entry {
    let mut row = json!({"queue": "q", "item": item, "entry": number, "step": "add", "author": "ann"});
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(row).unwrap()
}

fn added(item: &str) -> Entry {
    entry(item, 1, json!({"dataset": "refunds", "example": item}))
}

fn answer(item: &str, number: i64, reviewer: &str, outcome: &str) -> Entry {
    let expected = (outcome == "correct").then(|| json!({"text": format!("{reviewer}'s")}).to_string());
    entry(item, number, json!({"step": "answer", "reviewer": reviewer, "outcome": outcome, "expected": expected}))
}

fn about(reviewers: u32) -> Entry {
    entry("", 1, json!({"step": "describe", "reviewers": reviewers, "blind": "yes"}))
}

fn queue(entries: Vec<Entry>) -> Queue {
    Queue::read("q", entries).unwrap()
}

const NOW: &str = "2026-11-20T10:00:00Z";

fn waiting<'a>(queue: &'a Queue, reviewer: &str) -> Vec<&'a str> {
    queue.waiting_for(reviewer, NOW).into_iter().map(|item| item.id.as_str()).collect()
}

#[test]
fn an_item_goes_to_one_reviewer_at_a_time() {
    let open = |until: &str| entry("a", 2, json!({"step": "open", "reviewer": "bob", "until": until}));
    let held = queue(vec![added("a"), open("2026-11-20T10:15:00Z")]);
    assert_eq!(waiting(&held, "cleo"), [] as [&str; 0]);
    assert_eq!(waiting(&held, "bob"), ["a"]);
    let expired = queue(vec![added("a"), open("2026-11-20T09:45:00Z")]);
    assert_eq!(waiting(&expired, "cleo"), ["a"]);
    let assigned = entry("b", 2, json!({"step": "assign", "reviewer": "cleo"}));
    let assigned = queue(vec![added("a"), added("b"), assigned]);
    assert_eq!(waiting(&assigned, "cleo"), ["b", "a"]);
    assert_eq!(waiting(&assigned, "bob"), ["a"]);
}

#[test]
fn an_item_is_done_when_most_of_enough_reviewers_say_one_thing() {
    let mut entries = vec![about(2), added("a"), answer("a", 2, "bob", "correct")];
    assert_eq!(queue(entries.clone()).items["a"].outcome(2), None);
    assert_eq!(waiting(&queue(entries.clone()), "bob"), [] as [&str; 0]);
    entries.push(answer("a", 3, "cleo", "accept"));
    assert!(!queue(entries.clone()).items["a"].is_done(2), "one says this and one says that");
    entries.push(answer("a", 4, "dan", "correct"));
    let done = queue(entries);
    assert_eq!(done.items["a"].outcome(2), Some(Outcome::Correct));
    assert_eq!(done.items["a"].corrected(), Some(&Answer::of_text("dan's")));
    assert!(done.blind);
}

#[test]
fn agreement_is_told() {
    let mut entries = vec![about(2)];
    // Bob and Cleo agree on three of four: (0.75 − 0.5) / (1 − 0.5).
    for (item, bob, cleo) in
        [("a", "accept", "accept"), ("b", "decline", "decline"), ("c", "accept", "accept"), ("d", "accept", "decline")]
    {
        entries.extend([added(item), answer(item, 2, "bob", bob), answer(item, 3, "cleo", cleo)]);
    }
    let kappa = queue(entries.clone()).agreement().unwrap();
    assert!((kappa - 0.5).abs() < 1e-9, "{kappa}");
    // Dan is asked about the one on which they do not agree, and it counts as before.
    entries.push(answer("d", 4, "dan", "accept"));
    let settled = queue(entries);
    assert!(settled.items["d"].is_done(2));
    assert!((settled.agreement().unwrap() - 0.5).abs() < 1e-9);
    assert_eq!(queue(vec![about(2)]).agreement(), None);

    // Three people share the work: two of three pairs agree, and each label is half of what was given:
    // (2/3 − 1/2) / (1 − 1/2).
    let mut shared = vec![about(2)];
    for (item, (one, first), (other, second)) in [
        ("a", ("bob", "accept"), ("cleo", "accept")),
        ("b", ("bob", "decline"), ("dan", "decline")),
        ("c", ("cleo", "accept"), ("dan", "decline")),
    ] {
        shared.extend([added(item), answer(item, 2, one, first), answer(item, 3, other, second)]);
    }
    let kappa = queue(shared).agreement().unwrap();
    assert!((kappa - 1.0 / 3.0).abs() < 1e-9, "{kappa}");
}

#[test]
fn agreement_on_questions_is_told() {
    let questions = json!([{"name": "kind", "kind": "yes_no"}, {"name": "stars", "kind": "number"}, {"name": "why"}]);
    let about = entry("", 1, json!({"step": "describe", "reviewers": 2, "questions": questions.to_string()}));
    let said = |item: &str, number: i64, reviewer: &str, answers: Value| {
        let more = json!({"step": "answer", "reviewer": reviewer, "outcome": "accept", "answers": answers.to_string()});
        entry(item, number, more)
    };
    let mut entries = vec![about];
    for (item, bob, cleo) in [
        // Of the kind: agreed on three of four, half of them by chance, as above.
        ("a", json!({"kind": true, "stars": 1, "why": "x"}), json!({"kind": true, "stars": 2, "why": "y"})),
        ("b", json!({"kind": false, "stars": 3, "why": "x"}), json!({"kind": false, "stars": 3, "why": "x"})),
        ("c", json!({"kind": true}), json!({"kind": true, "stars": 5})),
        ("d", json!({"kind": true}), json!({"kind": false})),
    ] {
        entries.extend([added(item), said(item, 2, "bob", bob), said(item, 3, "cleo", cleo)]);
    }
    let queue = queue(entries);
    let on = |question: usize| queue.agreement_on(&queue.questions[question]);
    assert!((on(0).unwrap() - 0.5).abs() < 1e-9);
    // Of 1, 2 and 3, 3: observed (1 + 1) / 4; by chance 2 × (1 + 4 + 4 + 1 + 1 + 0) / (4 × 3); 1 − 6/22.
    assert!((on(1).unwrap() - 8.0 / 11.0).abs() < 1e-9);
    assert_eq!(on(2), None, "texts are not compared");
}

#[test]
fn answers_are_of_the_kind_that_is_asked_for() {
    let question = |kind: &str| -> Question {
        serde_json::from_value(json!({"name": "q", "kind": kind, "choices": ["Good", "Bad"]})).unwrap()
    };
    assert_eq!(question("yes_no").read("y"), Ok(json!(true)));
    assert_eq!(question("number").read("2.5"), Ok(json!(2.5)));
    assert_eq!(question("choice").read("good"), Ok(json!("Good")));
    for (kind, wrong) in [("yes_no", "maybe"), ("number", "NaN"), ("choice", "ugly")] {
        assert!(question(kind).read(wrong).is_err(), "{kind}");
    }
}

#[test]
fn questions_that_cannot_be_asked_are_refused() {
    let asks = |questions: Value| {
        let about = About { questions: Some(serde_json::from_value(questions).unwrap()), ..About::default() };
        about.check()
    };
    let tone = json!({"name": "tone", "kind": "choice", "choices": ["kind", "rude"]});
    assert_eq!(asks(json!([tone, {"name": "why"}])), Ok(()));
    for (wrong, told) in [
        (json!([tone, {"name": "tone"}]), "there are two questions `tone`"),
        (json!([{"name": ""}]), "`` is no name"),
        (json!([{"name": "tone "}]), "`tone ` is no name"),
        (json!([{"name": "expected"}]), "a question cannot be called `expected`"),
        (json!([{"name": "tone", "kind": "choice"}]), "`tone`: a question has `choices`"),
        (json!([{"name": "tone", "choices": ["kind"]}]), "`tone`: a question has `choices`"),
    ] {
        assert!(asks(wrong.clone()).unwrap_err().starts_with(told), "{wrong}");
    }
    assert!(About { reviewers: Some(0), ..About::default() }.check().is_err());
}
