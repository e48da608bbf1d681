//! Lists of messages that grow: each model call of an agent sends the list of the call before and a few more.
//!
//! The last lists are kept with what was found in them. Of a list that starts as one of them does, only the rest is
//! read; what is equal byte for byte has the same messages, roles and hashes again.

use std::ops::Range;

use tracewell_model::id::ContentHash;

use super::role;
use super::split::{MIN_SIZE, into_owned, is_command, looks_like_json};
use crate::json;
use crate::normalized::{Role, content_hash};

/// So many lists are kept: runs that one process works on at a time, and some.
const LISTS: usize = 32;

/// Memory that they take at most, about.
const CAPACITY: usize = 4 << 20;

/// Longer texts are left to `split`.
const LONGEST: usize = CAPACITY / 4;

/// The lists that came last.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    lists: Vec<List>,
    /// The last list that was not kept.
    passing: List,
    clock: u64,
}

/// A list as far as its messages reach.
#[derive(Debug, Default)]
struct List {
    /// What was read, without the bracket after the last message.
    text: String,
    messages: Vec<Message>,
    /// What stands between two messages.
    separator: &'static str,
    last_used: u64,
}

/// One message of a list.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) range: Range<usize>,
    pub(super) role: Option<Role<'static>>,
    pub(super) hash: ContentHash,
}

/// The messages of a text.
pub(super) struct Messages<'h> {
    pub(super) list: &'h [Message],
    /// Whether spaces follow the commas.
    pub(super) spaced: bool,
}

impl Histories {
    /// The messages of `text`, where it is an array of nothing else and not of crumbs. Such a list is kept if it
    /// `may_grow`.
    pub(super) fn read(&mut self, text: &str, may_grow: bool) -> Option<Messages<'_>> {
        if !text.starts_with('[') || text.len() > LONGEST || !looks_like_json(text) {
            return None;
        }
        if !may_grow {
            self.passing.messages.clear();
            return self.passing.read_on(text).then(|| self.passing.first(self.passing.messages.len()));
        }
        self.clock += 1;
        let (at, shared) = self.longest_shared(text);
        if shared > 0 && &text[self.lists[at].messages[shared - 1].range.end..] == "]" {
            self.lists[at].last_used = self.clock;
            return Some(self.lists[at].first(shared)).filter(|_| !are_crumbs(shared, text));
        }
        let grows = shared > 0 && shared == self.lists[at].messages.len();
        let mut list = if grows { self.lists.swap_remove(at) } else { List::branch(self.lists.get(at), shared) };
        let is_list = list.read_on(text);
        if is_list {
            list.keep(text);
            list.last_used = self.clock;
        }
        if is_list || grows {
            self.make_room(list.bytes());
            self.lists.push(list);
        }
        let list = self.lists.last().filter(|_| is_list)?;
        Some(list.first(list.messages.len()))
    }

    /// The list that shares most messages with the start of `text`, and how many. One that ends with them is best.
    fn longest_shared(&self, text: &str) -> (usize, usize) {
        let shared = self.lists.iter().map(|list| (list.shared(text), list)).enumerate();
        let best = shared.max_by_key(|(_, (shared, list))| (*shared, *shared == list.messages.len()));
        best.map_or((0, 0), |(at, (shared, _))| (at, shared))
    }

    fn make_room(&mut self, bytes: usize) {
        while self.lists.len() >= LISTS || self.lists.iter().map(List::bytes).sum::<usize>() + bytes > CAPACITY {
            let oldest = self.lists.iter().enumerate().min_by_key(|(_, list)| list.last_used);
            let Some((oldest, _)) = oldest else { return };
            self.lists.swap_remove(oldest);
        }
    }
}

impl List {
    /// A list of the first messages of another.
    fn branch(of: Option<&Self>, messages: usize) -> Self {
        let Some(of) = of.filter(|_| messages > 0) else { return Self::default() };
        let messages = of.messages[..messages].to_vec();
        let text = of.text[..messages[messages.len() - 1].range.end].to_owned();
        Self { text, messages, separator: of.separator, last_used: 0 }
    }

    /// How many messages `text` starts with.
    fn shared(&self, text: &str) -> usize {
        // Most lists are other runs' and differ in the first message.
        if self.messages.first().is_none_or(|message| !text.starts_with(&self.text[..message.range.end])) {
            return 0;
        }
        let bytes = common(self.text.as_bytes(), text.as_bytes());
        self.messages.partition_point(|message| message.range.end <= bytes)
    }

    /// Reads what follows the messages in `text`. If that is no message, nothing is changed.
    fn read_on(&mut self, text: &str) -> bool {
        let known = self.messages.len();
        if self.read_messages(text).is_none() {
            self.messages.truncate(known);
            return false;
        }
        for message in &mut self.messages[known..] {
            let bytes = &text[message.range.clone()];
            message.role = role::of(bytes).map(into_owned);
            message.hash = content_hash(bytes.as_bytes());
        }
        true
    }

    fn read_messages(&mut self, text: &str) -> Option<()> {
        let mut start = match self.messages.last() {
            None => 1,
            Some(message) => self.next(text, message.range.end)?,
        };
        loop {
            let end = json::element_end(text, start)?;
            if are_crumbs(self.messages.len() + 1, text) || is_command(&text[start..end]) {
                return None;
            }
            self.messages.push(Message { range: start..end, role: None, hash: ContentHash([0; 16]) });
            if &text[end..] == "]" {
                return Some(());
            }
            start = self.next(text, end)?;
        }
    }

    /// Where the message after the one that ends at `end` starts.
    fn next(&mut self, text: &str, end: usize) -> Option<usize> {
        let separator = if text[end..].starts_with(", ") { ", " } else { "," };
        if self.messages.len() == 1 {
            self.separator = separator;
        }
        (self.separator == separator && text[end..].starts_with(separator)).then_some(end + separator.len())
    }

    /// Keeps the text that was read.
    fn keep(&mut self, text: &str) {
        let end = self.messages.last().map_or(0, |message| message.range.end);
        self.text.push_str(&text[self.text.len()..end]);
    }

    fn first(&self, messages: usize) -> Messages<'_> {
        Messages { list: &self.messages[..messages], spaced: messages > 1 && self.separator == ", " }
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.messages.len() * size_of::<Message>()
    }
}

/// Whether so many messages of `text` are too small to be pieces of their own.
fn are_crumbs(messages: usize, text: &str) -> bool {
    messages * MIN_SIZE > text.len()
}

/// How many bytes two texts share at their start.
fn common(a: &[u8], b: &[u8]) -> usize {
    let (blocks_a, _) = a.as_chunks::<64>();
    let (blocks_b, _) = b.as_chunks::<64>();
    let equal = blocks_a.iter().zip(blocks_b).take_while(|(a, b)| a == b).count() * 64;
    equal + a[equal..].iter().zip(&b[equal..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests;
