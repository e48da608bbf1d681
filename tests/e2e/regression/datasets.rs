//! Datasets that say what their examples look like, and how examples are changed.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{CASES, chat, dataset, done, rows, said, send, tracewell};
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

/// An example as the latest version of `refunds` has it.
fn example(data: &Path, id: &str) -> Value {
    let shown = done(tracewell(data, &["dataset", "show", "refunds", "--example", id, "--format", "json"]));
    serde_json::from_str(&shown).unwrap()
}

#[test]
fn examples_are_patched_taken_out_and_put_back() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    let before = example(&data, "a");
    let run = |arguments: &[&str]| tracewell(&data, &[&["dataset"][..], arguments].concat());
    done(run(&["patch", "refunds", "a", "b", "--split", "test", "--tag", "hard", "--tag", "new"]));
    done(run(&["patch", "refunds", "a", "--untag", "new", "--expected", "Ten working days.", "--note", "exact"]));
    let mut after = before.clone();
    after["revision"] = json!(3);
    (after["split"], after["tags"], after["expected"]) =
        (json!("test"), json!(["hard"]), json!({"text": "Ten working days."}));
    assert_eq!(example(&data, "a"), after, "the rest stays");
    assert_eq!(example(&data, "b")["tags"], json!(["hard", "new"]));
    for (wrong, told) in [
        (&["patch", "refunds", "nobody", "--tag", "x"][..], "`refunds` has no example `nobody`"),
        (&["patch", "refunds", "a"][..], "--split"),
        (&["restore", "refunds", "a"][..], "`refunds` has no archived example `a`"),
        (&["archive", "refunds", "b", "b"][..], "example `b` is named twice"),
    ] {
        let refused = run(wrong);
        assert!(!refused.status.success() && said(&refused).contains(told), "{wrong:?}: {}", said(&refused));
    }
    let changes = rows(run(&["diff", "refunds@v2", "refunds", "--format", "json"]));
    let change = |member: &str, before: Value, after: Value| {
        json!({"example": "a", "what": "changed", "member": member,
        "before": before.to_string(), "after": after.to_string()})
    };
    assert_eq!(
        json!(changes),
        json!([
            change("expected", json!({"text": "Ten days."}), json!({"text": "Ten working days."})),
            change("tags", json!(["hard", "new"]), json!(["hard"])),
        ])
    );

    done(run(&["archive", "refunds", "a", "c"]));
    assert_eq!(ids(&data, "refunds"), [json!("b"), json!("d")]);
    done(run(&["restore", "refunds", "a"]));
    after["revision"] = json!(5);
    assert_eq!(example(&data, "a"), after);
    let log = rows(run(&["log", "refunds", "--format", "json"]));
    assert_eq!((&log[0]["restored"], &log[1]["archived"]), (&json!(1), &json!(2)), "{log:?}");
}

#[test]
fn a_file_changes_what_it_names_and_a_masked_one_replaces_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let whole = json!({"id": "a", "expected": "one", "tags": ["x"], "metadata": {"customer": "C-7"},
        "messages": [{"role": "system", "content": "You help."}, {"role": "user", "content": "I am ann@example.org"}],
        "tools": [{"type": "function", "function": {"name": "find"}}]});
    let import = |name: &str, text: &str, more: &[&str]| {
        let file = write(folder, name, text);
        tracewell(&data, &[&["dataset", "import", "refunds", file.to_str().unwrap()][..], more].concat())
    };
    done(import("whole.jsonl", &whole.to_string(), &[]));
    let mut kept = example(&data, "a");
    done(import("sheet.csv", "id,input,expected\na,I am ann@example.org,two\n", &[]));
    (kept["revision"], kept["expected"]) = (json!(2), json!({"text": "two"}));
    assert_eq!(example(&data, "a"), kept);

    let masked = folder.join("masked.jsonl");
    let masked = masked.to_str().unwrap();
    done(tracewell(&data, &["dataset", "export", "refunds", "--to", "jsonl", "--output", masked]));
    let back = ["dataset", "import", "refunds", masked];
    let refused = tracewell(&data, &back);
    assert!(!refused.status.success() && said(&refused).contains("`a`: it holds `[EMAIL_1]`"), "{}", said(&refused));
    assert_eq!(example(&data, "a"), kept);
    done(tracewell(&data, &[&back[..], &["--masked"]].concat()));
    assert_eq!(example(&data, "a")["messages"][1]["content"], "I am [EMAIL_1]");

    let twice = "{\"id\": \"b\", \"input\": \"1\"}\n{\"id\": \"b\", \"revision\": 2, \"input\": \"2\"}\n";
    let twice = import("twice.jsonl", twice, &[]);
    assert!(!twice.status.success() && said(&twice).contains("line 2: `b` is on line 1 already"), "{}", said(&twice));
    assert_eq!(example(&data, "b")["messages"][0]["content"], "1");
}

