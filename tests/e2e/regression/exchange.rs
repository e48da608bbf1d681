//! Other tools run what the command exports, against a model server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::model::{Model, start};
use super::promptfoo::promptfoo;
use super::{CASES, dataset, done, said, tracewell};
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

#[test]
fn hugging_face_datasets_opens_an_exported_folder_and_it_comes_back() {
    let Some(python) = crate::readers::python("hugging_face_datasets_opens_an_exported_folder_and_it_comes_back")
    else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path().join("refunds-hf"));
    dataset(&data, temporary.path());
    done(tracewell(&data, &["dataset", "patch", "refunds", "b", "c", "--split", "pre-prod"]));
    let export = ["dataset", "export", "refunds", "--to", "parquet", "--output", folder.to_str().unwrap()];
    done(tracewell(&data, &export));
    let opened = crate::readers::run(Command::new(python).arg(crate::readers::script("hf_datasets.py")).arg(&folder));
    let row = |case: usize| json!([CASES[case].0, CASES[case].1, CASES[case].2, ["user"]]);
    let opened: Value = serde_json::from_str(&opened).unwrap();
    assert_eq!(opened, json!({"train": [row(0), row(3)], "pre_prod": [row(1), row(2)]}));

    for (split, count) in [("train", 2), ("pre_prod", 2)] {
        let file = folder.join(format!("data/{split}-00000-of-00001.parquet"));
        let back = tracewell(&data, &["dataset", "import", "refunds", file.to_str().unwrap()]);
        let told = format!("{count} examples were read, 0 changed something, 0 entries are wrong: `refunds@v2`");
        assert!(said(&back).contains(&told), "{}", said(&back));
    }
}
