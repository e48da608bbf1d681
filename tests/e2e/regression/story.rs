//! The whole way of a prompt's owner: a failure is captured, reviewed and corrected; a worse candidate is stopped, a better
//! one goes live, goes bad, and is rolled back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::Json;
use serde_json::{Value, json};

use super::model::{Model, start};
use super::promptfoo::promptfoo;
use super::replay::{candidate, replay};
use super::traffic::traffic;
use super::{CASES, done, rows, said, tracewell};
use crate::server::{BINARY, Server};

/// Runs a command as somebody.
pub(super) fn by(who: &str, data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--data", data.to_str().unwrap()]).env_remove("TRACEWELL_CONFIG");
    command.env("TRACEWELL_AUTHOR", who).output().unwrap()
}

pub(super) fn refused(output: &Output, why: &str) {
    assert!(!output.status.success() && said(output).contains(why), "{}", said(output));
}

/// Records a revision of the prompt, and writes it as a candidate as well.
fn prompt(data: &Path, folder: &Path, instructions: &str) {
    let file = folder.join("refund-helper.toml");
    let text = format!(
        "owner = 'ann'\n[routing]\nprovider = 'openai'\nmodel = 'gpt-4.1-mini'\n[parameters]\ntemperature = 0.5\n\
         [[message]]\nrole = 'system'\ncontent = '{instructions}'\n"
    );
    std::fs::write(&file, text).unwrap();
    done(by("ann", data, &["prompt", "add", file.to_str().unwrap()]));
}

