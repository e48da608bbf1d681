//! One pass over the attributes of a span: which carriers are there.

use std::borrow::Cow;
use std::collections::HashMap;

use tracewell_model::kind::Form;
use tracewell_otlp::{AnyValue, KeyValue};

use super::carriers::{Family, Slot, slot};
use crate::json;
use crate::normalized::Piece;

/// The carriers found. Positions are those in the attributes.
pub(super) struct Found<'s, 'a> {
    attributes: &'s [KeyValue<'a>],
    slots: Vec<(Slot, u32)>,
    flat: Vec<FlatKey<'a>>,
}

/// One attribute of a flattened list.
#[derive(Clone, Copy)]
struct FlatKey<'a> {
    family: Family,
    index: u32,
    rest: &'a str,
    position: u32,
}

impl<'s, 'a> Found<'s, 'a> {
    pub(super) fn read(attributes: &'s [KeyValue<'a>]) -> Self {
        let mut found = Self { attributes, slots: Vec::new(), flat: Vec::new() };
        for (position, KeyValue { key, .. }) in attributes.iter().enumerate() {
            let position = position as u32;
            if let Some(slot) = slot(key) {
                found.slots.push((slot, position));
            } else if let Some((family, index, rest)) = flat_key(key) {
                found.flat.push(FlatKey { family, index, rest, position });
            }
        }
        // Stable: the order sent stands among the keys of one item.
        found.flat.sort_by_key(|key| (key.family, key.index));
        found
    }

    /// The slots that are taken, in the order of [`Slot::ALL`].
    pub(super) fn slots(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.slots.iter().map(|(slot, _)| *slot).collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// The attribute in `slot`, the last where it repeats, and all its positions.
    pub(super) fn attribute(&self, slot: Slot) -> Option<(KeyValue<'a>, impl Iterator<Item = u32>)> {
        let positions = self.slots.iter().filter(move |(found, _)| *found == slot).map(|(_, position)| *position);
        let last = positions.clone().next_back()?;
        Some((self.attributes[last as usize], positions))
    }

    /// The items of a flattened list in order, each an object of the keys that `keep` keeps, and their positions.
    pub(super) fn flattened(&self, family: Family, keep: impl Fn(&str) -> bool) -> Vec<(u32, String, Vec<u32>)> {
        let keys: Vec<_> = self.flat.iter().filter(|key| key.family == family && keep(key.rest)).collect();
        let mut items = Vec::new();
        for item in keys.chunk_by(|a, b| a.index == b.index) {
            let mut object = String::new();
            let mut positions = Vec::new();
            let last: HashMap<&str, u32> = item.iter().map(|key| (key.rest, key.position)).collect();
            for key in item {
                let value = self.attributes[key.position as usize].value;
                // As JSON these could not be told from strings.
                if matches!(value, AnyValue::Bytes(_))
                    || matches!(value, AnyValue::Double(number) if !number.is_finite())
                {
                    continue;
                }
                positions.push(key.position);
                if last[key.rest] != key.position {
                    continue;
                }
                object.push(if object.is_empty() { '{' } else { ',' });
                AnyValue::Str(key.rest).write_json(&mut object);
                object.push(':');
                value.write_json(&mut object);
            }
            if !object.is_empty() {
                object.push('}');
                items.push((item[0].index, object, positions));
            }
        }
        items
    }

    /// The flattened lists found, in order, each once.
    pub(super) fn families(&self) -> Vec<Family> {
        let mut families: Vec<_> = self.flat.iter().map(|key| key.family).collect();
        families.dedup();
        families
    }
}

/// `llm.input_messages.12.message.role` is the `message.role` of item 12. An index is written without leading zeros,
/// for else the key could not be rebuilt.
fn flat_key(key: &str) -> Option<(Family, u32, &str)> {
    let (family, rest) = Family::of(key)?;
    let (index, rest) = rest.split_once('.')?;
    let canonical = index.bytes().all(|byte| byte.is_ascii_digit()) && (index == "0" || !index.starts_with('0'));
    Some((family, index.parse().ok().filter(|_| canonical)?, rest))
}

/// A piece for one item of a flattened list.
pub(super) fn flat_piece<'a>(family: Family, index: u32, object: String) -> Piece<'a> {
    let role = super::role::of(&object).map(|role| Cow::Owned(role.into_owned()));
    let source = Cow::Owned(format!("{}{index}.", family.prefix()));
    Piece { role, source, form: Form::Flat, bytes: Cow::Owned(object), is_complete: true, hash: None }
}

/// The text of a value: a string as it is, anything else as JSON. `None` for what stands for nothing.
pub(crate) fn text(value: AnyValue<'_>) -> Option<Cow<'_, str>> {
    let text = match value {
        AnyValue::Str(text) => Cow::Borrowed(text),
        AnyValue::Empty => return None,
        other => Cow::Owned(other.to_json()),
    };
    Some(text).filter(|text| !is_placeholder(text))
}

/// What SDKs write when there is nothing to write.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim_ascii();
    matches!(text, "" | "None" | "none" | "null" | "[]" | "{}" | "[[]]") || {
        text.len() <= 8
            && json::string(text).is_some_and(|text| matches!(text.trim_ascii(), "" | "None" | "null" | "[]" | "{}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_flattened_lists_are_taken_apart() {
        assert_eq!(flat_key("llm.input_messages.12.message.role"), Some((Family::InputMessages, 12, "message.role")));
        assert_eq!(flat_key("gen_ai.prompt.0.content"), Some((Family::Prompt, 0, "content")));
        for other in
            ["gen_ai.prompt.name", "gen_ai.prompt.variable.x", "llm.tools.01.x", "llm.tools.1", "llm.tools.+1.x"]
        {
            assert_eq!(flat_key(other), None, "{other}");
        }
    }

    #[test]
    fn placeholders_carry_nothing() {
        for nothing in ["", " ", "None", "null", "[]", "{}", "\"{}\"", "\"None\"", "\"\""] {
            assert_eq!(text(AnyValue::Str(nothing)), None, "{nothing}");
        }
        assert_eq!(text(AnyValue::Int(0)).as_deref(), Some("0"));
    }
}
