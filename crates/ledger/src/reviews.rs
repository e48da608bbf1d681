//! Review queues.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tracewell_lake::Transaction;
use tracewell_regression::dataset::{At, Dataset, Pin, check_name};
use tracewell_regression::review::{About, Entry, Item, Outcome, Question, Queue, Said, Step};
use tracewell_regression::{Answer, Example};
use tracewell_runs::{Ask, rows};

use crate::ledger::MOST_TRIES;
use crate::{Ledger, LedgerError, datasets};
use tracewell_runs::sql::quoted;

mod judged;

pub use judged::{Judged, Remark};

const TABLE: &str = "reviews";

/// How long an item is kept open for whoever looks at it.
const OPEN_MINUTES: i64 = 15;

/// What is said of an item.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "as in `review::Said`")]
pub struct Judgement {
    pub outcome: Outcome,
    pub answers: Map<String, Value>,
    pub expected: Option<Answer>,
    pub note: Option<String>,
}

impl Judgement {
    /// Whether it is what was said.
    #[must_use]
    pub fn is(&self, said: &Said) -> bool {
        (self.outcome, &self.answers, &self.expected, &self.note)
            == (said.outcome, &said.answers, &said.expected, &said.note)
    }
}

/// What goes into a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Filling {
    /// Of which dataset.
    pub dataset: Pin,
    /// Only examples with one of these tags; any where there are none.
    pub tags: Vec<String>,
    /// Also examples whose expected output is known.
    pub all: bool,
    /// What is asked of every item.
    pub about: About,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Filled {
    /// How many were not in the queue.
    pub added: usize,
    /// How many were to be in it.
    pub examples: usize,
}

impl Filling {
    fn wants(&self, example: &Example) -> bool {
        (self.all || example.expected.is_none())
            && (self.tags.is_empty() || example.tags.iter().any(|tag| self.tags.contains(tag)))
    }
}

/// A queue; without items where there is none of that name.
///
/// # Errors
/// When a query fails.
pub async fn queue(source: &impl Ask, name: &str) -> Result<Queue, LedgerError> {
    let query = format!(
        "SELECT queue, item, entry, step, author, reviewer, until, outcome, answers, expected, note,
            dataset, example, trace_id, span_id, questions, reviewers, blind, tags
        FROM reviews WHERE queue = {}",
        quoted(name)
    );
    let entries: Vec<Entry> = rows(source, &query).await?;
    Queue::read(name, entries).map_err(LedgerError::unreadable)
}

/// A queue, which has to be there.
///
/// # Errors
/// When there is nothing in it, or a query fails.
pub async fn existing(source: &impl Ask, name: &str) -> Result<Queue, LedgerError> {
    let queue = queue(source, name).await?;
    if queue.items.is_empty() {
        return Err(LedgerError::NotFound(format!(
            "there is nothing in a queue `{name}`; `tracewell review add {name} --dataset NAME` puts examples in"
        )));
    }
    Ok(queue)
}

/// The examples of a queue's items as they are now, by item. What was taken out of its dataset has none, and waits for
/// nobody until it is there again.
///
/// # Errors
/// When a query fails.
pub async fn examples(source: &impl Ask, queue: &Queue) -> Result<BTreeMap<String, Example>, LedgerError> {
    let mut known: BTreeMap<&str, Dataset> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for item in queue.items.values() {
        if !known.contains_key(item.dataset.as_str()) {
            let pin = Pin { dataset: item.dataset.clone(), at: At::Latest };
            known.insert(&item.dataset, datasets::at(source, &pin).await?);
        }
        let example = known.get(item.dataset.as_str()).and_then(|dataset| dataset.get(&item.example));
        found.extend(example.map(|example| (item.id.clone(), example.clone())));
    }
    Ok(found)
}

