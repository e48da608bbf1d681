//! Which spans are one model call.
//!
//! One call may leave several spans: a span sent again, two instrumentations around one request, a framework's span
//! around the client's. Here they are brought together, by what they say and never by the order of their arrival:
//!
//! ```text
//!   rows ── copies merged ──> nodes ── a trace's tree ──> nests ── side by side, other traces ──> calls
//!            the longest first          outer and inner             one response, else one usage
//! ```
//!
//! The rules:
//! - An inner span and one around it are one call when they name one response; or when usage, model and instructions
//!   agree and they come from two instrumentations (or are a public/private pair of one); or when it is the only call
//!   within and nothing contradicts: then what one of them lacks, such as usage, is with the other. Any other span
//!   around a call of its kind is a **wrapper**: its usage is the sum of theirs, so it is no call.
//! - Calls side by side or in separate traces are one when they overlap in time, in one service, seen by two
//!   instrumentations, and name one response; or, where one of them names none, have equal usage, and model and
//!   instructions do not differ. Spans of one instrumentation side by side are never one call.
//! - A log record that stands for a call is a row like a span, and its event is its instrumentation. Written within
//!   the span of a call it tells of that one. Two records of a conversation, written together, of which one counts no
//!   more than the other in anything, are one call. A span stands for the call before any record does.
//! - What Logfire writes once a stream has ended is part of the latest request before it that has no usage, from one
//!   instrumentation, under one parent (or both without one), and with one last message.

mod matches;
mod nests;

use std::collections::HashMap;

/// Clocks of two instrumentations in one process, and rounding to milliseconds, stay below this.
const TOLERANCE_NS: i64 = 5_000_000;

/// A record is written once its call is over, by a logger that has a clock of its own.
const RECORD_TOLERANCE_NS: i64 = 1_000_000_000;

/// Kinds that can be one call. `chat` and `completion` are one: dialects disagree on which is which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Text,
    Embedding,
    Rerank,
}

impl Family {
    pub(crate) fn of(kind: &str) -> Option<Self> {
        match kind {
            "chat" | "completion" => Some(Self::Text),
            "embedding" => Some(Self::Embedding),
            "rerank" => Some(Self::Rerank),
            _ => None,
        }
    }
}

/// What a span used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Usage {
    pub(crate) input: Option<i64>,
    pub(crate) output: Option<i64>,
    /// Parts of the counts (cache, reasoning, audio) that are more than nothing.
    pub(crate) parts: i64,
    /// It contradicts itself.
    pub(crate) doubtful: bool,
}

/// A prompt as the application reports it: these belong together, and one of them is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prompt<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
}

/// A workflow and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Workflow<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
}

/// Facts that a call takes from the spans around it when it does not state them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Facts<'a> {
    pub(crate) conversation: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) team: Option<&'a str>,
    pub(crate) agent: Option<&'a str>,
    pub(crate) workflow: Option<Workflow<'a>>,
    pub(crate) prompt: Option<Prompt<'a>>,
}

impl Facts<'_> {
    /// Takes over what is missing.
    fn fill(&mut self, from: &Self) {
        self.conversation = self.conversation.or(from.conversation);
        self.user = self.user.or(from.user);
        self.team = self.team.or(from.team);
        self.agent = self.agent.or(from.agent);
        self.workflow = self.workflow.or(from.workflow);
        self.prompt = self.prompt.or(from.prompt);
    }
}

/// One span as received, a log record that stands for a call, or one that tells facts of its trace alone and has no id.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row<'a> {
    pub(crate) trace: &'a str,
    pub(crate) id: Option<&'a str>,
    pub(crate) parent: Option<&'a str>,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) name: &'a str,
    /// `None` when it is no model call.
    pub(crate) family: Option<Family>,
    /// A placeholder that is sent when a span starts.
    pub(crate) pending: bool,
    /// A log record.
    pub(crate) record: bool,
    /// The record that Logfire writes once a stream has ended, beside the span of the request.
    pub(crate) tail: bool,
    /// Names the last message that went in.
    pub(crate) message: Option<&'a str>,
    pub(crate) scope: &'a str,
    pub(crate) service: &'a str,
    pub(crate) asked: Option<&'a str>,
    pub(crate) answered: Option<&'a str>,
    pub(crate) response: Option<&'a str>,
    pub(crate) instructions: Option<&'a str>,
    pub(crate) usage: Option<Usage>,
    pub(crate) has_content: bool,
    /// It is marked as a trial of a candidate.
    pub(crate) trial: bool,
    pub(crate) facts: Facts<'a>,
}

impl<'a> Row<'a> {
    /// The models that it names: the one asked for, and the one that answered.
    fn models(&self) -> Vec<&'a str> {
        self.asked.into_iter().chain(self.answered).collect()
    }
}

/// What a span is to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It stands for the call.
    Call,
    /// It is the same call once more.
    Duplicate,
    /// It is around calls, and none itself.
    Wrapper,
}

/// The nearest span around a call that reports usage for several calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrapper<'a> {
    pub(crate) id: &'a str,
    pub(crate) usage: Option<Usage>,
}