pub(super) async fn webhook() -> (String, Arc<Mutex<Vec<Value>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    let take = move |Json(body): Json<Value>| {
        kept.lock().unwrap().push(body);
        std::future::ready("")
    };
    let routes = axum::Router::new().route("/hook", axum::routing::post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (format!("http://{address}/hook"), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_failure_in_production_to_a_rollback() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let server = Server::start(&data, &[]).await;
    let (url, _) = start(Model::default()).await;

    // Two answers are disliked, and captured.
    let terse = ("12", "Be terse.");
    let runs = traffic(&server, &url, terse, &[CASES[0].1, CASES[1].1]).await;
    for run in &runs {
        done(by("ann", &data, &["score", "add", "helpful", "false", "--trace", run, "--author", "cleo"]));
    }
    done(by("ann", &data, &["examples", "capture", "thumbs_down", "--dataset", "refunds", "--since", "1d"]));
    let examples = rows(tracewell(&data, &["dataset", "show", "refunds", "--format", "json"]));
    let id = |case: usize| {
        examples.iter().find(|example| example["question"] == CASES[case].1).unwrap()["example"]
            .as_str()
            .unwrap()
            .to_owned()
    };

    // They are reviewed: one on the command line, the other in a sheet.
    let questions = folder.join("questions.toml");
    std::fs::write(&questions, "[[question]]\nname = 'kind'\nkind = 'yes_no'\nrequired = true\n").unwrap();
    done(by(
        "ann",
        &data,
        &["review", "add", "failures", "--dataset", "refunds", "--questions", questions.to_str().unwrap()],
    ));
    let empty = by("bob", &data, &["review", "answer", "failures", &id(0), "correct", "--answer", "kind=yes"]);
    refused(&empty, "a correction says what the output should have been");
    let unanswered = by("bob", &data, &["review", "answer", "failures", &id(0), "correct", "--expected", CASES[0].2]);
    refused(&unanswered, "`kind` has to be answered");
    done(by(
        "bob",
        &data,
        &["review", "answer", "failures", &id(0), "correct", "--expected", CASES[0].2, "--answer", "kind=yes"],
    ));
    let sheet = done(by("bob", &data, &["review", "export", "failures"]));
    let mut lines = sheet.lines();
    assert_eq!(
        lines.next(),
        Some(
            "item,question,conversation,documents,output,expected_before,outcome,expected,expected_tool_calls,note,kind"
        )
    );
    let filled = format!(
        "item,outcome,expected,kind\nrefunds/{},correct,{},no\nrefunds/nobody,accept,,yes\n",
        id(1),
        CASES[1].2
    );
    // A conversation goes on over lines of its cell.
    let waiting = lines.filter(|line| line.starts_with("refunds/")).count();
    assert_eq!((waiting, sheet.contains(&format!("\nrefunds/{},", id(1)))), (1, true), "one waits: {sheet}");
    let file = folder.join("filled.csv");
    std::fs::write(&file, filled).unwrap();
    let imported = by("bob", &data, &["review", "import", "failures", file.to_str().unwrap()]);
    refused(&imported, "line 3: the queue `failures` has no item `refunds/nobody`");
    assert!(said(&imported).contains("1 judged, 1 row is wrong"), "{}", said(&imported));
    let corrected = server
        .sql("SELECT trace_id, text, author, source FROM evaluations WHERE data_type = 'correction' ORDER BY time");
    let correction =
        |case: usize| json!({"trace_id": runs[case], "text": CASES[case].2, "author": "bob", "source": "human"});
    assert_eq!(json!(corrected), json!([correction(0), correction(1)]));
    let examples = rows(tracewell(&data, &["dataset", "show", "refunds", "--format", "json"]));
    assert!(examples.iter().all(|example| CASES.iter().any(|case| example["expected"] == case.2)), "{examples:?}");
    // promptfoo asks what production asked, and finds the answer that was wrong.
    let tests = folder.join("tests.yaml");
    let export = ["dataset", "export", "refunds", "--to", "promptfoo-yaml", "--output", tests.to_str().unwrap()];
    done(tracewell(&data, &export));
    if let Some(passed) = promptfoo(folder, &tests, &url).await {
        assert_eq!(passed, BTreeMap::from([(id(0), true), (id(1), false)]));
    }

    // Three revisions are on record; the first is live.
    for instructions in ["Be kind.", "Be terse.", "Be exact."] {
        prompt(&data, folder, instructions);
    }
    done(by(
        "ann",
        &data,
        &["release", "live", "refund-helper@1", "--force", "--note", "it was live before there was a record"],
    ));
    let status = rows(tracewell(&data, &["release", "status", "--format", "json"]));
    let forced = status.iter().find(|row| row["live"] == "1").unwrap();
    assert_eq!(forced["forced"], "by ann: it was live before there was a record");
    let mut replays = Vec::new();
    for revision in 1..=3 {
        let instructions = ["Be kind.", "Be terse.", "Be exact."][revision - 1];
        let tried = candidate(folder, &format!("refund-helper@{revision}"), &url, instructions);
        let output = replay(&data, &tried, &[]).await;
        assert!(output.status.success(), "{}", said(&output));
        let told = said(&output);
        replays.push(told.split("replay ").nth(1).unwrap().split(':').next().unwrap().to_owned());
    }
    let decide = |revision: u32, baseline: &str, more: &[&str]| {
        let file = folder.join("gate.toml");
        let text = format!(
            "name = 'refunds'\ndataset = 'refunds@latest'\nbaseline = '{baseline}'\n\
             candidate = 'version:refund-helper@{revision}'\nminimum_sample = 2\nrepetitions = 1\n\
             [[scorer]]\nname = 'right'\nkind = 'exact'\nmin_pass_rate = 1.0\n"
        );
        std::fs::write(&file, text).unwrap();
        by("ann", &data, &[&["gate", file.to_str().unwrap()][..], more].concat())
    };
    let (worse, better) = (decide(2, "live:production", &[]), decide(3, "live:production", &[]));
    assert_eq!((worse.status.code(), better.status.code()), (Some(1), Some(0)), "{}{}", said(&worse), said(&better));
    // Against the replay of the worse one, what is better shows.
    let earlier = decide(3, &format!("run:{}", replays[1]), &["--dry-run", "--format", "json"]);
    let earlier: Value = serde_json::from_str(&done(earlier)).unwrap();
    assert_eq!(
        (&earlier["baseline_version"], &earlier["changes"][0]["example"], &earlier["changes"][0]["to"]),
        (&json!("refund-helper@2"), &json!(id(1)), &json!(1.0))
    );
    let verdict = |decision: &str| {
        let found = server
            .sql(&format!("SELECT verdict, baseline, baseline_version FROM verdicts WHERE decision = '{decision}'"));
        assert_eq!((found.len(), &found[0]["baseline"]), (1, &json!("live:production")));
        assert_eq!(found[0]["baseline_version"], "refund-helper@1", "what was live when it was reached");
        found[0]["verdict"].as_str().unwrap().to_owned()
    };
    let (failed, passed) = (verdict("fail"), verdict("pass"));

    // The worse one gets no further than its review, the better one goes live.
    let step = |who: &str, step: &str, revision: u32, more: &[&str]| {
        by(who, &data, &[&["release", step, &format!("refund-helper@{revision}")][..], more].concat())
    };
    done(step("ann", "propose", 2, &["--verdict", &failed]));
    refused(&step("ann", "approve", 2, &[]), "somebody else has to approve it");
    done(step("bob", "approve", 2, &[]));
    refused(&step("ann", "live", 2, &[]), "is fail");
    done(step("ann", "propose", 3, &["--note", "exact about who pays"]));
    refused(&step("ann", "live", 3, &["--verdict", &passed]), "0 of 1 approvals");
    done(step("bob", "approve", 3, &[]));
    done(step("ann", "stage", 3, &[]));
    let live = done(step("ann", "live", 3, &["--verdict", &passed]));
    assert!(live.contains("refund-helper@3 in production: live (changes content)"), "{live}");

    // Its traffic agrees, goes bad, and it is rolled back.
    let bad = traffic(&server, &url, ("3", "Be exact."), &[CASES[1].1]).await.remove(0);
    done(by("ann", &data, &["score", "add", "helpful", "false", "--trace", &bad, "--author", "cleo"]));
    let status = rows(tracewell(&data, &["release", "status", "--format", "json"]));
    assert_eq!(
        (&status[0]["live"], &status[0]["seen"], &status[0]["calls"], &status[0]["forced"]),
        (&json!("3"), &json!("3"), &json!("1"), &Value::Null),
        "{status:?}"
    );
    let joined = server.sql(&format!("SELECT release_revision, agrees FROM span_releases WHERE trace_id = '{bad}'"));
    assert_eq!(json!(joined), json!([{"release_revision": 3, "agrees": true}]));
    // What the run was told otherwise than the one before shows.
    let difference = done(tracewell(&data, &["runs", "diff", &runs[1], &bad, "--format", "json"]));
    let difference: Value = serde_json::from_str(&difference).unwrap();
    assert_eq!(difference["classes"], json!(["content"]), "{difference}");
    let changes = difference["calls"][0]["changes"].as_array().unwrap();
    let version = changes.iter().find(|one| one["what"] == "prompt version").unwrap();
    assert_eq!((&version["a"], &version["b"]), (&json!("12"), &json!("3")));
    let texts = difference["texts"].as_array().unwrap();
    let instructions = texts.iter().find(|one| one["what"] == "instructions").unwrap();
    assert_eq!(instructions["lines"], json!([["-", "Be terse."], ["+", "Be exact."]]));
    let (hook, told) = webhook().await;
    let data_too = data.clone();
    let rolled = tokio::task::spawn_blocking(move || {
        let rollback = [
            "release",
            "rollback",
            "refund-helper",
            "--note",
            "it promises refunds",
            "--webhook",
            &hook,
            "--format",
            "json",
        ];
        by("ann", &data_too, &rollback)
    });
    let back: Value = serde_json::from_str(&done(rolled.await.unwrap())).unwrap();
    assert_eq!(
        (&back["revision"], &back["messages"][0]["content"], &back["parameters"]["temperature"]),
        (&json!(1), &json!("Be kind."), &json!(0.5))
    );
    let told = told.lock().unwrap().clone();
    assert_eq!(
        (&told[0]["rolled_back"]["revision"], &told[0]["live"], &told[0]["why"]),
        (&json!(3), &back, &json!("it promises refunds"))
    );
    let status = rows(tracewell(&data, &["release", "status", "refund-helper", "--format", "json"]));
    assert_eq!(
        (&status[0]["live"], &status[0]["agreement"]),
        (&json!("1"), &json!("the traffic says 3")),
        "{status:?}"
    );
    let log = rows(tracewell(&data, &["release", "log", "refund-helper", "--format", "json"]));
    let steps: Vec<(&str, i64, &str)> = log
        .iter()
        .rev()
        .map(|row| (row["step"].as_str().unwrap(), row["revision"].as_i64().unwrap(), row["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        steps,
        [
            ("live", 1, "live"),
            ("propose", 2, "review"),
            ("approve", 2, "review"),
            ("propose", 3, "review"),
            ("approve", 3, "review"),
            ("stage", 3, "staged"),
            ("live", 3, "live"),
            ("rollback", 3, "rolled_back"),
            ("rollback", 1, "live"),
        ]
    );
    let forced: Vec<&Value> = log.iter().rev().map(|row| &row["forced"]).collect();
    let (none, no, yes) = (Value::Null, json!(false), json!(true));
    assert_eq!(forced, [&yes, &none, &none, &none, &none, &no, &no, &none, &none]);
    // The prompt of version 12 that the application names was never recorded.
    let unknown = rows(tracewell(&data, &["prompt", "list", "--unregistered", "--format", "json"]));
    assert_eq!(
        (unknown.len(), &unknown[0]["prompt_version"], &unknown[0]["calls"]),
        (1, &json!("12"), &json!(2)),
        "{unknown:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_and_releases_are_kept_over_http_as_well() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let post = async |path: &str, body: Value| {
        let answer = crate::server::client().post(format!("{}{path}", server.api)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let add = |content: &str| {
        let message = json!([{"role": "system", "content": content}]);
        json!({"author": "ann", "note": "first", "prompt": {"name": "team/helper", "message": message}})
    };
    let (status, added) = post("/v1/prompts", add("Help.")).await;
    assert_eq!((status, &added["revision"], &added["author"]), (201, &json!(1), &json!("ann")), "{added}");
    assert_eq!(post("/v1/prompts", add("Help.")).await.0, 200);
    assert_eq!(post("/v1/prompts", add("Help kindly.")).await.1["revision"], 2);
    assert_eq!(post("/v1/prompts", json!({"author": "ann", "prompt": {"name": "a b", "message": []}})).await.0, 400);
    let shown = crate::server::client().get(format!("{}/v1/prompts/team/helper@1", server.api)).send().await.unwrap();
    assert_eq!(
        shown.json::<Value>().await.unwrap()["template"],
        json!([{"role": "system", "content": "Help."}]).to_string()
    );

    let step = |step: &str, author: &str, force: bool| json!({"step": step, "prompt": "team/helper@2", "author": author, "why": "a test", "force": force});
    assert_eq!(post("/v1/releases", step("propose", "ann", false)).await.0, 200);
    let (status, said) = post("/v1/releases", step("approve", "ann", false)).await;
    assert_eq!(status, 409);
    assert!(said["error"].as_str().unwrap().contains("somebody else"), "{said}");
    assert_eq!(post("/v1/releases", step("approve", "bob", false)).await.0, 200);
    let (status, said) = post("/v1/releases", step("live", "ann", false)).await;
    assert_eq!((status, said["error"].as_str().unwrap().contains("no gate's verdict")), (409, true), "{said}");
    let (status, live) = post("/v1/releases", step("live", "ann", true)).await;
    let entry = &live["entries"][0];
    assert_eq!((status, &entry["state"], &entry["forced"]), (200, &json!("live"), &json!(true)));
    for (environment, shown) in [("../x", "`../x` is no name"), ("", "`` is no name"), ("a b", "letters, digits")] {
        let body = json!({"step": "propose", "prompt": "team/helper@1", "author": "ann", "environment": environment});
        let (status, said) = post("/v1/releases", body).await;
        assert!(status == 409 && said["error"].as_str().unwrap().contains(shown), "{said}");
    }
    let unknown = json!({"step": "propose", "prompt": "nobody", "author": "ann"});
    assert_eq!(post("/v1/releases", unknown).await.0, 404);
    let status =
        crate::server::client().get(format!("{}/v1/releases?prompt=team/helper", server.api)).send().await.unwrap();
    let status: Value = status.json().await.unwrap();
    assert_eq!((&status[0]["live"], &status[0]["agreement"]), (&json!("2"), &json!("no traffic")), "{status}");
    assert_eq!(status[0]["forced"], "by ann: a test");
    // The command sees what came over HTTP, and the other way round.
    let log = rows(tracewell(&data, &["release", "log", "--format", "json"]));
    assert_eq!(log.len(), 3);
}
