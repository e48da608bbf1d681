//! What the ledger of releases holds to, on the command line.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::story::{by, refused, webhook};
use super::{CASES, chat, dataset, done, rows, said, send, tracewell};
use crate::server::{BINARY, Server};

/// Records a revision of a prompt: its file, less the text.
fn add(data: &Path, name: &str, head: &str, text: &str) -> Output {
    let file = data.with_extension("toml");
    let text = format!("name = '{name}'\n{head}\n[[message]]\nrole = 'system'\ncontent = '{text}'\n");
    std::fs::write(&file, text).unwrap();
    by("ann", data, &["prompt", "add", file.to_str().unwrap()])
}

#[test]
fn a_version_is_one_text_and_a_number_one_revision() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    for text in ["One.", "Two."] {
        done(add(&data, "helper", "", text));
    }
    // What spans report as 1 is the first text, and stays it.
    refused(
        &add(&data, "helper", "version = '1'", "Three."),
        "version `1` of `helper` is on record as revision 1, with other content",
    );
    done(add(&data, "helper", "version = '5'", "Three."));
    refused(&add(&data, "helper", "version = '5'", "Four."), "with other content; give this one a version of its own");
    // Another owner of the same text.
    assert_eq!(done(add(&data, "helper", "version = '5'\nowner = 'bob'", "Three.")), "helper@4\n");
    refused(&add(&data, "helper", "", "Five."), "version `5` of `helper` is on record as revision 3");
    assert_eq!(done(add(&data, "helper", "version = 'five'", "Five.")), "helper@5\n");

    let shown = |name: &str| tracewell(&data, &["prompt", "show", name, "--format", "json"]);
    let revision = |name: &str| {
        let shown: Value = serde_json::from_str(&done(shown(name))).unwrap();
        shown["revision"].as_i64().unwrap()
    };
    assert_eq!((revision("helper"), revision("helper@2"), revision("helper@five")), (5, 2, 5));
    refused(
        &shown("helper@5"),
        "can mean several; write one of helper@revision:3, helper@revision:4, helper@revision:5",
    );
    assert_eq!((revision("helper@revision:5"), revision("helper@version:5")), (5, 4));

    // What governs a release shows as well.
    done(add(&data, "helper", "version = 'six'\napprovals = 2", "Five."));
    let page = done(by("ann", &data, &["prompt", "diff", "helper@five", "helper@six"]));
    assert!(page.contains("nothing that calls depend on") && page.contains("governance  approvals"), "{page}");
    let shown = |form| done(by("ann", &data, &["prompt", "show", "helper@six", "--format", form]));
    assert!(shown("table").contains("approvals"), "{}", shown("table"));
    assert_eq!(serde_json::from_str::<Value>(&shown("json")).unwrap()["approvals"], 2);

    // The ledger goes by revisions: back to the fifth is back to the fifth.
    for revision in ["helper@revision:5", "helper@2"] {
        done(by("ann", &data, &["release", "live", revision, "--force", "--note", "a test"]));
    }
    let back = done(by("ann", &data, &["release", "rollback", "helper", "--format", "json"]));
    let back: Value = serde_json::from_str(&back).unwrap();
    assert_eq!((&back["revision"], &back["messages"][0]["content"]), (&json!(5), &json!("Five.")));
    let live = rows(tracewell(
        &data,
        &["sql", "--format", "json", "SELECT revision FROM live_releases WHERE live_until IS NULL"],
    ));
    assert_eq!(live[0]["revision"], 5);
}

/// Trials of `refund-helper` on every case that come out right, for a gate on that version.
async fn tried(server: &Server, version: &str, first: u32) {
    let marked = format!("refund-helper@{version}");
    let trial = |((id, asked, expected), number): (&(&str, &str, &str), u32)| {
        let marks =
            [("tracewell.example.id", *id), ("tracewell.candidate", marked.as_str()), ("tracewell.dataset", "refunds")];
        chat(number, asked, expected, false, &marks)
    };
    send(server, CASES.iter().zip(first..).map(trial).collect()).await;
}

/// Runs a gate that wants every answer right on a version of `refund-helper`; gives its output.
fn gate(data: &Path, version: &str) -> Output {
    let file = data.with_extension("gate.toml");
    let text = format!(
        "name = 'refunds'\ndataset = 'refunds@v1'\ncandidate = 'version:refund-helper@{version}'\nminimum_sample = 4\n\
         [[scorer]]\nname = 'right'\nkind = 'exact'\nmin_pass_rate = 1.0\n"
    );
    std::fs::write(&file, text).unwrap();
    by("ann", data, &["gate", file.to_str().unwrap()])
}

