//! What a queue asks of every item.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A question that is asked of every item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its name, under which the answer is kept.
    pub name: String,
    /// What may be answered.
    #[serde(default)]
    pub kind: QuestionKind,
    /// What there is to choose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Whether it has to be answered.
    #[serde(default)]
    pub required: bool,
}

/// What may be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum QuestionKind {
    #[default]
    Text,
    YesNo,
    Number,
    Choice,
}

impl Question {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is none to this question.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let wrong = |wanted: &str| format!("`{text}` is no answer to `{}`: {wanted}", self.name);
        match self.kind {
            QuestionKind::Text => Ok(Value::from(text)),
            QuestionKind::YesNo => match text.to_lowercase().as_str() {
                "y" | "yes" | "true" => Ok(Value::from(true)),
                "n" | "no" | "false" => Ok(Value::from(false)),
                _ => Err(wrong("yes or no")),
            },
            QuestionKind::Number => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                number.map(Value::from).ok_or_else(|| wrong("a number"))
            }
            QuestionKind::Choice => match self.choices.iter().find(|choice| choice.eq_ignore_ascii_case(text)) {
                Some(choice) => Ok(Value::from(choice.as_str())),
                None => Err(wrong(&self.choices.join(", "))),
            },
        }
    }
}

/// Cells of a sheet of items, before those of the questions.
pub const CELLS: [&str; 10] = [
    "item",
    "question",
    "conversation",
    "documents",
    "output",
    "expected_before",
    "outcome",
    "expected",
    "expected_tool_calls",
    "note",
];

/// What is said of a queue; what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What is asked of every item.
    pub questions: Option<Vec<Question>>,
    /// Answers that an item needs.
    pub reviewers: Option<usize>,
    /// Whether reviewers see each other's answers only after theirs.
    pub blind: Option<bool>,
}

impl About {
    /// Whether a queue can be so.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.reviewers == Some(0) {
            return Err("`reviewers` is at least 1".to_owned());
        }
        let questions = self.questions.as_deref().unwrap_or_default();
        for (place, Question { name, kind, choices, .. }) in questions.iter().enumerate() {
            if name.is_empty() || name.trim() != name {
                return Err(format!(
                    "`{name}` is no name of a question: one has no spaces around it, and is not empty"
                ));
            }
            if CELLS.contains(&name.as_str()) {
                return Err(format!("a question cannot be called `{name}`: so is a column of the queue's sheet"));
            }
            if questions[..place].iter().any(|other| other.name == *name) {
                return Err(format!("there are two questions `{name}`"));
            }
            if choices.is_empty() == (*kind == QuestionKind::Choice) {
                return Err(format!("`{name}`: a question has `choices` where its kind is choice, and only there"));
            }
        }
        Ok(())
    }
}
