//! Figures of reports in time zones, of calls without runs, of people and of scores, worked out by hand.

use std::path::Path;

use serde_json::{Value, json};

use crate::reports::{call, import, known, pieces, report, span, table, text, tile, tracewell};
use crate::server::sql;

mod judged;
mod rates;

/// What the tile says besides its number.
fn note(page: &Value, label: &str) -> String {
    let tiles = pieces(page, "tiles").into_iter().flat_map(|tiles| tiles.as_array().unwrap().clone());
    let tile = tiles.into_iter().find(|tile| tile["label"] == label).unwrap_or_else(|| panic!("{label}: {page:#}"));
    tile["note"].as_str().unwrap().to_owned()
}

/// A record of Claude Code on 18 November, so many seconds after noon.
fn record(seconds: u64, trace: Option<&str>, event: &str, fields: &[(&str, Value)]) -> Value {
    let named = [("event.name", json!(event)), ("session.id", json!("k2"))];
    let attributes = named.iter().chain(fields).map(|(key, value)| {
        let kind = if value.is_string() { "stringValue" } else { "intValue" };
        json!({"key": key, "value": {kind: value}})
    });
    json!({
        "timeUnixNano": (1_795_003_200_000_000_000 + seconds * 1_000_000_000).to_string(),
        "traceId": trace.map(|trace| format!("{trace:0>32}")),
        "body": {"stringValue": format!("claude_code.{event}")}, "attributes": attributes.collect::<Vec<_>>(),
    })
}

const CODER: &str = "com.anthropic.claude_code.events";

fn import_records(data: &Path, folder: &Path, scope: &str, records: &[Value]) {
    let scope = json!({"name": scope, "version": "2.0.1"});
    let request = json!({"resourceLogs": [{"scopeLogs": [{"scope": scope, "logRecords": records}]}]});
    let file = folder.join("records.jsonl");
    std::fs::write(&file, request.to_string() + "\n").unwrap();
    text(tracewell(data, &["import", file.to_str().unwrap()]));
}

/// 18 November in India is from the 17th 18:30 to the 18th 18:30 of UTC, and its hours begin at half past one of UTC's:
/// at 14:00 begin d601 (14:20, 10 500 millionths) and d703 (14:30:01; 500 × 3 + 3 500 × 0.3 + 120 × 15 = 4 350), at
/// 15:00 d801 (500 × 3 + 4 000 × 0.3 + 200 × 15 = 5 700), at 17:00 5700 (2 300), at 18:00 5800, which has no price and so
/// no amount.
#[test]
fn hours_are_those_of_a_zone_at_half_past() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let page = report(&data, "cost", "2026-11-18", &["--tz", "Asia/Kolkata"]);
    assert_eq!(page["totals"]["cost_usd"], "0.02285");
    let chart = &pieces(&page, "chart")[0];
    let columns = chart["data"]["columns"].as_array().unwrap();
    let used: Vec<_> = columns
        .iter()
        .filter(|column| column["value"] != "0")
        .map(|column| [column["label"].clone(), column["value"].clone()])
        .collect();
    assert_eq!(json!(used), json!([["14:00", "0.01485"], ["15:00", "0.0057"], ["17:00", "0.0023"], ["18:00", null]]));
    // Of 24 hours 14, 15, 17 and 18 have calls.
    assert!(page["notices"][0].as_str().unwrap().contains("on 20 of 24 hours"), "{}", page["notices"]);
}

/// The bridge of `costs_and_why_they_changed_are_those_worked_out_by_hand`: whatever the leader's page is broken down by,
/// the change is split by prompts on models, as the cost report does.
#[test]
fn the_leader_and_the_cost_report_split_a_change_alike() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    for by in ["team", "user,session", "model", "prompt_version,prompt"] {
        let page = report(&data, "leadership", "2026-11-18", &["--tz", "UTC", "--by", by]);
        let charts = pieces(&page, "chart");
        let steps = charts.iter().find_map(|chart| chart["data"]["bridge"].as_array()).unwrap();
        let steps: Vec<_> = steps.iter().map(|step| step["value"].clone()).collect();
        let exact = ["0.030393", "-0.013508", "0.0135025", "-0.0046125", "-0.001125", "0", "0.02465"];
        assert_eq!(json!(steps), json!(exact), "{by}");
    }
}

