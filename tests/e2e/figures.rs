//! Figures of reports in time zones, of calls without runs, and of people, worked out by hand.

use serde_json::json;

use crate::reports::{known, pieces, report};

/// 18 November in India is from the 17th 18:30 to the 18th 18:30 of UTC, and its hours begin at half past one of UTC's:
/// at 14:00 begin d601 (14:20, 10 500 millionths) and d703 (14:30:01; 500 × 3 + 3 500 × 0.3 + 120 × 15 = 4 350), at
/// 15:00 d801 (500 × 3 + 4 000 × 0.3 + 200 × 15 = 5 700), at 17:00 5700 (2 300), at 18:00 5800, which has no price.
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
    assert_eq!(json!(used), json!([["14:00", "0.01485"], ["15:00", "0.0057"], ["17:00", "0.0023"]]));
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
