//! Which of the calls that a rule caught become examples.
//!
//! ```text
//!   caught ── schema ── order by (seed, case) ── exact duplicates ── near duplicates ── strata, with a cap per prompt version ── chosen
//! ```
//!
//! The order is that of a keyed hash of the case, so the same calls give the same choice on every machine, in whichever
//! order they come, and another seed another choice. Strata take turns, so that a rare one is not crowded out.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::Example;
use crate::dataset::Dataset;
use crate::near_duplicates::NearDuplicates;

/// A call that a rule caught.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caught {
    /// It as an example.
    pub example: Example,
    /// The kind of case it is, by the rule.
    pub stratum: String,
}

/// How many of which.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Examples at most.
    pub limit: usize,
    /// Examples of one prompt version at most, with those that the dataset has.
    pub per_prompt_version: Option<usize>,
    /// Another one gives another choice.
    pub seed: u64,
    /// From which measure on texts are nearly the same; `None` keeps them.
    pub near: Option<NearDuplicates>,
}

/// What became of the calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chosen {
    /// What to add to the dataset.
    pub examples: Vec<Example>,
    /// The others.
    pub left_out: Vec<LeftOut>,
    /// Texts that were compared with too few others to be sure; see [`crate::near_duplicates::Found`].
    pub cut_short: usize,
}

/// A call that becomes no example.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LeftOut {
    pub example: String,
    #[serde(flatten)]
    pub why: Why,
}

/// Why a call becomes no example.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Why {
    /// It is not as the dataset's schema wants.
    Misfit { reason: String },
    /// It is the same request as an example.
    Duplicate { of: String },
    /// It says nearly the same.
    NearDuplicate { of: String, similarity: f64 },
    /// There are enough of its prompt version.
    EnoughOfPromptVersion { version: String },
    /// There are enough.
    NotSampled,
}

/// Chooses what is to be added to a dataset. What was archived there does not come again.
///
/// # Errors
/// When the dataset's schema cannot be used.
pub fn choose(dataset: &Dataset, caught: Vec<Caught>, sampling: &Sampling) -> Result<Chosen, String> {
    let mut chosen = Chosen::default();
    let fitting = fitting(dataset, caught, &mut chosen)?;
    let mut seen: HashMap<String, String> =
        dataset.everything().map(|example| (example.content_hash(), example.id.clone())).collect();
    let mut left = Vec::new();
    for one in in_order(fitting, sampling.seed) {
        let hash = one.example.content_hash();
        // Its id is of what was sent: there is an example that was it, and says something else by now.
        let changed = dataset.last(&one.example.id).map(|example| &example.id);
        match seen.get(&hash).or(changed) {
            Some(of) => chosen.leave(&one, Why::Duplicate { of: of.clone() }),
            None => {
                seen.insert(hash, one.example.id.clone());
                left.push(one);
            }
        }
    }
    if let Some(near) = &sampling.near {
        left = apart(near, dataset, left, &mut chosen);
    }
    sample(dataset, left, sampling, &mut chosen);
    Ok(chosen)
}

/// Without those that the dataset does not take.
fn fitting(dataset: &Dataset, caught: Vec<Caught>, chosen: &mut Chosen) -> Result<Vec<Caught>, String> {
    let schema = dataset.schema()?;
    let mut fitting = Vec::new();
    for one in caught {
        match schema.check(&one.example) {
            Ok(()) => fitting.push(one),
            Err(reason) => chosen.leave(&one, Why::Misfit { reason }),
        }
    }
    Ok(fitting)
}

impl Chosen {
    fn leave(&mut self, caught: &Caught, why: Why) {
        self.left_out.push(LeftOut { example: caught.example.id.clone(), why });
    }
}

fn in_order(mut caught: Vec<Caught>, seed: u64) -> Vec<Caught> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    caught.sort_by_cached_key(|one| {
        let source = one.example.source.clone().unwrap_or_default();
        let place = blake3::keyed_hash(&key, one.example.content_hash().as_bytes());
        (*place.as_bytes(), source.trace_id, source.span_id)
    });
    caught
}

