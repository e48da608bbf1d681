//! What a git history tells of prompts and of what was live.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::story::{by, refused};
use super::{done, rows, said, tracewell};

#[test]
fn prompts_are_taken_over_from_the_history_of_a_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path().join("repository"));
    std::fs::create_dir_all(folder.join("prompts/team")).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&folder).args(["-c", "user.name=Cleo", "-c", "user.email=cleo@example.org"]);
        assert!(command.args(arguments).output().unwrap().status.success(), "git {arguments:?}");
    };
    git(&["init", "-q"]);
    let helper = folder.join("prompts/team/helper.md");
    for (text, why) in [("Help {{ customer }}.", "begin"), ("Kindly help {{ customer }}.", "kinder")] {
        std::fs::write(&helper, text).unwrap();
        git(&["add", "-A"]);
        git(&["commit", "-q", "-m", why]);
    }
    let prompts = folder.join("prompts");
    let prompts = prompts.to_str().unwrap();
    assert_eq!(done(by("ann", &data, &["prompt", "sync", prompts, "--history"])), "team/helper@1\nteam/helper@2\n");
    let history = rows(tracewell(&data, &["prompt", "show", "team/helper", "--history", "--format", "json"]));
    let told: Vec<(&Value, &Value)> = history.iter().map(|row| (&row["author"], &row["note"])).collect();
    assert_eq!(told, [(&json!("Cleo"), &json!("kinder")), (&json!("Cleo"), &json!("begin"))]);
    assert!(history.iter().all(|row| row["commit"].as_str().unwrap().len() == 40));
    let diff = done(tracewell(&data, &["prompt", "diff", "team/helper@1", "team/helper@2"]));
    assert!(diff.contains("changed  content") && diff.contains("Kindly help"), "{diff}");

    // Taken over again, it goes on behind what it told before; names need not be ASCII.
    assert_eq!(done(by("ann", &data, &["prompt", "sync", prompts, "--history"])), "");
    std::fs::write(folder.join("prompts/grüße an alle.md"), "Names of prompts have no spaces.").unwrap();
    std::fs::write(folder.join("prompts/grüße.md"), "Greet.").unwrap();
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "greetings"]);
    let greeted = by("ann", &data, &["prompt", "sync", prompts, "--history"]);
    refused(&greeted, "`grüße an alle.md` is no prompt");
    assert!(said(&greeted).contains("grüße@1\n"), "{}", said(&greeted));
    std::fs::remove_file(folder.join("prompts/grüße an alle.md")).unwrap();

    // What is on record is not recorded again; what is no prompt is told, and the rest goes on.
    std::fs::write(folder.join("prompts/broken.toml"), "modell = 1\n").unwrap();
    std::fs::write(folder.join("prompts/other.md"), "Another.").unwrap();
    let synced = by("ann", &data, &["prompt", "sync", prompts]);
    refused(&synced, "`broken.toml` is no prompt");
    assert!(
        said(&synced).contains("1 revision was recorded, 2 files say what is on record, 1 is no prompt"),
        "{}",
        said(&synced)
    );
}

#[test]
fn what_was_live_is_taken_over_from_a_git_history() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path().join("repository"));
    std::fs::create_dir_all(folder.join("prompts")).unwrap();
    let git = |at: &str, arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&folder).args(["-c", "user.name=Cleo", "-c", "user.email=cleo@example.org"]);
        command.env("GIT_COMMITTER_DATE", at).env("GIT_AUTHOR_DATE", at);
        assert!(command.args(arguments).output().unwrap().status.success(), "git {arguments:?}");
    };
    let commit = |name: &str, text: &str, at: &str, why: &str| {
        std::fs::write(folder.join("prompts").join(name), text).unwrap();
        git(at, &["add", "-A"]);
        git(at, &["commit", "-q", "-m", why]);
    };
    git("2026-11-01T10:00:00+01:00", &["init", "-q"]);
    commit("helper.md", "Help.", "2026-11-01T10:00:00+01:00", "begin");
    git("2026-11-02T10:00:00Z", &["tag", "-a", "v1", "-m", "the first"]);
    commit("helper.md", "Help kindly.", "2026-11-03T10:00:00Z", "kinder");
    commit("other.md", "Other.", "2026-11-04T10:00:00Z", "another");
    git("2026-11-05T10:00:00Z", &["tag", "-a", "v2", "-m", "the second"]);
    let prompts = folder.join("prompts");
    let prompts = prompts.to_str().unwrap();
    let import = |more: &[&str]| by("ann", &data, &[&["release", "import", prompts][..], more].concat());
    refused(&import(&[]), "nothing of this history is on record");
    done(by("ann", &data, &["prompt", "sync", prompts, "--history"]));
    let lines = |output: Output| -> Vec<String> {
        done(output).lines().map(|line| line.split(" (").next().unwrap().to_owned()).collect()
    };
    let told = lines(import(&["--in", "staging", "--tags", "v*"]));
    assert_eq!(
        told,
        ["helper@1 in staging: live, forced", "helper@2 in staging: live, forced", "other@1 in staging: live, forced"]
    );
    let told = lines(import(&[]));
    assert_eq!(
        told,
        [
            "helper@1 in production: live, forced",
            "helper@2 in production: live, forced",
            "other@1 in production: live, forced"
        ]
    );
    assert_eq!(done(import(&[])), "", "nothing is recorded twice");
    let query = "SELECT revision, author, why, CAST(extract(epoch FROM effective_at) AS bigint) AS at, environment
        FROM releases WHERE prompt = 'helper' ORDER BY environment, effective_at";
    let kept = rows(tracewell(&data, &["sql", "--format", "json", query]));
    let seconds = |at: &str| at.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
    let entry = |revision: i64, why: &str, at: &str, environment: &str| {
        json!({"revision": revision, "author": "Cleo", "why": format!("{why} (from the git history)"),
            "at": seconds(at), "environment": environment})
    };
    assert_eq!(
        json!(kept),
        json!([
            entry(1, "begin", "2026-11-01T09:00:00Z", "production"),
            entry(2, "kinder", "2026-11-03T10:00:00Z", "production"),
            entry(1, "v1: the first", "2026-11-02T10:00:00Z", "staging"),
            entry(2, "v2: the second", "2026-11-05T10:00:00Z", "staging"),
        ])
    );

    // What came since is added, and what people recorded later stays.
    commit("helper.md", "Help exactly.", "2026-11-06T10:00:00Z", "exact");
    done(by("ann", &data, &["prompt", "sync", prompts, "--history"]));
    let live = ["release", "live", "other@1", "--force", "--note", "by hand", "--in", "canary"];
    done(by("ann", &data, &live));
    assert_eq!(lines(import(&[])), ["helper@3 in production: live, forced"]);
    assert_eq!(
        lines(import(&["--in", "canary"])),
        ["helper@1", "helper@2", "helper@3"].map(|of| format!("{of} in canary: live, forced"))
    );
}
