//! Judgements, and what follows from them.
//!
//! What follows is done first: what the example expects, then the score of the span. Only then is the judgement on record,
//! so that an item which is done lacks nothing. Stopped in between, the item waits still, and who judges it again changes
//! nothing twice: the example expects that already, and a judge's score of a span supersedes the one before.
//!
//! Of many judgements each of these is one commit, as it is of one.

use std::collections::BTreeMap;

use serde_json::json;
use tracewell_regression::dataset::{Dataset, Edit, Signed};
use tracewell_regression::review::{Entry, Item, Outcome, Queue, Step};
use tracewell_regression::{Answer, Example};
use tracewell_runs::Ask;

use super::{Judgement, check, entry, examples, item, queue};
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

/// An item that is judged, and its example; or why it is not.
pub type Judged = Result<(Item, Example), LedgerError>;

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
        let keep = |mut remarks: Vec<Remark>| async move {
            match remarks.pop() {
                Some(remark) => vec![keep(remark).await],
                None => Vec::new(),
            }
        };
        let (queue, mut judged) = self.review_all(name, signed, &[(id, judgement)], keep).await?;
        let lost = || Err(LedgerError::unreadable("nothing came of a judgement"));
        let (item, example) = judged.pop().unwrap_or_else(lost)?;
        Ok((queue, item, example))
    }

    /// As [`review`](Self::review), of many items at once, each by its id. Gives the queue as it is then, and what came of
    /// each judgement: one that is refused keeps no other from being on record. `keep` answers for each remark, in their
    /// order.
    ///
    /// # Errors
    /// When the tables cannot be read or written.
    pub async fn review_all<K: Future<Output = Vec<Result<(), String>>>>(
        &self,
        name: &str,
        signed: &Signed,
        judgements: &[(&str, &Judgement)],
        keep: impl FnOnce(Vec<Remark>) -> K,
    ) -> Result<(Queue, Vec<Judged>), LedgerError> {
        let (queue, mut all) = self.hold(name, &signed.author, judgements).await?;
        self.expect(&queue, signed, judgements, &mut all).await?;
        let (mut places, mut remarks) = (Vec::new(), Vec::new());
        for (at, (held, (_, judgement))) in all.iter().zip(judgements).enumerate() {
            let Ok((item, _)) = held else { continue };
            if let Some(remark) = remark(item, &signed.author, judgement) {
                places.push(at);
                remarks.push(remark);
            }
        }
        let kept = if remarks.is_empty() { Vec::new() } else { keep(remarks).await };
        for (at, kept) in places.into_iter().zip(kept) {
            if let Err(reason) = kept {
                all[at] = Err(LedgerError::Unkept(format!(
                    "what was said of the span cannot be kept, so `{}` waits still; judge it again: {reason}",
                    judgements[at].0
                )));
            }
        }
        let queue = self.judge(name, &signed.author, judgements, &mut all).await?;
        let as_judged = |held: Judged| held.and_then(|(held, example)| Ok((item(&queue, &held.id)?.clone(), example)));
        let judged = all.into_iter().map(as_judged).collect();
        Ok((queue, judged))
    }

    /// Opens the items for whoever judges them, so that nobody else does at the same time.
    async fn hold(
        &self,
        name: &str,
        reviewer: &str,
        judgements: &[(&str, &Judgement)],
    ) -> Result<(Queue, Vec<Judged>), LedgerError> {
        for _ in 0..MOST_TRIES {
            let queue = queue(&self.source, name).await?;
            let mut examples = examples(&self.source, &queue).await?;
            let mut all: Vec<Judged> = Vec::new();
            for (id, judgement) in judgements {
                all.push(self.judgeable(&queue, id, reviewer, judgement).and_then(|item| {
                    let gone = || {
                        LedgerError::NotFound(format!(
                            "`{}` has no example `{}` any more; `tracewell dataset restore` puts it back",
                            item.dataset, item.example
                        ))
                    };
                    Ok((item.clone(), examples.remove(&item.id).ok_or_else(gone)?))
                }));
            }
            let items: Vec<&Item> = all.iter().flatten().map(|(item, _)| item).collect();
            if self.open(&queue, &items, reviewer).await?.is_some() {
                return Ok((queue, all));
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }

    /// Has the examples expect what the judgements come to, in one change of a dataset for each outcome.
    async fn expect(
        &self,
        queue: &Queue,
        signed: &Signed,
        judgements: &[(&str, &Judgement)],
        all: &mut [Judged],
    ) -> Result<(), LedgerError> {
        let mut changes: BTreeMap<_, BTreeMap<String, _>> = BTreeMap::new();
        for (at, (held, (_, judgement))) in all.iter().zip(judgements).enumerate() {
            let Ok((item, example)) = held else { continue };
            if let Some((outcome, expected)) = expectation(queue, item, example, &signed.author, judgement)? {
                let change = changes.entry((item.dataset.clone(), outcome)).or_default();
                change.insert(item.example.clone(), (at, expected));
            }
        }
        for ((name, outcome), wanted) in changes {
            let why = format!("reviewed in `{}`: {}", queue.name, outcome.word());
            let signed = Signed { author: signed.author.clone(), note: Some(signed.note.clone().unwrap_or(why)) };
            let mut misfits = Vec::new();
            let edits = |dataset: &Dataset| -> Result<Vec<Edit>, LedgerError> {
                misfits.clear();
                let schema = dataset.schema().map_err(LedgerError::Refused)?;
                let mut edits = Vec::new();
                for (id, (at, expected)) in &wanted {
                    let Some(known) = dataset.get(id) else { continue };
                    let corrected = Example { expected: Some(expected.clone()), ..known.clone() };
                    match schema.check(&corrected) {
                        Ok(()) => edits.push(Edit::Put(Box::new(corrected))),
                        Err(reason) => misfits.push((*at, format!("example `{id}`: {reason}"))),
                    }
                }
                Ok(edits)
            };
            for row in self.change(&name, &signed, edits).await?.rows {
                if let Some((at, _)) = wanted.get(&row.example)
                    && let Ok((_, example)) = &mut all[*at]
                {
                    *example = row.example().map_err(LedgerError::unreadable)?;
                }
            }
            for (at, reason) in misfits {
                all[at] = Err(LedgerError::Refused(reason));
            }
        }
        Ok(())
    }

    /// Puts the judgements on record, and gives the queue as it is then.
    async fn judge(
        &self,
        name: &str,
        reviewer: &str,
        judgements: &[(&str, &Judgement)],
        all: &mut [Judged],
    ) -> Result<Queue, LedgerError> {
        for _ in 0..MOST_TRIES {
            let mut queue = queue(&self.source, name).await?;
            let (mut rows, mut late) = (Vec::new(), Vec::new());
            for (at, (held, (id, judgement))) in all.iter().zip(judgements).enumerate() {
                if held.is_err() {
                    continue;
                }
                match self.judgeable(&queue, id, reviewer, judgement) {
                    Ok(item) => rows.push(said(&queue, item, reviewer, judgement)),
                    Err(error) => late.push((at, error)),
                }
            }
            if self.enter(&rows).await? {
                for (at, error) in late {
                    all[at] = Err(error);
                }
                for row in rows {
                    queue.items.entry(row.item.clone()).or_default().take(row).map_err(LedgerError::unreadable)?;
                }
                return Ok(queue);
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

/// What the example of an item is to expect once the judgement is on record, and by which outcome.
fn expectation(
    queue: &Queue,
    item: &Item,
    example: &Example,
    reviewer: &str,
    judgement: &Judgement,
) -> Result<Option<(Outcome, Answer)>, LedgerError> {
    let mut after = item.clone();
    after.take(said(queue, item, reviewer, judgement)).map_err(LedgerError::unreadable)?;
    let Some(outcome) = after.outcome(queue.reviewers) else { return Ok(None) };
    let expected = match outcome {
        Outcome::Correct => after.corrected().cloned(),
        Outcome::Accept => {
            // What a correction put there that others did not share is not wanted any more.
            let said = || item.said.values().chain(after.said.values());
            let outvoted = |wanted: &Answer| said().any(|said| said.expected.as_ref() == Some(wanted));
            example.expected.clone().filter(|wanted| !outvoted(wanted)).or_else(|| example.output.clone())
        }
        Outcome::Decline => None,
    };
    Ok(expected.map(|expected| (outcome, expected)))
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
