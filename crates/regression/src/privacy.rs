//! Personal data and secrets: found by their form, and masked before an example leaves.
//!
//! What is masked becomes a placeholder such as `[EMAIL_1]`; equal values get equal ones, so that a conversation still
//! makes sense. The report says what was masked and where, and never the value.
//!
//! Where a form has a check, it is made: mod 97 and the country's length for an IBAN, Luhn's digit for a card. Where it
//! has none, as for telephone numbers, what looks like one is masked: to mask too much costs less than to let one out.
//!
//! What has no form is not found: names and addresses of people, and telephone numbers that are a few digits like any
//! other and have no word such as `phone` before them. They need a pattern of one's own, or a model.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod detect;
mod secrets;
#[cfg(test)]
mod tests;

/// How often a text is looked at again after something in it was masked.
const MOST_ROUNDS: usize = 8;

/// What kind of data it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A pattern of one's own, by its name.
    Custom(String),
    /// A password, an API key, a private key.
    Secret,
    /// An international bank account number (ISO 13616).
    Iban,
    /// The number of a payment card.
    Card,
    /// An e-mail address.
    Email,
    /// A US social security number.
    Ssn,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A telephone number.
    Phone,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Custom(name) => name,
            Self::Secret => "secret",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::Email => "email",
            Self::Ssn => "ssn",
            Self::Ip => "ip",
            Self::Phone => "phone",
        })
    }
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Kinds that are let through.
    pub except: Vec<Kind>,
    /// Patterns of one's own: what the first group matches is masked, or else the whole match.
    pub patterns: BTreeMap<String, String>,
    /// Values that are let through, whatever their case.
    pub allow: Vec<String>,
    /// Patterns whose whole matches are let through, such as `.*@example\.com`.
    pub allow_patterns: Vec<String>,
    /// The environment variable that holds a key; see [`Masker::keyed`].
    pub key: Option<String>,
}

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("pattern `{name}` is not a regular expression: {reason}")]
#[allow(missing_docs, reason = "the message says it")]
pub struct PatternError {
    pub name: String,
    pub reason: String,
}

/// Masks texts, and remembers which placeholder a value got.
pub struct Masker {
    except: Vec<Kind>,
    patterns: Vec<(Kind, Regex)>,
    allow: Vec<String>,
    allow_patterns: Vec<Regex>,
    key: Option<[u8; 32]>,
    placeholders: HashMap<(Kind, String), String>,
    /// What placeholders stand for.
    values: HashMap<String, String>,
    /// Placeholders that texts held before: there is no telling what those stand for.
    foreign: HashSet<String>,
    counts: HashMap<Kind, usize>,
    report: Report,
}

/// What was masked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How often, by kind.
    pub counts: BTreeMap<String, usize>,
    /// Each by itself.
    pub masked: Vec<Masked>,
}

/// A place where something was masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Masked {
    /// Of what kind it is.
    pub kind: Kind,
    /// Where: as the caller calls it, and for JSON the pointer to it (RFC 6901), as it is after masking.
    pub place: String,
    /// What stands there now.
    pub placeholder: String,
}

impl Masker {
    /// Prepares a policy.
    ///
    /// # Errors
    /// When a pattern is no regular expression.
    pub fn new(policy: &Policy) -> Result<Self, PatternError> {
        let compile = |name: &str, pattern: &str| {
            Regex::new(pattern).map_err(|error| PatternError { name: name.to_owned(), reason: error.to_string() })
        };
        let patterns = policy.patterns.iter();
        let patterns = patterns.map(|(name, pattern)| Ok((Kind::Custom(name.clone()), compile(name, pattern)?)));
        let allowed = policy.allow_patterns.iter().map(|pattern| compile(pattern, &format!("^(?:{pattern})$")));
        Ok(Self {
            except: policy.except.clone(),
            patterns: patterns.collect::<Result<_, _>>()?,
            allow: policy.allow.iter().map(|value| value.to_lowercase()).collect(),
            allow_patterns: allowed.collect::<Result<_, _>>()?,
            key: None,
            placeholders: HashMap::new(),
            values: HashMap::new(),
            foreign: HashSet::new(),
            counts: HashMap::new(),
            report: Report::default(),
        })
    }

    /// With a key, a placeholder depends on it and the value alone, and so stays the same from export to export. Without,
    /// placeholders are numbered as they come.
    #[must_use]
    pub fn keyed(self, key: &str) -> Self {
        Self { key: Some(blake3::derive_key("tracewell placeholders of masked values", key.as_bytes())), ..self }
    }

    /// What was masked until now.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// `text` with placeholders. `place` is for the report.
    #[must_use]
    pub fn mask(&mut self, text: &str, place: &str) -> String {
        self.foreign.extend(placeholders(text).map(str::to_owned));
        let mut text = text.to_owned();
        // What is masked may have hidden where its neighbour begins, as in `ann@example.org+49 30 1234567`.
        for _ in 0..MOST_ROUNDS {
            let found = self.find(&text);
            if found.is_empty() {
                break;
            }
            let mut masked = String::with_capacity(text.len());
            let mut end = 0;
            for (kind, range) in found {
                masked += &text[end..range.start];
                masked += &self.replace(kind, &text[range.clone()], place);
                end = range.end;
            }
            text = masked + &text[end..];
        }
        text
    }

