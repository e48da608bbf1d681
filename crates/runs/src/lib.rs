//! The run record: everything the tables hold of one run, gathered by SQL, and rendered.
//!
//! ```text
//!   trace id ── find ── gather (SQL through Ask: an engine, or a server over HTTP) ── RunRecord ── JSON
//!                          │   spans, calls, tools, retrievals, scores, logs, contents    │         text
//!                          └─ the views' own SQL over the run and what overlaps it        │         Markdown
//!                                                                                         │         HTML
//!                                                                  Completeness ──────────┘
//! ```
//!
//! What must hold:
//! - A record says the same as the views (`llm_calls`, `tool_calls`, `retrievals`, `traces`): it asks their SQL, only
//!   over fewer rows, so that opening a run costs by the size of the run and not by that of its day.
//! - Unknown is absent, never 0; what is missing is said in [`Completeness`].
//! - Every query names the trace and its dates, or the dates alone. Ids are checked to be hexadecimal, and other text is
//!   quoted, before it comes into SQL.
//! - Whatever an application or a model wrote is hostile: it is escaped for the format it is shown in.

#![forbid(unsafe_code)]

mod around;
mod ask;
mod calls;
pub mod cases;
pub mod changes;
mod completeness;
mod contents;
pub mod diff;
mod facts;
mod find;
mod gather;
mod interventions;
mod list;
mod moment;
mod nodes;
pub mod record;
pub mod render;
mod rows;
pub mod sql;
mod tree;

pub use ask::{Ask, RunsError, rows};
pub use find::find;
pub use gather::open;
pub use list::{Filter, Page, RunRow, RunScore, list};
pub use moment::parse_moment;
pub use record::{Completeness, RunRecord};
