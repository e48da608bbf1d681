//! Alerts: they fire on what is there, once, name the runs behind them, and are resolved.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::readers;
use crate::server::{BINARY, Server, client, sql};

fn tracewell(data: &Path, config: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--data", data.to_str().unwrap(), "--config", config.to_str().unwrap()]);
    command.output().unwrap()
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

/// Every measure of ours is asked over calls whose answer is plain.
#[tokio::test(flavor = "multi_thread")]
async fn every_measure_finds_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = folder.path().join("tracewell.toml");
    let rule = |measure: &str, threshold: f64, more: &str| {
        format!(
            "[[alerts.rules]]\nname = '{measure}'\nmeasure = '{measure}'\nthreshold = {threshold:?}\nwindow = '1h'\n{more}\n"
        )
    };
    let own = "sql = \"SELECT count(*) AS value, count(*) AS samples, array_agg(trace_id) AS runs FROM spans WHERE start_time >= $since AND start_time < $until AND name = 'nothing'\"";
    let rules = [
        rule("cost", 0.001, ""),
        rule("budget", 0.8, "budget = 'year'"),
        "[[report.budgets]]\nname = 'year'\nusd = '0.012'\nper = 'year'\nmodel = 'gpt-4.1-mini'\n".to_owned(),
        rule("error_rate", 0.2, "minimum = 10"),
        rule("latency", 400.0, ""),
        rule("unpriced_share", 0.1, ""),
        rule("score_drop", 0.1, ""),
        rule("missing_data", 30.0, ""),
        rule("cost_anomaly", 3.0, "minimum = 3"),
        rule("error_anomaly", 3.0, "minimum = 3"),
        rule("traffic_anomaly", 3.0, "minimum = 3\nfilter = \"provider = 'openai'\""),
        rule("sql", 0.0, own),
    ];
    std::fs::write(&config, rules.concat()).unwrap();
    let server = Server::start(&data, &[]).await;
    // In each of the four weeks before two calls in this hour, of which none failed; now 20, of which 5 failed.
    let week = 7 * 86_400;
    for back in 1..=4u32 {
        send(&server, 1_000 * back, 2, 0, u64::from(back) * week + 60, "gpt-4.1-mini").await;
    }
    send(&server, 1, 16, 5, 60, "gpt-4.1-mini").await;
    send(&server, 100, 4, 0, 60, "house-model").await;
    // Trials are no traffic, though what they cost is part of what a budget allows.
    send_marked(&server, 200, 7, 7, 0, "gpt-4.1-mini", Some(("tracewell.example.id", "e1"))).await;
    let trial = format!("{:032x}", 200);
    for (value, minutes) in [("0.9", 90), ("0.1", 1)] {
        let time = (chrono::Utc::now() - chrono::TimeDelta::minutes(minutes)).to_rfc3339();
        let given = ["score", "add", "worth", value, "--trace", &trial, "--time", &time];
        let output = tracewell(&data, &config, &given);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let checked = rows(&tracewell(&data, &config, &["alerts", "check", "--format", "json"]));
    let found = |rule: &str| {
        let row = checked.iter().find(|row| row["rule"] == rule).unwrap();
        (
            row["event"].as_str().map(str::to_owned),
            row["value"].as_str().and_then(|value| value.parse::<f64>().ok()),
            row["samples"].as_str().map(str::to_owned),
        )
    };
    let near = |value: Option<f64>, expected: f64| value.is_some_and(|value| (value - expected).abs() < 1e-9);
    let fires = Some("firing".to_owned());
    // A call costs 1 000 × 0.4 + 100 × 1.6 = 560 millionths.
    let (event, value, samples) = found("cost");
    assert!(event == fires && near(value, 16.0 * 0.00056) && samples.as_deref() == Some("20"), "{checked:#?}");
    // 24 of them are of the last four weeks, of which some may be of last year, and 7 are trials.
    let (event, value, samples) = found("budget");
    let calls: f64 = samples.unwrap().parse().unwrap();
    assert!((23.0..=31.0).contains(&calls) && near(value, calls * 0.00056 / 0.012), "{checked:#?}");
    assert_eq!(event.is_some(), calls * 0.00056 / 0.012 > 0.8);
    let (event, value, _) = found("error_rate");
    assert!(event == fires && near(value, 0.25), "{checked:#?}");
    let runs = checked.iter().find(|row| row["rule"] == "error_rate").unwrap()["runs"].as_str().unwrap();
    let failed: Vec<String> = (1..=5).map(|number| format!("{number:032x}")).collect();
    assert!(runs.split(' ').count() == 5 && failed.iter().all(|run| runs.contains(run)), "{runs}");
    assert!(
        found("latency").0 == fires && found("latency").1.is_some_and(|value| (value - 500.0).abs() < 1.0),
        "{checked:#?}"
    );
    assert!(found("unpriced_share").0 == fires && near(found("unpriced_share").1, 0.2), "{checked:#?}");
    assert_eq!((found("score_drop").0, found("score_drop").1), (None, None), "there are no scores but those of trials");
    assert!(
        found("missing_data").0.is_none()
            && found("missing_data").1.is_some_and(|minutes| (0.9..10.0).contains(&minutes)),
        "{checked:#?}"
    );
    // Weeks of equal cost: a tenth of their mean stands for their deviation. 16 against 2 is 14 / 0.2 = 70 of them.
    assert!(
        found("cost_anomaly").0 == fires && near(found("cost_anomaly").1.map(|value| value / 70.0), 1.0),
        "{checked:#?}"
    );
    // 20 against 2 calls is 90 of them; 5 failures against none are many.
    assert!(found("traffic_anomaly").0 == fires && near(found("traffic_anomaly").1, 90.0), "{checked:#?}");
    assert_eq!(
        (found("error_anomaly").0, found("error_anomaly").2.as_deref()),
        (fires.clone(), Some("4")),
        "{checked:#?}"
    );
    assert_eq!((found("sql").0, found("sql").1), (None, Some(0.0)));
    assert!(found("traffic_anomaly").2.as_deref() == Some("4"));
}

/// Asks all rules; what a rule found: event, value, samples.
fn check(data: &Path, config: &Path) -> impl Fn(&str) -> (Option<String>, Option<f64>, Option<String>) {
    let checked = rows(&tracewell(data, config, &["alerts", "check", "--format", "json"]));
    move |rule: &str| {
        let row = checked.iter().find(|row| row["rule"] == rule).unwrap();
        let text = |column: &str| row[column].as_str().map(str::to_owned);
        (text("event"), text("value").map(|value| value.parse().unwrap()), text("samples"))
    }
}

/// Minutes since the last span, however long ago it was: as far as is looked, twice the threshold, when it is longer.
#[tokio::test(flavor = "multi_thread")]
async fn data_that_stays_away_is_missed_however_long() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("tracewell.toml"));
    let rule = |name: &str, threshold: f64, filter: &str| {
        format!(
            "[[alerts.rules]]\nname = '{name}'\nmeasure = 'missing_data'\nthreshold = {threshold:?}\nwindow = '1h'\nminimum = 5\nfilter = \"{filter}\"\n"
        )
    };
    let mini = "model = 'gpt-4.1-mini'";
    let rules = [
        rule("any", 30.0, ""),
        rule("long-window", 120.0, mini),
        rule("short", 50.0, mini),
        rule("never", 50.0, "model = 'none'"),
        rule("other", 30.0, "model = 'house-model'"),
    ];
    std::fs::write(&config, rules.concat()).unwrap();
    let server = Server::start(&data, &[]).await;
    let found = check(&data, &config);
    assert_eq!(found("any"), (None, None, None), "nothing was ever sent");
    send(&server, 1, 1, 0, 3 * 3_600, "gpt-4.1-mini").await;
    let found = check(&data, &config);
    let fires = Some("firing".to_owned());
    assert_eq!(found("any"), (fires.clone(), Some(61.0), None), "three hours are more than it looks back");
    let (event, value, _) = found("long-window");
    assert!(event == fires && value.is_some_and(|minutes| (180.0..190.0).contains(&minutes)), "{value:?}");
    assert_eq!((found("short"), found("never")), ((fires.clone(), Some(101.0), None), (fires, Some(101.0), None)));
    send(&server, 2, 1, 0, 0, "house-model").await;
    let found = check(&data, &config);
    for (rule, is_resolved) in [("any", true), ("other", true), ("short", false), ("never", false)] {
        assert_eq!(found(rule).0.as_deref() == Some("resolved"), is_resolved, "{rule}: {:?}", found(rule));
    }
}

