//! promptfoo, where it is installed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::skipped::skipped;

/// Runs exported tests against a model server with promptfoo: which examples pass, by their ids. `None` where it is not
/// installed.
pub(super) async fn promptfoo(folder: &Path, tests: &Path, url: &str) -> Option<BTreeMap<String, bool>> {
    let Ok(promptfoo) = std::env::var("TRACEWELL_PROMPTFOO") else {
        skipped("a run of promptfoo", "set TRACEWELL_PROMPTFOO to its executable");
        return None;
    };
    let provider =
        json!({"id": "openai:chat:gpt-4.1-mini", "config": {"apiBaseUrl": format!("{url}/v1"), "apiKey": "secret"}});
    let config =
        json!({"prompts": ["{{messages}}"], "providers": [provider], "tests": format!("file://{}", tests.display())});
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut command = Command::new(promptfoo);
    command.args(["eval", "--no-cache", "--no-progress-bar", "-c", "config.json", "-o", "out.json"]);
    command.current_dir(folder).env("PROMPTFOO_CONFIG_DIR", folder.join("home"));
    for name in ["TELEMETRY", "UPDATE", "REMOTE_GENERATION"] {
        command.env(format!("PROMPTFOO_DISABLE_{name}"), "1");
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let results = std::fs::read(folder.join("out.json"));
    let results = results.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let results: Value = serde_json::from_slice(&results).unwrap();
    let result = |one: &Value| (one["testCase"]["description"].as_str().unwrap().to_owned(), one["success"] == true);
    Some(results["results"]["results"].as_array().unwrap().iter().map(result).collect())
}
