//! What calls cost: by the built-in catalogue and by the operator's rules, before and after a correction.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{BINARY, Server, client, sql};

const OTLP_JSON: &str = "application/json";
/// 2026-11-16 09:00 UTC.
const MORNING: u64 = 1_794_819_600_000_000_000;

fn tracewell(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).env_remove("TRACEWELL_CONFIG").output().unwrap()
}

fn error(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn rows(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A model call as OTLP JSON.
fn call(number: u32, model: &str, input: u32, output: u32) -> Vec<u8> {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let count = |key: &str, value: u32| json!({"key": key, "value": {"intValue": value.to_string()}});
    let span = json!({
        "traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"), "name": "chat", "kind": 3,
        "startTimeUnixNano": MORNING.to_string(), "endTimeUnixNano": (MORNING + 1_000_000_000).to_string(),
        "attributes": [
            text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", model), text("gen_ai.response.model", model),
            count("gen_ai.usage.input_tokens", input), count("gen_ai.usage.output_tokens", output),
        ],
    });
    json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "app"}, "spans": [span]}]}]}).to_string().into_bytes()
}

async fn send(server: &Server, calls: &[(&str, u32, u32)]) {
    for (number, (model, input, output)) in (1..).zip(calls) {
        let answer = server.post("/v1/traces", OTLP_JSON, call(number, model, *input, *output)).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

const RULE: &str = "[[price]]\nprovider = \"openai\"\nmodel = \"house-model\"\ninput_tokens = 1\noutput_tokens = 4\n";

/// The cost of the whole, and how many calls have none.
fn total(server: &Server) -> (Value, Value) {
    let rows = server.sql("SELECT CAST(sum(cost_usd) AS text) AS cost, sum(unpriced_calls) AS unpriced FROM runs");
    (rows[0]["cost"].clone(), rows[0]["unpriced"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_price_changes_the_past_and_a_wrong_file_changes_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let place = data.to_str().unwrap();
    let server = Server::start(&data, &[]).await;
    send(&server, &[("gpt-4.1-mini", 2_000, 100), ("house-model", 1_000, 500), ("gpt-4.1-mini", 10, 0)]).await;

    // (2 000 + 10) × 0.4 + 100 × 1.6 = 964 millionths; nobody knows the price of house-model.
    assert_eq!(total(&server), (json!("0.000964000000000000000000"), json!(1)));
    let unknown = server.sql("SELECT model, cost_usd, unpriced_reason FROM span_costs WHERE cost_usd IS NULL");
    assert_eq!(json!(unknown), json!([{"model": "house-model", "cost_usd": null, "unpriced_reason": "unknown_model"}]));

    let before = server.sql("SELECT DISTINCT prices_version AS prices FROM span_costs");
    let before = before[0]["prices"].as_str().unwrap();

    let list = temporary.path().join("own.toml");
    std::fs::write(&list, RULE).unwrap();
    let files = || server.sql("SELECT count(*) AS n FROM spans")[0]["n"].clone();
    let imported = tracewell(&["prices", "import", "--data", place, list.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    // 1 000 × 1 + 500 × 4 = 3 000 millionths more.
    let corrected = (json!("0.003964000000000000000000"), json!(0));
    let deadline = Instant::now() + Duration::from_secs(60);
    while total(&server) != corrected {
        assert!(Instant::now() < deadline, "the imported prices are not in force: {:?}", total(&server));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(files(), json!(3));
    let whence = server.sql("SELECT price_source, price_rule FROM span_costs WHERE model = 'house-model'");
    assert_eq!(json!(whence), json!([{"price_source": "operator", "price_rule": "openai/house-model"}]));

    // As of the prices of before, and as of the one catalogue among them, the answer is the old one: from the server, and
    // from the tables alone.
    let catalogue =
        server.sql("SELECT DISTINCT catalogue_version AS version FROM span_costs WHERE price_source = 'catalogue'");
    let as_of = |version: &str| {
        let sql = "SELECT CAST(sum(cost_usd) AS text) AS cost, sum(unpriced_calls) AS unpriced FROM runs";
        tracewell(&["sql", "--data", place, "--prices", version, "--format", "json", sql])
    };
    let old = json!([{"cost": "0.000964000000000000000000", "unpriced": 1}]);
    assert_eq!(json!(rows(&as_of(before))), old);
    let versions = rows(&tracewell(&["prices", "versions", "--data", place]));
    let listed: Vec<&str> = versions.iter().map(|row| row["version"].as_str().unwrap()).collect();
    assert_eq!((listed.len(), listed[0]), (2, before));
    assert_eq!(versions[0]["catalogue_versions"], catalogue[0]["version"]);
    let differences =
        |old: &Value, new: &str| rows(&tracewell(&["prices", "diff", "--data", place, old.as_str().unwrap(), new]));
    let added = differences(&versions[0]["version"], versions[1]["version"].as_str().unwrap());
    assert_eq!((added.len(), &added[0]["change"]), (1, &json!("added")), "{added:?}");
    assert_eq!(
        (&added[0]["rule"], &added[0]["after"]),
        (&json!("openai/house-model"), &json!("input_tokens 1 per million, output_tokens 4 per million"))
    );
    assert!(differences(&catalogue[0]["version"], "built-in").is_empty());
    assert!(error(&as_of("0000")).contains("there were no prices of version `0000`"));

    // Dearer from now on: 1 000 × 2 + 500 × 8 = 6 000 millionths. As of the catalogue that said 1 and 4 it is 3 000 still.
    let own =
        server.sql("SELECT DISTINCT catalogue_version AS version FROM span_costs WHERE price_source = 'operator'");
    let own = own[0]["version"].as_str().unwrap();
    let dearer = RULE.replace("= 1\n", "= 2\n").replace("= 4\n", "= 8\n");
    std::fs::write(&list, &dearer).unwrap();
    assert!(tracewell(&["prices", "import", "--data", place, list.to_str().unwrap()]).status.success());
    while total(&server) != (json!("0.006964000000000000000000"), json!(0)) {
        assert!(Instant::now() < deadline, "the dearer prices are not in force: {:?}", total(&server));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(json!(rows(&as_of(own))), json!([{"cost": "0.003964000000000000000000", "unpriced": 0}]));
    let today =
        tracewell(&["report", "cost", "--data", place, "--period", "2026-W47", "--prices", own, "--format", "json"]);
    let today: Value = serde_json::from_slice(&today.stdout).unwrap();
    assert_eq!(
        (&today["totals"]["cost_usd"], &today["totals"]["unpriced_calls"]),
        (&json!("0.003964"), &json!(0)),
        "{}",
        today["totals"]
    );
    let asked = async |path: &str, version: &str| {
        client().get(format!("{}{path}", server.api)).header("tracewell-prices", version).send().await.unwrap()
    };
    let report: Value = asked("/v1/reports/cost?period=2026-W47", own).await.json().await.unwrap();
    assert_eq!(report["totals"]["cost_usd"], "0.003964");
    let run = format!("/v1/runs/{:032x}", 2);
    let record: Value = asked(&run, own).await.json().await.unwrap();
    assert_eq!(record["cost_usd"], "0.003");
    let page: Value = asked("/v1/runs?costs=true&min_cost=0.001", own).await.json().await.unwrap();
    assert_eq!((page["runs"].as_array().map(Vec::len), &page["runs"][0]["cost_usd"]), (Some(1), &json!("0.003")));
    for path in ["/v1/reports/cost", &run, "/v1/runs?costs=true"] {
        assert_eq!(asked(path, "0000").await.status(), 400, "{path}");
    }
    std::fs::write(&list, RULE).unwrap();
    assert!(tracewell(&["prices", "import", "--data", place, list.to_str().unwrap()]).status.success());
    while total(&server) != corrected {
        assert!(Instant::now() < deadline, "the old prices are not in force: {:?}", total(&server));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // Neither the command nor the server takes a file with a mistake, and what was in force stays.
    std::fs::write(&list, format!("{RULE}\n[[price]]\nmodel = \"house-model\"\ninput_tokens = -1\n")).unwrap();
    let refused = error(&tracewell(&["prices", "import", "--data", place, list.to_str().unwrap()]));
    assert!(refused.contains("own.toml:9: `input_tokens`: the price `-1` is negative"), "{refused}");
    let kept = data.join("price-lists/own.toml");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), RULE);
    std::fs::copy(&list, &kept).unwrap();
    let log = data.with_extension("log");
    while !std::fs::read_to_string(&log).unwrap().contains("own.toml:9: `input_tokens`") {
        assert!(Instant::now() < deadline, "the server says nothing of the wrong file");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(total(&server), corrected);
    std::fs::write(&kept, RULE).unwrap();
    server.stop();
    assert_eq!(json!(rows(&as_of(before))), old);
}

#[test]
fn what_is_not_asked_for_is_not_priced() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/queries/known.jsonl");
    assert!(tracewell(&["import", "--data", data.to_str().unwrap(), known.to_str().unwrap()]).status.success());
    for view in ["runs", "sessions", "prompt_usage", "span_costs"] {
        let priced = |column: &str| {
            let plan = sql(&data, &format!("EXPLAIN SELECT {column} FROM {view}"));
            json!(plan).to_string().contains("tracewell_cost")
        };
        assert!(priced("cost_usd"), "{view}");
        assert!(!priced("tenant"), "{view}");
    }
}

/// The plan names a function as often as it works the price of a call out.
#[test]
fn a_call_is_priced_once_however_many_parts_of_its_price_are_asked_for() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/queries/known.jsonl");
    assert!(tracewell(&["import", "--data", data.to_str().unwrap(), known.to_str().unwrap()]).status.success());
    let times = |function: &str, columns: &str| {
        let plans = sql(&data, &format!("EXPLAIN SELECT {columns} FROM span_costs"));
        let plan = plans.iter().find(|plan| plan["plan_type"] == "physical_plan").unwrap();
        plan["plan"].as_str().unwrap().matches(function).count()
    };
    let parts = "sum(cost_parts['input']), sum(cost_parts['cache_read']), sum(cost_parts['output'])";
    assert_eq!(times("tracewell_cost_parts(", parts), 1);
    assert_eq!(times("tracewell_price(", "price_source, catalogue, catalogue_version"), 1);
}

#[test]
fn a_server_does_not_start_with_a_price_file_that_is_wrong() {
    let temporary = tempfile::tempdir().unwrap();
    let path = |name: &str| temporary.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("prices.csv"), "model,input_tokens,from,to\nx,1,2026-01-01,2026-02-01\nx,2,2026-03-01,\n")
        .unwrap();
    let output = Command::new(BINARY)
        .args(["serve", "--data", &path("data"), "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"])
        .env("TRACEWELL_PRICES_FILES", path("prices.csv"))
        .output()
        .unwrap();
    let said = error(&output);
    assert!(said.contains("prices.csv:3: leaves a gap"), "{said}");
    assert!(!Path::new(&path("data/spans")).exists());
}

/// What the mock model server told of its use stands in `run__span_and_event.expected.json`:
/// 18 × 0.02 for the embedding, (1 101 − 13) × 0.4 + 13 × 0.1 + 207 × 1.6 and (1 202 − 23) × 0.4 + 23 × 0.1 + 214 × 1.6
/// for the chats, in millionths of a dollar. The models that answered are unknown by their full names.
#[tokio::test(flavor = "multi_thread")]
async fn a_captured_run_is_priced_exactly() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/otel-genai");
    let server = Server::start(&data, &[]).await;
    let traces = std::fs::read(fixtures.join("run__span_and_event.traces.pb")).unwrap();
    server.takes("/v1/traces", traces).await;
    let calls = server
        .sql("SELECT CAST(cost_usd AS text) AS cost, price_rule, model_reading FROM span_costs ORDER BY start_time");
    let call = |cost: &str, rule: &str, reading: &str| {
        let cost = format!("{cost}000000000000000");
        json!({"cost": cost, "price_rule": rule, "model_reading": reading})
    };
    let asked = "request model as sent";
    let dated = "response model without date";
    assert_eq!(
        json!(calls),
        json!([
            call("0.000000360", "openai/text-embedding-3-small", asked),
            call("0.000767700", "openai/gpt-4.1-mini", dated),
            call("0.000816300", "openai/gpt-4.1-mini", dated),
        ])
    );
    let run = server.sql("SELECT CAST(sum(cost_usd) AS text) AS cost, sum(unpriced_calls) AS unpriced FROM runs");
    assert_eq!(json!(run), json!([{"cost": "0.001584360000000000000000", "unpriced": 0}]));
}

#[test]
fn prices_are_listed_shown_tried_and_compared() {
    let temporary = tempfile::tempdir().unwrap();
    let path = |name: &str| temporary.path().join(name).to_str().unwrap().to_owned();
    let (data, own) = (path("data"), path("own.toml"));
    std::fs::write(&own, RULE).unwrap();
    assert!(tracewell(&["prices", "import", "--data", &data, &own]).status.success());

    let listed = rows(&tracewell(&["prices", "list", "--data", &data, "--source", "operator"]));
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["prices"], "input_tokens 1 per million, output_tokens 4 per million");
    let shown = rows(&tracewell(&["prices", "show", "--data", &data, "house-model"]));
    assert_eq!(shown.iter().map(|row| row["price"].as_str().unwrap()).collect::<Vec<_>>(), ["1", "4"]);

    // 1 500 × 0.4 + 500 × 0.1 + 40 × 1.6 = 714 millionths.
    let tried = tracewell(&[
        "prices",
        "test",
        "gpt-4.1-mini",
        "--data",
        &data,
        "--at",
        "2026-11-16",
        "--input",
        "2000",
        "--cache-read",
        "500",
        "--output",
        "40",
    ]);
    assert_eq!(rows(&tried).iter().find(|row| row["what"] == "cost").unwrap()["value"], "0.000714");
    let unknown = error(&tracewell(&["prices", "test", "no-such-model", "--data", &data, "--input", "1"]));
    assert!(unknown.contains("this call has no price: unknown_model"), "{unknown}");
    let used = "--input 1000 --audio-input 500 --cache-read 100 --output 1".split(' ');
    let test = ["prices", "test", "gemini-2.5-flash", "--data", data.as_str()].into_iter().chain(used);
    let overlap = error(&tracewell(&test.collect::<Vec<_>>()));
    assert!(overlap.contains("ambiguous_parts (parts with rates of their own overlap"), "{overlap}");

    let dearer = path("dearer.toml");
    std::fs::write(&dearer, RULE.replace("= 4", "= 5")).unwrap();
    let compared = rows(&tracewell(&["prices", "diff", &own, &dearer]));
    assert_eq!(
        json!(compared),
        json!([{"change": "changed", "rule": "openai/house-model", "what": "output_tokens",
            "before": "4 per million", "after": "5 per million"}])
    );
}

#[test]
fn lists_of_others_are_imported_whole_and_what_is_left_out_is_said() {
    let temporary = tempfile::tempdir().unwrap();
    let path = |name: &str| temporary.path().join(name).to_str().unwrap().to_owned();
    let (data, list) = (path("data"), path("model_prices_and_context_window.json"));
    let text = r#"{"sample_spec": {"input_cost_per_token": 1},
        "house-model": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": 4e-06,
            "file_search_cost_per_gb_per_day": 0.1}}"#;
    std::fs::write(&list, text).unwrap();
    let imported = tracewell(&["prices", "import", "--data", &data, "--from", "2026-11-01", &list]);
    let said = String::from_utf8(imported.stdout.clone()).unwrap();
    assert!(imported.status.success() && said.contains("file_search_cost_per_gb_per_day: house-model"), "{said}");
    let try_at = |at: &str| {
        let arguments = ["prices", "test", "house-model", "--provider", "openai", "--input", "1000", "--output", "500"];
        tracewell(&[&arguments[..], &["--data", &data, "--at", at]].concat())
    };
    let tried = rows(&try_at("2026-11-16"));
    assert_eq!(tried.iter().find(|row| row["what"] == "cost").unwrap()["value"], "0.003");
    assert!(error(&try_at("2026-10-31")).contains("no_rule_in_force"));

    // A file that was changed by other hands is not believed.
    let kept = path("data/price-lists/litellm.jsonl");
    let text = std::fs::read_to_string(&kept).unwrap();
    std::fs::write(&kept, text.replace("0.000004", "0.000001")).unwrap();
    let refused = error(&try_at("2026-11-16"));
    assert!(refused.contains("litellm.jsonl is damaged"), "{refused}");
}

#[test]
fn every_count_that_has_a_price_can_be_tried() {
    let temporary = tempfile::tempdir().unwrap();
    let path = |name: &str| temporary.path().join(name).to_str().unwrap().to_owned();
    let (data, own) = (path("data"), path("own.toml"));
    let rules = "[[price]]\nmodel = \"cached\"\ninput_tokens = 1\ncache_write_tokens = 2\ncache_write_5m_tokens = 3\n\
        cache_write_1h_tokens = 4\noutput_tokens = 5\n\
        [[price]]\nmodel = \"studio\"\ninput_tokens = 1\naudio_input_tokens = 10\nimage_input_tokens = 20\n\
        output_tokens = 5\naudio_output_tokens = 50\nimage_output_tokens = 60\n";
    std::fs::write(&own, rules).unwrap();
    assert!(tracewell(&["prices", "import", "--data", &data, &own]).status.success());
    let cost = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let tried = rows(&tracewell(&[&["prices", "test", "--data", &data], &arguments[..]].concat()));
        tried.iter().find(|row| row["what"] == "cost").unwrap()["value"].clone()
    };
    // 0.5 × 1 + 0.3 × 3 + 0.2 × 4.
    let cached =
        "cached --input 1000000 --cache-write 500000 --cache-write-5m 300000 --cache-write-1h 200000 --output 0";
    assert_eq!(cost(cached), "2.2");
    // 0.5 × 1 + 0.4 × 10 + 0.1 × 20 and 0.5 × 5 + 0.2 × 50 + 0.3 × 60.
    let studio = "studio --input 1000000 --audio-input 400000 --image-input 100000 --output 1000000 \
        --audio-output 200000 --image-output 300000";
    assert_eq!(cost(studio), "37");
}
