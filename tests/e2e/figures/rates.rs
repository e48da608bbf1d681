//! What rates calls go by, and what is told of those that go by none.

use serde_json::{Value, json};

use crate::reports::{call, import, pieces, report, span, table};

/// From 100 000 × 3 + 1 000 × 15 = 315 000 millionths to 250 000 × 6 + 1 000 × 22.5 = 1 522 500: the list prices are
/// what they were, and over 200 000 tokens are those for long contexts.
#[test]
fn a_prompt_that_outgrows_a_tier_is_no_change_of_prices() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let call = |trace: &str, day: u64, input: &str| {
        let attributes = [
            ("gen_ai.operation.name", json!("chat")),
            ("gen_ai.provider.name", json!("anthropic")),
            ("gen_ai.request.model", json!("claude-sonnet-4-5")),
            ("gen_ai.usage.input_tokens", json!(input)),
            ("gen_ai.usage.output_tokens", json!("1000")),
        ];
        span(trace, trace, "", day * 86_400, &attributes)
    };
    import(&data, folder.path(), vec![call("f1", 1, "100000"), call("f2", 2, "250000")]);
    let page = report(&data, "leadership", "2026-11-20", &["--tz", "UTC"]);
    let charts = pieces(&page, "chart");
    let steps = charts.iter().find_map(|chart| chart["data"]["bridge"].as_array()).unwrap();
    let steps: Vec<_> = steps.iter().map(|step| step["value"].clone()).collect();
    assert_eq!(json!(steps), json!(["0.315", "0", "1.2075", "0", "0", "0", "1.5225"]), "{page:#}");
    let moved = table(&page, "What moved most");
    assert_eq!((moved.len(), moved[0].last()), (1, Some(&json!("price tier"))), "{page:#}");
}

#[test]
fn what_calls_without_a_price_report_is_told_and_in_no_amount() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let of_the_house = |more: &[(&'static str, Value)]| -> Vec<(&'static str, Value)> {
        let mut attributes = call("tried");
        attributes.retain(|(key, _)| *key != "gen_ai.request.model");
        attributes.push(("gen_ai.request.model", json!("house-model")));
        attributes.extend_from_slice(more);
        attributes
    };
    let cost = [("gen_ai.usage.cost", json!("0.25"))];
    let spans = vec![
        span("f1", "f100", "", 0, &of_the_house(&cost)),
        span("f2", "f200", "", 1, &of_the_house(&cost)),
        span("f3", "f300", "", 2, &of_the_house(&[])),
    ];
    import(&data, folder.path(), spans);
    let page = report(&data, "cost", "2026-11-18", &["--tz", "UTC"]);
    let missing = table(&page, "Calls without a price; they are in no amount");
    assert_eq!(json!(missing), json!([["unknown_model", "openai", "house-model", 3, 3, "0.5"]]));
    assert_eq!(page["totals"]["cost_usd"], Value::Null);
}
