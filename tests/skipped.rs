//! Tests of programs and rights that a machine may not have. Tests of several crates include this file.

use std::io::Write;

/// Says that `test` is skipped, and why: on standard output, and in the file that `TRACEWELL_SKIPPED` names, for
/// whoever wants to know of all.
pub(crate) fn skipped(test: &str, why: &str) {
    println!("SKIPPED {test}: {why}");
    if let Some(list) = std::env::var_os("TRACEWELL_SKIPPED") {
        let mut list = std::fs::File::options().create(true).append(true).open(list).unwrap();
        writeln!(list, "{test}: {why}").unwrap();
    }
}
