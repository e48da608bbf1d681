//! The life of a prompt's or workflow's revisions in an environment: draft, review, staged, live, rolled back.
//!
//! ```text
//!   draft ── propose ──> review ── approve (N, not one's own) ── stage ──> staged ── live ──> live ── rollback ──> rolled_back
//!     ^                    │                                                          ^                    │
//!     └────── reject ──────┘                        what was live before it ──────────┴────────────────────┘
//! ```
//!
//! Every step is an entry that says who, when and why. The ledger of a prompt is its entries in order; nothing else is the
//! state. A revision goes live with the approvals it needs and a gate's verdict that passed, or with `forced` and a reason
//! that stays in the record. What is live sets the bar: how many have to approve, and who may. The next revision can raise
//! it and not lower it, until it is live itself. What was rolled back needs new approvals and a new verdict, by whichever
//! revision it is sent, and is not what a rollback goes back to.

use std::collections::BTreeSet;

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

use crate::dataset::Signed;
use crate::prompt::{Kind, Prompt};

mod bar;
mod evidence;
#[cfg(test)]
mod tests;

use bar::Bar;
use evidence::moment;
pub use evidence::{Evidence, measured};

/// Where a revision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum State {
    Draft,
    Review,
    Staged,
    Live,
    RolledBack,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Step {
    Draft,
    Propose,
    Approve,
    Reject,
    Stage,
    Live,
    Rollback,
}

/// A row of the table `releases`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns of the published schema")]
pub struct Entry {
    #[serde(default)]
    pub kind: Kind,
    /// The name of the prompt or workflow.
    pub prompt: String,
    pub entry: i64,
    pub environment: String,
    pub revision: i64,
    pub version: String,
    pub step: Step,
    pub state: State,
    pub effective_at: String,
    pub author: String,
    pub why: Option<String>,
    pub replaces: Option<i64>,
    #[serde(default)]
    pub change: Vec<String>,
    pub verdict: Option<String>,
    pub decision: Option<String>,
    pub approvals: Option<i64>,
    pub forced: Option<bool>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Move<'a> {
    /// What is to be done.
    pub step: Step,
    /// With which revision; a rollback only looks at the name.
    pub prompt: &'a Prompt,
    /// The revision that is live there, if one is: it sets the bar.
    pub live: Option<&'a Prompt>,
    /// The revisions on record: what is rolled back of one, is rolled back of all that send the same.
    pub known: &'a [Prompt],
    /// Where.
    pub environment: &'a str,
    /// By whom, and why.
    pub signed: &'a Signed,
    /// Since when it holds, as RFC 3339.
    pub effective_at: &'a str,
    /// What it rests on: the verdict that is named, or else [`Ledger::named`].
    pub evidence: Option<&'a Evidence>,
    /// Without the approvals and the verdict that it needs.
    pub forced: bool,
}

impl Move<'_> {
    /// Whether two revisions send the same.
    fn are_alike(&self, one: i64, other: i64) -> bool {
        let find = |revision: i64| self.known.iter().find(|prompt| prompt.revision == revision);
        one == other
            || find(one).is_some_and(|one| find(other).is_some_and(|other| one.changes(Some(other)).is_empty()))
    }

    /// Whether the entry rolled back what is to be done something with.
    fn is_rolled_back_by(&self, entry: &Entry) -> bool {
        entry.state == State::RolledBack && self.are_alike(self.prompt.revision, entry.revision)
    }
}

