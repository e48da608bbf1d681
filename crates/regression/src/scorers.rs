//! Scorers: how good an answer is, by a rule.
//!
//! A [`Rule`] is what people write down; a [`Scorer`] is the rule made ready. A scorer answers with a [`Score`]: a share
//! from 0 to 1 (1 is best), or a measure. Where it cannot be computed, the score is unknown and says why; it is never 0
//! for want of data.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracewell_pricing::Amount;

use crate::Answer;

pub(crate) mod json;
mod kinds;
mod overlap;
#[cfg(test)]
mod tests;
mod text;
mod tools;
pub(crate) mod written;

pub use tools::{Arguments, Order};

/// What is looked at, and how. Content is compared with the example's expected answer unless the rule brings its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// The text is the expected one, byte for byte.
    Exact {},
    /// The text is the expected one but for compatibility forms (NFKC), case and white space, and punctuation if so said.
    Normalised {
        /// Punctuation does not matter either.
        #[serde(default)]
        ignore_punctuation: bool,
    },
    /// The text holds another.
    Contains {
        /// What has to be in it; the expected text where absent.
        text: Option<String>,
        /// Case does not matter.
        #[serde(default)]
        ignore_case: bool,
        /// It must not be in it.
        #[serde(default)]
        absent: bool,
    },
    /// The text matches a regular expression, anywhere in it.
    Regex {
        /// In the syntax of the `regex` crate: no back-references, no look-around, linear time.
        pattern: String,
        /// It must not match.
        #[serde(default)]
        absent: bool,
    },
    /// The text is JSON that a schema allows. References out of the schema are refused.
    JsonSchema {
        /// The schema; draft 2020-12 unless it says otherwise.
        schema: serde_json::Value,
        /// The JSON may stand in a Markdown fence.
        #[serde(default)]
        fenced: bool,
    },
    /// The text is JSON whose fields equal the expected ones; the score is the share that do.
    JsonFields {
        /// JSON Pointers (RFC 6901), such as `/order/id`; the whole value where these and `absent` are empty.
        #[serde(default)]
        pointers: Vec<String>,
        /// Pointers that lead nowhere in a right answer, whatever is expected.
        #[serde(default)]
        absent: Vec<String>,
        /// The JSON may stand in a Markdown fence.
        #[serde(default)]
        fenced: bool,
    },
    /// The tool calls are the expected ones; the score is the share of calls with a counterpart.
    ToolCalls {
        /// Whether their order matters.
        #[serde(default)]
        order: Order,
        /// Which arguments matter.
        #[serde(default)]
        arguments: Arguments,
    },
    /// ROUGE-L: the F-measure of the longest common subsequence of words (C.-Y. Lin, 2004). A word is a run of letters
    /// and digits, in lower case, not stemmed.
    RougeL {
        /// From which score on it passes.
        at_least: Option<f64>,
    },
    /// F1 of the words in common, as SQuAD defines it: without punctuation, articles and case (P. Rajpurkar and others,
    /// 2016).
    TokenF1 {
        /// From which score on it passes.
        at_least: Option<f64>,
    },
    /// 1 less the Levenshtein distance in characters, as a share of the longer text.
    EditSimilarity {
        /// From which score on it passes.
        at_least: Option<f64>,
    },
    /// How long the call took.
    Latency {
        /// Up to which time it passes, such as `2s`.
        #[serde(default, with = "written::duration")]
        at_most: Option<Duration>,
    },
    /// What the call cost, in US dollars.
    Cost {
        /// Up to which amount it passes, such as `"0.004"`.
        #[serde(default, with = "written::amount")]
        at_most: Option<Amount>,
    },
}

/// What is scored. What is not known is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The answer; `None` where the call brought none.
    pub answer: Option<&'a Answer>,
    /// What it should have been.
    pub expected: Option<&'a Answer>,
    /// How long the call took.
    pub latency: Option<Duration>,
    /// What it cost, in US dollars.
    pub cost: Option<Amount>,
}

/// What a scorer says.
#[derive(Clone, Debug, PartialEq)]
pub enum Score {
    /// It could be computed.
    Known {
        /// The score.
        value: Value,
        /// Whether it is good enough; `None` where the rule draws no line.
        passed: Option<bool>,
        /// What was found.
        explanation: String,
    },
    /// It could not be computed.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// A score's value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// From 0 to 1; 1 is best.
    Share(f64),
    /// A time; less is better.
    #[serde(rename = "time_ns", with = "written::nanos")]
    Time(Duration),
    /// An amount in US dollars; less is better.
    #[serde(with = "written::usd")]
    Usd(Amount),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share:.3}"),
            Self::Time(time) => write!(f, "{time:.3?}"),
            Self::Usd(amount) => write!(f, "{amount} USD"),
        }
    }
}

impl Score {
    /// Passed in full, or failed with nothing.
    fn verdict(passed: bool, explanation: impl Into<String>) -> Self {
        let value = Value::Share(if passed { 1.0 } else { 0.0 });
        Self::Known { value, passed: Some(passed), explanation: explanation.into() }
    }

    /// So much of it is right.
    fn share(share: f64, passed: Option<bool>, explanation: impl Into<String>) -> Self {
        Self::Known { value: Value::Share(share), passed, explanation: explanation.into() }
    }

    fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }
}

/// Why a rule cannot be used.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum RuleError {
    #[error("`{pattern}` is not a regular expression: {reason}")]
    Pattern { pattern: String, reason: String },
    #[error("the JSON schema cannot be used: {0}")]
    Schema(String),
    #[error("`{0}` is not a JSON Pointer; begin it with `/`, as in `/order/id`")]
    Pointer(String),
    #[error("`at_least = {0}` is not between 0 and 1")]
    Line(f64),
}