#[test]
fn each_line_for_fine_tuning_is_told_the_example_of() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    // What expects nothing teaches nothing.
    done(tracewell(&data, &["dataset", "patch", "refunds", "b", "--expected", ""]));
    let file = folder.join("train.jsonl");
    done(tracewell(
        &data,
        &["dataset", "export", "refunds", "--to", "openai-fine-tuning", "--output", file.to_str().unwrap()],
    ));
    let lines = |path: &Path| -> Vec<Value> {
        std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let taught: Vec<Value> = lines(&file).into_iter().map(|mut line| line["messages"][0]["content"].take()).collect();
    assert_eq!(taught, [CASES[0].1, CASES[2].1, CASES[3].1]);
    let told: Vec<Value> = lines(&folder.join("train.jsonl.ids.jsonl"))
        .iter()
        .map(|line| json!([line["line"], line["dataset"], line["example"], line["revision"]]))
        .collect();
    let of = |line: usize, example: &str| json!([line, "refunds@v2", example, 1]);
    assert_eq!(told, [of(1, "a"), of(2, "c"), of(3, "d")]);
}

#[test]
fn an_exported_folder_of_parquet_is_imported_as_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    done(tracewell(&data, &["dataset", "patch", "refunds", "b", "c", "--split", "pre-prod"]));
    let out = folder.join("refunds-hf");
    let out = out.to_str().unwrap();
    done(tracewell(&data, &["dataset", "export", "refunds", "--to", "parquet", "--output", out]));
    let back = tracewell(&data, &["dataset", "import", "refunds", out, "--strict"]);
    let told = "4 examples were read, 0 changed something, 0 entries are wrong: `refunds@v2`";
    assert!(back.status.success() && said(&back).contains(told), "{}", said(&back));
    done(tracewell(&data, &["dataset", "import", "copy", out]));
    let shown = |name: &str| {
        let examples = rows(tracewell(&data, &["dataset", "show", name, "--format", "json"]));
        let of = |row: &Value| json!([row["example"], row["split"], row["question"], row["expected"]]);
        examples.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!((shown("copy").len(), shown("copy")), (4, shown("refunds")));
    assert_eq!(shown("copy")[1][1], "pre-prod", "not the name of its file, which has no `-`");
    let none = tracewell(&data, &["dataset", "import", "copy", folder.to_str().unwrap()]);
    assert!(!none.status.success(), "{}", said(&none));
}

#[test]
fn an_export_tells_of_tests_that_hold_nothing_against_an_output() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let asked = json!([{"role": "user", "content": "Who pays?"}]);
    let lines =
        [json!({"id": "a", "messages": asked, "expected": {"text": "We do."}}), json!({"id": "b", "messages": asked})];
    let lines = write(folder, "cases.jsonl", &lines.map(|line| line.to_string()).join("\n"));
    done(tracewell(&data, &["dataset", "import", "refunds", lines.to_str().unwrap()]));
    let told = |format| said(&tracewell(&data, &["dataset", "export", "refunds", "--to", format]));
    let unasserted = "1 test has no expected answer";
    assert!(told("promptfoo-yaml").contains(unasserted), "{}", told("promptfoo-yaml"));
    assert!(!told("jsonl").contains(unasserted), "{}", told("jsonl"));
}

#[test]
fn a_dataset_without_examples_passes_no_gate_and_wipes_no_export() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    let out = folder.join("out");
    let export = ["dataset", "export", "refunds", "--to", "parquet", "--output", out.to_str().unwrap()];
    done(tracewell(&data, &export));
    done(tracewell(&data, &["dataset", "archive", "refunds", "a", "b", "c", "d"]));
    let empty = tracewell(&data, &export);
    assert!(!empty.status.success() && said(&empty).contains("nothing is written"), "{}", said(&empty));
    assert!(out.join("data/train-00000-of-00001.parquet").is_file());
    let tests = tracewell(&data, &["dataset", "export", "refunds", "--to", "promptfoo-yaml"]);
    assert!(!tests.status.success() && tests.stdout.is_empty(), "{}", said(&tests));

    // Not even where it asks for nothing.
    let gate = "name = 'g'\ndataset = 'refunds@latest'\ncandidate = 'version:helper@1'\nminimum_sample = 0\n\
        [[scorer]]\nname = 'right'\nkind = 'exact'\nmin_pass_rate = 0.0\n[budget]\ntotal_cost = '1'\n";
    let gate = write(folder, "gate.toml", gate);
    let decided = tracewell(&data, &["gate", gate.to_str().unwrap(), "--format", "json"]);
    assert_eq!(decided.status.code(), Some(2), "{}", said(&decided));
    let decided: Value = serde_json::from_slice(&decided.stdout).unwrap();
    let decisions: Vec<&Value> =
        decided["findings"].as_array().unwrap().iter().map(|finding| &finding["decision"]).collect();
    assert_eq!(decisions, ["not_enough_evidence", "not_enough_evidence"]);
    let listed = tracewell(&data, &["gate", "--list", "--format", "html"]);
    assert!(!listed.status.success() && said(&listed).contains("as text or JSON"), "{}", said(&listed));
}
