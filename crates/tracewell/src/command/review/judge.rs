//! What a reviewer says, as it is given; and what follows from it.

use anyhow::bail;
use serde_json::{Map, Value};
use tracewell_ingest::scores::Score;
use tracewell_ledger::Ledger;
use tracewell_ledger::reviews::Judgement;
use tracewell_regression::Example;
use tracewell_regression::dataset::{Edit, Signed};
use tracewell_regression::review::{Item, Outcome, Queue};

use super::super::score;
use super::super::source::{Asked, Source};
use super::example;

/// Under which name a review's scores are found.
const SCORE: &str = "review";

/// Reads an outcome.
pub(super) fn outcome(text: &str) -> Result<Outcome, String> {
    match text.trim().to_lowercase().as_str() {
        "accept" | "a" => Ok(Outcome::Accept),
        "correct" | "c" => Ok(Outcome::Correct),
        "decline" | "d" => Ok(Outcome::Decline),
        _ => Err(format!("`{text}` is no outcome; it is accept, correct or decline")),
    }
}

/// What an outcome is called.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accept => "accept",
        Outcome::Correct => "correct",
        Outcome::Decline => "decline",
    }
}

/// Reads answers to the questions of a queue; empty ones are none.
pub(super) fn read_answers<'a>(
    queue: &Queue,
    given: impl Iterator<Item = (&'a str, &'a str)>,
) -> anyhow::Result<Map<String, Value>> {
    let mut answers = Map::new();
    for (name, text) in given.filter(|(_, text)| !text.trim().is_empty()) {
        let Some(question) = queue.questions.iter().find(|question| question.name == name) else {
            let known: Vec<&str> = queue.questions.iter().map(|question| question.name.as_str()).collect();
            bail!("`{name}` is no question of `{}`; it asks: {}", queue.name, known.join(", "));
        };
        answers.insert(name.to_owned(), question.read(text).map_err(anyhow::Error::msg)?);
    }
    Ok(answers)
}

/// Keeps a judgement, and what follows from it: what the example expects, and scores of the span.
pub(super) async fn judge(
    asked: &Asked,
    ledger: &Ledger<Source>,
    queue: &str,
    item: &str,
    signed: &Signed,
    judgement: &Judgement,
) -> anyhow::Result<()> {
    let (queue, item) = ledger.judge(queue, item, &signed.author, judgement).await?;
    let outcome = item.outcome(queue.reviewers);
    let example = example(&ledger.source, &item).await?;
    let expected = match outcome {
        Some(Outcome::Correct) => item.corrected().cloned(),
        Some(Outcome::Accept) => example.expected.clone().or_else(|| example.output.clone()),
        _ => None,
    };
    if let Some(expected) = expected {
        let why = format!("reviewed in `{}`: {}", queue.name, outcome.map(word).unwrap_or_default());
        let signed = Signed { author: signed.author.clone(), note: Some(signed.note.clone().unwrap_or(why)) };
        ledger
            .change(&item.dataset, &signed, |dataset| {
                let known = dataset.get(&item.example);
                let corrected = known.map(|known| Example { expected: Some(expected.clone()), ..known.clone() });
                Ok(corrected.into_iter().map(|example| Edit::Put(Box::new(example))).collect())
            })
            .await?;
    }
    let scores = scores(&item, signed, judgement);
    if !scores.is_empty() {
        score::keep(asked.place(), &scores).await?;
    }
    Ok(())
}

/// What a judgement says of the span that the output is of.
fn scores(item: &Item, signed: &Signed, judgement: &Judgement) -> Vec<Score> {
    if item.trace_id.is_none() {
        return Vec::new();
    }
    let score = |label: Option<&str>, correction: Option<String>| Score {
        name: SCORE.to_owned(),
        value: None,
        label: label.map(str::to_owned),
        text: None,
        correction,
        trace_id: item.trace_id.clone(),
        span_id: item.span_id.clone(),
        session_id: None,
        document_id: None,
        explanation: judgement.note.clone(),
        source: Some("human".to_owned()),
        author: Some(signed.author.clone()),
        time: None,
        metadata: std::collections::BTreeMap::new(),
    };
    let text =
        judgement.expected.as_ref().filter(|_| judgement.outcome == Outcome::Correct).map(|expected| {
            expected.text.clone().unwrap_or_else(|| serde_json::json!(expected.tool_calls).to_string())
        });
    match text {
        Some(text) => vec![score(None, Some(text))],
        None => vec![score(Some(word(judgement.outcome)), None)],
    }
}