/// A rule made ready.
#[derive(Debug)]
pub struct Scorer {
    rule: Rule,
    pattern: Option<regex::Regex>,
    schema: Option<jsonschema::Validator>,
}

impl Scorer {
    /// Makes a rule ready.
    ///
    /// # Errors
    /// When a pattern, schema, pointer or line in it is wrong.
    pub fn new(rule: Rule) -> Result<Self, RuleError> {
        let (mut pattern, mut schema) = (None, None);
        match &rule {
            Rule::Regex { pattern: source, .. } => pattern = Some(text::pattern(source)?),
            Rule::JsonSchema { schema: source, .. } => schema = Some(json::schema(source)?),
            Rule::JsonFields { pointers, absent, .. } => {
                let mut named = pointers.iter().filter(|pointer| !pointer.is_empty()).chain(absent);
                if let Some(wrong) = named.find(|pointer| !pointer.starts_with('/')) {
                    return Err(RuleError::Pointer(wrong.clone()));
                }
            }
            Rule::RougeL { at_least } | Rule::TokenF1 { at_least } | Rule::EditSimilarity { at_least } => {
                if let Some(wrong) = at_least.filter(|line| !(0.0..=1.0).contains(line)) {
                    return Err(RuleError::Line(wrong));
                }
            }
            _ => {}
        }
        Ok(Self { rule, pattern, schema })
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What it compares and none of the expected answers has: where that is misspelt, every answer would be as good.
    #[must_use]
    pub fn absent(&self, expected: &[&Answer]) -> Vec<&str> {
        match &self.rule {
            Rule::JsonFields { pointers, fenced, .. } => json::absent(pointers, *fenced, expected),
            Rule::ToolCalls { arguments: Arguments::Named(names), .. } => tools::absent(names, expected),
            _ => Vec::new(),
        }
    }

    /// Scores one answer.
    #[must_use]
    pub fn score(&self, subject: &Subject<'_>) -> Score {
        self.try_score(subject).unwrap_or_else(Score::unknown)
    }

    /// The score, or why there is none.
    fn try_score(&self, subject: &Subject<'_>) -> Result<Score, String> {
        match &self.rule {
            Rule::Exact {} => Ok(text::same(answered(subject)?, expected(subject)?)),
            Rule::Normalised { ignore_punctuation } => {
                Ok(text::normalised(answered(subject)?, expected(subject)?, *ignore_punctuation))
            }
            Rule::Contains { text, ignore_case, absent } => {
                let wanted = text.as_deref().map_or_else(|| expected(subject), Ok)?;
                Ok(text::contains(answered(subject)?, wanted, *ignore_case, *absent))
            }
            Rule::Regex { absent, .. } => {
                let pattern = self.pattern.as_ref().ok_or("the pattern is not ready")?;
                Ok(text::matches(answered(subject)?, pattern, *absent))
            }
            Rule::JsonSchema { fenced, .. } => {
                let schema = self.schema.as_ref().ok_or("the schema is not ready")?;
                Ok(json::allowed(answered(subject)?, schema, *fenced))
            }
            Rule::JsonFields { pointers, absent, fenced } => {
                let is_compared = !pointers.is_empty() || absent.is_empty();
                let expected = is_compared.then(|| expected(subject)).transpose()?;
                json::fields(answered(subject)?, expected, pointers, absent, *fenced)
            }
            Rule::ToolCalls { order, arguments } => {
                let expected = subject.expected.ok_or(NO_EXPECTED)?;
                Ok(tools::calls(answer(subject)?, expected, *order, arguments))
            }
            Rule::RougeL { at_least } => overlap::rouge_l(answered(subject)?, expected(subject)?, *at_least),
            Rule::TokenF1 { at_least } => Ok(overlap::token_f1(answered(subject)?, expected(subject)?, *at_least)),
            Rule::EditSimilarity { at_least } => overlap::edit(answered(subject)?, expected(subject)?, *at_least),
            Rule::Latency { at_most } => {
                let took = subject.latency.ok_or("the call's latency is not known")?;
                Ok(measured(Value::Time(took), at_most.map(|most| (Value::Time(most), took <= most))))
            }
            Rule::Cost { at_most } => {
                let cost = subject.cost.ok_or("the call is unpriced")?;
                Ok(measured(Value::Usd(cost), at_most.map(|most| (Value::Usd(most), cost <= most))))
            }
        }
    }
}

const NO_EXPECTED: &str = "the example has no expected answer";

fn answer<'a>(subject: &Subject<'a>) -> Result<&'a Answer, String> {
    subject.answer.ok_or_else(|| "there is no answer".to_owned())
}

/// The text that was answered; none at all where only tools were called.
fn answered<'a>(subject: &Subject<'a>) -> Result<&'a str, String> {
    Ok(answer(subject)?.text.as_deref().unwrap_or_default())
}

fn expected<'a>(subject: &Subject<'a>) -> Result<&'a str, String> {
    let expected = subject.expected.ok_or(NO_EXPECTED)?;
    expected.text.as_deref().ok_or_else(|| "the expected answer has no text".to_owned())
}

fn measured(value: Value, line: Option<(Value, bool)>) -> Score {
    let explanation = match line {
        Some((line, passed)) => format!("{value}, {} {line}", if passed { "within" } else { "over" }),
        None => value.to_string(),
    };
    Score::Known { value, passed: line.map(|(_, passed)| passed), explanation }
}