    /// Masks every string in `value` but images and files, the names of members, and numbers that are card numbers. What a
    /// member named like a secret holds is masked whole.
    pub fn mask_json(&mut self, value: &mut Value, place: &str) {
        match value {
            // By chance there are numbers in them that look like somebody's.
            Value::String(text) if is_media(text) => {}
            Value::String(text) => *text = self.mask(text, place),
            Value::Number(number) => {
                let text = number.to_string();
                let masked = self.mask(&text, place);
                if masked != text {
                    *value = Value::from(masked);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.mask_json(item, &format!("{place}/{index}"));
                }
            }
            Value::Object(members) => {
                for (name, mut value) in std::mem::take(members) {
                    let new = self.mask(&name, place);
                    let place = format!("{place}/{}", new.replace('~', "~0").replace('/', "~1"));
                    let held = match &value {
                        Value::String(text) => Some(text.clone()),
                        Value::Number(number) => Some(number.to_string()),
                        _ => None,
                    };
                    match held {
                        Some(text) if secrets::is_name(&name) && self.is_to_mask(&Kind::Secret, &text) => {
                            value = Value::from(self.replace(Kind::Secret, &text, &place));
                        }
                        _ => self.mask_json(&mut value, &place),
                    }
                    members.insert(new, value);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// `text` with what this one's placeholders stand for in their places.
    #[must_use]
    pub fn restore(&self, text: &str) -> String {
        let own = placeholders(text).filter(|placeholder| !self.foreign.contains(*placeholder));
        let known = own.filter_map(|placeholder| Some((placeholder, self.values.get(placeholder)?)));
        known.fold(text.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value))
    }

    /// Does the same to every string in `value`.
    pub fn restore_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.restore(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.restore_json(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.restore_json(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// What is to be masked, in order and apart from one another. Where several overlap, all of it is of the kind of the
    /// longest, or of the first in the order of [`Kind`].
    fn find(&self, text: &str) -> Vec<(Kind, Range<usize>)> {
        let mut found = detect::find(text);
        found.extend(secrets::find(text).map(|range| (Kind::Secret, range)));
        for (kind, pattern) in &self.patterns {
            let matches = pattern.captures_iter(text).filter_map(|groups| groups.get(1).or(groups.get(0)));
            found.extend(matches.map(|found| (kind.clone(), found.range())));
        }
        found.retain(|(kind, range)| !range.is_empty() && self.is_to_mask(kind, &text[range.clone()]));
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found.sort_by_key(|(_, range)| (range.start, std::cmp::Reverse(range.len())));
        let mut apart: Vec<(Kind, Range<usize>)> = Vec::new();
        let mut longest = 0;
        for (kind, range) in found {
            match apart.last_mut() {
                Some((of, last)) if range.start < last.end => {
                    if range.len() > longest {
                        longest = range.len();
                        *of = kind;
                    }
                    last.end = last.end.max(range.end);
                }
                _ => {
                    longest = range.len();
                    apart.push((kind, range));
                }
            }
        }
        apart
    }

    fn is_to_mask(&self, kind: &Kind, value: &str) -> bool {
        let allowed = |value: &str| {
            self.allow.contains(&value.to_lowercase())
                || self.allow_patterns.iter().any(|pattern| pattern.is_match(value))
        };
        !value.is_empty() && !self.except.contains(kind) && !allowed(value) && !is_placeholder(value)
    }

    fn replace(&mut self, kind: Kind, value: &str, place: &str) -> String {
        let placeholder = self.placeholder(&kind, value);
        *self.report.counts.entry(kind.to_string()).or_default() += 1;
        self.report.masked.push(Masked { kind, place: place.to_owned(), placeholder: placeholder.clone() });
        placeholder
    }

    fn placeholder(&mut self, kind: &Kind, value: &str) -> String {
        let key = (kind.clone(), value.to_owned());
        if let Some(known) = self.placeholders.get(&key) {
            return known.clone();
        }
        let name: String =
            kind.to_string().to_uppercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let placeholder = match &self.key {
            Some(key) => {
                let mark = blake3::keyed_hash(key, format!("{kind}:{value}").as_bytes()).to_hex();
                format!("[{name}_{}]", &mark[..12])
            }
            None => loop {
                let count = self.counts.entry(kind.clone()).or_default();
                *count += 1;
                let placeholder = format!("[{name}_{count}]");
                if !self.foreign.contains(&placeholder) {
                    break placeholder;
                }
            },
        };
        self.values.insert(placeholder.clone(), value.to_owned());
        self.placeholders.insert(key, placeholder.clone());
        placeholder
    }
}

/// Any words with digits, and then a character of a word, as a pattern: where texts are cut, what may be told only whole
/// is made of these.
pub(crate) const NUMBERS_AND_LETTER: &str =
    r"(?:[A-Za-z0-9.@%+/=_()-]*[0-9][A-Za-z0-9.@%+/=_()-]*\s+)*[A-Za-z0-9.@%+/=_()-]";

/// Whether a text is an image or a file in Base64: long, and without all that stands between words.
fn is_media(text: &str) -> bool {
    const LEAST: usize = 256;
    let all = |text: &str, others: &[u8]| text.bytes().all(|c| c.is_ascii_alphanumeric() || others.contains(&c));
    let address = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (kind, bytes) = address.unwrap_or(("", text));
    bytes.len() >= LEAST && all(bytes, b"+/=") && all(kind, b"/+-.")
}

/// The placeholders in a text, such as `[EMAIL_1]`.
pub fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let bracketed = text.match_indices('[').filter_map(|(at, _)| {
        let rest = &text[at..];
        Some(&rest[..=rest.find(']')?])
    });
    bracketed.filter(|value| is_placeholder(value))
}

/// What is masked already.
fn is_placeholder(value: &str) -> bool {
    let inside = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(|rest| rest.rsplit_once('_'));
    inside.is_some_and(|(name, mark)| {
        let is_name = |c: char| c.is_alphanumeric() && !c.is_lowercase() || c == '_';
        !name.is_empty() && name.chars().all(is_name) && !mark.is_empty() && mark.chars().all(|c| c.is_ascii_hexdigit())
    })
}
