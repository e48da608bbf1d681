//! A judgement, and what follows from it.
//!
//! What follows is done first: what the example expects, then the score of the span. Only then is the judgement on record,
//! so that an item which is done lacks nothing. Stopped in between, the item waits still, and who judges it again changes
//! nothing twice: the example expects that already, and a judge's score of a span supersedes the one before.

use serde_json::json;
use tracewell_regression::dataset::{Edit, Signed};
use tracewell_regression::review::{Entry, Item, Outcome, Queue, Step};
use tracewell_regression::{Answer, Example};
use tracewell_runs::Ask;

use super::{Judgement, TABLE, check, entry, examples, item, queue};
use crate::ledger::MOST_TRIES;
use crate::{Ledger, LedgerError};

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

impl<A: Ask> Ledger<A> {
    /// Keeps a judgement, what the example expects by it, and by `keep` what it says of the span. Gives the queue, the item
    /// and its example as they are then.
    ///
    /// # Errors
    /// When somebody else has the item open, its example was taken out, an answer is missing, `keep` fails, or the tables
    /// cannot be read or written. Then the item waits still.
    pub async fn review<K: Future<Output = Result<(), String>>>(
        &self,
        name: &str,
        id: &str,
        signed: &Signed,
        judgement: &Judgement,
        keep: impl FnOnce(Remark) -> K,
    ) -> Result<(Queue, Item, Example), LedgerError> {
        let (queue, item, mut example) = self.hold(name, id, &signed.author, judgement).await?;
        let mut after = item.clone();
        after.take(said(&queue, &item, &signed.author, judgement)).map_err(LedgerError::unreadable)?;
        let outcome = after.outcome(queue.reviewers);
        let expected = match outcome {
            Some(Outcome::Correct) => after.corrected().cloned(),
            Some(Outcome::Accept) => {
                // What a correction put there that others did not share is not wanted any more.
                let said = || item.said.values().chain(after.said.values());
                let outvoted = |wanted: &Answer| said().any(|said| said.expected.as_ref() == Some(wanted));
                example.expected.clone().filter(|wanted| !outvoted(wanted)).or_else(|| example.output.clone())
            }
            _ => None,
        };
        if let Some(expected) = expected {
            let why = format!("reviewed in `{}`: {}", queue.name, outcome.map(Outcome::word).unwrap_or_default());
            let signed = Signed { author: signed.author.clone(), note: Some(signed.note.clone().unwrap_or(why)) };
            let changed = self.change(&item.dataset, &signed, |dataset| {
                let known = dataset.get(&item.example);
                let corrected = known.map(|known| Example { expected: Some(expected.clone()), ..known.clone() });
                Ok(corrected.into_iter().map(|example| Edit::Put(Box::new(example))).collect())
            });
            if let Some(row) = changed.await?.rows.first() {
                example = row.example().map_err(LedgerError::unreadable)?;
            }
        }
        if let Some(remark) = remark(&item, &signed.author, judgement) {
            let waits = |reason| {
                LedgerError::Unkept(format!(
                    "what was said of the span cannot be kept, so `{id}` waits still; judge it again: {reason}"
                ))
            };
            keep(remark).await.map_err(waits)?;
        }
        let (queue, item) = self.judge(name, id, &signed.author, judgement).await?;
        Ok((queue, item, example))
    }

    /// Opens the item for whoever judges it, so that nobody else does at the same time.
    async fn hold(
        &self,
        name: &str,
        id: &str,
        reviewer: &str,
        judgement: &Judgement,
    ) -> Result<(Queue, Item, Example), LedgerError> {
        for _ in 0..MOST_TRIES {
            let queue = queue(&self.source, name).await?;
            let item = self.judgeable(&queue, id, reviewer, judgement)?.clone();
            let Some(example) = examples(&self.source, &queue).await?.remove(&item.id) else {
                return Err(LedgerError::NotFound(format!(
                    "`{}` has no example `{}` any more; `tracewell dataset restore` puts it back",
                    item.dataset, item.example
                )));
            };
            if let Some(item) = self.open(&queue, item, reviewer).await? {
                return Ok((queue, item, example));
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }

    /// Puts a judgement on record, and gives the queue as it is then.
    async fn judge(
        &self,
        name: &str,
        id: &str,
        reviewer: &str,
        judgement: &Judgement,
    ) -> Result<(Queue, Item), LedgerError> {
        for _ in 0..MOST_TRIES {
            let queue = queue(&self.source, name).await?;
            let found = self.judgeable(&queue, id, reviewer, judgement)?;
            let row = said(&queue, found, reviewer, judgement);
            if self.append(TABLE, &[row], format!("review:{name}:{}", found.id), found.next).await? {
                let queue = super::queue(&self.source, name).await?;
                let item = item(&queue, id)?.clone();
                return Ok((queue, item));
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }

    /// The item, if it can be judged so by this reviewer now.
    fn judgeable<'a>(
        &self,
        queue: &'a Queue,
        id: &str,
        reviewer: &str,
        judgement: &Judgement,
    ) -> Result<&'a Item, LedgerError> {
        let item = item(queue, id)?;
        if let Some(other) = item.open_by_other(reviewer, &self.moment(0)) {
            return Err(LedgerError::Refused(format!("{other} has `{id}` open")));
        }
        check(queue, judgement).map_err(LedgerError::Refused)?;
        Ok(item)
    }
}

/// The entry of a judgement.
fn said(queue: &Queue, item: &Item, reviewer: &str, judgement: &Judgement) -> Entry {
    let mut row = entry(queue, &item.id, item.next, Step::Answer, reviewer);
    row.reviewer = Some(reviewer.to_owned());
    row.outcome = Some(judgement.outcome);
    row.answers = (!judgement.answers.is_empty()).then(|| json!(judgement.answers).to_string());
    row.expected = judgement.expected.as_ref().map(|expected| json!(expected).to_string());
    row.note.clone_from(&judgement.note);
    (row.dataset, row.example) = (Some(item.dataset.clone()), Some(item.example.clone()));
    (row.trace_id, row.span_id) = (item.trace_id.clone(), item.span_id.clone());
    row
}

fn remark(item: &Item, author: &str, judgement: &Judgement) -> Option<Remark> {
    let corrected = judgement.expected.as_ref().filter(|_| judgement.outcome == Outcome::Correct);
    let correction =
        corrected.map(|expected| expected.text.clone().unwrap_or_else(|| json!(expected.tool_calls).to_string()));
    Some(Remark {
        trace_id: item.trace_id.clone()?,
        span_id: item.span_id.clone(),
        outcome: correction.is_none().then_some(judgement.outcome),
        correction,
        note: judgement.note.clone(),
        author: author.to_owned(),
    })
}
