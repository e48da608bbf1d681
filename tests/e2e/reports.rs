//! Reports: figures worked out by hand, numbers that can be asked again, periods published once, deliveries that arrive.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::readers;
use crate::server::{BINARY, Server, client, free_port, sql};

mod mail;

pub(crate) fn tracewell(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--data", data.to_str().unwrap()]).env_remove("TRACEWELL_CONFIG");
    command.output().unwrap()
}

pub(crate) fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The known set of `tests/queries/README.md`.
pub(crate) fn known(folder: &tempfile::TempDir) -> PathBuf {
    let data = folder.path().join("data");
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/queries/known.jsonl");
    text(tracewell(&data, &["import", known.to_str().unwrap()]));
    data
}

pub(crate) fn report(data: &Path, report: &str, period: &str, more: &[&str]) -> Value {
    let arguments = [&["report", report, "--period", period, "--format", "json"], more].concat();
    serde_json::from_str(&text(tracewell(data, &arguments))).unwrap()
}

/// The pieces of that kind on a page.
pub(crate) fn pieces(page: &Value, kind: &str) -> Vec<Value> {
    let sections = page["sections"].as_array().unwrap().iter();
    sections
        .flat_map(|section| section["items"].as_array().unwrap())
        .filter_map(|item| item.get(kind).cloned())
        .collect()
}

pub(crate) fn tile(page: &Value, label: &str) -> Value {
    let tiles = pieces(page, "tiles").into_iter().flat_map(|tiles| tiles.as_array().unwrap().clone());
    tiles.into_iter().find(|tile| tile["label"] == label).unwrap_or_else(|| panic!("{label}: {page:#}"))["value"]
        .clone()
}

pub(crate) fn table(page: &Value, caption: &str) -> Vec<Vec<Value>> {
    let tables = pieces(page, "table");
    let table =
        tables.iter().find(|table| table["caption"] == caption).unwrap_or_else(|| panic!("{caption}: {page:#}"));
    let rows = table["rows"].as_array().unwrap().iter();
    rows.map(|row| row.as_array().unwrap().iter().map(|cell| cell["value"].clone()).collect()).collect()
}

