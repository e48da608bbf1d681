//! Cells of several kinds of rows.

use std::collections::HashMap;

use tracewell_model::id::ContentHash;
use tracewell_otlp::{AnyValue, KeyValue};

use crate::columns::{Columns, MapEntries};

/// Writes the attributes that stay, and the types of those that were not text. Where a key repeats, the last counts.
pub(super) fn attributes(
    to: &mut Columns,
    column: usize,
    types_column: usize,
    attributes: &[KeyValue<'_>],
    moved: &[u32],
    text: &mut String,
) {
    if attributes.is_empty() {
        return;
    }
    let last = LastOfKey::of(attributes);
    to.map(column, |map| {
        for (position, pair) in attributes.iter().enumerate() {
            if moved.binary_search(&(position as u32)).is_err() && last.is(position, pair) {
                push(map, pair, text);
            }
        }
    });
    // Moved attributes have a type too: what is rebuilt from `contents` is text.
    if attributes.iter().any(|pair| !matches!(pair.value, AnyValue::Str(_))) {
        to.map(types_column, |map| {
            for (position, pair) in attributes.iter().enumerate() {
                if let (Some(name), true) = (type_name(&pair.value), last.is(position, pair)) {
                    map.push(pair.key, name);
                }
            }
        });
    }
}

/// Which attribute of several with one key counts: the last.
enum LastOfKey<'l, 'a> {
    /// Few enough to look through each time.
    Few(&'l [KeyValue<'a>]),
    /// Where each key stands last.
    Many(HashMap<&'a str, usize>),
}

impl<'l, 'a> LastOfKey<'l, 'a> {
    /// Attributes up to this many are looked through; beyond it that would grow with the square.
    const FEW: usize = 64;

    fn of(attributes: &'l [KeyValue<'a>]) -> Self {
        if attributes.len() <= Self::FEW {
            return Self::Few(attributes);
        }
        Self::Many(attributes.iter().enumerate().map(|(position, pair)| (pair.key, position)).collect())
    }

    /// Whether no later attribute than `pair`, at `position`, has its key.
    fn is(&self, position: usize, pair: &KeyValue<'_>) -> bool {
        match self {
            Self::Few(attributes) => attributes[position + 1..].iter().all(|later| later.key != pair.key),
            Self::Many(last) => last.get(pair.key) == Some(&position),
        }
    }
}

pub(super) fn push(map: &mut MapEntries<'_>, pair: &KeyValue<'_>, text: &mut String) {
    match pair.value {
        AnyValue::Str(value) => map.push(pair.key, value),
        AnyValue::Bool(true) => map.push(pair.key, "true"),
        AnyValue::Bool(false) => map.push(pair.key, "false"),
        value => {
            text.clear();
            value.write_json(text);
            map.push(pair.key, text);
        }
    }
}

pub(super) fn type_name(value: &AnyValue<'_>) -> Option<&'static str> {
    Some(match value {
        AnyValue::Str(_) => return None,
        AnyValue::Empty => "empty",
        AnyValue::Bool(_) => "bool",
        AnyValue::Int(_) => "int",
        AnyValue::Double(_) => "double",
        AnyValue::Array(_) => "array",
        AnyValue::KvList(_) => "kvlist",
        AnyValue::Bytes(_) => "bytes",
    })
}

pub(super) fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

pub(super) fn some_count(count: u32) -> Option<i64> {
    (count != 0).then_some(i64::from(count))
}

pub(super) fn some_text(to: &mut Columns, column: usize, value: Option<&str>) {
    if let Some(value) = value {
        to.text(column, value);
    }
}

pub(super) fn some_int(to: &mut Columns, column: usize, value: Option<i64>) {
    if let Some(value) = value {
        to.int(column, value);
    }
}

pub(super) fn some_hash(to: &mut Columns, column: usize, value: Option<[u8; 16]>) {
    if let Some(hash) = value {
        to.text(column, ContentHash(hash).hex().as_str());
    }
}

pub(super) fn flags<'t>(to: &mut Columns, column: usize, flags: impl Iterator<Item = &'t str> + Clone) {
    if flags.clone().next().is_some() {
        to.list(column, flags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_repeated_key_counts_among_few_and_among_many() {
        for others in [0, 200] {
            let names: Vec<String> = (0..others).map(|number| format!("k{number}")).collect();
            let repeated = ["a", "b", "a", "a"];
            let keys = names.iter().map(String::as_str).chain(repeated);
            let attributes: Vec<KeyValue<'_>> = keys.map(|key| KeyValue { key, value: AnyValue::Int(1) }).collect();
            let last = LastOfKey::of(&attributes);
            let counted: Vec<bool> =
                attributes.iter().enumerate().skip(others).map(|(position, pair)| last.is(position, pair)).collect();
            assert_eq!(counted, [false, true, false, true]);
        }
    }
}
