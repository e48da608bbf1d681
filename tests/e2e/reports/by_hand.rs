//! Figures of a day worked out by hand.

use serde_json::{Value, json};

use super::{known, pieces, report, table, text, tile, tracewell};

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
        // Claude and gpt-4.1 charge for searches, too.
        let notes = json!(pieces(&page, "note")).to_string();
        assert!(notes.contains("Of 5 priced calls 5 have a price that also charges for what"), "{when}: {notes}");
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
    // 0.9 for 30 days is 0.03 a day; sessions d2, d3, c2, c4. The runs that began on the day cost 880 millionths more, for
    // the second call of 56 is behind midnight: 900 × 2 less the cache's 800 × 1.5, and 35 × 8. What 58 cost is not known,
    // and of the other five none failed or scored low.
    let budget = tile(&page, "Budget used").as_f64().unwrap();
    assert!((budget - 0.02465 / 0.03).abs() < 1e-9, "{budget}");
    for (label, expected) in [
        ("Per run", 0.02553 / 5.0),
        ("Per good outcome", 0.02553 / 5.0),
        ("Per session", 0.02465 / 4.0),
        ("Per user", 0.02465 / 4.0),
    ] {
        let each: f64 = tile(&page, label).as_str().unwrap().parse().unwrap();
        assert!((each - expected).abs() < 1e-12, "{label}: {each}");
    }
    // Claude and gpt-4.1 charge for searches, too: a leader is told as well.
    let sections = page["sections"].to_string();
    assert!(sections.contains("Of 5 priced calls 5 have a price that also charges for what"), "{page:#}");
    assert!(!sections.contains("Nothing is known to be missing"), "{page:#}");
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
