//! What a reviewer says, as it is given and kept.

use tracewell_ingest::scores::Score;
use tracewell_ledger::Ledger;
use tracewell_ledger::reviews::{Judgement, Remark};
use tracewell_regression::dataset::Signed;
use tracewell_regression::review::Outcome;

use super::super::source::{Asked, Source};
use super::super::{Place, score};

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

/// Keeps a judgement, and what follows from it: what the example expects, and a score of the span.
pub(super) async fn judge(
    asked: &Asked,
    ledger: &Ledger<Source>,
    queue: &str,
    item: &str,
    signed: &Signed,
    judgement: &Judgement,
) -> anyhow::Result<()> {
    let keep = |remark| async move {
        let kept = score::keep(asked.place(), &[said(remark)]).await;
        kept.map_err(|error| format!("{error:#}"))
    };
    ledger.review(queue, item, signed, judgement, keep).await?;
    Ok(())
}

/// Keeps what judgements say of spans, those that can be kept at once; answers for each.
pub(super) async fn keep(place: &Place, remarks: Vec<Remark>) -> Vec<Result<(), String>> {
    let scores: Vec<Score> = remarks.into_iter().map(said).collect();
    let checked: Vec<Result<(), String>> = scores.iter().map(score::check).collect();
    let right = scores.into_iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
    match score::keep(place, &right.map(|(score, _)| score).collect::<Vec<_>>()).await {
        Ok(()) => checked,
        Err(error) => checked.into_iter().map(|checked| checked.and(Err(format!("{error:#}")))).collect(),
    }
}

/// What a judgement says of the span that the output is of, as a score.
pub(crate) fn said(remark: Remark) -> Score {
    Score {
        name: SCORE.to_owned(),
        label: remark.outcome.map(|outcome| outcome.word().to_owned()),
        correction: remark.correction,
        trace_id: Some(remark.trace_id),
        span_id: remark.span_id,
        explanation: remark.note,
        source: Some("human".to_owned()),
        author: Some(remark.author),
        ..Score::default()
    }
}
