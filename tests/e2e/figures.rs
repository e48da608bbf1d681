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
