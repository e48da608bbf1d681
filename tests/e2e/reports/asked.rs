//! What a report shows, asked again; its rows in other programs.

use serde_json::Value;

use super::{call, import, known, pieces, report, span, tracewell};
use crate::server::{Server, client, sql};

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
        assert!(!queries.is_empty(), "{kind}");
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_question_for_a_report_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let check = async |server: &Server, asked: &[(&str, u16, &str)]| {
        for (path, status, told) in asked {
            let answer = client().get(format!("{}/v1/reports{path}", server.api)).send().await.unwrap();
            let (given, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
            assert_eq!(given, *status, "{path}: {body}");
            assert!(body["error"].as_str().unwrap().contains(told), "{path}: {body}");
        }
    };
    let server = Server::start(&data, &[]).await;
    let asked = [
        ("/cost?period=soon", 400, "`soon` is no period; write 2026-11-20"),
        ("/cost?period=2026-W54", 400, "`2026-W54` is no period"),
        ("/quality?tz=Mars/Olympus", 400, "write a name of the tz database"),
        ("/cost?by=team,planet", 400, "there are team, prompt"),
        ("/cost?by=team,team", 400, "by `team` twice"),
        ("/cost?perod=2026", 400, "expected one of `period`, `tz`, `by`"),
        ("/costs?period=2026", 404, "there are cost, quality and leadership"),
        ("/daily/2020", 404, "GET /v1/reports lists what was"),
        ("/daily/2020?tz=Mars/Olympus", 400, "write a name of the tz database"),
    ];
    check(&server, &asked).await;
    server.stop();
    // What takes too long is told as `POST /v1/sql` tells it.
    let hasty = [("TRACEWELL_QUERY_TIMEOUT", "1ms")];
    let server = Server::start_at(data.to_str().unwrap(), &data, &[], &hasty).await;
    check(&server, &[("/leadership?period=2026-11-18", 422, "raise query.timeout")]).await;
}