/// The ledger of one prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// Puts rows in order.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>) -> Self {
        // Of one step, what ends stands before what begins.
        entries.sort_by_key(|entry| (entry.entry, entry.state == State::Live));
        Self { entries }
    }

    /// The number of the next entry.
    #[must_use]
    pub fn next_number(&self) -> i64 {
        self.entries.last().map_or(0, |last| last.entry) + 1
    }

    /// Every environment that is named.
    #[must_use]
    pub fn environments(&self) -> BTreeSet<&str> {
        self.entries.iter().map(|entry| entry.environment.as_str()).collect()
    }

    fn of<'l>(&'l self, environment: &str) -> impl DoubleEndedIterator<Item = &'l Entry> {
        self.entries.iter().filter(move |entry| entry.environment == environment)
    }

    /// The entry by which a revision is live.
    #[must_use]
    pub fn live(&self, environment: &str) -> Option<&Entry> {
        self.last_change(environment).filter(|last| last.state == State::Live)
    }

    /// Since when it is as it is: when a revision went live or was rolled back last.
    #[must_use]
    pub fn since(&self, environment: &str) -> Option<DateTime<FixedOffset>> {
        moment(&self.last_change(environment)?.effective_at)
    }

    /// The last entry by which something else was live than before.
    fn last_change(&self, environment: &str) -> Option<&Entry> {
        self.of(environment).rfind(|entry| matches!(entry.state, State::Live | State::RolledBack))
    }

    /// The entry of what was live before what is, and was not rolled back since; of several the last that sends something
    /// else than what is live or was rolled back.
    fn before_live(&self, step: &Move<'_>) -> Option<&Entry> {
        let live = self.live(step.environment)?;
        let is_withdrawn = |revision: i64| {
            self.of(step.environment)
                .rfind(|entry| entry.revision == revision)
                .is_some_and(|entry| entry.state == State::RolledBack)
        };
        let sends_what_went_bad = |revision: i64| {
            let is_change = |state: State| matches!(state, State::Live | State::RolledBack);
            let last = self
                .of(step.environment)
                .rfind(|entry| is_change(entry.state) && step.are_alike(entry.revision, revision));
            step.are_alike(live.revision, revision) || last.is_some_and(|last| last.state == State::RolledBack)
        };
        let earlier: Vec<&Entry> = self
            .of(step.environment)
            .filter(|entry| entry.state == State::Live && entry.revision != live.revision)
            .filter(|entry| !is_withdrawn(entry.revision))
            .collect();
        let other = earlier.iter().copied().rfind(|entry| !sends_what_went_bad(entry.revision));
        other.or(earlier.last().copied())
    }

    /// Where a revision is in an environment.
    #[must_use]
    pub fn state(&self, environment: &str, revision: i64) -> Option<State> {
        let last = self.of(environment).rfind(|entry| entry.revision == revision)?;
        // Another one took its place.
        let replaced = last.state == State::Live && self.live(environment).is_none_or(|live| live.revision != revision);
        Some(if replaced { State::Staged } else { last.state })
    }

    /// Who proposed a revision last, and who approved it since.
    fn approved_by(&self, step: &Move<'_>) -> (Option<&str>, BTreeSet<&str>) {
        let mut proposer = None;
        let mut approved = BTreeSet::new();
        for entry in self.of(step.environment) {
            let is_own = entry.revision == step.prompt.revision;
            match entry.step {
                Step::Propose if is_own => (proposer, approved) = (Some(entry.author.as_str()), BTreeSet::new()),
                Step::Approve if is_own => drop(approved.insert(entry.author.as_str())),
                // What was rolled back was approved before it went bad.
                Step::Rollback if step.is_rolled_back_by(entry) => approved.clear(),
                Step::Reject if is_own => approved.clear(),
                _ => {}
            }
        }
        (proposer, approved)
    }

    /// The entries of a step, if it may be done.
    ///
    /// # Errors
    /// Why it may not.
    pub fn step(&self, step: &Move<'_>) -> Result<Vec<Entry>, String> {
        let Move { prompt, environment, signed, .. } = step;
        let revision = prompt.revision;
        let name = format!("`{}@{revision}`", prompt.name);
        let state = self.state(environment, revision);
        let (proposer, approved) = self.approved_by(step);
        if let Some(evidence) = step.evidence {
            evidence.is_of(prompt)?;
        }
        self.check_time(step)?;
        let bar = Bar::of(step);
        let needed = bar.needed;
        let mut entry = self.entry(step);
        match step.step {
            Step::Draft if state.is_none() => entry.state = State::Draft,
            Step::Draft => return Err(format!("{name} is known in {environment} already")),
            Step::Propose if state == Some(State::Live) => return Err(format!("{name} is live in {environment}")),
            Step::Propose => (entry.state, entry.approvals) = (State::Review, Some(needed)),
            Step::Approve | Step::Reject if state != Some(State::Review) => {
                return Err(format!("{name} is not in review for {environment}; propose it first"));
            }
            Step::Approve => {
                bar.admits(&signed.author, proposer).map_err(|why| format!("{name} {why}"))?;
                if approved.contains(signed.author.as_str()) {
                    return Err(format!("{} has approved {name} already", signed.author));
                }
                (entry.state, entry.approvals) = (State::Review, Some(needed));
            }
            Step::Reject => entry.state = State::Draft,
            Step::Stage | Step::Live => {
                if self.live(environment).is_some_and(|live| live.revision == revision) {
                    return Err(format!("{name} is live in {environment} already"));
                }
                entry.forced = Some(self.is_forced(step, &bar, &name)?);
                entry.state = if step.step == Step::Live { State::Live } else { State::Staged };
                entry.approvals = Some(needed);
                if step.step == Step::Live {
                    entry.replaces = self.live(environment).map(|live| live.revision);
                }
            }
            Step::Rollback => return self.rollback(step, entry),
        }
        Ok(vec![entry])
    }

    /// What changes what is live comes after what changed it before.
    fn check_time(&self, step: &Move<'_>) -> Result<(), String> {
        let Some(last) = self.last_change(step.environment) else { return Ok(()) };
        if !matches!(step.step, Step::Live | Step::Rollback) || moment(step.effective_at) >= moment(&last.effective_at)
        {
            return Ok(());
        }
        let state = if last.state == State::Live { "live" } else { "rolled back" };
        Err(format!(
            "`{}@{}` is {state} in {} since {}; what is recorded after it cannot have been before it",
            last.prompt, last.revision, step.environment, last.effective_at
        ))
    }

    /// Whether the step is taken although something is missing that it needs; an error where it is not to be forced.
    fn is_forced(&self, step: &Move<'_>, bar: &Bar<'_>, name: &str) -> Result<bool, String> {
        let lacking = self.may_go_on(step, bar, name);
        match (step.signed.note.as_deref().filter(|why| !why.trim().is_empty()), step.forced) {
            (None, true) => Err("to force a step, say why; it stays in the record".to_owned()),
            (Some(_), true) => Ok(lacking.is_err()),
            (_, false) => lacking.map(|()| false),
        }
    }

    fn may_go_on(&self, step: &Move<'_>, bar: &Bar<'_>, name: &str) -> Result<(), String> {
        let (proposer, approved) = self.approved_by(step);
        let approved = approved.into_iter().filter(|author| bar.admits(author, proposer).is_ok()).count();
        if i64::try_from(approved).unwrap_or(i64::MAX) < bar.needed {
            return Err(format!("{name} has {approved} of {} approvals for {}", bar.needed, step.environment));
        }
        if step.step != Step::Live {
            return Ok(());
        }
        let Some(evidence) = step.evidence else {
            return Err(format!("{name} has no gate's verdict; name one that passed"));
        };
        let rolled_back = self.of(step.environment).rfind(|entry| step.is_rolled_back_by(entry));
        let rolled_back = rolled_back.map(|entry| entry.effective_at.as_str());
        evidence.lets_live(step.prompt, name, rolled_back)
    }

    /// The verdict that was named last in a step of a revision.
    #[must_use]
    pub fn named(&self, environment: &str, revision: i64) -> Option<&str> {
        let mut steps = self.of(environment).rev().filter(|entry| entry.revision == revision);
        steps.find_map(|entry| entry.verdict.as_deref())
    }

    fn rollback(&self, step: &Move<'_>, entry: Entry) -> Result<Vec<Entry>, String> {
        let environment = step.environment;
        let Some(live) = self.live(environment) else {
            return Err(format!("nothing of `{}` is live in {environment}", step.prompt.name));
        };
        let Some(before) = self.before_live(step) else {
            let Entry { prompt: name, revision, .. } = live;
            let is_other = |entry: &Entry| entry.state == State::Live && entry.revision != *revision;
            let before = if self.of(environment).any(is_other) {
                format!("all of `{name}` that was live in {environment} before `{name}@{revision}` was rolled back")
            } else {
                format!("nothing of `{name}` was live in {environment} before `{name}@{revision}`")
            };
            return Err(format!(
                "{before}, so there is nothing to go back to; what takes it out is another revision: \
                 `tracewell release live {name}@REVISION --in {environment}`, with --force --note WHY where approvals and \
                 a verdict cannot be waited for"
            ));
        };
        let ended = Entry {
            revision: live.revision,
            version: live.version.clone(),
            state: State::RolledBack,
            change: Vec::new(),
            ..entry.clone()
        };
        let back = Entry {
            revision: before.revision,
            version: before.version.clone(),
            state: State::Live,
            replaces: Some(live.revision),
            verdict: before.verdict.clone(),
            decision: before.decision.clone(),
            change: live.change.clone(),
            ..entry
        };
        Ok(vec![ended, back])
    }

    fn entry(&self, step: &Move<'_>) -> Entry {
        let evidence = step.evidence.cloned();
        let (verdict, decision) = evidence.map(|evidence| (evidence.verdict, evidence.decision)).unzip();
        Entry {
            kind: step.prompt.kind,
            prompt: step.prompt.name.clone(),
            entry: self.next_number(),
            environment: step.environment.to_owned(),
            revision: step.prompt.revision,
            version: step.prompt.version.clone(),
            step: step.step,
            state: State::Draft,
            effective_at: step.effective_at.to_owned(),
            author: step.signed.author.clone(),
            why: step.signed.note.clone(),
            replaces: None,
            change: Vec::new(),
            verdict,
            decision,
            approvals: None,
            forced: None,
        }
    }
}
