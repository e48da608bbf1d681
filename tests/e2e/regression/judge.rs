//! Models that judge answers by a rubric.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::model::{Model, start};
use super::replay::{candidate, command, replay};
use super::{CASES, chat, dataset, rows, said, send, text, tracewell};
use crate::server::{BINARY, Server};
use crate::spans::now;

pub(super) fn judge(folder: &Path, url: &str, kind: &str, model: &str) -> PathBuf {
    let path = folder.join(format!("{kind}-judge.toml"));
    let text = format!(
        "name = 'right'\nmodel = '{model}'\nrubric = 'Is it what was expected of {{{{ question }}}}?'\n\
         [endpoint]\nkind = '{kind}'\nurl = '{url}'\nkey = 'MODEL_KEY'\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

fn gate(data: &Path, folder: &Path, candidate: &str) -> Output {
    let file = folder.join("gate.toml");
    let text = format!(
        "name = 'refunds'\ndataset = 'refunds@v1'\ncandidate = 'version:{candidate}'\nminimum_sample = 4\n\
         [[scorer]]\nname = 'right'\nkind = 'recorded'\nat_least = 0.5\nmin_pass_rate = 1.0\n"
    );
    std::fs::write(&file, text).unwrap();
    tracewell(data, &["gate", file.to_str().unwrap()])
}

/// What OpenTelemetry's evaluation events say where no span is at hand: the response, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_gate_reads_scores_that_name_a_response_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let server = Server::start(&data, &[]).await;
    dataset(&data, folder);
    for (candidate, first, values) in
        [("refund-helper@15", 1, ["1", "1", "1", "1"]), ("refund-helper@16", 5, ["1", "0", "1", "1"])]
    {
        let (mut spans, mut records) = (Vec::new(), Vec::new());
        for (number, ((id, asked, answered), value)) in (first..).zip(CASES.iter().zip(values)) {
            let response = format!("response-{number}");
            let marks = [
                ("tracewell.example.id", *id),
                ("tracewell.candidate", candidate),
                ("tracewell.dataset", "refunds"),
                ("gen_ai.response.id", &*response),
            ];
            spans.push(chat(number, asked, answered, false, &marks));
            let said = [
                text("gen_ai.evaluation.name", "right"),
                text("gen_ai.evaluation.score.value", value),
                text("gen_ai.response.id", &response),
            ];
            records.push(
                json!({"timeUnixNano": now().to_string(), "eventName": "gen_ai.evaluation.result", "attributes": said}),
            );
        }
        send(&server, spans).await;
        let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string().into_bytes();
        assert_eq!(server.post("/v1/logs", "application/json", body).await.unwrap().status(), 200);
    }
    let (passes, fails) = (gate(&data, folder, "refund-helper@15"), gate(&data, folder, "refund-helper@16"));
    assert_eq!((passes.status.code(), fails.status.code()), (Some(0), Some(1)), "{}{}", said(&passes), said(&fails));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judge_is_asked_once_about_each_answer_and_a_gate_reads_what_it_says() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let server = Server::start(&data, &[]).await;
    dataset(&data, folder);
    let (url, model) = start(Model { refusals: 1, ..Model::default() }).await;
    let judge = judge(folder, &format!("{url}/v1"), "openai", "gpt-4.1");
    let judged = ["--judge", judge.to_str().unwrap()];
    let kind = candidate(folder, "refund-helper@12", &url, "Be kind.");
    let output = replay(&data, &kind, &judged).await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("judge `right`: 4 judged, 0 were, 0 failed, 0 not asked"), "{}", said(&output));
    // Four answers for 560 millionths each, and four judgements: 1 000 × 2 + 100 × 8 = 2 800 millionths each.
    assert!(said(&output).contains("0.01344 USD"), "{}", said(&output));
    let again = replay(&data, &kind, &judged).await;
    assert!(said(&again).contains("0 judged, 4 were"), "{}", said(&again));
    assert_eq!(model.lock().unwrap().asked.len(), 8, "nothing is asked twice");

    let terse = candidate(folder, "refund-helper@13", &url, "Be terse.");
    assert!(replay(&data, &terse, &judged).await.status.success());
    let scores = server.sql(
        "SELECT t.example, e.value, e.explanation, e.source, e.author, e.metadata['cost_usd'] AS cost
        FROM evaluations AS e JOIN trials AS t ON t.trace_id = e.trace_id AND t.span_id = e.span_id
        WHERE t.candidate = 'refund-helper@13' AND e.name = 'right' ORDER BY t.example",
    );
    let score = |example: &str, value: f64, why: &str| json!({"example": example, "value": value, "explanation": why, "source": "model", "author": "gpt-4.1", "cost": "0.0028"});
    let right = |example: &str| score(example, 1.0, "as expected");
    assert_eq!(json!(scores), json!([right("a"), score("b", 0.25, "not as expected"), right("c"), right("d")]));
    let (passes, fails) = (gate(&data, folder, "refund-helper@12"), gate(&data, folder, "refund-helper@13"));
    assert_eq!((passes.status.code(), fails.status.code()), (Some(0), Some(1)), "{}{}", said(&passes), said(&fails));
    // What is said of a document that was found is not said of the answer.
    let wrong =
        server.sql("SELECT trace_id, span_id FROM trials WHERE candidate = 'refund-helper@13' AND example = 'b'");
    let [trace, span] = ["trace_id", "span_id"].map(|name| wrong[0][name].as_str().unwrap());
    let of_document = ["score", "add", "right", "1", "--trace", trace, "--span", span, "--document", "doc-1"];
    assert!(tracewell(&data, &of_document).status.success());
    assert_eq!(gate(&data, folder, "refund-helper@13").status.code(), Some(1));

    // What judges cost counts, too: four answers and one judgement come to 0.00504.
    let exact = candidate(folder, "refund-helper@14", &url, "Be exact.");
    let stopped = replay(&data, &exact, &[&judged[..], &["--max-cost", "0.004"]].concat()).await;
    assert!(!stopped.status.success());
    assert!(said(&stopped).contains("1 judged, 0 were, 0 failed, 3 not asked"), "{}", said(&stopped));
    let lacking = gate(&data, folder, "refund-helper@14");
    assert_eq!(lacking.status.code(), Some(2), "{}", said(&lacking));
    let rest = replay(&data, &exact, &judged).await;
    assert!(said(&rest).contains("3 judged, 1 were"), "{}", said(&rest));
    assert_eq!(gate(&data, folder, "refund-helper@14").status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judge_that_was_killed_is_paid_for_nothing_twice() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    dataset(&data, folder);
    let (url, model) = start(Model { silent_after: Some(6), ..Model::default() }).await;
    let judge = judge(folder, &format!("{url}/v1"), "openai", "gpt-4.1");
    let judged = ["--judge", judge.to_str().unwrap(), "--concurrency", "1"];
    let kind = candidate(folder, "refund-helper@12", &url, "Be kind.");
    let mut killed = command(&data, &kind, &judged).stderr(Stdio::null()).spawn().unwrap();
    let kept = || {
        let files = std::fs::read_dir(data.join("replays")).into_iter().flatten().map(|entry| entry.unwrap().path());
        let scores = files.filter(|path| path.to_str().unwrap().ends_with(".scores.jsonl"));
        scores.map(|path| std::fs::read_to_string(path).unwrap().lines().count()).sum::<usize>()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while kept() < 2 {
        assert!(Instant::now() < deadline, "two judgements do not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    model.lock().unwrap().silent_after = None;
    let output = replay(&data, &kind, &judged).await;
    assert!(said(&output).contains("2 judged, 2 were, 0 failed"), "{}", said(&output));
    let answered = model.lock().unwrap().answered.clone();
    assert_eq!((answered.len(), answered.values().sum::<u32>()), (8, 8));
    let query = "SELECT count(*) AS n, count(DISTINCT span_id) AS spans FROM evaluations WHERE name = 'right'";
    let scores = rows(tracewell(&data, &["sql", "--format", "json", query]));
    assert_eq!(json!(scores), json!([{"n": 4, "spans": 4}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_a_harness_of_ones_own_are_judged_as_well() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let server = Server::start(&data, &[]).await;
    dataset(&data, folder);
    let (url, _) = start(Model::default()).await;
    let marks = |id: &'static str| [("tracewell.example.id", id), ("tracewell.candidate", "refund-helper@9")];
    let trials = CASES.iter().zip(1..).map(|((id, asked, right), number)| {
        let answer = if *id == "d" { "Nowhere." } else { right };
        chat(number, asked, answer, false, &marks(id))
    });
    send(&server, trials.collect()).await;
    let judge = judge(folder, &url, "anthropic", "claude-sonnet-4-5");
    let run = |whose: [&str; 2]| {
        let mut command = Command::new(BINARY);
        command.args(["judge", judge.to_str().unwrap(), "--dataset", "refunds"]).args(whose);
        command.args(["--data", data.to_str().unwrap()]).env("MODEL_KEY", "secret").env_remove("TRACEWELL_CONFIG");
        command
    };
    let ours = ["--candidate", "refund-helper@9"];
    let mut first = run(ours);
    let output = tokio::task::spawn_blocking(move || first.output().unwrap()).await.unwrap();
    assert!(said(&output).contains("4 judged, 0 were"), "{}", said(&output));
    let scores = server.sql("SELECT trace_id, value, author FROM evaluations WHERE source = 'model' ORDER BY trace_id");
    let values: Vec<_> = scores.iter().map(|row| row["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [1.0, 1.0, 1.0, 0.25]);
    assert!(scores.iter().all(|row| row["author"] == "claude-sonnet-4-5"));
    // Nobody was asked who is not there.
    for (whose, told) in [
        (
            ["--candidate", "refund-helper@8"],
            "no trials of the candidate `refund-helper@8` on `refunds`; there are the candidates refund-helper@9",
        ),
        (["--replay", "r"], "no trials of the replay `r` on `refunds`; no trial on it names a replay"),
    ] {
        let mut unknown = run(whose);
        let unknown = tokio::task::spawn_blocking(move || unknown.output().unwrap()).await.unwrap();
        assert_eq!(unknown.status.code(), Some(1), "{}", said(&unknown));
        assert!(said(&unknown).contains(told), "{}", said(&unknown));
    }
    let mut missing = run(ours);
    missing.env_remove("MODEL_KEY");
    let missing = tokio::task::spawn_blocking(move || missing.output().unwrap()).await.unwrap();
    assert!(!missing.status.success() && said(&missing).contains("MODEL_KEY"), "{}", said(&missing));
}