/// SQL that lists all queues.
pub const LIST: &str = "SELECT queue, count(DISTINCT item) FILTER (WHERE item <> '') AS items,
        count(*) FILTER (WHERE step = 'answer') AS answers, max(recorded_at) AS changed_at
    FROM reviews GROUP BY queue ORDER BY queue";

fn entry(queue: &Queue, item: &str, number: i64, step: Step, author: &str) -> Entry {
    Entry {
        queue: queue.name.clone(),
        item: item.to_owned(),
        entry: number,
        step,
        author: author.to_owned(),
        reviewer: None,
        until: None,
        outcome: None,
        answers: None,
        expected: None,
        note: None,
        dataset: None,
        example: None,
        trace_id: None,
        span_id: None,
        questions: None,
        reviewers: None,
        blind: None,
        tags: Vec::new(),
    }
}

/// What a queue asks from now on; what is left out stays as it is.
fn described(queue: &Queue, author: &str, about: &About) -> Entry {
    let mut row = entry(queue, "", queue.next, Step::Describe, author);
    row.questions = Some(json!(about.questions.as_ref().unwrap_or(&queue.questions)).to_string());
    row.reviewers = i64::try_from(about.reviewers.unwrap_or(queue.reviewers)).ok();
    row.blind = about.blind.unwrap_or(queue.blind).then(|| "yes".to_owned());
    row
}

/// An example as a new item; `None` where it is in the queue.
fn item_of(queue: &Queue, author: &str, dataset: &Dataset, example: &Example) -> Option<Entry> {
    let id = format!("{}/{}", dataset.name, example.id);
    if queue.items.contains_key(&id) {
        return None;
    }
    let source = example.source.clone().unwrap_or_default();
    let mut row = entry(queue, &id, 1, Step::Add, author);
    (row.dataset, row.example) = (Some(dataset.name.clone()), Some(example.id.clone()));
    (row.trace_id, row.span_id) = (source.trace_id, source.span_id);
    row.tags.clone_from(&example.tags);
    Some(row)
}

