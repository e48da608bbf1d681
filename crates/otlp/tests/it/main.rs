//! The walk against `prost`: on captured requests, on generated ones, and on damaged ones.

mod captures;
mod decode;
mod generated;
mod inflate;
mod json;
mod metrics;
mod mutated;
mod oracle;
mod scramble;
