//! The review of outputs by people: a queue of examples, typed questions, and what each reviewer said.
//!
//! An item is kept open for whoever looks at it, for a while; it is done when as many reviewers have answered as the
//! queue asks for. What most of them say holds; where as many say one thing as another, another reviewer is needed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Answer;

mod agreement;
mod question;
#[cfg(test)]
mod tests;

pub use question::{About, CELLS, Question, QuestionKind};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Step {
    Describe,
    Add,
    Assign,
    Open,
    Release,
    Answer,
}

/// What a reviewer says of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is what it should be.
    Accept,
    /// It should have been another.
    Correct,
    /// It cannot be judged.
    Decline,
}

impl Outcome {
    /// What it is called.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Correct => "correct",
            Self::Decline => "decline",
        }
    }
}

/// A row of the table `reviews`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns of the published schema")]
pub struct Entry {
    pub queue: String,
    pub item: String,
    pub entry: i64,
    pub step: Step,
    pub author: String,
    pub reviewer: Option<String>,
    pub until: Option<String>,
    pub outcome: Option<Outcome>,
    pub answers: Option<String>,
    pub expected: Option<String>,
    pub note: Option<String>,
    pub dataset: Option<String>,
    pub example: Option<String>,
    pub trace_id: Option<String>,
    pub span_id: Option<String>,
    pub questions: Option<String>,
    pub reviewers: Option<i64>,
    pub blind: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A queue as its entries leave it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// What is asked of every item.
    pub questions: Vec<Question>,
    /// Answers that an item needs.
    pub reviewers: usize,
    /// Reviewers do not see each other's answers before theirs.
    pub blind: bool,
    /// The next number of an entry about the queue itself.
    pub next: i64,
    /// Its items, by id.
    pub items: BTreeMap<String, Item>,
}

/// An item.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Item {
    pub id: String,
    pub dataset: String,
    pub example: String,
    pub trace_id: Option<String>,
    pub span_id: Option<String>,
    pub assigned: Option<String>,
    /// Who has it open, and until when.
    pub open: Option<(String, String)>,
    /// By reviewer.
    pub said: BTreeMap<String, Said>,
    /// The next number of an entry.
    pub next: i64,
}

/// What a reviewer said.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Said {
    pub outcome: Outcome,
    pub answers: Map<String, Value>,
    pub expected: Option<Answer>,
    pub note: Option<String>,
    entry: i64,
}

impl Queue {
    /// Puts the entries of a queue together; they may come in any order.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(name: &str, mut entries: Vec<Entry>) -> Result<Self, String> {
        entries.sort_by_key(|entry| entry.entry);
        let mut queue = Self { name: name.to_owned(), reviewers: 1, next: 1, ..Self::default() };
        for entry in entries {
            if entry.step == Step::Describe {
                let questions = entry.questions.as_deref().map_or(Ok(Vec::new()), serde_json::from_str);
                queue.questions = questions.map_err(|error| format!("the questions of `{name}`: {error}"))?;
                queue.reviewers = entry.reviewers.and_then(|count| usize::try_from(count).ok()).unwrap_or(1).max(1);
                queue.blind = entry.blind.as_deref() == Some("yes");
                queue.next = entry.entry + 1;
            } else {
                queue.items.entry(entry.item.clone()).or_default().take(entry)?;
            }
        }
        Ok(queue)
    }

    /// Reads answers to the queue's questions; empty ones are none.
    ///
    /// # Errors
    /// When one is of no question, or is no answer to its question.
    pub fn read_answers<'a>(
        &self,
        given: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Map<String, Value>, String> {
        let mut answers = Map::new();
        for (name, text) in given.filter(|(_, text)| !text.trim().is_empty()) {
            let Some(question) = self.questions.iter().find(|question| question.name == name) else {
                let known: Vec<&str> = self.questions.iter().map(|question| question.name.as_str()).collect();
                return Err(format!("`{name}` is no question of `{}`; it asks: {}", self.name, known.join(", ")));
            };
            answers.insert(name.to_owned(), question.read(text)?);
        }
        Ok(answers)
    }

    /// The item of that id, or of the example of that id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Item> {
        self.items.get(id).or_else(|| self.items.values().find(|item| item.example == id))
    }

    /// Where an item is: what was decided; else `archived` where its example is not there any more, `undecided` or
    /// `waiting`.
    #[must_use]
    pub fn state(&self, item: &Item, is_there: bool) -> &'static str {
        match item.outcome(self.reviewers) {
            Some(outcome) => outcome.word(),
            None if !is_there => "archived",
            None if item.said.len() >= self.reviewers => "undecided",
            None => "waiting",
        }
    }

    /// Whether `reviewer` may see what others said of an item: of a blind queue only what they judged themselves.
    #[must_use]
    pub fn shows(&self, item: &Item, reviewer: Option<&str>) -> bool {
        !self.blind || reviewer.is_some_and(|reviewer| item.said.contains_key(reviewer))
    }

    /// What waits for `reviewer` at the time `now` (RFC 3339 in UTC), in the order it is looked at: what is assigned to them
    /// first.
    #[must_use]
    pub fn waiting_for(&self, reviewer: &str, now: &str) -> Vec<&Item> {
        let waits = |item: &&Item| {
            !item.is_done(self.reviewers)
                && !item.said.contains_key(reviewer)
                && item.assigned.as_deref().is_none_or(|assigned| assigned == reviewer)
                && item.open_by_other(reviewer, now).is_none()
        };
        let mut waiting: Vec<&Item> = self.items.values().filter(waits).collect();
        waiting.sort_by_key(|item| item.assigned.is_none());
        waiting
    }
}