impl<A: Ask> Ledger<A> {
    fn moment(&self, minutes: i64) -> String {
        let at = DateTime::from_timestamp_nanos(self.now()) + chrono::Duration::minutes(minutes);
        at.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// Puts examples of a dataset into a queue, which begins to be with them, and says what is asked of each. All of it
    /// is kept at once, or nothing.
    ///
    /// # Errors
    /// When there is no such dataset, a question cannot be asked, or the tables cannot be read or written.
    pub async fn fill_queue(&self, name: &str, author: &str, filling: &Filling) -> Result<Filled, LedgerError> {
        check_name(name).map_err(LedgerError::refused)?;
        filling.about.check().map_err(LedgerError::Refused)?;
        let dataset = datasets::existing(&self.source, &filling.dataset).await?;
        let examples: Vec<&Example> = dataset.examples().filter(|example| filling.wants(example)).collect();
        for _ in 0..MOST_TRIES {
            let queue = queue(&self.source, name).await?;
            let mut rows = vec![described(&queue, author, &filling.about)];
            rows.extend(examples.iter().filter_map(|example| item_of(&queue, author, &dataset, example)));
            let filled = Filled { added: rows.len() - 1, examples: examples.len() };
            if filled.added == 0 && filling.about == About::default()
                || self.append(TABLE, &rows, format!("review:{name}"), queue.next).await?
            {
                return Ok(filled);
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }

    /// Opens the next item for a reviewer, with its example: nobody else gets it for a quarter of an hour. `skipped` are
    /// ids of items that the reviewer does not want now.
    ///
    /// # Errors
    /// When the tables cannot be read or written.
    pub async fn open_next(
        &self,
        name: &str,
        reviewer: &str,
        skipped: &[String],
    ) -> Result<Option<(Queue, Item, Example)>, LedgerError> {
        for _ in 0..MOST_TRIES {
            let queue = queue(&self.source, name).await?;
            let mut examples = examples(&self.source, &queue).await?;
            let is_wanted = |item: &&Item| examples.contains_key(&item.id) && !skipped.contains(&item.id);
            let waiting = queue.waiting_for(reviewer, &self.moment(0));
            let Some(item) = waiting.into_iter().find(is_wanted).cloned() else { return Ok(None) };
            let Some(example) = examples.remove(&item.id) else { return Ok(None) };
            if let Some(open) = self.open(&queue, &[&item], reviewer).await? {
                let item = Item { next: item.next + 1, open: Some(open), ..item };
                return Ok(Some((queue, item, example)));
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }

    /// Opens items for a reviewer, and tells until when; `None` where somebody else was first with one of them.
    async fn open(
        &self,
        queue: &Queue,
        items: &[&Item],
        reviewer: &str,
    ) -> Result<Option<(String, String)>, LedgerError> {
        let open = (reviewer.to_owned(), self.moment(OPEN_MINUTES));
        let mut rows = Vec::new();
        for item in items {
            let mut row = entry(queue, &item.id, item.next, Step::Open, reviewer);
            (row.reviewer, row.until) = (Some(open.0.clone()), Some(open.1.clone()));
            rows.push(row);
        }
        Ok(self.enter(&rows).await?.then_some(open))
    }

    /// Adds entries about items, one each, all of them or none; answers whether nobody else was first with one of them.
    async fn enter(&self, rows: &[Entry]) -> Result<bool, LedgerError> {
        if rows.is_empty() {
            return Ok(true);
        }
        let number =
            |row: &Entry| Transaction { app: format!("review:{}:{}", row.queue, row.item), version: row.entry };
        self.append_all(TABLE, rows, &rows.iter().map(number).collect::<Vec<_>>()).await
    }

    /// Gives an item to a reviewer, or lets go of one that is open.
    ///
    /// # Errors
    /// When there is no such item, nobody is named, or the tables cannot be read or written.
    pub async fn hand(&self, name: &str, id: &str, author: &str, to: Option<&str>) -> Result<(), LedgerError> {
        let to = to.map(str::trim);
        if to == Some("") {
            return Err(LedgerError::Refused("an item is given to somebody with a name".to_owned()));
        }
        for _ in 0..MOST_TRIES {
            let queue = queue(&self.source, name).await?;
            let item = item(&queue, id)?;
            if to.is_none()
                && let Some(other) = item.open_by_other(author, &self.moment(0))
            {
                return Err(LedgerError::Refused(format!("{other} has `{id}` open")));
            }
            let step = if to.is_some() { Step::Assign } else { Step::Release };
            let mut row = entry(&queue, &item.id, item.next, step, author);
            row.reviewer = to.map(str::to_owned);
            if self.enter(&[row]).await? {
                return Ok(());
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }
}

fn item<'a>(queue: &'a Queue, id: &str) -> Result<&'a Item, LedgerError> {
    let missing = || LedgerError::NotFound(format!("the queue `{}` has no item `{id}`", queue.name));
    queue.find(id).ok_or_else(missing)
}

fn check(queue: &Queue, judgement: &Judgement) -> Result<(), String> {
    let is_said = |answer: &Answer| {
        !answer.tool_calls.is_empty() || answer.text.as_ref().is_some_and(|text| !text.trim().is_empty())
    };
    if judgement.outcome == Outcome::Correct && !judgement.expected.as_ref().is_some_and(is_said) {
        return Err("a correction says what the output should have been".to_owned());
    }
    let known = |name: &String| queue.questions.iter().any(|question| question.name == *name);
    if let Some(unknown) = judgement.answers.keys().find(|name| !known(name)) {
        return Err(format!("`{unknown}` is no question of `{}`", queue.name));
    }
    let is_missing = |question: &&Question| question.required && !judgement.answers.contains_key(&question.name);
    match queue.questions.iter().find(is_missing) {
        Some(question) if judgement.outcome != Outcome::Decline => {
            Err(format!("`{}` has to be answered", question.name))
        }
        _ => Ok(()),
    }
}