/// 18 November against the 17th. A call without a price is in no amount.
///
/// Before: 9 priced calls for 30 393 millionths of a dollar (27 825 of the desk, 2 568 of the shop); now 5 for 24 650
/// (10 500 extract-fields, 10 050 summarise, 4 100 gpt-4.1).
///
/// - Volume: 30 393 × 5/9 = 16 885, so −13 508.
/// - Mix: one extract-fields at 19 575 / 2, two summarise at 8 250, gpt-4.1 is new at 4 100: 30 387.5, so +13 502.5.
/// - Length: extract-fields 3 200 × 3 + 60 × 15 = 10 500; summarise 8 500 × 4 500 / 6 000 + 320 × 15 = 11 175; 4 100:
///   25 775, so −4 612.5.
/// - Caching: summarise 1 000 × 3 + 7 500 × 0.3 + 320 × 15 = 10 050: 24 650, so −1 125. The rates stayed.
#[test]
fn costs_and_why_they_changed_are_those_worked_out_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let check = |when: &str| {
        let page = report(&data, "cost", "2026-11-18", &["--tz", "UTC", "--by", "team,prompt,model"]);
        assert_eq!(page["totals"]["cost_usd"], "0.02465", "{when}");
        assert_eq!((&page["totals"]["calls"], &page["totals"]["unpriced_calls"]), (&json!(6), &json!(1)), "{when}");
        assert_eq!(tile(&page, "Per call"), "0.00493");
        assert_eq!(tile(&page, "Caching saved"), "0.02175");
        // Pictures have the same exact amounts, as text: 2 300 and 1 800 millionths at 12:00 and 23:00, nothing at 1:00.
        let charts = pieces(&page, "chart");
        let columns = &charts[0]["data"]["columns"];
        let values = [12, 23, 1].map(|hour: usize| &columns[hour]["value"]);
        assert_eq!(values, [&json!("0.0023"), &json!("0.0018"), &json!("0")], "{when}");
        let steps = charts[1]["data"]["bridge"].as_array().unwrap();
        let steps: Vec<&Value> = steps.iter().map(|step| &step["value"]).collect();
        let exact = ["0.030393", "-0.013508", "0.0135025", "-0.0046125", "-0.001125", "0", "0.02465"];
        assert_eq!(json!(steps), json!(exact), "{when}");
        let parts: Vec<Value> = table(&page, "The change, split").into_iter().map(|row| row[2].clone()).collect();
        assert_eq!(
            json!(parts),
            json!(["-0.013508", "0.0135025", "-0.0046125", "-0.001125", "0", "-0.005743"]),
            "{when}"
        );
        let rows = table(&page, "Cost by team, prompt, model");
        let brief: Vec<Vec<&Value>> =
            rows.iter().map(|row| vec![&row[1], &row[2], &row[3], &row[5], &row[6], &row[7]]).collect();
        assert_eq!(
            json!(brief),
            json!([
                ["extract-fields", "claude-sonnet-4-5", "0.0105", "-0.009075", 1, 0],
                ["summarise", "claude-sonnet-4-5", "0.01005", "0.0018", 2, 0],
                ["answer-customer", "gpt-4.1", "0.0041", "0.0041", 3, 1],
                ["answer-customer", "gpt-4.1-mini", null, "-0.002568", 0, 0],
            ])
        );
    };
    check("as imported");
    text(tracewell(&data, &["compact"]));
    text(tracewell(&data, &["settle"]));
    check("settled");

    // The same days by the clocks of Auckland, 13 hours ahead: the 18th there has the calls from 17th 11:00 to 18th
    // 11:00, which are 5401 to 5404, those of traces 55 and d5, d601, d703 and d801.
    let auckland = report(&data, "cost", "2026-11-18", &["--tz", "Pacific/Auckland"]);
    assert_eq!(auckland["totals"]["calls"], json!(12));
    assert_eq!(auckland["since"], "2026-11-17T11:00:00Z");

    let rows =
        text(tracewell(&data, &["report", "cost", "--period", "2026-11-18", "--by", "model", "--format", "csv"]));
    let lines: Vec<&str> = rows.lines().collect();
    assert_eq!(lines[0], "model,calls,unpriced_calls,cost_usd,calls_before,unpriced_calls_before,cost_before_usd");
    assert_eq!(lines.len(), 4);
    let claude: Vec<&str> = lines[1].split(',').collect();
    assert_eq!((claude[0], claude[3].trim_end_matches('0')), ("claude-sonnet-4-5", "0.02055"));
    let parquet = tracewell(&data, &["report", "cost", "--period", "2026-11-18", "--format", "parquet"]);
    assert!(parquet.stdout.starts_with(b"PAR1") && parquet.stdout.ends_with(b"PAR1"));
}

