//! The tables that people keep: what they decided, published and agreed on. Rows are added and never changed; the state
//! of a thing is its last row. Retention does not touch them.

mod alerts;
mod reports;

pub use alerts::ALERTS;
pub use reports::REPORTS;

use super::Table;

/// All tables that people keep.
pub const KEPT_TABLES: &[&Table] = &[&ALERTS, &REPORTS];
