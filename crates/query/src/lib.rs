//! SQL over the tables: one read-only session per query, over stored and unflushed rows alike.
//!
//! ```text
//!   SQL ── Session::run ── ReadView (fresh chunks, then snapshot, per table) ── FactProvider ── DataFusion
//!                │                          └ what is settled per date ── DerivedProvider ────┘      │
//!                └── own runtime, deadline, cancel when the reader goes away <──── record batches ─┘
//! ```
//!
//! What must hold:
//! - Every row that was acknowledged before the query began is seen once: see [`tracewell_lake::Fresh`].
//! - Nothing can be changed or reached: plans with DDL, DML, COPY or SET are refused, `EXPLAIN` of them too, and the
//!   only object store known to a session is the one that holds the tables.
//! - A query that its reader abandons stops.

#![forbid(unsafe_code)]

mod ahead;
mod calls;
mod compact;
mod dated;
mod derived;
mod described;
mod engine;
mod error;
mod exact;
mod filters;
mod fresh;
mod functions;
mod in_turn;
mod length;
mod limits;
mod lookup;
mod memory;
pub mod named;
mod newest;
mod one_of;
mod parts;
mod pieces;
mod prepared;
pub mod prices;
mod provider;
pub mod published;
mod relation;
mod running;
mod session;
pub mod settled;
mod source;
mod stop;
mod texts;
mod through;
mod unasked;
mod view;
mod views;
mod warm;
mod yielding;
mod zone;

pub use engine::Engine;
pub use error::{Location, QueryError, SqlError, SqlErrorKind};
pub use limits::Limits;
pub use prices::Prices;
pub use relation::Relation;
pub use running::Rows;
pub use session::{Dialect, Parameter, Prepared, Session, Settings};
pub use tracewell_requests::body::known_zone;
pub use view::ReadView;
pub use views::{VIEWS, View};