/// Two calls that only records tell of, one of them in a trace, at 1 000 × 3 + 100 × 15 = 4 500 millionths each, are in
/// what was spent and in no run. The runs that began on the day still cost 25 530 together, and what 58 cost is not known.
#[test]
fn what_a_run_costs_is_of_the_calls_of_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let used =
        [("model", json!("claude-sonnet-4-5")), ("input_tokens", json!("1000")), ("output_tokens", json!("100"))];
    let calls = [record(0, None, "api_request", &used), record(60, Some("f7"), "api_request", &used)];
    import_records(&data, folder.path(), CODER, &calls);
    for when in ["as imported", "settled"] {
        let page = report(&data, "leadership", "2026-11-18", &["--tz", "UTC"]);
        assert_eq!(tile(&page, "Spent"), "0.03365", "{when}");
        for label in ["Per run", "Per good outcome"] {
            let each: f64 = tile(&page, label).as_str().unwrap().parse().unwrap();
            assert!((each - 0.02553 / 5.0).abs() < 1e-12, "{label}, {when}: {each}");
            assert!(note(&page, label).contains("without 1 run of which no call has a price"), "{page:#}");
        }
        assert!(note(&page, "Per run").ends_with("without $0.00900 of calls in no run"), "{page:#}");
        // The query gives both, and says of what.
        let queries = page["queries"].as_array().unwrap();
        let asked =
            queries.iter().find(|query| query["title"].as_str().unwrap().starts_with("Runs: how they ended")).unwrap();
        assert!(asked["sql"].as_str().unwrap().contains("-- Runs that began in the period, with all their calls;"));
        let now = asked["rows"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["period"] == "this" && row["is_run"] == true)
            .unwrap();
        let figures = ["runs", "known", "known_good"].map(|name| now[name].as_i64().unwrap());
        assert_eq!((figures, &now["cost_usd"]), ([6, 5, 5], &json!("0.025530000000000000000000")), "{when}");
        text(tracewell(&data, &["settle"]));
    }
    // The named queries count the same runs, and the calls of sessions all the same.
    let asked = |query: &str| -> Vec<Value> {
        let day = ["-p", "since=2026-11-18T00:00:00Z", "-p", "until=2026-11-19T00:00:00Z", "--format", "json"];
        serde_json::from_str(&text(tracewell(&data, &[&["query", query], &day[..]].concat()))).unwrap()
    };
    let runs: i64 = asked("run_outcomes").iter().map(|row| row["runs"].as_i64().unwrap()).sum();
    assert_eq!(runs, 6);
    let sessions = asked("sessions_by_length");
    let coder = sessions.iter().find(|row| row["conversation_id"] == "k2").unwrap();
    assert_eq!((&coder["runs"], &coder["calls"]), (&json!(0), &json!(1)), "{sessions:?}");
}

/// A model charges for the images that it makes, and no call counts them.
#[test]
fn a_leader_is_told_of_what_no_call_counts() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let told = "because the model charges by what calls do not count";
    let unknown = || {
        let page = report(&data, "leadership", "2026-11-18", &["--tz", "UTC"]);
        let sections = page["sections"].as_array().unwrap().clone();
        sections.iter().find(|section| section["title"] == "What is not known").unwrap()["items"].to_string()
    };
    assert!(!unknown().contains(told), "{}", unknown());
    let painted = call("paint").into_iter().map(|(key, value)| match key {
        "gen_ai.provider.name" => (key, json!("gcp.gemini")),
        "gen_ai.request.model" => (key, json!("gemini-2.5-flash-image")),
        _ => (key, value),
    });
    import(&data, folder.path(), vec![span("f1", "f100", "", 0, &painted.collect::<Vec<_>>())]);
    let unknown = unknown();
    assert!(unknown.contains(&format!("1 call has no price {told}, such as pages, images or hours")), "{unknown}");
    assert!(
        unknown.contains("Of 5 priced calls 5 have a price that also charges for what calls do not count"),
        "{unknown}"
    );
}

