//! Datasets that say what their examples look like, and how examples are changed.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{CASES, chat, done, rows, said, send, tracewell};
use crate::server::Server;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Ids of a dataset's examples.
fn ids(data: &Path, dataset: &str) -> Vec<Value> {
    let shown = rows(tracewell(data, &["dataset", "show", dataset, "--format", "json"]));
    shown.into_iter().map(|mut example| example["example"].take()).collect()
}

#[test]
fn what_a_schema_refuses_keeps_nothing_else_out() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let schema = write(folder, "schema.json", &json!({"required": ["expected"]}).to_string());
    let describe = ["dataset", "describe", "refunds", "--description", "Refunds", "--schema", schema.to_str().unwrap()];
    done(tracewell(&data, &describe));
    let lines = "{\"id\": \"a\", \"input\": \"1\", \"expected\": \"one\"}\n{\"id\": \"b\", \"input\": \"2\"}\nno\n\
        {\"id\": \"c\", \"input\": \"3\"}\n{\"id\": \"d\", \"input\": \"4\", \"expected\": \"four\"}\n";
    let file = write(folder, "cases.jsonl", lines);
    let import = ["dataset", "import", "refunds", file.to_str().unwrap()];

    let strict = tracewell(&data, &[&import[..], &["--strict"]].concat());
    assert!(
        !strict.status.success() && said(&strict).contains("nothing was taken: line 3: not JSON"),
        "{}",
        said(&strict)
    );
    let without = write(folder, "readable.jsonl", &lines.replace("no\n", ""));
    let strict = tracewell(&data, &["dataset", "import", "refunds", without.to_str().unwrap(), "--strict"]);
    for told in ["nothing was taken: line 2: `b`: it is not as the schema of `refunds` wants", "line 3: `c`: "] {
        assert!(!strict.status.success() && said(&strict).contains(told), "{}", said(&strict));
    }
    assert_eq!(ids(&data, "refunds"), [] as [Value; 0]);

    let partly = tracewell(&data, &import);
    assert!(!partly.status.success());
    for told in [
        "line 2: `b`: it is not",
        "line 3: not JSON",
        "line 4: `c`: ",
        "2 examples were read, 2 changed something, 3 entries are wrong: `refunds@v2`",
    ] {
        assert!(said(&partly).contains(told), "{told}: {}", said(&partly));
    }
    assert_eq!(ids(&data, "refunds"), [json!("a"), json!("d")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_schema_refuses_keeps_no_other_call_from_being_captured() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let server = Server::start(&data, &[]).await;
    let spans = [0, 1].map(|case| chat(case as u32 + 1, CASES[case].1, "", true, &[]));
    send(&server, spans.to_vec()).await;
    let about =
        json!({"properties": {"messages": {"not": {"contains": {"properties": {"content": {"const": CASES[0].1}}}}}}});
    let schema = write(folder, "schema.json", &about.to_string());
    done(tracewell(&data, &["dataset", "describe", "refunds", "--schema", schema.to_str().unwrap()]));
    let capture = ["examples", "capture", "error", "--dataset", "refunds", "--since", "1d", "--format", "json"];
    let told = rows(tracewell(&data, &capture));
    let what = |question: Value| told.iter().find(|row| row["question"] == question).unwrap()["what"].clone();
    assert_eq!((what(json!(CASES[1].1)), told.len()), (json!("taken"), 2), "{told:?}");
    let misfit = told.iter().find(|row| row["what"] == "misfit").unwrap();
    assert!(misfit["reason"].as_str().unwrap().contains("the schema of `refunds`"), "{misfit}");
    assert_eq!(ids(&data, "refunds").len(), 1);
}
