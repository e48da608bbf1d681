//! Cuts a carrier into pieces that repeat: agents send the whole history again at each step, and a message that is
//! a piece of its own is stored once.
//!
//! A carrier that is nothing but an array is its elements ([`Form::Array`], [`Form::ArraySpaced`]). Any other one is
//! [`Form::Spliced`]: a residual that holds the text with the elements cut out, and for each element the offset in
//! the residual at which it was cut:
//!
//! ```text
//! sent      {"messages":[{"role":"user"},{"role":"tool"}],"n":1}      in the attribute `input.value`
//! residual  {"messages":[,],"n":1}                                    source `input.value`
//! elements  {"role":"user"}                                           source `input.value@13`
//!           {"role":"tool"}                                           source `input.value@14`
//! ```

use std::borrow::Cow;
use std::ops::Range;

use tracewell_model::id::ContentHash;
use tracewell_model::kind::Form;

use super::carriers::Cut;
use super::role;
use crate::json::{self, End};
use crate::normalized::{Piece, Role, content_hash};

/// One value that carries contents.
pub(crate) struct Carrier<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) source: Cow<'a, str>,
    /// The form of the uncut value.
    pub(crate) whole: Form,
    /// What the carrier's name says about who speaks.
    pub(crate) role: Option<Role<'a>>,
}

/// What a piece of a carrier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Element,
    Tools,
    System,
    Residual,
}

/// Lists of messages, by the name of the member that holds them.
const MESSAGE_LISTS: &[&str] = &[
    "messages",
    "contents",
    "choices",
    "candidates",
    "generations",
    "replies",
    "input",
    "inputs",
    "output",
    "outputs",
    "chat_history",
];

/// Lists of documents, likewise.
const DOCUMENT_LISTS: &[&str] = &["documents", "docs", "matches", "results", "nodes", "output", "outputs", "result"];

/// Lists of tool definitions, likewise.
const TOOL_LISTS: &[&str] = &["tools", "function_tools"];

/// Members that hold the system instructions beside the messages.
const SYSTEM_MEMBERS: &[&str] = &["system", "instructions", "system_instruction", "systemInstruction"];

/// Objects around the lists.
const WRAPPERS: &[&str] =
    &["input", "inputs", "output", "outputs", "update", "kwargs", "state", "data", "result", "config", "request_data"];

/// Elements of fewer bytes on average are not worth a reference each.
pub(super) const MIN_SIZE: usize = 16;

/// How deep the lists are looked for.
const MAX_DEPTH: usize = 5;

/// Cuts `carrier` and hands over its pieces, in the order in which they stand, the residual last. Answers what is
/// wrong with the text.
pub(crate) fn split<'a>(
    carrier: Carrier<'a>,
    cut: Cut,
    with_system: bool,
    mut take: impl FnMut(Part, Piece<'a>),
) -> Option<&'static str> {
    let mut finder = Finder { text: &carrier.text, cut, with_system, parts: Vec::new() };
    let (end, flag) = ending(&carrier.text);
    // A source that holds an `@` could be taken for an element's.
    if end == End::Complete && cut != Cut::Whole && !carrier.source.contains('@') {
        finder.find(&carrier.text, 0);
    }
    let parts = finder.parts;
    let Some(form) = form(&carrier.text, &parts) else {
        let Carrier { text, source, whole, role } = carrier;
        let role = role.or_else(|| role::of(&text).map(into_owned));
        let is_complete = end == End::Complete;
        take(Part::Element, Piece { role, source, form: whole, bytes: text, is_complete, hash: None });
        return flag;
    };

    let mut residual = String::new();
    let mut kept = 0;
    for found in parts {
        let bytes = slice(&carrier.text, found.range.clone());
        let role = match found.part {
            Part::Element => role::of(&bytes).map(into_owned).or_else(|| carrier.role.clone()),
            _ => None,
        };
        let source = if form == Form::Spliced {
            residual.push_str(&carrier.text[kept..found.range.start]);
            kept = found.range.end;
            Cow::Owned(format!("{}@{}", carrier.source, residual.len()))
        } else {
            carrier.source.clone()
        };
        take(found.part, Piece { role, source, form, bytes, is_complete: true, hash: None });
    }
    if form == Form::Spliced {
        residual.push_str(&carrier.text[kept..]);
        let bytes = Cow::Owned(residual);
        take(Part::Residual, Piece { role: None, source: carrier.source, form, bytes, is_complete: false, hash: None });
    }
    flag
}

/// How a text ends, and what is wrong with it.
fn ending(text: &str) -> (End, Option<&'static str>) {
    if !looks_like_json(text) {
        return (End::Malformed, None);
    }
    let end = json::end(text);
    let flag = match end {
        End::Complete => None,
        End::Truncated => Some("truncated"),
        End::Malformed => Some("unparsable"),
    };
    (end, flag)
}

