//! Maintenance over real tables in temporary folders.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compact;
mod expire;
mod fixture;
mod older;
mod race;
mod vacuum;
