//! What counts as traffic, as a user, as a good outcome.

use serde_json::{Value, json};

use super::{call, import, known, pieces, report, span, table, text, tile, tracewell};
use crate::server::sql;

/// A harness tries an example twice on 18 November: 1 000 × 2 + 100 × 8 = 2 800 millionths a call. In one trace the span
/// around the call is marked, in the other the call itself. Beside it, somebody judges a document that run 57 found.
#[test]
fn trials_are_no_traffic_and_what_they_cost_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let settings = folder.path().join("settings.toml");
    std::fs::write(&settings, "[[report.budgets]]\nname = 'all'\nusd = '0.9'\nper = 'month'\n").unwrap();
    let kinds = ["cost", "quality", "leadership"];
    let make = |kind: &str| report(&data, kind, "2026-11-18", &["--tz", "UTC", "--config", settings.to_str().unwrap()]);
    let of_traffic = |page: &Value| {
        let own = ["Trials, besides", "Budget used"];
        let tiles = pieces(page, "tiles").into_iter().flat_map(|tiles| tiles.as_array().unwrap().clone());
        let tiles: Vec<Value> = tiles.filter(|tile| !own.contains(&tile["label"].as_str().unwrap())).collect();
        json!([page["totals"], page["notices"], tiles, pieces(page, "table"), pieces(page, "chart")])
    };
    let before = kinds.map(make);

    let mark = ("tracewell.example.id", json!("refund-7"));
    let marked: Vec<_> = call("tried").into_iter().chain([mark.clone()]).collect();
    let spans = vec![
        span("e1", "e100", "", 0, &[mark]),
        span("e1", "e101", "000000000000e100", 1, &call("tried")),
        span("e1", "e102", "000000000000e100", 2, &[("langfuse.observation.type", json!("chain"))]),
        span("e2", "e200", "", 3, &marked),
    ];
    import(&data, folder.path(), spans);
    for (trace, name, more) in [
        ("e1", "helpfulness", &["--source", "user"][..]),
        ("57", "relevance", &["--source", "user", "--document", "doc-11"]),
    ] {
        let trace = format!("{trace:0>32}");
        let given = ["score", "add", name, "0.0", "--time", "2026-11-18T13:00:00Z", "--trace", &trace];
        text(tracewell(&data, &[&given[..], more].concat()));
    }
    for when in ["as imported", "settled"] {
        for (kind, before) in kinds.into_iter().zip(&before) {
            let page = make(kind);
            assert_eq!(of_traffic(&page), of_traffic(before), "{kind}, {when}");
            if kind == "quality" {
                assert!(page["sections"].to_string().contains("left out: 2 runs with 2 calls."), "{page:#}");
                continue;
            }
            assert_eq!(tile(&page, "Trials, besides"), "0.0056", "{kind}, {when}");
            // 0.9 for 30 days is 0.03 a day; what is paid is 0.02465 + 0.0056.
            let used = tile(&page, "Budget used").as_f64().unwrap();
            assert!((used - 0.03025 / 0.03).abs() < 1e-9, "{kind}, {when}: {used}");
            assert_eq!(page["sections"].to_string().matches("with them $0.0303").count(), 1, "{page:#}");
        }
        let unregistered = text(tracewell(&data, &["prompt", "list", "--unregistered", "--format", "json"]));
        assert!(unregistered.contains("answer-customer") && !unregistered.contains("tried"), "{unregistered}");
        let status = text(tracewell(&data, &["release", "status", "--since", "3650d", "--format", "json"]));
        assert!(status.contains("answer-customer") && !status.contains("tried"), "{status}");
        let marked = sql(&data, "SELECT trace_id FROM runs WHERE is_trial ORDER BY 1");
        assert_eq!(
            json!(marked),
            json!([{"trace_id": format!("{:0>32}", "e1")}, {"trace_id": format!("{:0>32}", "e2")}])
        );
        text(tracewell(&data, &["settle"]));
    }
}

#[test]
fn users_and_sessions_of_two_tenants_are_not_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let page = report(&data, "leadership", "2026-11-18", &["--tz", "UTC"]);
    let queries = page["queries"].as_array().unwrap();
    let asked = queries.iter().find(|query| query["title"] == "Calls and what they cost in all").unwrap();
    // The same question over the same calls, of which one of eve's two is of another tenant.
    let of_two = "FROM (SELECT date, start_time, is_trial, trace_id, cost_usd, uncached_cost_usd, reported_cost_usd, cost_difference_usd, conversation_id, user_id, CASE WHEN span_id = '000000000000d703' THEN 'b' ELSE 'a' END AS tenant FROM span_costs) AS calls";
    let sums = |question: &str| {
        let rows = sql(&data, question);
        let now = rows.iter().find(|row| row["period"] == "this").unwrap();
        (now["calls"].clone(), now["users"].clone(), now["sessions"].clone())
    };
    let question = asked["sql"].as_str().unwrap();
    assert_eq!(sums(question), (json!(6), json!(4), json!(4)));
    assert_eq!(sums(&question.replace("FROM span_costs", of_two)), (json!(6), json!(5), json!(5)));
}

#[test]
fn what_moved_names_the_release_and_a_good_outcome_is_what_the_settings_say() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let prompt = folder.path().join("answer-customer.toml");
    std::fs::write(&prompt, "name = 'answer-customer'\n[[message]]\nrole = 'system'\ncontent = 'Help.'\n").unwrap();
    text(tracewell(&data, &["prompt", "add", prompt.to_str().unwrap(), "--author", "ann"]));
    let live = [
        "release",
        "live",
        "answer-customer@1",
        "--at",
        "2026-11-17T23:30:00Z",
        "--force",
        "--note",
        "x",
        "--author",
        "ann",
    ];
    text(tracewell(&data, &live));
    let settings = folder.path().join("settings.toml");
    std::fs::write(&settings, "[report.good_outcome]\nscore = 'helpfulness'\nat_least = 0.9\n").unwrap();
    let with = ["--tz", "Europe/Berlin", "--config", settings.to_str().unwrap()];
    let page = report(&data, "leadership", "2026-11-18", &with);
    let moved = table(&page, "What moved most");
    let behind = |prompt: &str| {
        let row =
            moved.iter().find(|row| row.contains(&json!(prompt))).unwrap_or_else(|| panic!("{prompt}: {moved:?}"));
        row.last().unwrap().as_str().unwrap().to_owned()
    };
    assert!(behind("answer-customer").contains("release 1 live in production since 2026-11-18"), "{moved:?}");
    assert!(!behind("summarise").contains("release"), "{moved:?}");

    // Of the five runs whose cost is known 57 has the only score, 0.8: below 0.9 it is no good outcome.
    let page = report(&data, "leadership", "2026-11-18", &["--tz", "UTC", "--config", settings.to_str().unwrap()]);
    let each: f64 = tile(&page, "Per good outcome").as_str().unwrap().parse().unwrap();
    assert!((each - 0.02553 / 4.0).abs() < 1e-12, "{each}");
    let rule = "runs that did not fail and have no score `helpfulness` below 0.9";
    assert!(page["sections"].to_string().contains(rule), "{page:#}");
    let usual = report(&data, "leadership", "2026-11-18", &["--tz", "UTC"]);
    assert!(usual["sections"].to_string().contains("runs that did not fail and have no score below 0.5"), "{usual:#}");
}
