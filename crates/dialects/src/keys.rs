//! The dictionary compiled: from an attribute's key to the fields it may fill.
//!
//! One table holds every key of [`fields`](crate::fields). What is not in it can still belong to a family, known by
//! its prefix.

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::detect::Mark;
use crate::fields::{Field, PARAMETER_OBJECTS, USAGE_OBJECTS};
use crate::json;
pub(crate) use table::Table;

/// The compiled dictionary.
pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::compile);

/// Every key that is known, and the user's metadata words.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Of positions in `entries`.
    table: Table,
    entries: Vec<Entry>,
    metadata: HashMap<&'static str, Vec<Target>>,
}

/// One known attribute.
#[derive(Debug)]
pub(crate) struct Entry {
    key: &'static str,
    pub(crate) class: Class,
    /// What its value fills.
    pub(crate) targets: Vec<Target>,
    /// What members of the JSON inside it fill.
    pub(crate) members: Vec<Member>,
}

/// A field, and how good this source of it is (0 is best).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) field: Field,
    pub(crate) rank: u8,
    /// The key is a word that anything might use.
    pub(crate) bare: bool,
}

/// A member of the JSON inside an attribute.
#[derive(Debug)]
pub(crate) struct Member {
    name: &'static str,
    /// `attribute.path.to.member`.
    source: &'static str,
    targets: Vec<Target>,
    members: Vec<Member>,
}

/// What a key's prefix tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) mark: Option<Mark>,
    pub(crate) family: Option<Family>,
}

/// Keys that are made up by the application, or too many to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// User metadata: an entry, after so many bytes of prefix.
    Metadata(usize),
    /// User metadata: a JSON object of entries.
    MetadataObject,
    /// A variable of the prompt, after so many bytes of prefix.
    Variable(usize),
    /// A token count without a column of its own.
    Count,
    /// `gen_ai.completion.N.finish_reason`.
    FinishReason,
}

/// Prefixes of user metadata.
const METADATA: &[&str] = &[
    "traceloop.association.properties.",
    "langfuse.trace.metadata.",
    "langfuse.observation.metadata.",
    "langsmith.metadata.",
    "ai.telemetry.metadata.",
    // What the AI SDK calls it from version 7 on (`supplemental-attributes.ts` of its package `otel`).
    "ai.settings.context.",
    "litellm.metadata.",
    "metadata.",
];

impl Class {
    /// Reads `key` by its prefix; a glance at its start turns most keys away.
    pub(crate) fn of(key: &str) -> Self {
        let may_be_known = match key.as_bytes().first() {
            Some(b'a') => key.starts_with("ai."),
            Some(b'g') => key.starts_with("gen_ai.") || key.starts_with("gcp."),
            Some(b'h') => key.starts_with("haystack."),
            Some(b'l' | b'm') => true,
            Some(b'o') => key.starts_with("openinference."),
            Some(b's') => key.starts_with("spring."),
            Some(b't') => key.starts_with("traceloop."),
            _ => false,
        };
        if !may_be_known {
            return Self::default();
        }
        Self { mark: Mark::of(key), family: Family::of(key) }
    }

    fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl Family {
    fn of(key: &str) -> Option<Self> {
        match key.as_bytes().first()? {
            b'g' if key.starts_with("gen_ai.prompt.variable.") => Some(Self::Variable("gen_ai.prompt.variable.".len())),
            b'g' if key.starts_with("gen_ai.usage.") => Some(Self::Count),
            b'g' if key.starts_with("gen_ai.completion.") && key.ends_with(".finish_reason") => {
                Some(Self::FinishReason)
            }
            b'a' if key.starts_with("ai.usage.") => Some(Self::Count),
            b'l' if key.starts_with("llm.token_count.") || key.starts_with("llm.usage.") => Some(Self::Count),
            b'l' if matches!(
                key,
                "langfuse.trace.metadata" | "langfuse.observation.metadata" | "langfuse.metadata"
            ) =>
            {
                Some(Self::MetadataObject)
            }
            b'm' if key == "metadata" => Some(Self::MetadataObject),
            b'a' | b'l' | b'm' | b't' => {
                METADATA.iter().find(|prefix| key.starts_with(**prefix)).map(|prefix| Self::Metadata(prefix.len()))
            }
            _ => None,
        }
    }
}

impl Keys {
    fn compile() -> Self {
        let mut keys = Self { table: Table::new([].into_iter()), entries: Vec::new(), metadata: HashMap::new() };
        let mut positions = HashMap::new();
        for (field, sources) in Field::ALL {
            for (rank, source) in sources.iter().enumerate() {
                let rank = u8::try_from(rank).expect("no field has 256 sources");
                keys.add(&mut positions, source, Target { field: *field, rank, bare: source.starts_with('=') });
            }
        }
        for prefix in METADATA {
            assert_eq!(
                Family::of(&format!("{prefix}x")),
                Some(Family::Metadata(prefix.len())),
                "`{prefix}` is not looked for"
            );
        }
        keys.table = Table::new(keys.entries.iter().map(|entry| entry.key));
        keys
    }

