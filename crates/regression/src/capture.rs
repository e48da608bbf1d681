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

#[cfg(test)]
mod tests;

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
    caught.sort_by_cached_key(|one| {
        let source = one.example.source.clone().unwrap_or_default();
        (place(seed, &one.example.content_hash()), source.trace_id, source.span_id)
    });
    caught
}

/// Where what is called `name` stands in the order that `seed` makes.
#[must_use]
pub fn place(seed: u64, name: &str) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    *blake3::keyed_hash(&key, name.as_bytes()).as_bytes()
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