/// What there is to say about a value that stays in one piece.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(super) is_complete: bool,
    pub(super) flag: Option<&'static str>,
    pub(super) role: Option<Role<'static>>,
    pub(super) hash: ContentHash,
}

impl Whole {
    pub(super) fn read(text: &str) -> Self {
        let role = role::of(text).map(into_owned);
        let (end, flag) = ending(text);
        Self { is_complete: end == End::Complete, flag, role, hash: content_hash(text.as_bytes()) }
    }
}

/// Whether a text means to be JSON that holds something: a Python `repr` or a note in brackets does not.
pub(crate) fn looks_like_json(text: &str) -> bool {
    let text = text.trim_ascii_start();
    let inner = text.trim_start_matches(|c: char| c == '[' || c.is_ascii_whitespace());
    match inner.strip_prefix('{') {
        Some(object) => matches!(object.trim_ascii_start().as_bytes().first(), None | Some(b'"' | b'}')),
        None => text.starts_with('[') && matches!(inner.as_bytes().first(), None | Some(b'"' | b']')),
    }
}

/// The form that rebuilds `text` from `parts`, or `None` when nothing was found to cut out.
fn form(text: &str, parts: &[Found]) -> Option<Form> {
    let (first, last) = (parts.first()?, parts.last()?);
    if parts.len() * MIN_SIZE > text.len() {
        return None;
    }
    let gaps = || parts.windows(2).map(|pair| &text[pair[0].range.end..pair[1].range.start]);
    if &text[..first.range.start] != "[" || &text[last.range.end..] != "]" {
        Some(Form::Spliced)
    } else if gaps().all(|gap| gap == ",") {
        Some(Form::Array)
    } else if gaps().all(|gap| gap == ", ") {
        Some(Form::ArraySpaced)
    } else {
        Some(Form::Spliced)
    }
}

struct Found {
    part: Part,
    range: Range<usize>,
}

struct Finder<'t> {
    text: &'t str,
    cut: Cut,
    with_system: bool,
    parts: Vec<Found>,
}

impl<'t> Finder<'t> {
    fn push(&mut self, part: Part, raw: &'t str) {
        let start = raw.as_ptr().addr() - self.text.as_ptr().addr();
        self.parts.push(Found { part, range: start..start + raw.len() });
    }

    fn find(&mut self, raw: &'t str, depth: usize) {
        match raw.trim_ascii_start().as_bytes().first() {
            Some(b'[') => self.list(raw, depth),
            Some(b'{') if depth < MAX_DEPTH => self.object(raw, depth),
            _ => {}
        }
    }

    /// The elements of a list. A list of lists is its inner elements; a LangGraph `Command` is what it wraps.
    fn list(&mut self, raw: &'t str, depth: usize) {
        for element in json::elements(raw) {
            match element.as_bytes()[0] {
                b'[' if depth < MAX_DEPTH => self.list(element, depth + 1),
                b'{' if depth < MAX_DEPTH && self.cut == Cut::Messages && is_command(element) => {
                    self.object(element, depth + 1);
                }
                b'{' | b'"' => self.push(Part::Element, element),
                // Numbers: a vector stays in one piece.
                _ => return,
            }
        }
    }

    fn object(&mut self, raw: &'t str, depth: usize) {
        let lists = if self.cut == Cut::Documents { DOCUMENT_LISTS } else { MESSAGE_LISTS };
        for (key, value) in json::members(raw) {
            let key = key.as_ref();
            match value.as_bytes()[0] {
                b'[' if TOOL_LISTS.contains(&key) && value.len() > 2 => self.push(Part::Tools, value),
                b'[' if lists.contains(&key) => self.list(value, depth + 1),
                b'[' | b'{' | b'"' if self.with_system && value.len() > 2 && SYSTEM_MEMBERS.contains(&key) => {
                    self.push(Part::System, value);
                }
                b'{' if WRAPPERS.contains(&key) => self.find(value, depth + 1),
                _ => {}
            }
        }
    }
}

/// Whether an object wraps messages, told by its first members: a message names its role or type before.
pub(super) fn is_command(element: &str) -> bool {
    json::members(element)
        .take(4)
        .find_map(|(key, _)| match key.as_ref() {
            "update" | "messages" => Some(true),
            "role" | "type" | "parts" | "content" | "lc" | "message" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

pub(super) fn slice<'a>(text: &Cow<'a, str>, range: Range<usize>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}

pub(super) fn into_owned<'a>(role: Role<'_>) -> Role<'a> {
    match role.as_ref() {
        "user" => Cow::Borrowed("user"),
        "assistant" => Cow::Borrowed("assistant"),
        "system" => Cow::Borrowed("system"),
        "tool" => Cow::Borrowed("tool"),
        other => Cow::Owned(other.to_owned()),
    }
}
