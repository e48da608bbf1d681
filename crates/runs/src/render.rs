//! A record as people read it.

mod story;

pub(crate) use story::parameters;

pub use story::{Detail, story};
pub use tracewell_blocks::{Bar, Block, Look, count, duration, html, markdown, terminal, tidy};
