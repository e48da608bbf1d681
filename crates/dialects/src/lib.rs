//! Attributes of any LLM telemetry dialect to canonical fields.
//!
//! Every SDK writes a model call down in its own words. This crate reads them all and answers with one
//! [`Normalized`] record whose fields are the columns of the `spans` and `logs` tables. It is pure: bytes of a
//! decoded span in, facts out; no I/O, no clock.
//!
//! What must hold:
//! - **Nothing is invented.** A fact that the span does not state stays `None`.
//! - **Nothing is lost.** An attribute either stays where it was, or is listed in [`Normalized::moved`] and can be
//!   rebuilt byte for byte from the [`Piece`]s that name it as their source.
//! - **Plain spans are cheap.** A span without a word of any dialect costs one table look-up per attribute.
//! - **What comes again is cheap.** A [`Normalizer`] keeps what it found in the last instructions, tools and messages,
//!   within bounds, and finds it again in equal bytes. What it read before never changes an answer.

#![forbid(unsafe_code)]

mod content;
mod cost;
mod detect;
mod errors;
mod fields;
mod fingerprint;
mod finish;
#[cfg(test)]
mod fixtures;
mod identity;
mod input;
mod json;
mod keys;
mod kinds;
mod logs;
mod memo;
mod normalized;
mod normalizer;
mod params;
mod preview;
mod providers;
pub mod rebuild;
mod resource;
mod scores;
mod timing;
mod usage;
mod value;

pub use input::{LogInput, ResourceFacts, SpanInput};
pub use normalized::{Normalized, Piece, Record, Role, Score, ScoreTarget, Usage, content_hash};
pub use normalizer::Normalizer;
pub use resource::TEAM_KEYS;
pub use scores::own as own_score;

/// What a message says, in whatever shape it was sent: its text, and the first tool call as `name(arguments)`. `None`
/// where nothing of either is found in it.
#[must_use]
pub fn message_text(message: &str) -> Option<String> {
    content::text::of_message(message)
}

/// Whether a span attribute named `key` can fill a column or carry contents. What is not mapped is kept as sent.
#[must_use]
pub fn is_mapped(key: &str) -> bool {
    let known = keys::KEYS.look_up(key).is_some_and(|(entry, class)| entry.is_some() || class.family.is_some());
    known || content::is_carrier(key) || scores::reads(key)
}

/// Whether an attribute named `key`, on a log record of the event `event` in `dialect` (as the column has it), can fill
/// a column or carry contents; `body` stands for the record's body.
#[must_use]
pub fn is_mapped_in_log(dialect: &str, event: &str, key: &str) -> bool {
    logs::reads(dialect, event, key)
}

/// Every attribute that is mapped by its whole name, and the prefixes of those that are mapped by theirs (which end in
/// a dot).
pub fn mapped_keys() -> impl Iterator<Item = &'static str> {
    keys::KEYS.all().chain(content::carrier_keys())
}
