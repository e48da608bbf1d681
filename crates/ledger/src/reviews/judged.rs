//! A judgement, and what follows from it.

use tracewell_regression::Example;
use tracewell_regression::dataset::{At, Edit, Pin, Signed};
use tracewell_regression::review::{Item, Outcome, Queue};
use tracewell_runs::Ask;

use super::Judgement;
use crate::{Ledger, LedgerError, datasets};

/// What a reviewer's judgement says of the span that the output is of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Remark {
    pub trace_id: String,
    pub span_id: Option<String>,
    /// By its word, where it is no correction.
    pub outcome: Option<Outcome>,
    /// What the output should have been.
    pub correction: Option<String>,
    pub note: Option<String>,
    pub author: String,
}

/// The example of an item as it is now.
///
/// # Errors
/// When it is not in its dataset any more, or a query fails.
pub async fn example(source: &impl Ask, item: &Item) -> Result<Example, LedgerError> {
    let dataset = datasets::existing(source, &Pin { dataset: item.dataset.clone(), at: At::Latest }).await?;
    let missing = || LedgerError::NotFound(format!("`{}` has no example `{}` any more", item.dataset, item.example));
    dataset.get(&item.example).cloned().ok_or_else(missing)
}

impl<A: Ask> Ledger<A> {
    /// Keeps a judgement, and what the example expects by it. What it says of the span is for whoever keeps scores.
    ///
    /// # Errors
    /// When somebody else has the item open, an answer is missing, or the tables cannot be read or written.
    pub async fn review(
        &self,
        queue: &str,
        item: &str,
        signed: &Signed,
        judgement: &Judgement,
    ) -> Result<(Queue, Item, Option<Remark>), LedgerError> {
        let (queue, item) = self.judge(queue, item, &signed.author, judgement).await?;
        let outcome = item.outcome(queue.reviewers);
        let example = example(&self.source, &item).await?;
        let expected = match outcome {
            Some(Outcome::Correct) => item.corrected().cloned(),
            Some(Outcome::Accept) => example.expected.clone().or_else(|| example.output.clone()),
            _ => None,
        };
        if let Some(expected) = expected {
            let why = format!("reviewed in `{}`: {}", queue.name, outcome.map(Outcome::word).unwrap_or_default());
            let signed = Signed { author: signed.author.clone(), note: Some(signed.note.clone().unwrap_or(why)) };
            self.change(&item.dataset, &signed, |dataset| {
                let known = dataset.get(&item.example);
                let corrected = known.map(|known| Example { expected: Some(expected.clone()), ..known.clone() });
                Ok(corrected.into_iter().map(|example| Edit::Put(Box::new(example))).collect())
            })
            .await?;
        }
        let remark = remark(&item, &signed.author, judgement);
        Ok((queue, item, remark))
    }
}

fn remark(item: &Item, author: &str, judgement: &Judgement) -> Option<Remark> {
    let corrected = judgement.expected.as_ref().filter(|_| judgement.outcome == Outcome::Correct);
    let correction = corrected
        .map(|expected| expected.text.clone().unwrap_or_else(|| serde_json::json!(expected.tool_calls).to_string()));
    Some(Remark {
        trace_id: item.trace_id.clone()?,
        span_id: item.span_id.clone(),
        outcome: correction.is_none().then_some(judgement.outcome),
        correction,
        note: judgement.note.clone(),
        author: author.to_owned(),
    })
}
