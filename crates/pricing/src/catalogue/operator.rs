//! The operator's own prices, from TOML and CSV files.
//!
//! ```toml
//! currency = "USD"          # the default
//! unit = "1M"               # token prices are for a million; "1K" and "1" are the others
//!
//! [[price]]
//! provider = "openai"       # as in the column `provider`; `*` stands for any characters; left out: any
//! model = "gpt-5*"
//! tenant = "acme"           # left out: any; likewise `environment`
//! service_tier = "flex"     # left out: the standard tier; "*" any
//! batch = false             # the default; "*" either
//! from = 2026-01-01         # left out: always before; a date is its midnight in UTC
//! to = 2026-07-01           # up to and without; left out: until the next price of the same calls begins
//! input_tokens = 1.1        # named as the columns that count them
//! cache_read_tokens = 0.11
//! output_tokens = 9
//! requests = 0.01           # always for one
//!
//! [[price]]                 # the same calls and dates, for more input tokens than this
//! provider = "openai"
//! model = "gpt-5*"
//! tenant = "acme"
//! service_tier = "flex"
//! from = 2026-01-01
//! to = 2026-07-01
//! over = 200000
//! input_tokens = 2.2
//! # …
//! ```
//!
//! In CSV the same keys are the columns, and an empty cell is a key left out. A kind of token without a price of its own
//! costs what it is a part of.
//!
//! All files together are taken or none: prices of the same calls may not overlap, nor leave a gap between their dates
//! unless the later one says `gap = true`, for in a gap calls would silently cost what another rule says.

mod check;
mod entry;
mod rule;

use std::fmt;

use crate::catalogue::{Catalogue, Source};
use entry::Entry;

/// A file of prices; its name ends in `.toml` or `.csv`.
#[derive(Clone, Debug)]
pub struct PriceFile {
    /// Its name, for messages.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// Why a file of prices is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The file.
    pub file: String,
    /// The line.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// The catalogue of the operator's files, or all that is wrong with them.
pub fn operator(files: &[PriceFile]) -> Result<Catalogue, Vec<Refusal>> {
    let (mut drafts, mut refusals) = (Vec::new(), Vec::new());
    for file in files {
        match entry::entries(file) {
            // As of a file that is being written: its prices of before would be gone in silence.
            Ok(entries) if entries.is_empty() => {
                let reason = "it holds no price; leave the file out where none is meant".into();
                refusals.push(Refusal { file: file.name.clone(), line: 1, reason });
            }
            Ok(entries) => {
                for entry in &entries {
                    match rule::draft(entry) {
                        Ok(draft) => drafts.push(draft),
                        Err(refused) => refusals.extend(refused),
                    }
                }
            }
            Err(refusal) => refusals.push(refusal),
        }
    }
    let rules = check::rules(drafts, &mut refusals);
    if refusals.is_empty() {
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        Ok(Catalogue::new(names.join(", "), Source::Operator, Vec::new(), rules))
    } else {
        refusals.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Err(refusals)
    }
}

fn refusal(entry: &Entry, line: usize, reason: impl Into<String>) -> Refusal {
    Refusal { file: entry.file.clone(), line, reason: reason.into() }
}

#[cfg(test)]
mod tests;
