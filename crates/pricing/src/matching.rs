//! Which names of models and providers a rule is for.

use fancy_regex::Regex;
use serde::{Deserialize, Serialize};

/// A condition on a name. Names and texts are compared in lower case; a regular expression sees the lower-cased name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// It is this.
    Equals(String),
    /// It begins so.
    StartsWith(String),
    /// It ends so.
    EndsWith(String),
    /// This is somewhere in it.
    Contains(String),
    /// The pattern is found in it.
    Regex(Pattern),
    /// It is this, where each `*` stands for any characters.
    Glob(String),
    /// One of these holds.
    #[serde(rename = "or")]
    AnyOf(Vec<Match>),
    /// All of these hold.
    #[serde(rename = "and")]
    AllOf(Vec<Match>),
}

/// A regular expression with look-around, as the catalogues' patterns need it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl TryFrom<String> for Pattern {
    type Error = Box<fancy_regex::Error>;

    fn try_from(pattern: String) -> Result<Self, Self::Error> {
        Regex::new(&pattern).map(Self).map_err(Box::new)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.as_str().to_owned()
    }
}

impl Match {
    /// The condition with its texts in lower case.
    #[must_use]
    pub(crate) fn lowered(self) -> Self {
        let all = |matches: Vec<Self>| matches.into_iter().map(Self::lowered).collect();
        match self {
            Self::Equals(text) => Self::Equals(text.to_lowercase()),
            Self::StartsWith(text) => Self::StartsWith(text.to_lowercase()),
            Self::EndsWith(text) => Self::EndsWith(text.to_lowercase()),
            Self::Contains(text) => Self::Contains(text.to_lowercase()),
            Self::Glob(glob) => Self::Glob(glob.to_lowercase()),
            Self::AnyOf(matches) => Self::AnyOf(all(matches)),
            Self::AllOf(matches) => Self::AllOf(all(matches)),
            Self::Regex(pattern) => Self::Regex(pattern),
        }
    }

    /// Whether it holds for `name`, which is in lower case, as its texts are.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::Equals(text) => name == text,
            Self::StartsWith(text) => name.starts_with(text),
            Self::EndsWith(text) => name.ends_with(text),
            Self::Contains(text) => name.contains(text),
            // A pattern that exceeds its limits on a hostile name does not name it.
            Self::Regex(pattern) => pattern.0.is_match(name).unwrap_or(false),
            Self::Glob(glob) => glob_holds(glob, name),
            Self::AnyOf(matches) => matches.iter().any(|one| one.holds(name)),
            Self::AllOf(matches) => matches.iter().all(|one| one.holds(name)),
        }
    }
}

/// Whether `name` is `glob`, in which `*` stands for any characters.
pub(crate) fn glob_holds(glob: &str, name: &str) -> bool {
    let mut pieces = glob.split('*');
    let Some(mut rest) = pieces.next().and_then(|start| name.strip_prefix(start)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(end) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Match {
        serde_json::from_str::<Match>(json).expect("a match").lowered()
    }

    #[test]
    fn each_clause_holds_for_what_it_says() {
        for (clause, holds, fails) in [
            (r#"{"equals":"GPT-5"}"#, "gpt-5", "gpt-5-mini"),
            (r#"{"starts_with":"claude-"}"#, "claude-haiku", "my-claude-haiku"),
            (r#"{"ends_with":":free"}"#, "a/b:free", "a/b:freeze"),
            (r#"{"contains":"claude"}"#, "eu.claude.v1", "eu.clau.de"),
            (r#"{"regex":"^(?![^/]+/)mistral"}"#, "mistral-small", "x/mistral-small"),
            (r#"{"or":[{"equals":"a"},{"equals":"b"}]}"#, "b", "c"),
            (r#"{"and":[{"starts_with":"a"},{"ends_with":"z"}]}"#, "a-z", "a-y"),
            (r#"{"glob":"gpt-*-mini"}"#, "gpt-5-mini", "gpt-mini"),
            (r#"{"glob":"*"}"#, "", "\n never"),
        ] {
            assert!(read(clause).holds(holds), "{clause} {holds}");
            assert_eq!(read(clause).holds(fails), clause.contains(r#""*""#), "{clause} {fails}");
            assert_eq!(serde_json::to_string(&read(clause)).expect("writes"), clause.to_lowercase());
        }
    }

    #[test]
    fn a_star_does_not_let_two_pieces_overlap() {
        assert!(!glob_holds("ab*ba", "aba"));
        assert!(glob_holds("ab*ba", "abba"));
        assert!(glob_holds("a*b*c", "a-b-b-c"));
        assert!(!glob_holds("a*b*c", "a-c-b"));
        assert!(glob_holds("plain", "plain"));
        assert!(!glob_holds("plain", "plainer"));
    }

    #[test]
    fn what_is_no_clause_is_refused() {
        for json in [r#"{"equal":"x"}"#, r#"{"equals":"x","contains":"y"}"#, r#"{"regex":"("}"#, "{}", "3"] {
            assert!(serde_json::from_str::<Match>(json).is_err(), "{json}");
        }
    }
}
