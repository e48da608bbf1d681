//! Cells of several kinds of rows.

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
    to.map(column, |map| {
        for (position, pair) in attributes.iter().enumerate() {
            if moved.binary_search(&(position as u32)).is_err() && !is_repeated(attributes, position) {
                push(map, pair, text);
            }
        }
    });
    // Moved attributes have a type too: what is rebuilt from `contents` is text.
    if attributes.iter().any(|pair| !matches!(pair.value, AnyValue::Str(_))) {
        to.map(types_column, |map| {
            for (position, pair) in attributes.iter().enumerate() {
                if let (Some(name), false) = (type_name(&pair.value), is_repeated(attributes, position)) {
                    map.push(pair.key, name);
                }
            }
        });
    }
}

/// Whether a later attribute has the same key.
fn is_repeated(attributes: &[KeyValue<'_>], position: usize) -> bool {
    let key = attributes[position].key;
    attributes[position + 1..].iter().any(|later| later.key.len() == key.len() && later.key == key)
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
