//! Reports: figures worked out by hand, numbers that can be asked again, periods published once, deliveries that arrive.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::server::BINARY;

mod asked;
mod by_hand;
mod counted;
mod mail;
mod receiver;
mod schedules;

pub(crate) use receiver::{Receiver, until};

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
    // With one call on the 11th six days of the week before are silent, and of this one the 20th to the 22nd.
    let mut early = span("f1", "f1", "", 0, &call("early"));
    early["startTimeUnixNano"] = json!("1794398400000000000");
    early["endTimeUnixNano"] = json!("1794398460000000000");
    import(&data, folder.path(), vec![early]);
    let uneven = report(&data, "cost", "2026-W47", &["--tz", "UTC"])["notices"].to_string();
    assert!(uneven.contains("nothing ran on 6 of 7 days of the week before, which this is compared with"), "{uneven}");
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

    // What is published in another zone stands beside it, and goes by that.
    let show =
        |zone: &str| tracewell(&data, &["report", "show", "cost", "2026-11-18", "--tz", zone, "--format", "json"]);
    let none = show("Europe/Berlin");
    assert!(String::from_utf8_lossy(&none.stderr).contains("as `cost` in Europe/Berlin"));
    let berlin = make(&["--publish", "--tz", "Europe/Berlin"]);
    let zone_of = |zone: &str| serde_json::from_str::<Value>(&text(show(zone))).unwrap()["time_zone"].clone();
    assert_eq!((zone_of("Europe/Berlin"), zone_of("Etc/UTC")), (json!("Europe/Berlin"), json!("UTC")));
    assert_eq!(serde_json::from_str::<Value>(&text(show("Europe/Berlin"))).unwrap()["totals"], berlin["totals"]);
    let listed: Value = serde_json::from_str(&text(tracewell(&data, &["report", "list", "--format", "json"]))).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    make(&["--publish", "--tz", "Etc/UTC"]);
    let again: Value = serde_json::from_str(&text(tracewell(&data, &["report", "list", "--format", "json"]))).unwrap();
    assert_eq!(again, listed, "the same moments by another name");
}
