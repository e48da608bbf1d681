//! What each measure finds.

use std::process::Command;

use serde_json::json;

use super::{check, rows, send, send_marked, text, tracewell};
use crate::server::{BINARY, Server, sql};

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
        "[[alerts.rules]]\nname = 'unused'\nmeasure = 'budget'\nbudget = 'unused'\nthreshold = 0.8\n".to_owned(),
        "[[report.budgets]]\nname = 'unused'\nusd = '1'\nper = 'year'\nmodel = 'none'\n".to_owned(),
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
    send_marked(&server, 200, 7, 7, 60, "gpt-4.1-mini", Some(("tracewell.example.id", "e1"))).await;
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
    assert_eq!(found("unused"), (None, Some(0.0), Some("0".to_owned())), "no call is charged to it");
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
    // Rules are asked up to the beginning of a second.
    assert!(event == fires && value.is_some_and(|minutes| minutes > 179.9), "{value:?}");
    assert_eq!((found("short"), found("never")), ((fires.clone(), Some(101.0), None), (fires, Some(101.0), None)));
    send(&server, 2, 1, 0, 5, "house-model").await;
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

/// Four calls in this hour a week ago and three weeks ago, none two weeks ago, four now. The mean of 4, 0 and 4 is 8/3,
/// their deviation √(((4/3)² + (8/3)² + (4/3)²) / 2) = 4/√3, so 4 is 1/√3 of it off.
#[tokio::test(flavor = "multi_thread")]
async fn a_week_without_calls_is_one_of_the_weeks_before() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("tracewell.toml"));
    let rules = "[[alerts.rules]]\nname = 'calls'\nmeasure = 'traffic_anomaly'\nthreshold = 3.0\n";
    std::fs::write(&config, rules).unwrap();
    let server = Server::start(&data, &[]).await;
    for back in [0, 1, 3] {
        send(&server, 10 * back + 1, 4, 0, u64::from(back) * 7 * 86_400 + 60, "gpt-4.1-mini").await;
    }
    let (event, value, samples) = check(&data, &config)("calls");
    assert!(event.is_none() && samples.as_deref() == Some("3"), "{samples:?}");
    assert!(value.is_some_and(|value| (value - 1.0 / 3f64.sqrt()).abs() < 1e-9), "{value:?}");
}
