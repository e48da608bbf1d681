//! Cost and quality reports: figures, pages, schedules, delivery.
//!
//! ```text
//!   Request (report, period, by) ── SQL to a source ── rows ── figures ── Page ── JSON
//!              │                        │                │                  │     text, Markdown
//!           Period                   Query, kept      split, forecast,      │     HTML with inline SVG
//!      (named time zone)          beside its answer    intervals            └─ the queries, to be pasted
//! ```
//!
//! What must hold:
//! - Every number on a page is a column of a query that stands on the page, or worked out from such columns by a rule
//!   that the page tells. The queries hold all their values, so anybody can ask them again.
//! - Money is exact ([`tracewell_pricing::Amount`]); shares, forecasts and intervals are estimates and say so.
//! - Unknown is `—` and counted, never 0.
//! - A page over a period that is empty, half missing or not over says so first.
//! - Trials of replays and test harnesses are no traffic and in no figure of it. What they cost is money all the same: it
//!   is on a line of its own, and budgets, which limit what is paid, are used by it.
//! - What applications sent is hostile: it is escaped for the format it is shown in.
//!
//! No I/O here but through [`RowSource`] and by [`deliver`], and no clock.

#![forbid(unsafe_code)]

pub mod alert;
mod ask;
mod budget;
mod change;
pub mod cost;
mod course;
pub mod deliver;
mod dimension;
mod error;
mod figures;
pub mod forecast;
mod good;
mod groups;
pub mod interval;
mod leadership;
pub mod money;
pub mod page;
mod people;
mod period;
mod published;
pub mod quality;
mod released;
pub mod render;
mod request;
mod runs;
pub mod schedule;
mod scores;
mod spending;
pub mod split;
mod sql;
mod uncounted;
mod units;
mod words;

pub use ask::{Query, Row, RowSource};
pub use budget::{Budget, Per};
pub use dimension::Dimension;
pub use error::{NoAnswer, ReportError};
pub use good::GoodOutcome;
pub use page::{Page, Published};
pub use period::{Period, Window, zone};
pub use published::published_page;
pub use request::{Report, Request};

/// Asks what the report needs, and puts the page together.
///
/// # Errors
/// When a query fails, or its answer cannot be read.
pub async fn produce<A: RowSource>(source: &A, request: &Request) -> Result<Page, ReportError> {
    match request.report {
        Report::Cost => cost::report(source, request).await,
        Report::Quality => quality::report(source, request).await,
        Report::Leadership => leadership::report(source, request).await,
    }
}