/// Of the runs of 18 November one crosses midnight; none failed. 57 was scored 0.8.
#[test]
fn quality_and_leadership_have_the_figures_worked_out_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let settings = folder.path().join("settings.toml");
    std::fs::write(
        &settings,
        "[report]\nlinks = 'https://tracewell.example'\n[[report.budgets]]\nname = 'all'\nusd = '0.9'\nper = 'month'\n",
    )
    .unwrap();
    let with = ["--config", settings.to_str().unwrap()];
    let page = report(&data, "leadership", "2026-11-18", &with);
    // 0.9 for 30 days is 0.03 a day; 0.02465 for 6 runs, of which none failed or scored low; sessions d2, d3, c2, c4.
    let budget = tile(&page, "Budget used").as_f64().unwrap();
    assert!((budget - 0.02465 / 0.03).abs() < 1e-9, "{budget}");
    for (label, divisor) in [("Per run", 6), ("Per good outcome", 6), ("Per session", 4), ("Per user", 4)] {
        let each: f64 = tile(&page, label).as_str().unwrap().parse().unwrap();
        assert!((each - 0.02465 / f64::from(divisor)).abs() < 1e-12, "{label}: {each}");
    }
    assert_eq!(tile(&page, "Runs that failed"), 0.0);
    // The runs take 0.3, 2, 2, 3, 4 and 5 seconds.
    assert_eq!(tile(&page, "Half of the runs take up to"), 2_500.0);
    let worth = pieces(&page, "table").into_iter().find(|table| table["heads"][0]["text"] == "why").unwrap();
    assert_eq!(worth["rows"][0][1]["link"], "https://tracewell.example/v1/runs/000000000000000000000000000000d6");

    let figures = text(tracewell(&data, &["report", "leadership", "--period", "2026-11-18", "--format", "csv"]));
    assert_eq!(figures.lines().next().unwrap(), "period,section,figure,value,text,note");
    assert!(figures.contains("2026-11-18,Spending,Spent,0.02465,"), "{figures}");

    let quality = report(&data, "quality", "2026-11-17", &[]);
    // 7 runs; 53 has the score 0.1. Of the 13 calls three failed, of one prompt version with 11 calls.
    let scores = table(&quality, "Scores, the last word of each judge");
    assert_eq!(json!(scores[0][..5]), json!(["answer-customer", "4", "helpfulness", null, 1]));
    let versions = table(&quality, "Calls by prompt version, the 30 most used");
    assert_eq!(json!(versions[0][..3]), json!(["answer-customer", "4", 9]));
    assert_eq!(versions[0][3].as_f64().unwrap(), 3.0 / 9.0);
    assert_eq!((&scores[0][6], &versions[0][4]), (&json!("too few"), &json!("too few")), "one score, nine calls");
}

/// A span as OTLP JSON on 18 November, so many seconds after noon.
pub(crate) fn span(trace: &str, span: &str, parent: &str, seconds: u64, attributes: &[(&str, Value)]) -> Value {
    let start = 1_795_003_200_000_000_000 + seconds * 1_000_000_000;
    let attributes = attributes.iter().map(|(key, value)| {
        let kind = if value.is_string() { "stringValue" } else { "intValue" };
        json!({"key": key, "value": {kind: value}})
    });
    json!({
        "traceId": format!("{trace:0>32}"), "spanId": format!("{span:0>16}"), "parentSpanId": parent, "name": "x", "kind": 1,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 60_000_000_000).to_string(),
        "status": {"code": 2}, "attributes": attributes.collect::<Vec<_>>(),
    })
}

pub(crate) fn call(prompt: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("openai")),
        ("gen_ai.request.model", json!("gpt-4.1")),
        ("gen_ai.prompt.name", json!(prompt)),
        ("gen_ai.prompt.version", json!("99")),
        ("gen_ai.conversation.id", json!("zz")),
        ("user.id", json!("zoe")),
        ("gen_ai.usage.input_tokens", json!("1000")),
        ("gen_ai.usage.output_tokens", json!("100")),
    ]
}

pub(crate) fn import(data: &Path, folder: &Path, spans: Vec<Value>) {
    let file = folder.join("more.jsonl");
    let request = json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "harness"}, "spans": spans}]}]});
    std::fs::write(&file, request.to_string() + "\n").unwrap();
    text(tracewell(data, &["import", file.to_str().unwrap()]));
}

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
    // The same question over the same calls, of which one of bob's two is of another tenant.
    let of_two = "FROM (SELECT date, start_time, is_trial, trace_id, cost_usd, uncached_cost_usd, reported_cost_usd, cost_difference_usd, conversation_id, user_id, CASE WHEN span_id = '0000000000005800' THEN 'b' ELSE 'a' END AS tenant FROM span_costs) AS calls";
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

    // Of the six runs 57 has the only score, 0.8: below 0.9 it is no good outcome.
    let page = report(&data, "leadership", "2026-11-18", &["--tz", "UTC", "--config", settings.to_str().unwrap()]);
    let each: f64 = tile(&page, "Per good outcome").as_str().unwrap().parse().unwrap();
    assert!((each - 0.02465 / 5.0).abs() < 1e-12, "{each}");
    let rule = "runs that did not fail and have no score `helpfulness` below 0.9";
    assert!(page["sections"].to_string().contains(rule), "{page:#}");
    let usual = report(&data, "leadership", "2026-11-18", &["--tz", "UTC"]);
    assert!(usual["sections"].to_string().contains("runs that did not fail and have no score below 0.5"), "{usual:#}");
}

