//! Other tools run what the command exports, against a model server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::promptfoo::promptfoo;
use super::replay::{Model, start};
use super::{CASES, done, tracewell};
use crate::skipped::skipped;

/// The cases with instructions that make the model answer one of them wrongly, exported.
fn exported(folder: &Path, format: &str, name: &str) -> PathBuf {
    let data = folder.join("data");
    let line = |(id, asked, expected): &(&str, &str, &str)| {
        let messages = json!([{"role": "system", "content": "Be terse."}, {"role": "user", "content": asked}]);
        json!({"id": id, "messages": messages, "expected": {"text": expected}}).to_string()
    };
    let file = folder.join("cases.jsonl");
    std::fs::write(&file, CASES.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    done(tracewell(&data, &["dataset", "import", "refunds", file.to_str().unwrap()]));
    let path = folder.join(name);
    done(tracewell(&data, &["dataset", "export", "refunds@v1", "--to", format, "--output", path.to_str().unwrap()]));
    path
}

/// The model says no where it should say who pays.
fn told() -> BTreeMap<String, bool> {
    CASES.iter().map(|(id, ..)| ((*id).to_owned(), *id != "b")).collect()
}

async fn run(mut command: Command) -> std::process::Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn promptfoo_runs_an_exported_dataset() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let tests = exported(folder, "promptfoo-yaml", "tests.yaml");
    let (url, model) = start(Model::default()).await;
    let Some(passed) = promptfoo(folder, &tests, &url).await else { return };
    assert_eq!(passed, told());
    assert_eq!(model.lock().unwrap().asked.len(), CASES.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn inspect_runs_an_exported_dataset() {
    let Ok(python) = std::env::var("TRACEWELL_INSPECT_PYTHON") else {
        skipped(
            "inspect_runs_an_exported_dataset",
            "set TRACEWELL_INSPECT_PYTHON to a Python that has tests/python/requirements-inspect.txt",
        );
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let samples = exported(temporary.path(), "inspect", "samples.jsonl");
    let (url, model) = start(Model::default()).await;
    let mut command = Command::new(python);
    command.arg(crate::readers::script("inspect_run.py")).arg(samples).arg(format!("{url}/v1"));
    let output = run(command).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let scores: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
    let passed: BTreeMap<String, bool> = scores.into_iter().map(|(id, score)| (id, score == "C")).collect();
    assert_eq!(passed, told());
    assert_eq!(model.lock().unwrap().asked.len(), CASES.len());
}