    fn add(&mut self, positions: &mut HashMap<&'static str, usize>, source: &'static str, target: Target) {
        if let Some(word) = source.strip_prefix('~') {
            return self.metadata.entry(word).or_default().push(target);
        }
        if let Some((kind, member)) = source.split_once('*') {
            let objects = if kind == "usage" { USAGE_OBJECTS } else { PARAMETER_OBJECTS };
            for object in objects {
                // Made once for the life of the process.
                self.add(positions, String::leak(format!("{object}{member}")), target);
            }
            return;
        }
        let source = source.strip_prefix('=').unwrap_or(source);
        let (key, path) = source.split_once('#').map_or((source, None), |(key, path)| (key, Some(path)));
        let entries = &mut self.entries;
        let position = *positions.entry(key).or_insert_with(|| {
            entries.push(Entry { key, class: Class::of(key), targets: Vec::new(), members: Vec::new() });
            entries.len() - 1
        });
        let entry = &mut self.entries[position];
        match path {
            None => entry.targets.push(target),
            Some(path) => Member::add(&mut entry.members, key, path, target),
        }
    }

    /// The position of the entry of `key`.
    fn find(&self, key: &str) -> Option<u16> {
        self.table.find(key, |position| self.entries[position].key)
    }

    /// What is known of `key`: its entry and its class; `None` when nothing is.
    pub(crate) fn look_up(&self, key: &str) -> Option<(Option<u16>, Class)> {
        if let Some(position) = self.find(key) {
            return Some((Some(position), self.entries[usize::from(position)].class));
        }
        let class = Class::of(key);
        (!class.is_none()).then_some((None, class))
    }

    /// The entry at `position`.
    pub(crate) fn entry(&self, position: u16) -> &Entry {
        &self.entries[usize::from(position)]
    }

    /// Every key that is known.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|entry| entry.key)
    }

    /// What an entry of the user's metadata fills.
    pub(crate) fn metadata(&self, word: &str) -> &[Target] {
        self.metadata.get(word).map_or(&[], Vec::as_slice)
    }
}

impl Member {
    fn add(members: &mut Vec<Self>, parent: &str, path: &'static str, target: Target) {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let position = members.iter().position(|member| member.name == name).unwrap_or_else(|| {
            let source = String::leak(format!("{parent}.{name}"));
            members.push(Self { name, source, targets: Vec::new(), members: Vec::new() });
            members.len() - 1
        });
        let member = &mut members[position];
        match rest {
            None => member.targets.push(target),
            Some(rest) => Self::add(&mut member.members, member.source, rest, target),
        }
    }

    /// Visits the known members of the object or array `text` in one pass over it.
    pub(crate) fn visit<'t>(members: &[Self], text: &'t str, visit: &mut dyn FnMut(&'static str, &[Target], &'t str)) {
        let mut found = |name: &str, raw: &'t str| {
            if let Some(member) = members.iter().find(|member| member.name == name) {
                if !member.targets.is_empty() {
                    visit(member.source, &member.targets, raw);
                }
                if !member.members.is_empty() {
                    Self::visit(&member.members, raw, visit);
                }
            }
        };
        if text.trim_ascii_start().starts_with('[') {
            // Only the first element is ever asked for.
            if let Some(raw) = json::elements(text).next() {
                found("0", raw);
            }
        } else {
            json::members(text).for_each(|(name, raw)| found(&name, raw));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(key: &str) -> Vec<Field> {
        let entry = KEYS.find(key).map(|position| KEYS.entry(position));
        entry.map_or(Vec::new(), |entry| entry.targets.iter().map(|target| target.field).collect())
    }

    #[test]
    fn every_key_is_found_and_no_other() {
        for entry in &KEYS.entries {
            assert_eq!(KEYS.find(entry.key).map(|position| KEYS.entry(position).key), Some(entry.key));
        }
        assert_eq!(fields("gen_ai.request.model"), [Field::RequestModel]);
        for unknown in ["", "x", "http.flavor", "gen_ai.request.model2", "thread.id"] {
            assert_eq!(KEYS.find(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn families_are_known_by_prefix() {
        let family = |key| Class::of(key).family;
        assert_eq!(family("langsmith.metadata.thread_id"), Some(Family::Metadata("langsmith.metadata.".len())));
        assert_eq!(family("gen_ai.prompt.variable.sku"), Some(Family::Variable("gen_ai.prompt.variable.".len())));
        assert_eq!(family("gen_ai.usage.details.accepted_prediction_tokens"), Some(Family::Count));
        assert_eq!(family("metadata"), Some(Family::MetadataObject));
        assert!(KEYS.look_up("messaging.system").is_none());
        assert!(KEYS.look_up("http.user_agent").is_none());
    }

    #[test]
    fn members_are_found_in_one_pass() {
        let entry = KEYS.entry(KEYS.find("output.value").expect("`output.value` is a known key"));
        let mut found = Vec::new();
        let text = r#"{"choices":[{"finish_reason":"stop"}],"id":"chatcmpl-1","usage":{"prompt_tokens":7,"x":1}}"#;
        Member::visit(&entry.members, text, &mut |source, targets, raw| found.push((source, targets[0].field, raw)));
        assert_eq!(
            found,
            [
                ("output.value.choices.0.finish_reason", Field::FinishReasons, "\"stop\""),
                ("output.value.id", Field::ResponseId, "\"chatcmpl-1\""),
                ("output.value.usage.prompt_tokens", Field::Input, "7"),
            ]
        );
    }
}
