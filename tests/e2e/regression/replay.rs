//! Candidates tried against a model server of a test's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::model::{Model, start};
use super::{CASES, dataset, done, rows, said, tracewell};
use crate::server::{BINARY, Server};

pub(super) fn candidate(folder: &Path, name: &str, url: &str, instructions: &str) -> PathBuf {
    let path = folder.join(format!("{}.toml", name.replace('@', "-")));
    let text = format!(
        "name = '{name}'\nmodel = 'gpt-4.1-mini'\n[endpoint]\nurl = '{url}/v1'\nkey = 'MODEL_KEY'\n\
         [parameters]\ntemperature = 0.5\n[[message]]\nrole = 'system'\ncontent = '{instructions}'\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

pub(super) fn command(data: &Path, candidate: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["replay", "--dataset", "refunds", "--candidate", candidate.to_str().unwrap()]);
    command.args(["--data", data.to_str().unwrap()]).args(more);
    command.env("MODEL_KEY", "secret").env_remove("TRACEWELL_CONFIG");
    command
}

pub(super) async fn replay(data: &Path, candidate: &Path, more: &[&str]) -> std::process::Output {
    let mut command = command(data, candidate, more);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worse_candidate_is_stopped_and_a_better_one_passes() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let server = Server::start(&data, &[]).await;
    dataset(&data, folder);
    let (url, model) = start(Model { refusals: 2, ..Model::default() }).await;
    for (name, instructions) in
        [("refund-helper@12", "Be kind."), ("refund-helper@13", "Be terse."), ("refund-helper@14", "Be exact.")]
    {
        let candidate = candidate(folder, name, &url, instructions);
        let output = replay(&data, &candidate, &["--repetitions", "2"]).await;
        assert!(said(&output).contains("8 answered, 0 were there, 0 failed"), "{}", said(&output));
        assert!(output.status.success());
        // 1 000 × 0.4 + 100 × 1.6 = 560 millionths, eight times.
        assert!(said(&output).contains("0.00448 USD"), "{}", said(&output));
    }
    assert_eq!(model.lock().unwrap().asked.len(), 24);
    assert!(
        model.lock().unwrap().answered.values().all(|times| *times == 1),
        "each try after a refusal is the same call"
    );
    let first = model.lock().unwrap().asked[0].clone();
    assert_eq!(
        (&first["messages"][0], &first["temperature"]),
        (&json!({"role": "system", "content": "Be kind."}), &json!(0.5))
    );

    // What was asked and answered is traffic like any other.
    let calls = server.sql(
        "SELECT count(*) AS calls, min(prompt_version) AS version, CAST(sum(cost_usd) AS text) AS cost
        FROM span_costs GROUP BY prompt_name, prompt_version ORDER BY version",
    );
    let of = |version: &str| json!({"calls": 8, "version": version, "cost": "0.004480000000000000000000"});
    assert_eq!(json!(calls), json!([of("12"), of("13"), of("14")]));

    let gate = folder.join("gate.toml");
    let decide = |candidate: &str| {
        let text = format!(
            "name = 'refunds'\ndataset = 'refunds@v1'\nbaseline = 'version:refund-helper@12'\n\
             candidate = 'version:refund-helper@{candidate}'\nrepetitions = 2\nminimum_sample = 4\nnever_fail = ['b']\n\
             [[scorer]]\nname = 'right'\nkind = 'exact'\nmin_pass_rate = 1.0\n[[scorer]]\nname = 'same words'\nkind = 'token-f1'\nmin_score = 0.9\n\
             [budget]\nmean_cost = '0.0006'\nmax_cost_rise = 0.1\n"
        );
        std::fs::write(&gate, text).unwrap();
        tracewell(&data, &["gate", gate.to_str().unwrap()])
    };
    let worse = decide("13");
    assert_eq!(worse.status.code(), Some(1), "{}", said(&worse));
    let better = decide("14");
    assert_eq!(better.status.code(), Some(0), "{}", said(&better));
    let trials = server.sql("SELECT trials FROM verdicts WHERE decision = 'fail'");
    let trials: Vec<Value> = serde_json::from_str(trials[0]["trials"].as_str().unwrap()).unwrap();
    let wrong =
        trials.iter().filter(|trial| trial["side"] == "candidate" && trial["scores"]["right"]["passed"] == false);
    assert_eq!((trials.len(), wrong.count()), (16, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_was_killed_pays_for_nothing_twice() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    let (url, model) = start(Model { silent_after: Some(5), ..Model::default() }).await;
    let candidate = candidate(folder, "refund-helper@12", &url, "Be kind.");
    let more = ["--repetitions", "2", "--concurrency", "2"];
    let mut killed = command(&data, &candidate, &more).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let journal = || {
        let entries = std::fs::read_dir(data.join("replays")).into_iter().flatten();
        let texts = entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        texts.map(|text| text.lines().count()).sum::<usize>()
    };
    while journal() < 5 {
        assert!(Instant::now() < deadline, "five answers do not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Two at once would pay for the same.
    let second = replay(&data, &candidate, &more).await;
    assert!(!second.status.success() && said(&second).contains("another command goes on"), "{}", said(&second));
    killed.kill().unwrap();
    killed.wait().unwrap();
    model.lock().unwrap().silent_after = None;

    let output = replay(&data, &candidate, &more).await;
    assert!(said(&output).contains("3 answered, 5 were there, 0 failed"), "{}", said(&output));
    let once = replay(&data, &candidate, &more).await;
    assert!(said(&once).contains("0 answered, 8 were there, 0 failed"), "{}", said(&once));
    let answered = model.lock().unwrap().answered.clone();
    assert_eq!((answered.len(), answered.values().sum::<u32>()), (8, 8));
    let query = "SELECT count(*) AS n, count(DISTINCT trace_id) AS runs FROM trials WHERE status IS NULL";
    let kept = rows(tracewell(&data, &["sql", "--format", "json", query]));
    assert_eq!(json!(kept), json!([{"n": 8, "runs": 8}]));
    // With --again everything is asked for once more, as another replay.
    let again = replay(&data, &candidate, &["--again"]).await;
    assert!(said(&again).contains("4 answered, 0 were there"), "{}", said(&again));
    // That cannot be gone on with, but by a name.
    let unnamed = replay(&data, &candidate, &["--again", "--max-cost", "0.0012"]).await;
    assert!(said(&unnamed).contains("--again=NAME goes on with that of this name"), "{}", said(&unnamed));
    for (ceiling, told) in [("0.0012", "2 answered, 0 were there"), ("1", "2 answered, 2 were there")] {
        let named = replay(&data, &candidate, &["--again=second", "--max-cost", ceiling]).await;
        assert!(said(&named).contains(told), "{}", said(&named));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replay_may_cost_is_held_and_what_is_wrong_is_told() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    let (url, model) = start(Model::default()).await;
    let well = candidate(folder, "refund-helper@12", &url, "Be kind.");
    // Each call costs 0.00056.
    let stopped = replay(&data, &well, &["--max-cost", "0.0012"]).await;
    assert!(!stopped.status.success());
    assert!(said(&stopped).contains("2 answered, 0 were there, 0 failed, 2 not tried"), "{}", said(&stopped));
    // Gone on with, it has not more to spend than it had: a third call would come to 0.00168.
    let stopped = replay(&data, &well, &["--max-cost", "0.0012"]).await;
    assert!(said(&stopped).contains("0 answered, 2 were there, 0 failed, 2 not tried"), "{}", said(&stopped));
    assert!(said(&stopped).contains("0 USD, 0.00112 USD before"), "{}", said(&stopped));
    let rest = replay(&data, &well, &[]).await;
    assert!(said(&rest).contains("2 answered, 2 were there"), "{}", said(&rest));
    assert_eq!(model.lock().unwrap().asked.len(), 4);

    let missing = candidate(folder, "broken", &url, "{{ metadata.customer }}");
    let missing = replay(&data, &missing, &[]).await;
    let told = "broken.toml`, example `a`: message 1: the example has no `metadata.customer`";
    assert!(!missing.status.success() && said(&missing).contains(told), "{}", said(&missing));
    assert_eq!(model.lock().unwrap().asked.len(), 4, "nothing was paid for");

    let none = replay(&data, &well, &["--split", "test"]).await;
    assert!(!none.status.success() && said(&none).contains("no example of `refunds@v1` is meant"), "{}", said(&none));

    let lost = candidate(folder, "lost", &format!("{url}/nowhere"), "Be kind.");
    let lost = replay(&data, &lost, &["--concurrency", "1"]).await;
    assert!(said(&lost).contains("0 answered, 0 were there, 1 failed, 3 not tried"), "{}", said(&lost));
    assert!(said(&lost).contains("the endpoint answered 404"), "{}", said(&lost));
    let failed = rows(tracewell(
        &data,
        &["sql", "--format", "json", "SELECT error_type, status FROM trials WHERE candidate = 'lost'"],
    ));
    assert_eq!(json!(failed), json!([{"error_type": "404", "status": "error"}]));

    let nobody = candidate(folder, "nobody", "http://127.0.0.1:1", "Be kind.");
    let nobody = replay(&data, &nobody, &["--retries", "0"]).await;
    assert!(!nobody.status.success() && said(&nobody).contains("Connection refused"), "{}", said(&nobody));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_there_is_no_answer_is_told_apart() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    let (silent, _model) = start(Model { silent_after: Some(0), ..Model::default() }).await;
    let (busy, _model) = start(Model { refusals: 1, ..Model::default() }).await;
    // It answers, and not as a model does.
    let page = axum::Router::new().fallback(|| async { "<html>" });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let odd = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, page).await.unwrap() });
    for (name, url) in
        [("silent", silent.as_str()), ("gone", "http://127.0.0.1:1"), ("busy", busy.as_str()), ("odd", odd.as_str())]
    {
        let file = candidate(folder, name, url, "Be kind.");
        let failed = replay(&data, &file, &["--retries", "0", "--timeout", "500ms"]).await;
        assert!(said(&failed).contains("0 answered, 0 were there, 4 failed"), "{}", said(&failed));
    }
    let query = "SELECT min(duration_ns) AS waited FROM trials WHERE candidate = 'silent'";
    let waited = rows(tracewell(&data, &["sql", "--format", "json", query]))[0]["waited"].as_i64().unwrap();
    assert!(waited >= 500_000_000, "{waited}");
    // A call that failed at once was not fast.
    let gate = folder.join("gate.toml");
    let text = "name = 'fast'\ndataset = 'refunds@v1'\ncandidate = 'version:gone'\nminimum_sample = 4\n\
        [[scorer]]\nname = 'fast'\nkind = 'latency'\nat_most = '1m'\nmin_pass_rate = 1.0\n[budget]\np95_latency = '1m'\n";
    std::fs::write(&gate, text).unwrap();
    let decided = tracewell(&data, &["gate", gate.to_str().unwrap()]);
    assert_eq!(decided.status.code(), Some(2), "{}", said(&decided));
    assert!(said(&decided).contains("latency is not known"), "{}", said(&decided));
    let query = "SELECT candidate, error_type, count(*) AS calls FROM trials GROUP BY candidate, error_type ORDER BY 1";
    let told = rows(tracewell(&data, &["sql", "--format", "json", query]));
    let of = |candidate: &str, kind: &str| json!({"candidate": candidate, "error_type": kind, "calls": 4});
    let kinds = [of("busy", "429"), of("gone", "connection"), of("odd", "invalid_response"), of("silent", "timeout")];
    assert_eq!(json!(told), json!(kinds));
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_is_asked_in_its_own_words() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    let (url, model) = start(Model::default()).await;
    let path = folder.join("claude.toml");
    let text = format!(
        "model = 'claude-sonnet-4-5'\n[endpoint]\nkind = 'anthropic'\nurl = '{url}'\nkey = 'MODEL_KEY'\n[[message]]\nrole = 'system'\ncontent = 'Be kind.'\n"
    );
    std::fs::write(&path, text).unwrap();
    let output = replay(&data, &path, &[]).await;
    assert!(output.status.success(), "{}", said(&output));
    let asked = model.lock().unwrap().asked[0].clone();
    assert_eq!((&asked["system"], &asked["max_tokens"]), (&json!("Be kind."), &json!(4096)));
    let query = "SELECT count(*) AS n, min(input_tokens) AS input, min(cache_read_tokens) AS cached, min(provider) AS provider FROM llm_calls";
    let calls = rows(tracewell(&data, &["sql", "--format", "json", query]));
    assert_eq!(json!(calls), json!([{"n": 4, "input": 1000, "cached": 100, "provider": "anthropic"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_on_record_is_tried_as_it_is_and_a_gate_finds_it_by_its_revision() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    let (url, model) = start(Model::default()).await;
    for instructions in ["Be terse.", "Be exact."] {
        let file = folder.join("refund-helper.toml");
        let text = format!(
            "[routing]\nmodel = 'gpt-4.1-mini'\nurl = '{url}/v1'\nkey = 'MODEL_KEY'\n[parameters]\ntemperature = 0.5\n\
             [[message]]\nrole = 'system'\ncontent = '{instructions}'\n"
        );
        std::fs::write(&file, text).unwrap();
        done(tracewell(&data, &["prompt", "add", file.to_str().unwrap()]));
    }
    for (prompt, instructions) in [("prompt:refund-helper@1", "Be terse."), ("prompt:refund-helper", "Be exact.")] {
        let output = replay(&data, Path::new(prompt), &[]).await;
        assert!(said(&output).contains("4 answered, 0 were there"), "{}", said(&output));
        let asked = model.lock().unwrap().asked.last().unwrap().clone();
        assert_eq!((&asked["messages"][0]["content"], &asked["temperature"]), (&json!(instructions), &json!(0.5)));
    }
    let again = replay(&data, Path::new("prompt:refund-helper@2"), &[]).await;
    assert!(said(&again).contains("0 answered, 4 were there"), "the latest is revision 2: {}", said(&again));
    let gate = folder.join("gate.toml");
    let text = "name = 'refunds'\ndataset = 'refunds@v1'\nbaseline = 'prompt:refund-helper@1'\n\
        candidate = 'prompt:refund-helper'\nminimum_sample = 4\n\
        [[scorer]]\nname = 'right'\nkind = 'exact'\nmin_pass_rate = 1.0\n";
    std::fs::write(&gate, text).unwrap();
    let passed = tracewell(&data, &["gate", gate.to_str().unwrap()]);
    assert_eq!(passed.status.code(), Some(0), "{}", said(&passed));
    let query = "SELECT prompt, prompt_revision, baseline, candidate FROM verdicts";
    let verdicts = rows(tracewell(&data, &["sql", "--format", "json", query]));
    let told = json!({"prompt": "refund-helper", "prompt_revision": 2, "baseline": "prompt:refund-helper@1",
        "candidate": "prompt:refund-helper"});
    assert_eq!(json!(verdicts), json!([told]));
    let unknown = replay(&data, Path::new("prompt:nobody@1"), &[]).await;
    assert!(said(&unknown).contains("no prompt `nobody` is on record"), "{}", said(&unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_was_changed_since_it_was_tried_is_not_decided_on() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    let (url, _model) = start(Model::default()).await;
    let helper = candidate(folder, "refund-helper@12", &url, "Be kind.");
    let gate = folder.join("gate.toml");
    let text = format!(
        "name = 'refunds'\ndataset = 'refunds@v1'\ncandidate = 'file:{}'\nminimum_sample = 4\n\
         [[scorer]]\nname = 'right'\nkind = 'exact'\nmin_pass_rate = 1.0\n",
        helper.display()
    );
    std::fs::write(&gate, text).unwrap();
    let decide = || tracewell(&data, &["gate", gate.to_str().unwrap(), "--format", "json"]);
    assert!(replay(&data, &helper, &[]).await.status.success());
    assert_eq!(decide().status.code(), Some(0));

    // By the same name it says something else, which answers one of four wrong.
    candidate(folder, "refund-helper@12", &url, "Be terse.");
    let changed = decide();
    assert_eq!(changed.status.code(), Some(2), "{}", said(&changed));
    assert!(said(&changed).contains("What was tried as the candidate is not what it says now"), "{}", said(&changed));
    assert!(replay(&data, &helper, &[]).await.status.success());
    assert_eq!(decide().status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_example_of_any_name_is_tried() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let file = folder.join("named.jsonl");
    // No header could hold it.
    std::fs::write(&file, json!({"id": "größe\n1", "input": CASES[0].1}).to_string()).unwrap();
    done(tracewell(&data, &["dataset", "import", "refunds", file.to_str().unwrap()]));
    let (url, _model) = start(Model::default()).await;
    let helper = candidate(folder, "helper@1", &url, "Be kind.");
    for told in ["1 answered, 0 were there, 0 failed", "0 answered, 1 were there, 0 failed"] {
        let output = replay(&data, &helper, &[]).await;
        assert!(output.status.success() && said(&output).contains(told), "{}", said(&output));
    }
}
