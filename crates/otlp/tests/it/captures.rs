//! Requests captured from instrumentation libraries, in `tests/data`.

use std::path::PathBuf;

use crate::oracle::{Signal, assert_equal};

pub(crate) struct Capture {
    pub(crate) name: String,
    pub(crate) signal: Signal,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn data(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All captured protobuf requests.
pub(crate) fn captures() -> Vec<Capture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder is part of the crate")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("ascii"))
        .filter(|name| name.ends_with(".pb"))
        .collect();
    names.sort();
    let capture = |name: String| {
        let signal = if name.ends_with(".traces.pb") { Signal::Traces } else { Signal::Logs };
        Capture { signal, body: data(&name), name }
    };
    names.into_iter().map(capture).collect()
}

#[test]
fn captured_requests_read_as_prost_reads_them() {
    let captures = captures();
    assert!(captures.len() >= 8);
    for capture in captures {
        let rows = assert_equal(capture.signal, &capture.body);
        assert!(rows > 2, "{} holds nothing", capture.name);
    }
}