/// The part that a span has in a model call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) role: Role,
    /// Trace and span that stand for the call.
    pub(crate) call: (&'a str, &'a str),
    /// From 1, in the order in which the spans fill what the first lacks.
    pub(crate) rank: usize,
    /// From 1; the first counts the tokens.
    pub(crate) usage_rank: usize,
    /// What that one counts.
    pub(crate) usage: Option<Usage>,
    /// How many rows the call's spans have, copies counted.
    pub(crate) rows: usize,
    pub(crate) wrapper: Option<Wrapper<'a>>,
    /// A span of one of its traces is marked as a trial.
    pub(crate) trial: bool,
    /// The call's facts: its spans', else those of the spans above them, else those of the trace.
    pub(crate) facts: Facts<'a>,
}

/// One span, its copies merged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    /// Position of the longest copy.
    row: usize,
    id: &'a str,
    copies: usize,
    /// Of all copies; its own facts become those of the spans above where it has none.
    span: Row<'a>,
    trace_spans: usize,
    /// What the whole trace says.
    whole: Facts<'a>,
    /// Whether any span of the trace is marked as a trial.
    trial: bool,
    wrapper: Option<Wrapper<'a>>,
}

impl<'a> Node<'a> {
    /// Names the span; sorts spans of equal times.
    fn key(&self) -> (&'a str, &'a str) {
        (self.span.trace, self.id)
    }
}

/// The part of each row's span in a model call. Rows of one tenant; of a span's copies the longest has the answer.
pub(crate) fn parts<'a>(rows: &[Row<'a>]) -> Vec<Option<Part<'a>>> {
    let mut traces: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, row) in rows.iter().enumerate() {
        traces.entry(row.trace).or_default().push(position);
    }
    let mut parts = vec![None; rows.len()];
    let mut nests = Vec::new();
    for positions in traces.into_values() {
        // A trace without a model call has nothing to say here.
        if positions.iter().any(|position| rows[*position].family.is_some()) {
            let found = nests::of_trace(rows, positions);
            nests.extend(found.nests);
            for wrapper in found.wrappers {
                parts[wrapper.row] =
                    Some(part(&wrapper, &Merged::of(std::slice::from_ref(&wrapper)), Role::Wrapper, 1, 1));
            }
        }
    }
    for nest in matches::across(nests) {
        let merged = Merged::of(&nest.members);
        for (rank, node) in merged.members.iter().enumerate() {
            let role = if rank == 0 { Role::Call } else { Role::Duplicate };
            let usage_rank = merged.by_usage.iter().position(|row| *row == node.row).unwrap_or(rank);
            parts[node.row] = Some(part(node, &merged, role, rank + 1, usage_rank + 1));
        }
    }
    parts
}

fn part<'a>(node: &Node<'a>, merged: &Merged<'a>, role: Role, rank: usize, usage_rank: usize) -> Part<'a> {
    let call = merged.members[0].key();
    let rows = merged.members.iter().map(|node| node.copies).sum();
    let trial = merged.members.iter().any(|node| node.trial);
    Part { role, call, rank, usage_rank, usage: merged.usage, rows, wrapper: node.wrapper, trial, facts: merged.facts }
}

/// The spans of one call, in the order in which they count.
struct Merged<'a> {
    members: Vec<Node<'a>>,
    /// Rows, the most complete usage first.
    by_usage: Vec<usize>,
    usage: Option<Usage>,
    facts: Facts<'a>,
}

impl<'a> Merged<'a> {
    fn of(nodes: &[Node<'a>]) -> Self {
        use std::cmp::Reverse;
        let mut members = nodes.to_vec();
        // The run's own trace is the larger one; the outer span belongs to the framework that the run is written in.
        members.sort_by_key(|node| {
            let span = &node.span;
            let secondary = span.record || span.tail;
            // Of two records the one that says how long it took.
            let at_once = secondary && span.start == span.end;
            let times = (span.start, Reverse(span.end));
            (secondary, at_once, Reverse(node.trace_spans), !span.has_content, times, node.key())
        });
        let mut counted: Vec<&Node<'_>> = members.iter().collect();
        // A count without cache parts may exclude them: the span that states more parts, then the larger input, is right.
        counted.sort_by_key(|node| {
            let usage = node.span.usage.unwrap_or_default();
            let incomplete = usage.input.is_none() || usage.output.is_none();
            (node.span.usage.is_none(), incomplete, usage.doubtful, Reverse(usage.parts), Reverse(usage.input))
        });
        let usage = counted.first().and_then(|node| node.span.usage);
        let by_usage = counted.iter().map(|node| node.row).collect();
        let mut facts = Facts::default();
        members.iter().for_each(|node| facts.fill(&node.span.facts));
        for node in &members {
            let mut whole = node.whole;
            if node.span.family != Some(Family::Text) {
                // A prompt somewhere in the trace is that of its chats.
                whole.prompt = None;
            }
            facts.fill(&whole);
        }
        Self { members, by_usage, usage, facts }
    }
}

#[cfg(test)]
mod tests;