impl Item {
    /// Changes it as an entry about it says.
    ///
    /// # Errors
    /// When the entry cannot be read.
    pub fn take(&mut self, entry: Entry) -> Result<(), String> {
        self.id.clone_from(&entry.item);
        self.next = entry.entry + 1;
        match entry.step {
            Step::Add => {
                self.dataset = entry.dataset.unwrap_or_default();
                self.example = entry.example.unwrap_or_default();
                (self.trace_id, self.span_id) = (entry.trace_id, entry.span_id);
            }
            Step::Assign => self.assigned = entry.reviewer,
            Step::Open => self.open = entry.reviewer.zip(entry.until),
            Step::Release => self.open = None,
            Step::Answer => {
                self.open = None;
                let wrong = |error| format!("the answer to item `{}`: {error}", entry.item);
                let answers = entry.answers.as_deref().map_or(Ok(Map::new()), serde_json::from_str).map_err(wrong)?;
                let expected = entry.expected.as_deref().map(serde_json::from_str).transpose().map_err(wrong)?;
                let outcome = entry.outcome.unwrap_or(Outcome::Decline);
                let said = Said { outcome, answers, expected, note: entry.note, entry: entry.entry };
                self.said.insert(entry.reviewer.unwrap_or(entry.author), said);
            }
            Step::Describe => {}
        }
        Ok(())
    }

    /// Who else has it open.
    #[must_use]
    pub fn open_by_other(&self, reviewer: &str, now: &str) -> Option<&str> {
        let (other, until) = self.open.as_ref()?;
        (other != reviewer && until.as_str() > now).then_some(other)
    }

    /// What most reviewers say, once enough have answered.
    #[must_use]
    pub fn outcome(&self, reviewers: usize) -> Option<Outcome> {
        if self.said.len() < reviewers {
            return None;
        }
        let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
        for said in self.said.values() {
            *counts.entry(said.outcome).or_default() += 1;
        }
        let most = counts.values().copied().max()?;
        let mut first = counts.iter().filter(|(_, count)| **count == most).map(|(outcome, _)| *outcome);
        let outcome = first.next();
        if first.next().is_some() { None } else { outcome }
    }

    /// Whether nothing more is to be said.
    #[must_use]
    pub fn is_done(&self, reviewers: usize) -> bool {
        self.outcome(reviewers).is_some()
    }

    /// What the output should have been, by the last reviewer who corrected it.
    #[must_use]
    pub fn corrected(&self) -> Option<&Answer> {
        let corrected = self.said.values().filter(|said| said.outcome == Outcome::Correct && said.expected.is_some());
        corrected.max_by_key(|said| said.entry)?.expected.as_ref()
    }
}
