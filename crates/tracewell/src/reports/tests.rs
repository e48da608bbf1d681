//! Schedules over tables of their own, at times of our own.

use std::collections::HashMap;
use std::path::Path;

use tracewell_lake::{Location, NoFresh};
use tracewell_model::schema::every_table;
use tracewell_query::{Engine, Limits};
use tracewell_report::{NoAnswer, Row};
use tracewell_serve::Answers;

use super::*;

/// The tables, which answer no question with this in it.
struct Except(Answers<Arc<Engine>>, &'static str);

impl RowSource for Except {
    async fn rows(&self, sql: &str) -> Result<Vec<Row>, NoAnswer> {
        if sql.contains(self.1) {
            return Err("no answer".into());
        }
        self.0.rows(sql).await
    }
}

const NOTHING: &str = "\0";

async fn desk(folder: &Path, schedules: &str, except: &'static str) -> Desk<Except> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let location = Location::parse(folder.to_str().unwrap(), &HashMap::new()).unwrap();
    let lake = Lake::open(location, &every_table(), true).await.unwrap();
    let engine = Engine::new(lake.clone(), Arc::new(NoFresh), Limits::default()).unwrap();
    let settings = toml::from_str(schedules).unwrap();
    Desk::new(Except(Answers(Arc::new(engine)), except), lake, settings).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What was told, without the reasons; the first word of an error is `error`.
async fn told(desk: &Desk<Except>, now: DateTime<Utc>) -> Vec<String> {
    let told = desk.run_due(now).await;
    told.into_iter().map(|told| told.unwrap_or_else(|error| format!("error: {error}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_while_nothing_ran_is_produced_once_by_one_of_those_that_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hourly = "time_zone = 'Europe/Berlin'\n[[schedules]]\nname = 'daily'\nreport = 'cost'\ncron = '0 * * * *'\nperiod = 'yesterday'\n";
    let first = desk(folder, hourly, NOTHING).await;
    assert_eq!(told(&first, at("2026-11-10T12:30:00Z")).await, ["published daily of 2026-11-09"]);
    drop(first);
    // Six days, of which four times 24 moments and more lie behind.
    let (one, other) = (desk(folder, hourly, NOTHING).await, desk(folder, hourly, NOTHING).await);
    let now = at("2026-11-16T12:30:00Z");
    let (by_one, by_other) = tokio::join!(told(&one, now), told(&other, now));
    let mut all = [by_one, by_other].concat();
    all.sort();
    let days = [10, 11, 12, 13, 14, 15].map(|day| format!("published daily of 2026-11-{day:02}"));
    assert_eq!(all, days);
    assert_eq!(told(&one, now).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_produced_holds_nothing_else_up_and_is_tried_less_often() {
    let folder = tempfile::tempdir().unwrap();
    let schedule = |name: &str, report: &str| {
        format!("[[schedules]]\nname = '{name}'\nreport = '{report}'\ncron = '0 7 * * *'\nperiod = 'yesterday'\n")
    };
    let settings = ["interval = '30s'\n".to_owned(), schedule("bad", "quality"), schedule("good", "cost")].concat();
    // Only quality looks at evaluations.
    let desk = desk(folder.path(), &settings, "evaluations").await;
    let bad = |day: u32| format!("error: cannot produce bad of 2026-11-{day:02}");
    let good = |day: u32| format!("published good of 2026-11-{day:02}");
    assert_eq!(told(&desk, at("2026-11-10T07:00:00Z")).await, [bad(9), good(9)]);
    assert_eq!(told(&desk, at("2026-11-10T07:00:59Z")).await, Vec::<String>::new());
    assert_eq!(told(&desk, at("2026-11-10T07:01:00Z")).await, [bad(9)], "two intervals later");
    assert_eq!(told(&desk, at("2026-11-10T07:02:59Z")).await, Vec::<String>::new());
    assert_eq!(told(&desk, at("2026-11-10T07:03:00Z")).await, [bad(9)], "four intervals later");
    assert_eq!(told(&desk, at("2026-11-11T07:00:00Z")).await, [bad(10), good(10)]);
}