#[test]
fn rows_for_spreadsheets_hold_no_formula_and_a_dimension_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let names = ["=HYPERLINK(\"https://x\")", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "-12.5", "plain"];
    let spans = names
        .iter()
        .zip(1..)
        .map(|(name, number)| span(&format!("f{number}"), &format!("f{number}"), "", 0, &call(name)));
    import(&data, folder.path(), spans.collect());
    let rows = |form: &str| {
        let asked = ["report", "cost", "--period", "2026-11-18", "--by", "prompt", "--format", form];
        let output = tracewell(&data, &asked);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let written = rows("csv");
    let mut reader = csv::Reader::from_reader(written.as_slice());
    let cells: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    for name in names {
        let is_plain = ["-12.5", "plain"].contains(&name);
        let shown = if is_plain { name.to_owned() } else { format!("'{name}") };
        let row = cells.iter().find(|row| row[0] == shown).unwrap_or_else(|| panic!("{name:?}: {cells:?}"));
        assert_eq!((&row[1], row[3].trim_end_matches('0')), ("1", "0.0028"));
    }
    let twice = tracewell(&data, &["report", "cost", "--period", "2026-11-18", "--by", "team,team"]);
    let told = String::from_utf8_lossy(&twice.stderr);
    assert!(!twice.status.success() && told.contains("cannot be broken down by `team` twice"), "{told}");
}

/// A number of any kind, so that text and JSON numbers compare.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            let sorted = |of: &[Value]| {
                let mut of: Vec<String> = of.iter().map(Value::to_string).collect();
                of.sort();
                of
            };
            sorted(left) == sorted(right)
        }
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => (left - right).abs() <= 1e-9 * left.abs().max(right.abs()),
            _ => left == right,
        },
    }
}

/// A row without what is not known, in order of its columns.
fn cells(row: &Value) -> Vec<(&String, &Value)> {
    let mut cells: Vec<_> = row.as_object().unwrap().iter().filter(|(_, value)| !value.is_null()).collect();
    cells.sort_by_key(|(name, _)| name.as_str());
    cells
}

#[test]
fn every_number_can_be_asked_again_by_the_query_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    for kind in ["cost", "quality", "leadership"] {
        let page = report(&data, kind, "2026-11-18", &["--tz", "Europe/Berlin"]);
        let queries = page["queries"].as_array().unwrap();
        let is_there = |piece: &Value| {
            let numbers = piece["queries"].as_array().unwrap();
            assert!(!numbers.is_empty(), "{piece} names no query");
            assert!(numbers.iter().all(|number| (1..=queries.len() as u64).contains(&number.as_u64().unwrap())));
        };
        for tiles in pieces(&page, "tiles") {
            tiles.as_array().unwrap().iter().for_each(is_there);
        }
        ["table", "chart"].iter().flat_map(|piece| pieces(&page, piece)).for_each(|piece| is_there(&piece));
        for query in queries {
            let mut again = sql(&data, query["sql"].as_str().unwrap());
            let mut shown = query["rows"].as_array().unwrap().clone();
            assert_eq!(again.len(), shown.len(), "{query:#}");
            // Rows that no ORDER BY puts in order.
            let key = |row: &Value| {
                cells(row)
                    .into_iter()
                    .filter(|(_, value)| !value.is_array())
                    .filter(|(_, value)| number(value).is_none())
                    .map(|(_, value)| value.to_string())
                    .collect::<Vec<_>>()
            };
            again.sort_by_key(key);
            shown.sort_by_key(key);
            for (again, shown) in again.iter().zip(&shown) {
                let (again, shown) = (cells(again), cells(shown));
                assert_eq!(again.len(), shown.len(), "{again:?} {shown:?}");
                for ((name, again), (_, shown)) in again.iter().zip(&shown) {
                    assert!(same(again, shown), "{kind}, {}: {name} is {again} and was {shown}", query["title"]);
                }
            }
        }
    }
}