/// Two runs before and two now, each with stars from 1 to 5 and a helpfulness from 0 to 1; what was liked once was not
/// liked once.
#[tokio::test(flavor = "multi_thread")]
async fn a_score_is_compared_with_itself_and_of_the_runs_that_the_filter_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("tracewell.toml"));
    let rule = |name: &str, more: &str| {
        format!(
            "[[alerts.rules]]\nname = '{name}'\nmeasure = 'score_drop'\nthreshold = 0.3\nwindow = '1h'\nminimum = 2\n{more}\n"
        )
    };
    let rules = [
        rule("any", ""),
        rule("stars", "score = 'stars'"),
        rule("liked", "score = 'liked'"),
        rule("house", "minimum = 1\nfilter = \"model = 'house-model'\"").replace("minimum = 2\n", ""),
    ];
    std::fs::write(&config, rules.concat()).unwrap();
    let server = Server::start(&data, &[]).await;
    send(&server, 1, 1, 0, 90 * 60, "gpt-4.1-mini").await;
    send(&server, 2, 1, 0, 90 * 60, "house-model").await;
    send(&server, 3, 1, 0, 60, "gpt-4.1-mini").await;
    send(&server, 4, 1, 0, 60, "house-model").await;
    let scores = [
        (1, 90, [("stars", "2"), ("helpfulness", "1.0")].as_slice()),
        (2, 90, &[("stars", "4"), ("helpfulness", "0.8"), ("liked", "1")]),
        (3, 1, &[("stars", "5"), ("helpfulness", "0.2")]),
        (4, 1, &[("stars", "5"), ("helpfulness", "0.6"), ("liked", "0")]),
    ];
    for (trace, minutes, given) in scores {
        let time = (chrono::Utc::now() - chrono::TimeDelta::minutes(minutes)).to_rfc3339();
        for (name, value) in given {
            let trace = format!("{trace:032x}");
            let given = ["score", "add", name, value, "--source", "user", "--trace", &trace, "--time", &time];
            text(tracewell(&data, &config, &given));
        }
    }
    let found = check(&data, &config);
    let near = |rule: &str, expected: f64| found(rule).1.is_some_and(|value| (value - expected).abs() < 1e-9);
    // Stars rose from 3 to 5, helpfulness fell from 0.9 to 0.4. One `liked` each is too few.
    assert!(
        found("any").0.is_some() && near("any", 0.5) && found("any").2.as_deref() == Some("2"),
        "{:?}",
        found("any")
    );
    assert!(found("stars").0.is_none() && near("stars", -2.0), "{:?}", found("stars"));
    assert!(found("liked").0.is_none() && near("liked", 1.0), "{:?}", found("liked"));
    // Of runs 2 and 4 alone `liked` fell by 1, helpfulness by 0.2.
    assert!(found("house").0.is_some() && near("house", 1.0), "{:?}", found("house"));
    let told = sql(&data, "SELECT message FROM alerts WHERE rule = 'any'");
    assert_eq!(json!(told), json!([{"message": "Alert any (helpfulness by user): 0.5000, above 0.3"}]));
}

#[test]
fn rules_with_settings_that_nothing_looks_at_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tracewell.toml");
    for (settings, told) in [
        ("measure = 'sql'\nsql = 'SELECT 1 AS value'\nfilter = 'true'", "does not look at `filter`"),
        ("measure = 'cost'\nscore = 'stars'", "does not look at `score`"),
        ("measure = 'cost'\nbudget = 'all'", "does not look at `budget`"),
        ("measure = 'cost'\nsql = 'SELECT 1 AS value'", "does not look at `sql`"),
    ] {
        std::fs::write(&config, format!("[[alerts.rules]]\nname = 'x'\nthreshold = 1.0\n{settings}\n")).unwrap();
        let output = Command::new(BINARY).args(["config", "--config", config.to_str().unwrap()]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(told), "{settings}\n{error}");
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
        sql(&data, "SELECT event FROM alerts WHERE destination IS NULL ORDER BY recorded_at")
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
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there are: failures"));
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
