//! SQL over the tables: one read-only session per query, over stored and unflushed rows alike.
//!
//! ```text
//!   SQL ── Session::run ── ReadView (fresh chunks, then snapshot, per table) ── FactProvider ── DataFusion
//!                │                          └ what is settled per date ── DerivedProvider ────┘      │
//!                └── own runtime, deadline, cancel when the reader goes away <──── record batches ─┘
//! ```
//!
//! Where what is:
//! - `session`, `engine`, `contexts`, `running`, `limits`: a query from its text to its rows, and what it may take.
//! - `tables`, `views`, `prices`: what it reads. `parts`, `calls`: what spans are only beside others.
//! - `functions`, `exact`, `zone`: what its expressions mean.
//! - `ahead`, `newest`, `unasked`, `texts`, `plans`: how its plan reads little, keeps little and can be stopped.
//! - `named`: the questions that people have.
//!
//! What must hold:
//! - Every row that was acknowledged before the query began is seen once: see [`tracewell_lake::Fresh`].
//! - Nothing can be changed or reached: plans with DDL, DML, COPY or SET are refused, `EXPLAIN` of them too, and the
//!   only object store known to a session is the one that holds the tables.
//! - A query that its reader abandons stops.

#![forbid(unsafe_code)]

mod ahead;
mod calls;
mod contexts;
mod engine;
mod error;
mod exact;
mod functions;
mod limits;
pub mod named;
mod newest;
mod parts;
mod plans;
pub mod prices;
mod running;
mod session;
mod tables;
mod texts;
mod unasked;
mod views;
mod zone;

pub use engine::Engine;
pub use error::{Location, QueryError, SqlError, SqlErrorKind};
pub use limits::Limits;
pub use prices::Prices;
pub use running::Rows;
pub use session::{Dialect, Parameter, Prepared, Session, Settings};
pub use tables::relation::Relation;
pub use tables::view::ReadView;
pub use tables::{published, settled};
pub use tracewell_requests::body::known_zone;
pub use views::{VIEWS, View};
