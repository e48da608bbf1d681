//! From an observed failure to a release decision.
//!
//! ```text
//!   traffic ── capture ── near_duplicates ── review ──┐
//!                                                     ├── Example ── privacy ── exchange ── files of other tools
//!   files of other tools ── exchange ─────────────────┘      │
//!                                                         replay
//!                                                            │
//!                 scorers, judge ── trials ── gate ── verdict: text, JSON, JUnit, Markdown, HTML
//!                                               │
//!                                          statistics
//! ```
//!
//! What must hold:
//! - **What is missing is never a pass.** A score that cannot be computed is absent and says why; a gate that lacks
//!   data says "not enough evidence".
//! - **What cannot be read or written is listed** with its line or id and the reason.
//! - **The same input gives the same answer**: every random draw has a seed.
//!
//! What is here is pure: no I/O, no clock. Capture, review and replay come with the tables.

#![forbid(unsafe_code)]

mod answer;
pub mod candidate;
pub mod capture;
pub mod dataset;
pub mod example;
pub mod exchange;
pub mod gate;
pub mod judge;
pub mod near_duplicates;
#[cfg(test)]
mod oracle;
pub mod privacy;
pub mod prompt;
pub mod release;
pub mod review;
pub mod scorers;
pub mod sent;
pub mod statistics;
mod template;

pub use answer::{Answer, ToolCall};
pub use example::Example;
pub use template::Template;

/// BLAKE3 in hexadecimal: what tells files and requests apart.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
