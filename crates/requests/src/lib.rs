//! What clients of SQL send, read without an engine: messages and values of the PostgreSQL protocol, the body of
//! `POST /v1/sql`, parameters of Arrow Flight SQL, passwords.
//!
//! All of it comes from outside, so what must hold is the same everywhere: any bytes are read or refused,
//! nothing panics, and nothing takes more memory than the bytes account for.

#![forbid(unsafe_code)]

pub mod body;
pub mod credentials;
mod decimal;
mod failure;
pub mod flight;
pub mod postgres;

pub use decimal::{decimal, digits};
pub use failure::Failure;
