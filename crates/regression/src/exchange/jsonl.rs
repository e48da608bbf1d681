//! Lines of JSON.

use serde_json::Value;

use super::entry::Given;
use super::{Read, read};

pub(super) fn import(bytes: &[u8]) -> Read {
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    let filled = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    filled.map(|(line, number)| (number, entry(line))).collect()
}

fn entry(line: &[u8]) -> Result<Given, String> {
    match serde_json::from_slice(line) {
        Ok(Value::Object(members)) => read::example(members),
        Ok(_) => Err("it is JSON but no object".to_owned()),
        // The line is told beside it.
        Err(error) => Err(format!("not JSON: {error}").replace(" at line 1 column", " at column")),
    }
}