/// Of the six runs of 18 November somebody rejects what 57 proposes, and d8 has a step of a person's; in 58 two proposals
/// are accepted at once, and what is rejected in a session without traces is in no run.
#[test]
fn people_step_in_where_they_decide_against_a_proposal_in_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let label = "Runs in which people stepped in";
    // The session k1 decides twice on the 19th, and once against; the run of that day is another's.
    let coder = report(&data, "quality", "2026-11-19", &["--tz", "UTC"]);
    assert_eq!(tile(&coder, label), 0.0);
    assert!(note(&coder, label).contains("1 of 2 decisions"), "{}", note(&coder, label));

    let decision = |seconds, trace, tool: &str, decision: &str| {
        let source = json!(format!("user_{decision}"));
        let fields = [("tool_name", json!(tool)), ("decision", json!(decision)), ("source", source)];
        record(seconds, trace, "tool_decision", &fields)
    };
    let records = [
        decision(1, Some("57"), "Bash", "reject"),
        decision(2, Some("58"), "Bash", "accept"),
        decision(2, Some("58"), "Edit", "accept"),
        decision(3, None, "Bash", "reject"),
    ];
    import_records(&data, folder.path(), CODER, &records);
    let step = span("d8", "d8ff", "", 4, &[("mcp.method.name", json!("elicitation/create"))]);
    import(&data, folder.path(), vec![step]);
    let page = report(&data, "quality", "2026-11-18", &["--tz", "UTC"]);
    assert!((tile(&page, label).as_f64().unwrap() - 2.0 / 6.0).abs() < 1e-9, "{page:#}");
    assert!(note(&page, label).contains("2 of 4 decisions"), "{}", note(&page, label));
}

/// Published without a server by a price of one's own, and asked again when that price is gone: gpt-4.1 at half the list
/// price makes 22 600 millionths of 24 650.
#[test]
fn what_is_published_without_a_server_can_be_asked_again_by_its_prices() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let prices = folder.path().join("prices.toml");
    let rule = "[[price]]\nmodel = \"gpt-4.1\"\ninput_tokens = 1\ncache_read_tokens = 0.25\noutput_tokens = 4\n";
    std::fs::write(&prices, rule).unwrap();
    text(tracewell(&data, &["prices", "import", prices.to_str().unwrap()]));
    let page = report(&data, "cost", "2026-11-18", &["--tz", "UTC", "--publish"]);
    assert_eq!(page["totals"]["cost_usd"], "0.0226");
    let version = page["totals"]["prices_version"].as_str().unwrap();
    std::fs::remove_file(data.join("price-lists/prices.toml")).unwrap();
    let kept = sql(
        &data,
        "SELECT prices_version, model, price, since IS NOT NULL AS dated FROM prices WHERE source = 'operator' AND unit = 'cache_read_tokens'",
    );
    let row = json!({"prices_version": version, "model": "gpt-4.1", "price": "0.25", "dated": true});
    assert_eq!(json!(kept), json!([row]));

    let shown = text(tracewell(&data, &["report", "show", "cost", "2026-11-18", "--format", "html"]));
    assert!(shown.contains(&format!("tracewell sql --prices {version}<")), "{shown}");
    let shown = text(tracewell(&data, &["report", "show", "cost", "2026-11-18", "--format", "md"]));
    // Text is never markup in it.
    assert!(shown.contains(&format!("\\`tracewell sql --prices {version}\\`")), "{shown}");

    let queries = page["queries"].as_array().unwrap();
    let asked = queries.iter().find(|query| query["title"] == "Calls and what they cost in all").unwrap();
    let cost = |more: &[&str]| -> f64 {
        let arguments = [&["sql", asked["sql"].as_str().unwrap(), "--format", "json"], more].concat();
        let rows: Value = serde_json::from_str(&text(tracewell(&data, &arguments))).unwrap();
        let now = rows.as_array().unwrap().iter().find(|row| row["period"] == "this").unwrap();
        let cost = &now["cost_usd"];
        cost.as_f64().unwrap_or_else(|| cost.as_str().unwrap().parse().unwrap())
    };
    assert!((cost(&["--prices", version]) - 0.0226).abs() < 1e-12);
    assert!((cost(&[]) - 0.02465).abs() < 1e-12, "the list price is in force again");
}

