//! Rules over tables of their own, at times of our own.

use std::collections::HashMap;
use std::path::Path;

use chrono::TimeDelta;
use tracewell_lake::{Location, NoFresh};
use tracewell_model::schema::every_table;
use tracewell_query::{Engine, Limits};
use tracewell_serve::Answers;

use super::*;

const DESTINATION: &str = "[[destinations]]\nkind = 'store'\nname = 'files'\nfolder = 'told'\n";

fn at(seconds: i64) -> DateTime<Utc> {
    "2026-11-20T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

/// A process with one rule, `own`, which fires when `value` is above 1.
async fn process(folder: &Path, interval: &str, value: &str) -> Watch<Answers<Arc<Engine>>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let location = Location::parse(folder.to_str().unwrap(), &HashMap::new()).unwrap();
    let lake = Lake::open(location, &every_table(), true).await.unwrap();
    let engine = Engine::new(lake.clone(), Arc::new(NoFresh), Limits::default()).unwrap();
    let rules = format!(
        "interval = '{interval}'\n[[rules]]\nname = 'own'\nmeasure = 'sql'\nthreshold = 1.0\nagain = '4h'\ndeliver = ['files']\n\
         sql = 'SELECT CAST({value} AS double) AS value'"
    );
    let (rules, report) = (toml::from_str(&rules).unwrap(), toml::from_str(DESTINATION).unwrap());
    Watch::new(Answers(Arc::new(engine)), lake, rules, report).unwrap()
}

async fn checked(watch: &Watch<Answers<Arc<Engine>>>, seconds: i64) -> Option<&'static str> {
    let mut checked = watch.check(at(seconds)).await;
    assert_eq!(checked.len(), 1, "{checked:?}");
    checked.remove(0).unwrap().event
}

/// What the destination was told, by the numbers of the changes.
fn told(folder: &Path) -> Vec<String> {
    let mut files: Vec<_> = match std::fs::read_dir(folder.join("told/alerts/own")) {
        Ok(files) => files.map(|file| file.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    };
    files.sort();
    let text = |path| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap();
    files.into_iter().map(|path| text(path)["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_anomaly_needs_three_weeks_where_nothing_is_said() {
    let minimum = |said: &str| {
        let rule = format!("name = 'own'\nmeasure = 'cost_anomaly'\nthreshold = 3.0\n{said}");
        toml::from_str::<Rule>(&rule).unwrap().limit().minimum
    };
    assert_eq!(["", "minimum = 0", "minimum = 5"].map(minimum), [3, 0, 5]);
}

/// Servers and CronJobs have intervals and clocks of their own, and an operator changes the interval.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_kept_at_whatever_interval_the_one_before_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(checked(&process(folder, "1s", "2").await, 0).await, Some("firing"));
    let hourly = process(folder, "1h", "2").await;
    assert_eq!(checked(&hourly, 60).await, None);
    assert_eq!(checked(&hourly, 4 * 3_600).await, Some("still_firing"));
    // A clock that is a minute behind, within the same hour.
    assert_eq!(checked(&process(folder, "1h", "0").await, 4 * 3_600 - 60).await, Some("resolved"));
    assert_eq!(checked(&process(folder, "1s", "2").await, 4 * 3_600 - 60).await, Some("firing"));
    assert_eq!(told(folder), ["firing", "still_firing", "resolved", "firing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_that_see_the_same_one_keeps_it_and_one_sends_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut all = Vec::new();
    for interval in ["1s", "1m", "1h"] {
        all.push(process(folder, interval, "2").await);
    }
    // Each in a second, or a minute, of its own.
    let kept = join_all(all.iter().zip([0, 59, 61]).map(|(watch, seconds)| checked(watch, seconds))).await;
    assert_eq!(kept.into_iter().flatten().collect::<Vec<_>>(), ["firing"]);
    let rows = "SELECT event, count(*) AS n FROM alerts GROUP BY event ORDER BY event";
    let rows: Vec<serde_json::Value> =
        all[0].rows(rows).await.unwrap().into_iter().map(serde_json::Value::Object).collect();
    let once = |event| serde_json::json!({"event": event, "n": 1});
    assert_eq!(rows, [once("attempt"), once("delivered"), once("firing")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_without_a_value_is_told_from_one_that_is_not_known_yet() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = process(folder.path(), "1s", "NULL").await;
    assert_eq!(checked(&watch, 0).await, None);
    for (sql, told) in [
        ("SELECT CAST(2 AS double) AS v;", Some("has to give a column `value`")),
        ("SELECT CAST(NULL AS double) AS value; -- none yet", None),
        ("SELECT CAST(2 AS double) AS value WHERE false -- no row", None),
    ] {
        watch.rules.rules[0].sql = sql.to_owned();
        let outcome = watch.check(at(1)).await.remove(0);
        let error = outcome.err().map(|error| format!("{error:#}"));
        assert_eq!(error.is_some(), told.is_some(), "{sql}: {error:?}");
        assert!(error.is_none_or(|error| told.is_some_and(|told| error.contains(told))), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_silences_within_a_second_the_last_holds() {
    let folder = tempfile::tempdir().unwrap();
    let watch = process(folder.path(), "1s", "2").await;
    let silence = async |until| silence(&watch.lake, "own", until, "me", "").await.unwrap();
    let is_due = async || watch.history(&watch.rules.rules[0]).await.unwrap().due("files", at(1)).is_some();
    silence(at(60)).await;
    assert_eq!(checked(&watch, 0).await, Some("firing"));
    for round in 0..8 {
        silence(at(0)).await;
        assert!(is_due().await, "{round}");
        silence(at(60)).await;
        assert!(!is_due().await, "{round}");
    }
}
