//! Names, and which version of a dataset is meant.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

/// Which version of a dataset is meant: `refunds`, `refunds@v3`, `refunds@2026-11-20`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The dataset.
    pub dataset: String,
    /// Its version.
    pub at: At,
}

/// A point in the life of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// As it is.
    Latest,
    /// As this change left it.
    Version(i64),
    /// As it was when this UTC day ended.
    Day(NaiveDate),
}

/// What is no name of a dataset, or no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PinError {
    #[error("`{0}` is no version of a dataset; write NAME@v3, NAME@2026-11-20, or NAME alone for the latest")]
    Version(String),
    #[error(
        "`{0}` is no name: one has letters, digits, `-`, `_` and `.`, in parts between `/` of which none is empty or begins with `.`, and at most 200 characters"
    )]
    Name(String),
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let (dataset, version) = text.split_once('@').unwrap_or((text, "latest"));
        check_name(dataset)?;
        let at = match (version, version.strip_prefix('v').unwrap_or(version).parse::<i64>()) {
            ("latest", _) => At::Latest,
            (_, Ok(number)) if number > 0 => At::Version(number),
            _ => At::Day(version.parse().map_err(|_| PinError::Version(text.to_owned()))?),
        };
        Ok(Self { dataset: dataset.to_owned(), at })
    }
}

/// Whether a name can be one of a dataset, a prompt, a queue or an environment: it goes into pins and into file names.
///
/// # Errors
/// When it cannot.
pub fn check_name(name: &str) -> Result<(), PinError> {
    const MOST_CHARACTERS: usize = 200;
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain);
    let fits = name.split('/').all(is_part) && name.chars().count() <= MOST_CHARACTERS;
    if fits { Ok(()) } else { Err(PinError::Name(name.to_owned())) }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::Latest => f.write_str(&self.dataset),
            At::Version(version) => write!(f, "{}@v{version}", self.dataset),
            At::Day(day) => write!(f, "{}@{day}", self.dataset),
        }
    }
}
