//! What people and programs ask over HTTP: `POST /v1/sql`, and how the server is.
//!
//! `POST /v1/sql` takes the query as `text/plain`, or as JSON `{"sql": "…"}`, and answers with an Arrow IPC stream,
//! or with a JSON array of objects when `Accept: application/json` asks for it.

#![forbid(unsafe_code)]

mod health;
mod sql;

pub use health::{Health, IDENTITY, health_router};
pub use sql::{ARROW_STREAM, sql_router};