/// Without those that say nearly what an example or an earlier one says.
fn apart(near: &NearDuplicates, dataset: &Dataset, caught: Vec<Caught>, chosen: &mut Chosen) -> Vec<Caught> {
    let known = dataset.everything().count();
    let examples: Vec<&Example> = dataset.everything().chain(caught.iter().map(|one| &one.example)).collect();
    let ids: Vec<String> = examples.iter().map(|example| example.id.clone()).collect();
    let texts: Vec<String> = examples.iter().map(|example| asked(example)).collect();
    let found = near.find(&texts);
    chosen.cut_short = found.cut_short;
    let mut left = Vec::new();
    for (one, duplicate) in caught.into_iter().zip(&found.duplicates[known..]) {
        match duplicate {
            Some(of) => chosen.leave(&one, Why::NearDuplicate { of: ids[of.of].clone(), similarity: of.similarity }),
            None => left.push(one),
        }
    }
    left
}

/// What tells cases of one prompt apart: all that is said but the instructions, which they share.
fn asked(example: &Example) -> String {
    let said = example.messages.iter().filter(|message| message.role != "system" && message.role != "developer");
    said.filter_map(crate::example::Message::text).collect::<Vec<_>>().join("\n")
}

/// The prompt and version that a case is of, by its metadata. Prompts without a name are told apart by their text.
fn prompt_version(example: &Example) -> String {
    let known = |name: &str| example.metadata.get(name).and_then(Value::as_str);
    match known("prompt_name") {
        Some(name) => format!("{name}@{}", known("prompt_version").unwrap_or_default()),
        None => format!("unnamed {}", known("prompt_shape").or_else(|| known("prompt_hash")).unwrap_or_default()),
    }
}

fn sample(dataset: &Dataset, caught: Vec<Caught>, sampling: &Sampling, chosen: &mut Chosen) {
    let mut of_version: HashMap<String, usize> = HashMap::new();
    for example in dataset.examples() {
        *of_version.entry(prompt_version(example)).or_default() += 1;
    }
    let mut strata: BTreeMap<String, VecDeque<Caught>> = BTreeMap::new();
    for one in caught {
        strata.entry(one.stratum.clone()).or_default().push_back(one);
    }
    while chosen.examples.len() < sampling.limit && !strata.is_empty() {
        strata.retain(|_, waiting| {
            if chosen.examples.len() < sampling.limit {
                take(waiting, &mut of_version, sampling.per_prompt_version, chosen);
            }
            !waiting.is_empty()
        });
    }
    for one in strata.into_values().flatten() {
        chosen.leave(&one, Why::NotSampled);
    }
}

/// Takes the next of a stratum whose prompt version has not had its share.
fn take(
    waiting: &mut VecDeque<Caught>,
    of_version: &mut HashMap<String, usize>,
    most: Option<usize>,
    chosen: &mut Chosen,
) {
    while let Some(next) = waiting.pop_front() {
        let version = prompt_version(&next.example);
        let count = of_version.entry(version.clone()).or_default();
        if most.is_some_and(|most| *count >= most) {
            chosen.leave(&next, Why::EnoughOfPromptVersion { version });
            continue;
        }
        *count += 1;
        chosen.examples.push(next.example);
        return;
    }
}

#[cfg(test)]
mod tests {
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
        let words =
            ["apple", "bridge", "candle", "desert", "engine", "forest", "garden", "harbour", "island", "jungle"];
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
        assert!(
            matches!(why("near"), Some(Why::NearDuplicate { of, similarity }) if of == "known" && similarity > 0.99)
        );
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
        assert_eq!(
            choose(&dataset, many(), &capped).examples.len(),
            1,
            "two are there, and one that was archived is not"
        );
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
}
