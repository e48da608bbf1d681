//! What people and programs ask: `POST /v1/sql` and `GET /v1/runs` over HTTP, SQL over the PostgreSQL protocol and
//! Arrow Flight, and how the server is.
//!
//! `POST /v1/sql` takes the query as `text/plain`, or as JSON `{"sql": "…", "parameters": {…}}`. `Accept` chooses how
//! the rows come: JSON (an array of objects), NDJSON, CSV, an Arrow IPC stream or a Parquet file; `Accept-Encoding` how
//! they are compressed.
//!
//! `GET /v1/queries` lists the named queries, `GET /v1/queries/NAME?parameter=value` runs one.
//!
//! `GET /v1/runs` lists runs, `GET /v1/runs/ID` gives the record of one: as JSON, or as `Accept` asks for it as a page of
//! HTML or as Markdown.
//!
//! `GET /v1/reports/REPORT` works out a report over a period, `GET /v1/reports` lists what was published, and
//! `GET /v1/reports/NAME/PERIOD` gives it, in the same forms.
//!
//! `/v1/prompts` and `/v1/releases` read and write what people keep of prompts; so do the gRPC services `Prompts` and
//! `Releases`.
//!
//! `/v1/reviews` lists review queues and their items, and takes what reviewers do.
//!
//! `GET /v1/openapi.json` describes all of this for programs.

#![forbid(unsafe_code)]

mod asked;
mod flight;
pub mod format;
pub mod guard;
mod health;
mod ledger;
mod postgres;
mod queries;
mod refusal;
mod reports;
mod reviews;
mod runs;
mod sql;

pub use flight::{Flight, FlightStartError};
pub use health::{DATA, Health, IDENTITY, health_router};
pub use ledger::{LedgerService, Records, Tell, ledger_router, ledger_services};
pub use postgres::{Postgres, PostgresOptions, Tls};
pub use queries::queries_router;
pub use refusal::refuse_as_json;
pub use reports::{Answers, Usual, reports_router};
pub use reviews::{Remarks, reviews_router};
pub use runs::runs_router;
pub use sql::{PRICES, TIME_ZONE, sql_router};