#[test]
fn a_period_that_is_empty_or_half_missing_says_so_first() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    for kind in ["cost", "quality", "leadership"] {
        let empty = report(&data, kind, "2026-W40", &[]);
        assert!(empty["notices"][0].as_str().unwrap().contains("not one model call in this week"), "{empty:#}");
        let markdown = text(tracewell(&data, &["report", kind, "--period", "2026-W40", "--format", "md"]));
        let first = markdown.lines().filter(|line| !line.is_empty()).nth(1).unwrap();
        assert!(first.contains("not one model call"), "{first}");
        let half = report(&data, kind, "2026-W47", &[]);
        assert!(half["notices"][0].as_str().unwrap().starts_with("Data is missing or nothing ran on"), "{half:#}");
    }
    let future = report(&data, "cost", "2199-01", &[]);
    assert!(future["notices"][0].as_str().unwrap().contains("has not begun"), "{future:#}");
    let wrong = tracewell(&data, &["report", "cost", "--period", "2026-W54"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("`2026-W54` is no period"));
}

#[test]
fn what_was_published_stays_and_a_corrected_price_is_a_restatement() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let make = |more: &[&str]| report(&data, "cost", "2026-11-18", more);
    let is_restated = |page: &Value| page["notices"].to_string().contains("Restated");
    assert!(!is_restated(&make(&["--publish"])));
    assert!(!is_restated(&make(&[])), "nothing has changed");
    let open = tracewell(&data, &["report", "cost", "--period", "2199", "--publish"]);
    assert!(String::from_utf8_lossy(&open.stderr).contains("is not over"));

    // gpt-4.1 at half the price: 2 300 + 1 800 millionths become 2 050.
    let prices = folder.path().join("prices.toml");
    let rule = "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4.1\"\ninput_tokens = 1\ncache_read_tokens = 0.25\noutput_tokens = 4\n";
    std::fs::write(&prices, rule).unwrap();
    text(tracewell(&data, &["prices", "import", prices.to_str().unwrap()]));
    let restated = make(&["--publish"]);
    assert_eq!(restated["totals"]["cost_usd"], "0.0226");
    let notice = restated["notices"].to_string();
    assert!(notice.contains("as $0.0247 for 6 calls; now $0.0226, −$0.00205 (prices were corrected)"), "{notice}");

    // By another name of the zone it is the same period; in another zone it is not.
    assert!(is_restated(&make(&["--tz", "Etc/UTC"])) && !is_restated(&make(&["--tz", "Europe/Berlin"])));

    let listed: Value = serde_json::from_str(&text(tracewell(&data, &["report", "list", "--format", "json"]))).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["cost_usd"]), (1, &json!("0.02465")));
    let shown = text(tracewell(&data, &["report", "show", "cost", "2026-11-18", "--format", "json"]));
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["totals"]["cost_usd"], "0.02465");
    let none = tracewell(&data, &["report", "show", "cost", "2026-11-17"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("nothing was published"));
}

/// A mail server and a web server, and the folder of what they got.
pub(crate) struct Receiver {
    process: Child,
    folder: PathBuf,
    mail: u16,
    pub(crate) web: u16,
}

impl Receiver {
    pub(crate) fn start(python: &str, folder: &Path) -> Self {
        let folder = folder.join("received");
        std::fs::create_dir_all(&folder).unwrap();
        let mail = free_port();
        let mut process = Command::new(python)
            .arg(readers::script("receive_reports.py"))
            .args([folder.to_str().unwrap(), &mail.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, folder, mail, web: line.trim().parse().unwrap() }
    }

    pub(crate) fn received(&self) -> Vec<Value> {
        let files = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
        files.map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

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

pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
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
