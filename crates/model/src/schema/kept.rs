//! The tables that people keep: what they decided, published and agreed on. Rows are added and never changed; the state
//! of a thing is its last row. Retention does not touch them.

mod alerts;
mod examples;
mod prompts;
mod releases;
mod reports;
mod reviews;
mod verdicts;

pub use alerts::ALERTS;
pub use examples::EXAMPLES;
pub use prompts::PROMPTS;
pub use releases::RELEASES;
pub use reports::REPORTS;
pub use reviews::REVIEWS;
pub use verdicts::VERDICTS;

use super::Table;

/// All tables that people keep.
pub const KEPT_TABLES: &[&Table] = &[&EXAMPLES, &VERDICTS, &PROMPTS, &RELEASES, &REVIEWS, &REPORTS, &ALERTS];
