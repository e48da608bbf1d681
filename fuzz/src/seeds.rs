//! Inputs to start from, made of the captured exports in `tests/fixtures`.

use std::path::{Path, PathBuf};

use crate::oracle::Signal;
use crate::scramble::Random;

/// Larger captures slow every run down and show nothing that small ones do not.
const LARGEST: u64 = 24 << 10;

/// A captured request.
pub(crate) struct Capture {
    pub(crate) signal: Signal,
    pub(crate) body: Vec<u8>,
}

/// The captured protobuf requests, but for the large ones.
pub(crate) fn captures() -> Vec<Capture> {
    let mut paths: Vec<PathBuf> = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures"));
    paths.sort();
    let small = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|file| file.len() <= LARGEST);
    let captures: Vec<Capture> = paths.into_iter().filter(small).filter_map(|path| capture(&path)).collect();
    assert!(captures.len() > 50, "only {} captures", captures.len());
    captures
}

fn capture(path: &Path) -> Option<Capture> {
    let name = path.file_name()?.to_str()?;
    let signal = match name {
        _ if name.ends_with(".traces.pb") => Signal::Traces,
        _ if name.ends_with(".logs.pb") => Signal::Logs,
        _ => return None,
    };
    Some(Capture { signal, body: std::fs::read(path).expect("a readable capture") })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the fixtures are there");
    entries
        .map(|entry| entry.expect("readable").path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// Noise, for targets that build their input from it.
pub(crate) fn noise() -> Vec<Vec<u8>> {
    let mut random = Random(11);
    (0..64).map(|i| (0..32 << (i % 6)).map(|_| random.below(256) as u8).collect()).collect()
}

/// The signal that the first byte of an input stands for, and the rest.
pub(crate) fn signal(data: &[u8]) -> Option<(Signal, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((if first & 1 == 0 { Signal::Traces } else { Signal::Logs }, rest))
}

/// The other way round.
pub(crate) fn with_signal(signal: Signal, body: &[u8]) -> Vec<u8> {
    let first = match signal {
        Signal::Traces => b'0',
        Signal::Logs => b'1',
    };
    [&[first], body].concat()
}
