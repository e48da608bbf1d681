//! Reports that are made and sent by themselves, and their settings.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Receiver, known, until};
use crate::readers;
use crate::server::{BINARY, Server, client, sql};

/// Yesterday is empty in the known set: a schedule does not care.
fn scheduled(folder: &Path, deliver: &str, destinations: &str) -> String {
    let file = folder.join("tracewell.toml");
    let text = format!(
        "[report]\ntime_zone = 'Europe/Berlin'\ninterval = '200ms'\n\
         [[report.schedules]]\nname = 'daily'\nreport = 'leadership'\ncron = '0 0 * * *'\nperiod = 'yesterday'\ndeliver = [{deliver}]\n{destinations}"
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_published_once_and_arrives_everywhere() {
    let Some(python) = readers::python("a_report_is_published_once_and_arrives_everywhere") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let receiver = Receiver::start(&python, folder.path());
    let (mail, web) = (receiver.mail, receiver.web);
    let secret = folder.path().join("hook");
    std::fs::write(&secret, format!("http://127.0.0.1:{web}/refuse-once\n")).unwrap();
    let config = scheduled(
        folder.path(),
        "'files', 'leads', 'channel', 'hook'",
        &format!(
            "[[report.destinations]]\nkind = 'store'\nname = 'files'\nfolder = 'published/reports'\n\
             [[report.destinations]]\nkind = 'mail'\nname = 'leads'\nserver = '127.0.0.1:{mail}'\ntls = 'none'\nfrom = 'Tracewell <reports@tracewell.example>'\nto = ['lead@example.com']\n\
             [[report.destinations]]\nkind = 'slack'\nname = 'channel'\nurl = {{ env = 'TEST_SLACK' }}\n\
             [[report.destinations]]\nkind = 'webhook'\nname = 'hook'\nurl = {{ file = '{}' }}\ntoken = {{ env = 'TEST_TOKEN' }}\n",
            secret.display()
        ),
    );
    let environment = [("TEST_SLACK", &*format!("http://127.0.0.1:{web}/slack")), ("TEST_TOKEN", "s3cr3t")];
    let due = || {
        let mut command = Command::new(BINARY);
        command
            .args(["report", "run", "--due", "--config", &config, "--data", data.to_str().unwrap()])
            .envs(environment);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // Three at once, as CronJobs of several machines might be.
    let runs = [due(), due(), due()].map(|run| run.wait_with_output().unwrap());
    let told: String = runs.iter().map(|run| String::from_utf8_lossy(&run.stdout).into_owned()).collect();
    assert_eq!(told.matches("published daily of").count(), 1, "{told} {runs:?}");
    // One destination refused; a server that runs from now on sends it again.
    let server = Server::start_at(data.to_str().unwrap(), &data, &["--config", &config], &environment).await;
    let events =
        "SELECT event, destination, count(*) AS n FROM reports GROUP BY event, destination ORDER BY event, destination";
    until("the webhook was not tried again", || {
        json!(server.sql(events)).to_string().contains(r#""destination":"hook","event":"delivered""#)
            || json!(server.sql(events))
                .as_array()
                .unwrap()
                .iter()
                .any(|row| row["event"] == "delivered" && row["destination"] == "hook")
    });
    let rows = json!(server.sql(events));
    let count = |event: &str, destination: Value| {
        let row =
            rows.as_array().unwrap().iter().find(|row| row["event"] == event && row["destination"] == destination);
        row.map_or(0, |row| row["n"].as_i64().unwrap())
    };
    assert_eq!(count("published", Value::Null), 1, "{rows:#}");
    for (destination, attempts) in [("files", 1), ("leads", 1), ("channel", 1), ("hook", 2)] {
        assert_eq!(
            (count("delivered", json!(destination)), count("attempt", json!(destination))),
            (1, attempts),
            "{rows:#}"
        );
    }
    assert_eq!(count("failed", json!("hook")), 1);

    let received = receiver.received();
    assert_eq!(received.len(), 3, "{received:#?}");
    let mail = received.iter().find(|one| one["kind"] == "mail").unwrap();
    assert_eq!((&mail["to"], &mail["from"]), (&json!(["lead@example.com"]), &json!("reports@tracewell.example")));
    assert!(mail["subject"].as_str().unwrap().starts_with("Cost and quality 20"), "{mail}");
    let attached = mail["files"].as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
    assert!(attached.starts_with("<!doctype html>"), "{attached}");
    let at = |path: &str| received.iter().find(|one| one["path"] == path).unwrap();
    assert!(at("/slack")["body"]["text"].as_str().unwrap().starts_with("*Cost and quality 20"));
    let hook = at("/refuse-once");
    assert_eq!(
        (&hook["authorization"], &hook["body"]["report"]["report"]),
        (&json!("Bearer s3cr3t"), &json!("leadership"))
    );
    let period = hook["body"]["period"].as_str().unwrap().to_owned();
    let file = data.join(format!("published/reports/daily/{period}.html"));
    assert!(std::fs::read_to_string(file).unwrap().starts_with("<!doctype html>"));

    let get = async |path: &str, accept: &str| {
        client().get(format!("{}{path}", server.api)).header("accept", accept).send().await.unwrap()
    };
    let listed: Value = get("/v1/reports", "*/*").await.json().await.unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["period"]), (&json!("daily"), &json!(period)));
    let page = get(&format!("/v1/reports/daily/{period}"), "text/html").await;
    assert_eq!(page.headers()["content-security-policy"], "default-src 'none'; style-src 'unsafe-inline'");
    assert!(page.text().await.unwrap().starts_with("<!doctype html>"));
    let fresh: Value = get("/v1/reports/cost?period=2026-11-18&tz=UTC&by=model", "*/*").await.json().await.unwrap();
    assert_eq!(fresh["totals"]["cost_usd"], "0.02465");
    for (path, status) in
        [("/v1/reports/cost?period=soon", 400), ("/v1/reports/cost?perod=2026", 400), ("/v1/reports/daily/2020", 404)]
    {
        assert_eq!(get(path, "*/*").await.status(), status, "{path}");
    }
    let daily = format!("/v1/reports/daily/{period}");
    for path in ["/v1/reports/cost?period=2026-11-18", &daily, "/v1/runs/00000000000000000000000000000057"] {
        for (accept, status, media) in [
            ("image/png", 406, "application/json"),
            ("text/html;q=0", 406, "application/json"),
            ("image/png, text/html", 200, "text/html"),
            ("application/*", 200, "application/json"),
        ] {
            let answer = get(path, accept).await;
            let content = answer.headers()["content-type"].to_str().unwrap().to_owned();
            assert!(answer.status() == status && content.starts_with(media), "{path}, {accept}: {answer:?}");
            if status == 406 {
                let told = answer.text().await.unwrap();
                assert!(["application/json", "text/html", "text/markdown"].iter().all(|media| told.contains(media)));
            }
        }
    }
    let metrics = get("/metrics", "*/*").await.text().await.unwrap();
    assert!(metrics.contains("\ntracewell_report_deliveries_total "), "{metrics}");
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap();
    for hidden in ["s3cr3t", "refuse-once", "/slack"] {
        assert!(!log.contains(hidden) && !rows.to_string().contains(hidden), "{hidden} was told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_neither_repeats_nor_forgets_a_period() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let config = scheduled(folder.path(), "", "");
    let published = || sql(&data, "SELECT period FROM reports WHERE event = 'published'").len();
    for _ in 0..3 {
        let server = Server::start(&data, &["--config", &config]).await;
        until("nothing was published", || published() == 1);
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.kill();
    }
    assert_eq!(published(), 1);
}

#[test]
fn settings_of_reports_that_cannot_be_meant_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, told) in [
        (
            "[[report.schedules]]\nname = 'x'\nreport = 'cost'\ncron = 'daily'\nperiod = 'yesterday'",
            "is no cron expression",
        ),
        (
            "[[report.schedules]]\nname = 'x'\nreport = 'cost'\ncron = '0 7 * * *'\nperiod = 'yesterday'\ndelivr = []",
            "unknown field `delivr`",
        ),
        (
            "[[report.schedules]]\nname = 'x'\nreport = 'cost'\ncron = '0 7 * * *'\nperiod = 'yesterday'\ndeliver = ['y']",
            "delivers to `y`",
        ),
        ("[[report.budgets]]\nname = 'x'\nusd = '-1'\nper = 'day'", "is not above zero"),
        ("[[report.destinations]]\nkind = 'store'\nname = 'x'\nfolder = 'spans'", "is a folder of Tracewell"),
        ("[[report.destinations]]\nkind = 'store'\nname = 'x'\nfolder = 'replays/x'", "is a folder of Tracewell"),
        (
            "[[report.schedules]]\nname = 'x'\nreport = 'cost'\ncron = '0 7 * * MON'\nperiod = 'this-month'",
            "`this-month` is not over when it is due",
        ),
        (
            "[[report.destinations]]\nkind = 'mail'\nname = 'x'\nserver = 'localhost:25'\nfrom = 'a@b.example'\nto = ['c@d.example']\nuser = 'u'",
            "`user` needs a `password`",
        ),
        ("[report]\ntime_zone = 'Berlin'", "is no time zone"),
        ("[report.good_outcome]\nat_least = nan", "which is no number"),
        ("[report]\nschedule = []", "did you mean `report.schedules`?"),
    ] {
        let file = folder.path().join("tracewell.toml");
        std::fs::write(&file, settings).unwrap();
        let output = Command::new(BINARY).args(["config", "--config", file.to_str().unwrap()]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(told), "{settings}\n{error}");
    }
}
