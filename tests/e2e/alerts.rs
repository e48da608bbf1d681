//! Alerts: they fire on what is there, once, name the runs behind them, and are resolved.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::readers;
use crate::server::{BINARY, Server, client, sql};

mod measures;

fn tracewell(data: &Path, config: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--data", data.to_str().unwrap(), "--config", config.to_str().unwrap()]);
    command.env("TRACEWELL_AUTHOR", "ann").output().unwrap()
}

fn text(output: Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn rows(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Calls that began `ago` seconds before now, one trace each; of these so many failed.
async fn send(server: &Server, first: u32, calls: u32, failed: u32, ago: u64, model: &str) {
    send_marked(server, first, calls, failed, ago, model, None).await;
}

/// The same, with one more attribute.
async fn send_marked(
    server: &Server,
    first: u32,
    calls: u32,
    failed: u32,
    ago: u64,
    model: &str,
    mark: Option<(&str, &str)>,
) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 - ago * 1_000_000_000;
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let count = |key: &str, value: u32| json!({"key": key, "value": {"intValue": value.to_string()}});
    let span = |number: u32| {
        let status = if number < first + failed { json!({"code": 2}) } else { json!({}) };
        let mut span = json!({
            "traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"), "name": "chat", "kind": 3, "status": status,
            "startTimeUnixNano": (now + u64::from(number)).to_string(), "endTimeUnixNano": (now + 500_000_000).to_string(),
            "attributes": [
                text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", model), text("gen_ai.response.model", model),
                count("gen_ai.usage.input_tokens", 1_000), count("gen_ai.usage.output_tokens", 100),
            ],
        });
        if let (Some((key, value)), Some(attributes)) = (mark, span["attributes"].as_array_mut()) {
            attributes.push(text(key, value));
        }
        span
    };
    let spans: Vec<Value> = (first..first + calls).map(span).collect();
    let body = json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "app"}, "spans": spans}]}]});
    let answer = server.post("/v1/traces", "application/json", body.to_string().into_bytes()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// Of a rule: event, value, samples.
type Finding = (Option<String>, Option<f64>, Option<String>);

/// Asks all rules; what a rule found.
fn check(data: &Path, config: &Path) -> impl Fn(&str) -> Finding {
    let checked = rows(&tracewell(data, config, &["alerts", "check", "--format", "json"]));
    move |rule: &str| {
        let row = checked.iter().find(|row| row["rule"] == rule).unwrap();
        let text = |column: &str| row[column].as_str().map(str::to_owned);
        (text("event"), text("value").map(|value| value.parse().unwrap()), text("samples"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_fires_once_is_silenced_and_is_resolved() {
    let Some(python) = readers::python("an_alert_fires_once_is_silenced_and_is_resolved") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("tracewell.toml"));
    let receiver = crate::reports::Receiver::start(&python, folder.path());
    let settings = |threshold: f64| {
        let text = format!(
            "[alerts]\ninterval = '200ms'\n[[alerts.rules]]\nname = 'failures'\nmeasure = 'error_rate'\nthreshold = {threshold}\nwindow = '1h'\nminimum = 4\ndeliver = ['hook']\n\
             [[report.destinations]]\nkind = 'webhook'\nname = 'hook'\nurl = {{ env = 'TEST_HOOK' }}\n"
        );
        std::fs::write(&config, text).unwrap();
    };
    settings(0.5);
    let url = format!("http://127.0.0.1:{}/alerts", receiver.web);
    let start = async || {
        Server::start_at(data.to_str().unwrap(), &data, &["--config", config.to_str().unwrap()], &[("TEST_HOOK", &url)])
            .await
    };
    let server = start().await;
    send(&server, 1, 3, 3, 5, "gpt-4.1-mini").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let events = || {
        // What is recorded within a second is silenced before it is resolved.
        sql(&data, "SELECT event FROM alerts WHERE destination IS NULL ORDER BY recorded_at, event DESC")
            .iter()
            .map(|row| row["event"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(events(), Vec::<String>::new(), "three calls are too few");
    send(&server, 10, 1, 0, 5, "gpt-4.1-mini").await;
    crate::reports::until("it does not fire", || events() == ["firing"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    crate::reports::until("it was not sent", || receiver.received().len() == 1);
    let body = &receiver.received()[0]["body"];
    assert_eq!(
        (&body["rule"], &body["state"], &body["value"], &body["samples"]),
        (&json!("failures"), &json!("firing"), &json!(0.75), &json!(4))
    );
    assert_eq!(body["runs"].as_array().unwrap().len(), 3);
    let metrics = client().get(format!("{}/metrics", server.api)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("tracewell_alert_firing{rule=\"failures\"} 1\n"), "{metrics}");
    server.kill();

    // It fires still, after a restart too, and that is not said again; resolved under a silence is kept and not sent.
    let silenced = tracewell(&data, &config, &["alerts", "silence", "failures", "--for", "1h"]);
    assert!(silenced.status.success(), "{}", String::from_utf8_lossy(&silenced.stderr));
    let unknown = tracewell(&data, &config, &["alerts", "silence", "failure", "--for", "1h"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is `failures`"));
    settings(0.9);
    let server = start().await;
    crate::reports::until("it is not resolved", || events() == ["firing", "silenced", "resolved"]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(receiver.received().len(), 1);
    drop(server);
    let listed = rows(&tracewell(&data, &config, &["alerts", "list", "--format", "json"]));
    assert_eq!((&listed[0]["rule"], &listed[0]["last_event"]), (&json!("failures"), &json!("resolved")));
    assert!(listed[0]["silenced_until"].is_string());

    // It is told when the silence is over, which then is ended early.
    text(tracewell(&data, &config, &["alerts", "silence", "failures", "--for", "0s"]));
    let check = || {
        let mut command = Command::new(BINARY);
        command.args(["alerts", "check", "--format", "json", "--data", data.to_str().unwrap()]);
        command.args(["--config", config.to_str().unwrap()]).env("TEST_HOOK", &url);
        command.output().unwrap()
    };
    rows(&check());
    let states = || {
        let mut states: Vec<String> = receiver.received().iter().map(|one| one["body"]["state"].to_string()).collect();
        states.sort();
        states
    };
    assert_eq!(states(), ["\"firing\"", "\"resolved\""]);
    rows(&check());
    assert_eq!(states().len(), 2, "it is told once");
}

/// What begins under a silence and outlasts it is told behind it; a receiver that is away gets it when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_told_behind_a_silence_and_again_until_it_has_arrived() {
    let Some(python) = readers::python("an_alert_is_told_behind_a_silence_and_again_until_it_has_arrived") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("tracewell.toml"));
    let receiver = crate::reports::Receiver::start(&python, folder.path());
    let hook = folder.path().join("hook");
    std::fs::write(&hook, format!("http://127.0.0.1:{}/refuse-once", receiver.web)).unwrap();
    let settings = format!(
        "[[alerts.rules]]\nname = 'calls'\nmeasure = 'sql'\nsql = 'SELECT 2 AS value'\nthreshold = 1.0\ndeliver = ['hook', 'files']\n\
         [[report.destinations]]\nkind = 'webhook'\nname = 'hook'\nurl = {{ file = '{}' }}\n\
         [[report.destinations]]\nkind = 'store'\nname = 'files'\nfolder = 'published'\n",
        hook.display()
    );
    std::fs::write(&config, settings).unwrap();
    let server = Server::start(&data, &[]).await;
    send(&server, 1, 1, 0, 5, "gpt-4.1-mini").await;
    drop(server);
    let check = || tracewell(&data, &config, &["alerts", "check", "--format", "json"]);
    text(tracewell(&data, &config, &["alerts", "silence", "calls", "--for", "1h"]));
    let silenced = rows(&check());
    assert_eq!(silenced[0]["event"], "firing", "{silenced:?}");
    let file = data.join("published/alerts/calls/1.json");
    assert!(receiver.received().is_empty() && !file.exists(), "it is silenced");
    text(tracewell(&data, &config, &["alerts", "silence", "calls", "--for", "0s"]));
    let refused = check();
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("alert rule `calls` cannot be sent to `hook`"), "{told}");
    let kept: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!((&kept["rule"], &kept["state"]), (&json!("calls"), &json!("firing")));
    crate::reports::until("it was not sent again", || {
        let _ = check();
        !receiver.received().is_empty()
    });
    let received = receiver.received();
    assert_eq!(
        (&received[0]["body"]["state"], &received[0]["id"]),
        (&json!("firing"), &json!("tracewell-alert-calls-1"))
    );
    let steps = "SELECT event, destination, attempt FROM alerts WHERE destination = 'hook' ORDER BY attempt, event";
    let step = |event: &str, attempt: i64| json!({"event": event, "destination": "hook", "attempt": attempt});
    assert_eq!(
        json!(sql(&data, steps)),
        json!([step("attempt", 1), step("failed", 1), step("attempt", 2), step("delivered", 2)])
    );
}
