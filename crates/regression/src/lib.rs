//! From an observed failure to a release decision.
//!
//! ```text
//!   examples ── replay ── scorers ── observations ── gate ── verdict ── text, JSON, JUnit, Markdown, HTML
//!                                                     │
//!                                               statistics
//! ```
//!
//! What must hold:
//! - **What is missing is never a pass.** A score that cannot be computed is absent and says why; a gate that lacks
//!   data says "not enough evidence".
//! - **The same input gives the same answer**: every random draw has a seed.
//!
//! This part is pure: no I/O, no clock.

#![forbid(unsafe_code)]

mod answer;
pub mod example;
pub mod exchange;
pub mod gate;
pub mod near_duplicates;
#[cfg(test)]
mod oracle;
pub mod privacy;
pub mod scorers;
pub mod statistics;

pub use answer::{Answer, ToolCall};
pub use example::Example;
