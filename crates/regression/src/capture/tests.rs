use serde_json::json;

use super::*;
use crate::dataset::{Edit, Signed};
use crate::example::Message;

fn caught(id: &str, text: &str, stratum: &str, version: &str) -> Caught {
    let messages = vec![Message::of_text("system", "You help."), Message::of_text("user", text)];
    let metadata = match json!({"prompt_name": "p", "prompt_version": version}) {
        Value::Object(metadata) if !version.is_empty() => metadata,
        _ => serde_json::Map::new(),
    };
    Caught {
        example: Example { id: id.to_owned(), messages, metadata, ..Example::default() },
        stratum: stratum.to_owned(),
    }
}

/// A dataset after some changes.
fn dataset(changes: &[&[Edit]]) -> Dataset {
    let signed = Signed { author: "ann".to_owned(), note: None };
    let mut rows = Vec::new();
    for edits in changes {
        rows.extend(Dataset::read("refunds", rows.clone()).unwrap().next(edits, &signed).unwrap());
    }
    Dataset::read("refunds", rows).unwrap()
}

fn put(caught: Caught) -> Edit {
    Edit::Put(Box::new(caught.example))
}

fn choose(dataset: &Dataset, caught: Vec<Caught>, sampling: &Sampling) -> Chosen {
    super::choose(dataset, caught, sampling).unwrap()
}

fn sampling(limit: usize) -> Sampling {
    Sampling { limit, per_prompt_version: None, seed: 1, near: Some(NearDuplicates::default()) }
}

fn ids(chosen: &Chosen) -> Vec<&str> {
    chosen.examples.iter().map(|example| example.id.as_str()).collect()
}

fn many() -> Vec<Caught> {
    let words = ["apple", "bridge", "candle", "desert", "engine", "forest", "garden", "harbour", "island", "jungle"];
    let one = |(number, word): (usize, &&str)| {
        let stratum = if number == 7 { "rare" } else { "common" };
        caught(&format!("c{number}"), &format!("tell me of the {word} and its {word}s"), stratum, "1")
    };
    words.iter().enumerate().map(one).collect()
}

#[test]
fn the_order_of_what_was_caught_does_not_matter_and_the_seed_does() {
    let forward = choose(&Dataset::default(), many(), &sampling(4));
    let backward = choose(&Dataset::default(), many().into_iter().rev().collect(), &sampling(4));
    assert_eq!(ids(&forward), ids(&backward));
    assert_eq!((forward.examples.len(), forward.left_out.len()), (4, 6));
    let other = (2..10).map(|seed| choose(&Dataset::default(), many(), &Sampling { seed, ..sampling(4) }));
    assert!(other.into_iter().any(|other| ids(&other) != ids(&forward)));
}

#[test]
fn a_rare_stratum_has_its_turn() {
    for seed in 0..20 {
        let chosen = choose(&Dataset::default(), many(), &Sampling { seed, ..sampling(2) });
        assert!(ids(&chosen).contains(&"c7"), "{seed}");
    }
}

#[test]
fn what_is_there_already_is_left_out_with_the_measure() {
    let known = dataset(&[&[put(caught("known", "my parcel is late, where is it now please", "", ""))]]);
    let chosen = choose(
        &known,
        vec![
            caught("same", "my parcel is late, where is it now please", "", ""),
            caught("near", "my parcel is late, where is it now please?!", "", ""),
            caught("other", "how do I change the address of my account", "", ""),
        ],
        &sampling(10),
    );
    assert_eq!(ids(&chosen), ["other"]);
    let why = |id: &str| chosen.left_out.iter().find(|out| out.example == id).map(|out| out.why.clone());
    assert_eq!(why("same"), Some(Why::Duplicate { of: "known".to_owned() }));
    assert!(matches!(why("near"), Some(Why::NearDuplicate { of, similarity }) if of == "known" && similarity > 0.99));
}

#[test]
fn what_was_changed_since_it_was_caught_is_not_caught_again() {
    let there = [caught("a", "my parcel is late", "", ""), caught("a", "where is the order of a customer", "", "")];
    let [sent, changed] = there.map(|one| [put(one)]);
    let chosen = choose(
        &dataset(&[&sent, &changed]),
        vec![caught("a", "my parcel is late", "", "")],
        &Sampling { near: None, ..sampling(10) },
    );
    assert!(chosen.examples.is_empty(), "{chosen:?}");
    assert_eq!(chosen.left_out[0].why, Why::Duplicate { of: "a".to_owned() });
}

#[test]
fn what_does_not_fit_is_left_out_and_takes_nobodys_place() {
    let schema = json!({"schema": {"properties": {"id": {"not": {"enum": ["c0", "c7"]}}}}});
    let dataset = dataset(&[&[Edit::Describe(schema.as_object().unwrap().clone())]]);
    let chosen = choose(&dataset, many(), &sampling(8));
    assert_eq!(chosen.examples.len(), 8);
    let misfits = chosen.left_out.iter().filter(|out| matches!(out.why, Why::Misfit { .. }));
    assert_eq!(misfits.map(|out| out.example.as_str()).collect::<Vec<_>>(), ["c0", "c7"]);
}

#[test]
fn a_prompt_version_has_its_cap_with_those_that_are_there() {
    let capped = Sampling { per_prompt_version: Some(3), ..sampling(10) };
    let chosen = choose(&Dataset::default(), many(), &capped);
    assert_eq!(chosen.examples.len(), 3);
    let full = Why::EnoughOfPromptVersion { version: "p@1".to_owned() };
    assert!(chosen.left_out.iter().all(|out| out.why == full));

    let there = |id: &str, version: &str| put(caught(id, &format!("a case of its own called {id}"), "", version));
    let edits = [there("one", "1"), there("two", "1"), there("other", "2"), there("gone", "1")];
    let dataset = dataset(&[&edits, &[Edit::Archive("gone".to_owned())]]);
    assert_eq!(choose(&dataset, many(), &capped).examples.len(), 1, "two are there, and one that was archived is not");
}

#[test]
fn a_cap_leaves_a_rare_stratum_its_turn() {
    for seed in 0..20 {
        let sampling = Sampling { seed, per_prompt_version: Some(2), ..sampling(10) };
        assert!(ids(&choose(&Dataset::default(), many(), &sampling)).contains(&"c7"), "{seed}");
    }
}

#[test]
fn prompts_without_a_name_are_told_apart_by_their_text() {
    let mut unnamed = many();
    for (number, Caught { example, .. }) in unnamed.iter_mut().enumerate() {
        let shape = if number < 6 { "long" } else { "short" };
        example.metadata = serde_json::Map::from_iter([("prompt_shape".to_owned(), json!(shape))]);
    }
    let capped = Sampling { per_prompt_version: Some(2), ..sampling(10) };
    let chosen = choose(&Dataset::default(), unnamed, &capped);
    let shapes = chosen.examples.iter().map(|example| example.metadata["prompt_shape"].as_str().unwrap());
    let mut shapes: Vec<&str> = shapes.collect();
    shapes.sort_unstable();
    assert_eq!(shapes, ["long", "long", "short", "short"]);
}
