//! Cells of several kinds of rows.

use std::collections::HashMap;

use tracewell_model::id::ContentHash;
use tracewell_otlp::{AnyValue, KeyValue, KeyValueList};

use crate::columns::{Columns, MapEntries};

/// Writes the attributes that stay, and the types of those that were not text; whether a key repeats.
pub(super) fn attributes(
    to: &mut Columns,
    column: usize,
    types_column: usize,
    attributes: &[KeyValue<'_>],
    moved: &[u32],
    text: &mut String,
) -> bool {
    if attributes.is_empty() {
        return false;
    }
    let last = LastOfKey::of(attributes);
    to.map(column, |map| last.push(map, attributes, |position| moved.binary_search(&position).is_err(), text));
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
    last.repeats()
}

/// Which attribute of several with one key counts: the last.
pub(super) enum LastOfKey<'l, 'a> {
    /// Every key stands once.
    Unique,
    /// Few enough to look through each time.
    Few(&'l [KeyValue<'a>]),
    /// Where each key stands last.
    Many(HashMap<&'a str, usize>),
}

impl<'l, 'a> LastOfKey<'l, 'a> {
    /// Attributes up to this many are looked through; beyond it that would grow with the square.
    const FEW: usize = 64;

    pub(super) fn of(attributes: &'l [KeyValue<'a>]) -> Self {
        if attributes.len() <= Self::FEW {
            let few = Self::Few(attributes);
            let repeats = attributes.iter().enumerate().any(|(position, pair)| !few.is(position, pair));
            return if repeats { few } else { Self::Unique };
        }
        let last: HashMap<_, _> = attributes.iter().enumerate().map(|(position, pair)| (pair.key, position)).collect();
        if last.len() == attributes.len() { Self::Unique } else { Self::Many(last) }
    }

    /// Whether a key stands more than once.
    pub(super) fn repeats(&self) -> bool {
        !matches!(self, Self::Unique)
    }

    /// Whether no later attribute than `pair`, at `position`, has its key.
    fn is(&self, position: usize, pair: &KeyValue<'_>) -> bool {
        match self {
            Self::Unique => true,
            Self::Few(attributes) => attributes[position + 1..].iter().all(|later| later.key != pair.key),
            Self::Many(last) => last.get(pair.key) == Some(&position),
        }
    }

    /// Writes those of `attributes` that count and stay.
    pub(super) fn push(
        &self,
        map: &mut MapEntries<'_>,
        attributes: &[KeyValue<'_>],
        stays: impl Fn(u32) -> bool,
        text: &mut String,
    ) {
        for (position, pair) in attributes.iter().enumerate() {
            if stays(position as u32) && self.is(position, pair) {
                push(map, pair, text);
            }
        }
    }
}

/// Writes the attributes of an event or link that stay; whether a key repeats.
pub(super) fn push_list(
    map: &mut MapEntries<'_>,
    attributes: KeyValueList<'_>,
    stays: impl Fn(u32) -> bool,
    text: &mut String,
) -> bool {
    let attributes: Vec<KeyValue<'_>> = attributes.iter().collect();
    let last = LastOfKey::of(&attributes);
    last.push(map, &attributes, stays, text);
    last.repeats()
}

fn push(map: &mut MapEntries<'_>, pair: &KeyValue<'_>, text: &mut String) {
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

/// A time as the tables hold it: the last one that fits where it does not.
pub(super) fn nanos(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
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

/// The flags that apply.
pub(super) fn told<const N: usize>(flags: [(bool, &'static str); N]) -> impl Iterator<Item = &'static str> + Clone {
    flags.into_iter().filter_map(|(applies, flag)| applies.then_some(flag))
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
            assert!(last.repeats() && !LastOfKey::of(&attributes[..others + 2]).repeats());
        }
    }
}
