//! The PostgreSQL protocol as its clients speak it.

pub mod absent;
pub mod command;
pub mod message;
pub mod numeric;
pub mod parameters;
pub mod scram;
pub mod settings;
pub mod startup;
pub mod text;
pub mod translate;
pub mod types;
mod value;
