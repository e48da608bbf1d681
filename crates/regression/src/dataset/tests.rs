use chrono::NaiveDate;
use serde_json::json;

use super::*;
use crate::Answer;
use crate::example::Message;

fn example(id: &str, text: &str) -> Example {
    Example { id: id.to_owned(), messages: vec![Message::of_text("user", text)], ..Example::default() }
}

fn put(example: Example) -> Edit {
    Edit::Put(Box::new(example))
}

fn signed() -> Signed {
    Signed { author: "ann".to_owned(), note: Some("why".to_owned()) }
}

#[test]
fn who_signs_has_a_name_and_a_blank_reason_is_none() {
    let plain = Signed { author: "ann".to_owned(), note: None };
    assert_eq!(Signed::new(" ann ", Some("  ")), Ok(plain.clone()));
    assert_eq!(Signed::new("ann", Some(" why\n")), Ok(Signed { note: Some("why".to_owned()), ..plain }));
    assert_eq!(Signed::new(" \t", Some("why")), Err("`author` says who does this".to_owned()));
}

/// Rows as the table keeps them, after each of `changes`.
fn kept(changes: &[Vec<Edit>]) -> Vec<Revision> {
    let mut rows = Vec::new();
    for edits in changes {
        let dataset = Dataset::read("refunds", rows.clone()).unwrap();
        let next = dataset.next(edits, &signed()).unwrap();
        assert!(next.iter().all(|row| row.version == dataset.version + 1));
        let written: Vec<Revision> = serde_json::from_value(json!(next)).unwrap();
        rows.extend(written);
    }
    rows
}

fn at(rows: &[Revision], version: i64) -> Dataset {
    let until = rows.iter().filter(|row| row.version <= version).rev().cloned().collect();
    Dataset::read("refunds", until).unwrap()
}

#[test]
fn one_rule_of_names_for_all_that_has_one() {
    for name in ["refunds", "team/helper", "v1.2-x_y", "größe/1"] {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
    let long = "x".repeat(201);
    for name in ["", "../x", "a/../b", "/x", "x/", "a//b", ".hidden", "a/.b", "a b", "a@v1", "a\u{0}", "a:b", &long] {
        let told = check_name(name).unwrap_err().to_string();
        assert!(told.starts_with(&format!("`{name}` is no name: ")) && told.contains("`-`, `_` and `.`"), "{told}");
    }
}

#[test]
fn a_pin_is_a_version_or_a_day() {
    let at = |text: &str| text.parse::<Pin>().map(|pin| (pin.at, pin.to_string()));
    assert_eq!(at("refunds@v3"), Ok((At::Version(3), "refunds@v3".to_owned())));
    assert_eq!(at("refunds@3").unwrap().0, At::Version(3));
    assert_eq!(at("team/refunds").unwrap().0, At::Latest);
    let day = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
    assert_eq!(at("refunds@2026-11-20"), Ok((At::Day(day), "refunds@2026-11-20".to_owned())));
    for wrong in ["refunds@v0", "refunds@next", "refunds@", "a b", "", "@v1", "refunds@2026-13-01"] {
        assert!(wrong.parse::<Pin>().is_err(), "{wrong}");
    }
}

#[test]
fn every_version_stays_as_it_was() {
    let mut better = example("a", "one");
    better.expected = Some(Answer::of_text("1"));
    let rows = kept(&[
        vec![put(example("a", "one")), put(example("b", "two"))],
        vec![put(better.clone()), put(example("b", "two"))],
        vec![Edit::Archive("a".to_owned())],
        vec![put(better.clone())],
    ]);
    let changes: Vec<(i64, &str, Change, i64)> =
        rows.iter().map(|row| (row.version, row.example.as_str(), row.change, row.revision)).collect();
    assert_eq!(
        changes,
        [
            (1, "a", Change::Create, 1),
            (1, "b", Change::Create, 1),
            (2, "a", Change::Patch, 2),
            (3, "a", Change::Archive, 3),
            (4, "a", Change::Restore, 4),
        ]
    );
    let ids = |version| at(&rows, version).examples().map(|example| example.id.clone()).collect::<Vec<_>>();
    assert_eq!(
        (ids(1), ids(3), ids(4)),
        (vec!["a".into(), "b".into()], vec!["b".into()], vec!["a".into(), "b".into()])
    );
    assert_eq!(at(&rows, 1).get("a").unwrap().expected, None);
    assert_eq!(at(&rows, 4).get("a").unwrap().expected, better.expected);
}

#[test]
fn versions_are_compared() {
    let mut better = example("a", "one");
    better.expected = Some(Answer::of_text("1"));
    better.tags = vec!["x".to_owned()];
    let rows = kept(&[
        vec![put(example("a", "one")), put(example("b", "two"))],
        vec![put(better), put(example("c", "three")), Edit::Archive("b".to_owned())],
    ]);
    let found = difference(&at(&rows, 1), &at(&rows, 2));
    assert_eq!(
        json!(found),
        json!([
            {"example": "a", "what": "changed", "member": "expected", "before": null, "after": {"text": "1"}},
            {"example": "a", "what": "changed", "member": "tags", "before": null, "after": ["x"]},
            {"example": "b", "what": "removed", "member": null, "before": null, "after": null},
            {"example": "c", "what": "added", "member": null, "before": null, "after": null},
        ])
    );
}

#[test]
fn what_was_taken_out_is_put_back_as_it_was() {
    let archive = vec![Edit::Archive("a".to_owned())];
    let rows = kept(&[vec![put(example("a", "one"))], archive, vec![Edit::Restore("a".to_owned())]]);
    let restored = at(&rows, 3);
    let back = restored.get("a").unwrap();
    assert_eq!((back.revision, &back.messages), (3, &example("a", "one").messages));
    assert_eq!(rows[2].change, Change::Restore);
    let refused = restored.next(&[Edit::Restore("a".to_owned())], &signed()).unwrap_err();
    assert_eq!(refused, "`refunds` has no archived example `a`");
    // Two revisions of one number would be there.
    let twice = restored.next(&[put(example("a", "two")), Edit::Archive("a".to_owned())], &signed()).unwrap_err();
    assert_eq!(twice, "example `a` is named twice");
}

#[test]
fn what_a_dataset_wants_is_held() {
    let schema = json!({"schema": {"required": ["expected"]}});
    let about = schema.as_object().unwrap().clone();
    let rows = kept(&[vec![Edit::Describe(about)]]);
    let dataset = at(&rows, 1);
    let refused = dataset.next(&[put(example("a", "one"))], &signed()).unwrap_err();
    assert!(refused.contains("example `a`") && refused.contains("expected"), "{refused}");
    let missing = dataset.next(&[Edit::Archive("a".to_owned())], &signed()).unwrap_err();
    assert_eq!(missing, "`refunds` has no example `a`");
    let broken = json!({"schema": {"type": 3}}).as_object().unwrap().clone();
    assert!(dataset.next(&[Edit::Describe(broken)], &signed()).is_err());
}
