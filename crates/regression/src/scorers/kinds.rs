//! The kinds of rules, and the keys of each: to suggest the right one where a wrong one is written.

use super::Rule;

const KINDS: &[(&str, &[&str])] = &[
    ("exact", &[]),
    ("normalised", &["ignore_punctuation"]),
    ("contains", &["text", "ignore_case", "absent"]),
    ("regex", &["pattern", "absent"]),
    ("json-schema", &["schema", "fenced"]),
    ("json-fields", &["pointers", "absent", "fenced"]),
    ("tool-calls", &["order", "arguments"]),
    ("rouge-l", &["at_least"]),
    ("token-f1", &["at_least"]),
    ("edit-similarity", &["at_least"]),
    ("latency", &["at_most"]),
    ("cost", &["at_most"]),
];

impl Rule {
    /// Every kind.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(kind, _)| *kind)
    }

    /// The keys of a kind, besides `kind`. `None` where there is no such kind.
    #[must_use]
    pub fn keys(kind: &str) -> Option<&'static [&'static str]> {
        KINDS.iter().find(|(known, _)| *known == kind).map(|(_, keys)| *keys)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn the_keys_are_those_of_the_rules() {
        for (kind, keys) in KINDS {
            let needed = json!({ "kind": kind, "pattern": "x", "schema": true });
            let only =
                needed.as_object().unwrap().iter().filter(|(key, _)| *key == "kind" || keys.contains(&key.as_str()));
            let rule: Rule =
                serde_json::from_value(only.map(|(key, value)| (key.clone(), value.clone())).collect()).unwrap();
            let written = serde_json::to_value(rule).unwrap();
            let written: BTreeSet<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(written, keys.iter().copied().chain(["kind"]).collect());
        }
        let wrong = serde_json::from_value::<Rule>(json!({ "kind": "none of them" })).unwrap_err().to_string();
        assert!(Rule::kinds().all(|kind| wrong.contains(&format!("`{kind}`"))), "{wrong}");
        assert_eq!(wrong.matches('`').count(), 2 * (KINDS.len() + 1));
    }
}
