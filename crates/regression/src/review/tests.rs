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
    let kappa = queue(entries).agreement().unwrap();
    assert!((kappa - 0.5).abs() < 1e-9, "{kappa}");
    assert_eq!(queue(vec![about(2)]).agreement(), None);
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