#[test]
fn what_is_published_is_written_as_the_rows_that_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    for kind in ["cost", "quality", "leadership"] {
        for format in ["csv", "parquet"] {
            let make = |more: &[&str]| {
                let asked = ["report", kind, "--period", "2026-11-18", "--tz", "UTC", "--format", format];
                let output = tracewell(&data, &[&asked[..], more].concat());
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                output.stdout
            };
            let published = make(&["--publish"]);
            assert!(!published.starts_with(b"{") && published == make(&[]), "{kind} as {format}");
        }
        let shown = text(tracewell(&data, &["report", "show", kind, "2026-11-18", "--format", "json"]));
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["report"], kind);
    }
}

/// 300 dollars a month are 10 a day, 70 a week 10 a day, too; 24 650 millionths were spent.
#[test]
fn every_budget_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let settings = folder.path().join("settings.toml");
    let budget = |name: &str, usd: &str, per: &str| {
        format!("[[report.budgets]]\nname = '{name}'\nusd = '{usd}'\nper = '{per}'\n")
    };
    let budgets = |text: String| {
        std::fs::write(&settings, text).unwrap();
        report(&data, "cost", "2026-11-18", &["--tz", "UTC", "--config", settings.to_str().unwrap()])
    };
    let month = budget("the month", "300", "month");
    let both = budgets(month.clone() + &budget("the week", "70", "week"));
    let rows: Vec<_> = table(&both, "Budgets").into_iter().map(|row| row[..3].to_vec()).collect();
    assert_eq!(json!(rows), json!([["the month", "0.02465", "10"], ["the week", "0.02465", "10"]]));
    let one = budgets(month.clone());
    assert!(pieces(&one, "table").iter().all(|table| table["caption"] != "Budgets"), "it is on a tile");
    // Nobody of that team made a call: nothing of it is used, which is known.
    let unused = budgets(month + &budget("idle", "30", "month") + "team = 'idle'\n");
    let rows = table(&unused, "Budgets");
    assert_eq!(json!(rows[1]), json!(["idle", "0", "1", 0.0]));
}

/// Two calls of 1 000 × 2 + 100 × 8 = 2 800 millionths report 3 000 and 2 600: each differs by 200, which is over 5 % of
/// either, and the sums are equal.
#[test]
fn reported_costs_that_differ_are_told_though_their_sum_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let reporting =
        |cost: &str| call("tried").into_iter().chain([("gen_ai.usage.cost", json!(cost))]).collect::<Vec<_>>();
    let spans = vec![
        span("f1", "f100", "", 0, &reporting("0.003")),
        span("f2", "f200", "", 1, &reporting("0.0026")),
        // 28 is less than a twentieth of 2 828.
        span("f3", "f300", "", 2, &reporting("0.002828")),
    ];
    import(&data, folder.path(), spans);
    for kind in ["cost", "leadership"] {
        let page = report(&data, kind, "2026-11-18", &["--tz", "UTC"]);
        let notices = page["notices"].to_string();
        let told = "Of 3 calls that report what they cost, 2 differ by over 5\u{a0}% from what they cost by the prices in \
            force, by $0.000428 in all where $0.00843 is reported";
        assert!(notices.contains(told), "{kind}: {notices}");
    }
    let page = report(&data, "cost", "2026-11-18", &["--tz", "UTC"]);
    let prices = &table(&page, "Prices in force")[0];
    assert_eq!(json!(prices[5..]), json!([3, 2, "0.000428", "-0.000028"]));
    // On 17 November one call reports what it cost, and rightly.
    let right = report(&data, "cost", "2026-11-17", &["--tz", "UTC"]);
    assert!(!right["notices"].to_string().contains("report what they cost"), "{}", right["notices"]);
}

