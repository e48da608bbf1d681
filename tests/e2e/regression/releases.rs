//! What the ledger of releases holds to, on the command line.

use std::path::Path;

use super::story::{by, refused};
use super::{done, rows, tracewell};

/// Records a revision of the prompt `helper`: its file, less the text.
fn add(data: &Path, head: &str, text: &str) -> std::process::Output {
    let file = data.with_extension("toml");
    std::fs::write(&file, format!("name = 'helper'\n{head}\n[[message]]\nrole = 'system'\ncontent = '{text}'\n")).unwrap();
    by("ann", data, &["prompt", "add", file.to_str().unwrap()])
}

#[test]
fn a_version_is_one_text_and_a_number_one_revision() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    for text in ["One.", "Two."] {
        done(add(&data, "", text));
    }
    // What spans report as 1 is the first text, and stays it.
    refused(&add(&data, "version = '1'", "Three."), "version `1` of `helper` is on record as revision 1, with other content");
    done(add(&data, "version = '5'", "Three."));
    refused(&add(&data, "version = '5'", "Four."), "with other content; give this one a version of its own");
    // Another owner of the same text.
    assert_eq!(done(add(&data, "version = '5'\nowner = 'bob'", "Three.")), "helper@4\n");
    refused(&add(&data, "", "Five."), "version `5` of `helper` is on record as revision 3");
    assert_eq!(done(add(&data, "version = 'five'", "Five.")), "helper@5\n");

    let shown = |name: &str| tracewell(&data, &["prompt", "show", name, "--format", "json"]);
    let revision = |name: &str| {
        let shown: serde_json::Value = serde_json::from_str(&done(shown(name))).unwrap();
        shown["revision"].as_i64().unwrap()
    };
    assert_eq!((revision("helper"), revision("helper@2"), revision("helper@five")), (5, 2, 5));
    refused(&shown("helper@5"), "can mean several; write one of helper@revision:3, helper@revision:4, helper@revision:5");
    assert_eq!((revision("helper@revision:5"), revision("helper@version:5")), (5, 4));

    // The ledger goes by revisions: back to the fifth is back to the fifth.
    for revision in ["helper@revision:5", "helper@2"] {
        done(by("ann", &data, &["release", "live", revision, "--force", "--note", "a test"]));
    }
    let back = done(by("ann", &data, &["release", "rollback", "helper", "--format", "json"]));
    let back: serde_json::Value = serde_json::from_str(&back).unwrap();
    assert_eq!((&back["revision"], &back["messages"][0]["content"]), (&5.into(), &"Five.".into()));
    let live = rows(tracewell(&data, &["sql", "--format", "json", "SELECT revision FROM live_releases WHERE live_until IS NULL"]));
    assert_eq!(live[0]["revision"], 5);
}