/// The id of the last verdict.
fn last_verdict(data: &Path) -> String {
    let query = "SELECT verdict FROM verdicts ORDER BY recorded_at DESC LIMIT 1";
    rows(tracewell(data, &["sql", "--format", "json", query]))[0]["verdict"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_on_record_is_not_judged_by_what_another_text_of_that_name_answered() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    dataset(&data, temporary.path());
    let trial = |((id, asked, expected), number): (&(&str, &str, &str), u32)| {
        let marks = [
            ("tracewell.example.id", *id),
            ("tracewell.candidate", "refund-helper@2"),
            ("tracewell.candidate.hash", "of another text"),
        ];
        chat(number, asked, expected, false, &marks)
    };
    send(&server, CASES.iter().zip(1..).map(trial).collect()).await;
    assert_eq!(gate(&data, "2").status.code(), Some(0), "nothing is on record");
    done(add(&data, "refund-helper", "version = '2'", "Old."));
    let decided = gate(&data, "2");
    assert_eq!(decided.status.code(), Some(2), "{}", said(&decided));
    let other = "What was tried as the candidate is not what is on record as `refund-helper@2`";
    assert!(said(&decided).contains(other), "{}", said(&decided));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_opens_only_the_revision_it_is_on() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    dataset(&data, temporary.path());
    tried(&server, "2", 1).await;
    // Revision 1 is version 2; revision 2 is another text.
    done(add(&data, "refund-helper", "version = '2'", "Old."));
    done(add(&data, "refund-helper", "version = '3'", "New."));
    assert_eq!(gate(&data, "2").status.code(), Some(0));
    let kept = server.sql("SELECT prompt, prompt_revision FROM verdicts");
    assert_eq!((&kept[0]["prompt"], &kept[0]["prompt_revision"]), (&json!("refund-helper"), &json!(1)));
    let passed = last_verdict(&data);

    let new = "refund-helper@revision:2";
    let on = "is on `version:refund-helper@2`, which is `refund-helper@1`, and not on `refund-helper@2`";
    refused(&by("ann", &data, &["release", "propose", new, "--verdict", &passed]), on);
    refused(&by("ann", &data, &["release", "propose", new, "--verdict", ""]), "a verdict is named by its id");
    done(by("ann", &data, &["release", "propose", new]));
    done(by("bob", &data, &["release", "approve", new]));
    refused(&by("ann", &data, &["release", "live", new, "--verdict", &passed]), on);
    let old = "refund-helper@revision:1";
    done(by("ann", &data, &["release", "propose", old]));
    done(by("bob", &data, &["release", "approve", old]));
    done(by("ann", &data, &["release", "live", old, "--verdict", &passed]));
}

#[test]
fn the_ledger_and_its_view_say_the_same_of_what_is_live() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let force = ["--force", "--note", "a test"];
    let live = |revision: &str, at: &str| {
        by("ann", &data, &[&["release", "live", revision, "--at", at][..], &force[..]].concat())
    };
    for text in ["One.", "Two."] {
        done(add(&data, "helper", "", text));
    }
    done(live("helper@1", "2025-11-20T12:00:00Z"));
    let first = by("bob", &data, &["release", "rollback", "helper", "--note", "it went bad"]);
    refused(&first, "nothing of `helper` was live in production before `helper@1`, so there is nothing to go back to");
    assert_eq!(first.status.code(), Some(1));
    refused(&live("helper@2", "2025-11-20T11:59:59Z"), "`helper@1` is live in production since 2025-11-20T12:00:00Z");
    done(live("helper@2", "2025-11-20T13:00:00Z"));
    refused(&by("bob", &data, &["release", "rollback", "helper@1"]), "`helper@1` is not live in production, but");
    done(by("bob", &data, &["release", "rollback", "helper", "--note", "it went bad"]));
    // What is live again was forced when it went live, and not by who rolled back.
    let status = rows(tracewell(&data, &["release", "status", "--format", "json"]));
    assert_eq!((&status[0]["live"], &status[0]["forced"]), (&json!("1"), &json!("by ann: a test")));
    let query = "SELECT revision, live_from, live_until
        FROM live_releases ORDER BY live_from";
    let kept = rows(tracewell(&data, &["sql", "--format", "json", query]));
    let of: Vec<(&Value, &Value)> = kept.iter().map(|row| (&row["revision"], &row["live_from"])).collect();
    let (one, two) = (json!("2025-11-20T12:00:00Z"), json!("2025-11-20T13:00:00Z"));
    assert_eq!(of[..2], [(&json!(1), &one), (&json!(2), &two)]);
    assert_eq!((&kept[0]["live_until"], of[2].0), (&two, &json!(1)));
    assert_eq!((&kept[1]["live_until"], &kept[2]["live_until"]), (of[2].1, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_of_a_rollback_that_nobody_reads() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    for (text, revision) in [("One.", "helper@1"), ("Two.", "helper@2")] {
        done(add(&data, "helper", "", text));
        done(by("ann", &data, &["release", "live", revision, "--force", "--note", "a test"]));
    }
    let (hook, told) = webhook().await;
    let mut command = Command::new(BINARY);
    command.args(["release", "rollback", "helper", "--author", "ann", "--webhook", &hook]);
    command.args(["--data", data.to_str().unwrap()]).env_remove("TRACEWELL_CONFIG");
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(process.stdout.take());
    let status = tokio::task::spawn_blocking(move || process.wait().unwrap()).await.unwrap();
    assert!(status.success());
    assert_eq!(told.lock().unwrap()[0]["live"]["revision"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_beside_other_data_than_is_read() {
    let temporary = tempfile::tempdir().unwrap();
    let (here, there) = (temporary.path().join("here"), temporary.path().join("there"));
    let server = Server::start(&there, &[]).await;
    dataset(&there, temporary.path());
    let server = ["--server", server.api.as_str()];
    let file = temporary.path().join("helper.md");
    std::fs::write(&file, "Help.").unwrap();
    let file = file.to_str().unwrap();
    let add = |data: &Path| by("ann", data, &[&["prompt", "add", file][..], &server[..]].concat());
    let told = "this command would read from the server http://127.0.0.1:";
    refused(&add(&here), told);
    assert!(!here.join("prompts").exists());
    let candidate = temporary.path().join("candidate.toml");
    let text = "model = 'm'\n[endpoint]\nkind = 'openai'\nurl = 'http://127.0.0.1:9'\n[[message]]\nrole = 'system'\ncontent = 'Help.'\n";
    std::fs::write(&candidate, text).unwrap();
    let replay = ["replay", "--dataset", "refunds", "--candidate", candidate.to_str().unwrap()];
    let replayed = by("ann", &here, &[&replay[..], &server[..]].concat());
    refused(&replayed, told);
    assert!(!here.join("replays").exists());
    // What only reads may ask any server, and the server of the data may be named.
    done(by("ann", &here, &[&["dataset", "show", "refunds"][..], &server[..]].concat()));
    assert_eq!(done(add(&there)), "helper@1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_in_traffic_that_are_not_on_record_are_listed_named_or_not() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    done(add(&data, "refund-helper", "version = '12'", "You help with refunds."));
    let mut unnamed = [2, 3].map(|number| chat(number, "Anything", "Sure.", false, &[]));
    for chat in &mut unnamed {
        let is_prompt = |one: &Value| one["key"].as_str().unwrap().starts_with("gen_ai.prompt.");
        chat["attributes"].as_array_mut().unwrap().retain(|one| !is_prompt(one));
    }
    send(&server, [vec![chat(1, "Anything", "Sure.", false, &[])], unnamed.to_vec()].concat()).await;
    let found = rows(tracewell(&data, &["prompt", "list", "--unregistered", "--format", "json"]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["prompt_name"], &found[0]["calls"]), (&Value::Null, &json!(2)));
    assert!(found[0]["prompt_shape"].as_str().is_some_and(|shape| shape.len() >= 32), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_list_compare_and_roll_back_over_http() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let (hook, told) = webhook().await;
    let environment = [("TRACEWELL_RELEASE_WEBHOOK", hook.as_str())];
    let server = Server::start_at(data.to_str().unwrap(), &data, &[], &environment).await;
    done(add(&data, "team/helper", "", "One."));
    done(add(&data, "team/helper", "approvals = 2", "Two."));
    let get = async |path: &str| {
        let answer = crate::server::client().get(format!("{}{path}", server.api)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json::<Value>().await.unwrap()
    };
    let post = async |body: Value| {
        let url = format!("{}/v1/releases", server.api);
        let answer = crate::server::client().post(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{body}");
        answer.json::<Value>().await.unwrap()
    };
    let live = |revision: u32| json!({"step": "live", "prompt": format!("team/helper@{revision}"), "author": "ann", "why": "a test", "force": true});
    let first = post(live(1)).await;
    assert_eq!(first["webhook"], Value::Null, "a webhook is told of rollbacks");
    // Nobody approves nothing, and a blank is no reason.
    let other = json!({"name": "other", "message": [{"role": "system", "content": "Three."}]});
    for (path, wrong, status) in [
        ("/v1/releases", json!({"step": "propose", "prompt": "team/helper@2", "author": " "}), 400),
        ("/v1/prompts", json!({"author": "", "prompt": other}), 400),
        (
            "/v1/releases",
            json!({"step": "live", "prompt": "team/helper@2", "author": "ann", "why": " ", "force": true}),
            409,
        ),
    ] {
        let answer = crate::server::client().post(format!("{}{path}", server.api)).json(&wrong).send().await.unwrap();
        assert_eq!(answer.status(), status, "{wrong}");
    }
    post(live(2)).await;
    let listed = get("/v1/prompts").await;
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["revision"], &listed[0]["live"]),
        (1, &json!(2), &json!("production: 2"))
    );
    let history = get("/v1/prompts/team/helper?history=true").await;
    assert_eq!((&history[0]["revision"], &history[1]["revision"]), (&json!(2), &json!(1)));
    let difference = get("/v1/prompts/team/helper@2?against=team/helper@1").await;
    assert_eq!(
        (&difference["before"]["revision"], &difference["changed"], &difference["governance"]),
        (&json!(1), &json!(["content"]), &json!(["approvals"]))
    );
    send(&server, vec![chat(1, "Anything", "Sure.", false, &[])]).await;
    let unknown = get("/v1/prompts?unregistered=true").await;
    assert_eq!((&unknown[0]["prompt_name"], &unknown[0]["calls"]), (&json!("refund-helper"), &json!(1)));

    let back = post(json!({"step": "rollback", "prompt": "team/helper", "author": "bob", "why": "too short"})).await;
    assert_eq!((&back["webhook"], &back["prompt"]["revision"]), (&json!("told"), &json!(1)));
    let told = told.lock().unwrap().clone();
    assert_eq!(
        (told.len(), &told[0]["rolled_back"]["revision"], &told[0]["live"], &told[0]["author"], &told[0]["why"]),
        (1, &json!(2), &back["prompt"], &json!("bob"), &json!("too short"))
    );
    let log = get("/v1/releases/log?prompt=team/helper").await;
    let of =
        |place: usize| (log[place]["step"].as_str(), log[place]["state"].as_str(), log[place]["revision"].as_i64());
    assert_eq!(
        [of(0), of(1), of(2), of(3)],
        [
            (Some("rollback"), Some("live"), Some(1)),
            (Some("rollback"), Some("rolled_back"), Some(2)),
            (Some("live"), Some("live"), Some(2)),
            (Some("live"), Some("live"), Some(1)),
        ]
    );
    assert_eq!((&log[2]["forced"], &log[2]["replaces"]), (&json!(true), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_names_itself_and_keeps_the_file_that_was_tried() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    dataset(&data, temporary.path());
    tried(&server, "7", 1).await;
    // A file that is not on record calls itself version 7.
    let candidate = temporary.path().join("candidate.toml");
    let text = |content: &str| {
        format!("name = 'refund-helper@7'\nmodel = 'm'\n[[message]]\nrole = 'system'\ncontent = '{content}'\n")
    };
    std::fs::write(&candidate, text("Help.")).unwrap();
    let file = temporary.path().join("file.gate.toml");
    let declared = format!(
        "name = 'refunds'\ndataset = 'refunds@v1'\ncandidate = 'file:{}'\nminimum_sample = 4\n\
         [[scorer]]\nname = 'right'\nkind = 'exact'\nmin_pass_rate = 1.0\n",
        candidate.display()
    );
    std::fs::write(&file, declared).unwrap();
    let decided = by("ann", &data, &["gate", file.to_str().unwrap(), "--format", "json"]);
    let printed: Value = serde_json::from_str(&done(decided)).unwrap();
    let id = printed["verdict"].as_str().unwrap();
    assert_eq!((id, &printed["candidate_version"]), (last_verdict(&data).as_str(), &json!("refund-helper@7")));
    let kept = server.sql("SELECT candidate_file, candidate_version FROM verdicts");
    assert_eq!(kept[0], json!({"candidate_file": text("Help."), "candidate_version": "refund-helper@7"}));
    let dry = by("ann", &data, &["gate", file.to_str().unwrap(), "--format", "json", "--dry-run"]);
    assert_eq!(serde_json::from_str::<Value>(&done(dry)).unwrap()["verdict"], Value::Null);

    // Recorded as it was tried, it rests on that verdict; something else under the name does not.
    let head = |version: &str| format!("version = '{version}'\nrouting = {{ model = 'm' }}");
    done(add(&data, "other", &head("7"), "Help."));
    refused(&by("ann", &data, &["release", "propose", "other@1", "--verdict", id]), "and not on `other@1`");
    done(add(&data, "refund-helper", &head("6"), "Other."));
    refused(
        &by("ann", &data, &["release", "propose", "refund-helper@1", "--verdict", id]),
        "and not on `refund-helper@1`",
    );
    done(add(&data, "refund-helper", &head("7"), "Help."));
    done(by("ann", &data, &["release", "propose", "refund-helper@2", "--verdict", id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_released_as_a_prompt_is_and_spans_of_its_runs_are_joined_to_it() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let file = temporary.path().join("refund-flow.toml");
    for version in ["1.4", "1.5"] {
        std::fs::write(&file, format!("kind = 'workflow'\nversion = '{version}'\nowner = 'ann'\n")).unwrap();
        done(by("ann", &data, &["prompt", "add", file.to_str().unwrap()]));
    }
    // A prompt of that name would be something else.
    refused(
        &add(&data, "refund-flow", "", "Help."),
        "`refund-flow` is on record as \"workflow\", and cannot be \"prompt\"",
    );
    for version in ["1.4", "1.5"] {
        let live = ["release", "live", &format!("refund-flow@{version}"), "--force", "--note", "a test"];
        done(by("ann", &data, &live));
    }

    // A run of the version before: its root names the workflow, the tool below it nothing, the call a prompt.
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let start = crate::spans::now();
    let span = |id: u32, parent: u32, attributes: Vec<Value>| {
        json!({"traceId": format!("{:032x}", 7), "spanId": format!("{id:016x}"), "name": "span", "kind": 1,
            "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") },
            "startTimeUnixNano": (start + u64::from(id)).to_string(),
            "endTimeUnixNano": (start + 1_000_000).to_string(), "attributes": attributes})
    };
    let operation = |name| attribute("gen_ai.operation.name", name);
    let flow = [("gen_ai.workflow.name", "refund-flow"), ("gen_ai.workflow.version", "1.4")];
    let root = flow.map(|(key, value)| attribute(key, value));
    let prompt = [("gen_ai.prompt.name", "refund-helper"), ("gen_ai.prompt.version", "12")];
    let prompt = prompt.map(|(key, value)| attribute(key, value));
    let spans = vec![
        span(1, 0, [&[operation("invoke_workflow")][..], &root].concat()),
        span(2, 1, vec![operation("execute_tool")]),
        span(3, 1, [&[operation("chat")][..], &prompt].concat()),
    ];
    send(&server, spans).await;
    let joined = server.sql(
        "SELECT span_id, release_kind, release_version, workflow_version, prompt_name, agrees FROM span_releases
        ORDER BY release_kind DESC, span_id",
    );
    let of = |id: u32| {
        json!({"span_id": format!("{id:016x}"), "release_kind": "workflow", "release_version": "1.5",
            "workflow_version": "1.4", "prompt_name": null, "agrees": false})
    };
    let named = json!({"span_id": format!("{:016x}", 3), "release_kind": "prompt", "release_version": null,
        "workflow_version": null, "prompt_name": "refund-helper", "agrees": null});
    assert_eq!(json!(joined), json!([of(1), of(2), of(3), named]));

    let status = rows(tracewell(&data, &["release", "status", "refund-flow", "--format", "json"]));
    let told = json!({"kind": "workflow", "live": "1.5", "seen": "1.4", "agreement": "the traffic says 1.4"});
    let of = |row: &Value| json!({"kind": row["kind"], "live": row["live"], "seen": row["seen"], "agreement": row["agreement"]});
    assert_eq!(status.iter().map(of).collect::<Vec<_>>(), [told]);
    let back = done(by("ann", &data, &["release", "rollback", "refund-flow", "--format", "json"]));
    let back: Value = serde_json::from_str(&back).unwrap();
    assert_eq!((&back["kind"], &back["version"]), (&json!("workflow"), &json!("1.4")));
    let status = rows(tracewell(&data, &["release", "status", "refund-flow", "--format", "json"]));
    assert_eq!(status[0]["agreement"], "agrees");
}
