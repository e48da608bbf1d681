//! The tables that people keep: what they decided, published and agreed on. Rows are added and never changed; the state
//! of a thing is its last row. Retention does not touch them.

mod alerts;
mod reports;

pub use alerts::ALERTS;
pub use reports::REPORTS;

use super::Table;

mod examples;
mod prompts;
mod releases;
mod reviews;
mod verdicts;

pub use examples::EXAMPLES;
pub use prompts::PROMPTS;
pub use releases::RELEASES;
pub use reviews::REVIEWS;
pub use verdicts::VERDICTS;

/// All tables that people keep.
pub const KEPT_TABLES: &[&Table] = &[&EXAMPLES, &VERDICTS, &PROMPTS, &RELEASES, &REVIEWS];
pub const KEPT_TABLES: &[&Table] = &[&ALERTS, &REPORTS];