/// 16 November: 9 075 + 480 + 328 + 276 millionths; then 30 393, 24 650, and 880 for 900 × 2 less the cache's 800 × 1.5,
/// and 35 × 8. All of it is in week 47 and in November.
#[test]
fn weeks_and_months_are_the_sums_of_their_days() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let days = json!(["0.010159", "0.030393", "0.02465", "0.00088"]);
    for (period, first, length) in [("2026-W47", 0, 7), ("2026-11", 15, 30), ("2026-Q4", 46, 92)] {
        let page = report(&data, "cost", period, &["--tz", "UTC"]);
        let totals = &page["totals"];
        assert_eq!((&totals["cost_usd"], &totals["calls"]), (&json!("0.066082"), &json!(25)), "{period}");
        let columns = pieces(&page, "chart")[0]["data"]["columns"].as_array().unwrap().clone();
        let values: Vec<_> = columns[first..first + 4].iter().map(|column| column["value"].clone()).collect();
        assert_eq!((columns.len(), &json!(values)), (length, &days), "{period}");
    }
}

/// Five days before today have a call each, for 2 800 millionths: each day to come is expected to cost as much, and of
/// today what is left of it.
#[test]
fn a_month_under_way_is_forecast_from_the_days_before() {
    const DAY: i64 = 86_400;
    let folder = tempfile::tempdir().unwrap();
    let seconds = |page: &Value, name: &str| {
        page[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp()
    };
    // When midnight passes on the way, today is another day; in the first second of a month it has not begun.
    let tries = (1..).find_map(|number| {
        let data = folder.path().join(format!("data-{number}"));
        let today = chrono::Utc::now().timestamp() / DAY * DAY;
        let noons: Vec<i64> = (1..=5).map(|back| today - back * DAY + DAY / 2).collect();
        let calls = noons.iter().map(|noon| {
            let id = format!("a{}", noon % (10 * DAY) / DAY);
            let mut call = span(&id, &format!("{id}00"), "", 0, &call("greet"));
            call["startTimeUnixNano"] = json!((noon * 1_000_000_000).to_string());
            call["endTimeUnixNano"] = json!(((noon + 1) * 1_000_000_000).to_string());
            call
        });
        import(&data, folder.path(), calls.collect());
        let page = report(&data, "leadership", "this-month", &["--tz", "UTC"]);
        let (since, produced) = (seconds(&page, "since"), seconds(&page, "produced"));
        (produced / DAY * DAY == today && produced > since).then_some((today, noons, page))
    });
    let (today, noons, page) = tries.unwrap();
    let [since, until, produced] = ["since", "until", "produced"].map(|name| seconds(&page, name));

    let past = noons.iter().filter(|noon| **noon >= since).count();
    let expected = 0.0028 * (past as f64 + (until - produced) as f64 / DAY as f64);
    let forecast: f64 = tile(&page, "Forecast to the end").as_str().unwrap().parse().unwrap();
    assert!((forecast - expected).abs() < 1e-7, "{forecast} {expected}");
    assert_eq!(page["totals"]["calls"], past);
    assert!(note(&page, "Forecast to the end").contains("from 5 past days on average"), "{page:#}");
    assert!(page["notices"].to_string().contains("The month is not over: figures are up to"), "{}", page["notices"]);
    let columns = pieces(&page, "chart")[0]["data"]["columns"].as_array().unwrap().clone();
    let begun = columns.iter().filter(|column| !column["value"].is_null()).count();
    let days = |seconds: i64| usize::try_from(seconds / DAY).unwrap();
    assert_eq!((columns.len(), begun), (days(until - since), days(today - since) + 1));
}
