//! From pieces back to the attributes that carried them.
//!
//! Nothing is lost by moving contents out of the attributes: what [`Normalized::moved`] names is put together again
//! from the pieces, byte for byte. A value that was not a string comes back as its JSON text, which is how a table's
//! `attributes` show it too.

use std::borrow::Cow;

use tracewell_model::kind::Form;

use crate::json;
use crate::normalized::{Normalized, Piece};

/// One piece as a table holds it: a reference with the bytes that its hash names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'p> {
    /// What carried it.
    pub source: &'p str,
    /// How it was cut out.
    pub form: Form,
    /// The piece itself.
    pub bytes: &'p str,
}

impl<'p> From<&'p Piece<'_>> for Part<'p> {
    fn from(piece: &'p Piece<'_>) -> Self {
        Self { source: &piece.source, form: piece.form, bytes: &piece.bytes }
    }
}

/// The parts of a row: input, output, tools and payloads, each in order, and the system instructions unless they
/// repeat a message of the input.
#[must_use]
pub fn parts<'p>(row: &'p Normalized<'_>) -> Vec<Part<'p>> {
    let carriers = row.input.iter().chain(&row.output).chain(&row.tools).chain(&row.payloads);
    let mut parts: Vec<Part<'p>> = carriers.map(Part::from).collect();
    let system = row.system.as_ref().map(Part::from);
    parts.extend(system.filter(|system| row.input.iter().all(|piece| piece.source != system.source)));
    parts
}

/// The value of the attribute `key`, or `None` when `parts` do not hold it. For a span event's attribute the key is
/// `event:<index>:<event name>:<attribute key>`, for the body of a log record `body`.
#[must_use]
pub fn attribute<'p>(key: &str, parts: &[Part<'p>]) -> Option<Cow<'p, str>> {
    // A key with `@` is never cut, so a spliced part of that name is an element of another key.
    let foreign = |part: &Part<'_>| part.form == Form::Spliced && key.contains('@');
    let of_key = || parts.iter().filter(|part| part.source == key && !foreign(part));
    if let Some(whole) = of_key().find(|part| matches!(part.form, Form::Value | Form::Event)) {
        return Some(Cow::Borrowed(whole.bytes));
    }
    if let Some(residual) = of_key().find(|part| part.form == Form::Spliced) {
        return splice(key, residual.bytes, parts).map(Cow::Owned);
    }
    let separator = match of_key().next() {
        Some(part) if part.form == Form::Array => ",",
        Some(part) if part.form == Form::ArraySpaced => ", ",
        _ => return flattened(key, parts),
    };
    let elements: Vec<&str> = of_key().map(|part| part.bytes).collect();
    Some(Cow::Owned(format!("[{}]", elements.join(separator))))
}

fn splice(key: &str, residual: &str, parts: &[Part<'_>]) -> Option<String> {
    let offset = |part: &Part<'_>| part.source.strip_prefix(key)?.strip_prefix('@')?.parse::<usize>().ok();
    let spliced = parts.iter().filter(|part| part.form == Form::Spliced);
    let mut cuts: Vec<(usize, &str)> = spliced.filter_map(|part| Some((offset(part)?, part.bytes))).collect();
    cuts.sort_by_key(|(offset, _)| *offset);
    let mut text = String::new();
    let mut copied = 0;
    for (offset, bytes) in cuts {
        text.push_str(residual.get(copied..offset)?);
        text.push_str(bytes);
        copied = offset;
    }
    text.push_str(residual.get(copied..)?);
    Some(text)
}

fn flattened<'p>(key: &str, parts: &[Part<'p>]) -> Option<Cow<'p, str>> {
    let raw = parts.iter().filter(|part| part.form == Form::Flat).find_map(|part| {
        let rest = key.strip_prefix(part.source)?;
        if part.bytes.starts_with('{') {
            return json::get(part.bytes, &[rest]);
        }
        // A whole list: `llm.tools.` holds `[{…},{…}]`.
        let (index, rest) = rest.split_once('.')?;
        json::get(json::elements(part.bytes).nth(index.parse().ok()?)?, &[rest])
    })?;
    Some(json::string(raw).unwrap_or(Cow::Borrowed(raw)))
}
