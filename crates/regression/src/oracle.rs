//! Python programs that say what the right answer is.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use serde_json::Value;

pub(crate) use skipped::skipped;

#[path = "../../../tests/skipped.rs"]
mod skipped;

/// What `script` of `tests/python` answers to `cases`, one by one; nothing where there is no Python with its packages.
pub(crate) fn ask(test: &str, script: &str, cases: &[Value]) -> Option<Vec<Value>> {
    let Ok(python) = std::env::var("TRACEWELL_PYTHON") else {
        skipped(test, "set TRACEWELL_PYTHON to a Python that has tests/python/requirements.txt (.ci/run makes one)");
        return None;
    };
    Some(ask_with(&python, script, cases))
}

/// What `script` answers, run by that Python.
pub(crate) fn ask_with(python: &str, script: &str, cases: &[Value]) -> Vec<Value> {
    let script = format!("{}/../../tests/python/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(cases).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), cases.len());
    answers
}

/// Draws numbers below the one it is given.
pub(crate) fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut draw = Pcg64Mcg::seed_from_u64(seed);
    move |below| draw.next_u64() % below
}
