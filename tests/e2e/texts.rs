//! Each message stands beside its own text: histories that are sent again at each step, over two days, in memory and
//! in files.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

use crate::server::Server;
use crate::spans::{request, span, text};

/// 2026-05-04 00:00 UTC.
const MIDNIGHT: u64 = 1_777_852_800_000_000_000;
const DAY: u64 = 86_400_000_000_000;
/// Calls, each of which sends the questions of all before it again: 14,000 rows a day, more than the first 8,192 that
/// have their texts looked up at once.
const TURNS: u64 = 240;

fn message(role: &str, words: &str) -> String {
    format!(r#"{{"role":"{role}","parts":[{{"type":"text","content":"{words}"}}]}}"#)
}

fn question(turn: u64) -> String {
    message("user", &format!("question {turn} of a long conversation"))
}

fn answer(turn: u64) -> String {
    message("assistant", &format!("answer {turn}, which no other call sends"))
}

fn call(turn: u64) -> Span {
    let history: Vec<String> = (0..=turn).map(question).collect();
    let mut span = span(u128::from(turn + 1), turn + 1, "chat");
    span.start_time_unix_nano = MIDNIGHT + turn % 2 * DAY + turn;
    span.end_time_unix_nano = span.start_time_unix_nano + 1_000_000;
    span.attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.input.messages", &format!("[{}]", history.join(","))),
        text("gen_ai.output.messages", &format!("[{}]", answer(turn))),
    ];
    span
}

/// Span, direction, position and text of every message, in this order.
fn messages() -> Vec<(String, String, i64, String)> {
    let of_turn = |turn: u64| {
        let id = format!("{:016x}", turn + 1);
        let asked = (0..=turn).map(question).zip(1..).map(|(text, position)| ("input", position, text));
        let all = asked.chain([("output", 1, answer(turn))]);
        all.map(move |(direction, position, text)| (id.clone(), direction.to_owned(), position, text))
    };
    (0..TURNS).flat_map(of_turn).collect()
}

fn told(rows: Vec<Value>) -> Vec<(String, String, i64, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let row = |row: Value| {
        (text(&row["span_id"]), text(&row["direction"]), row["position"].as_i64().unwrap(), text(&row["content"]))
    };
    rows.into_iter().map(row).collect()
}

fn check(server: &Server, state: &str) {
    let columns = "SELECT span_id, direction, position, content FROM messages";
    let order = "ORDER BY span_id, direction, position";
    let all = messages();
    assert!(told(server.sql(&format!("{columns} {order}"))) == all, "{state}: not every message has its text");

    // What is asked of the text alone, of the text and the row, and of none.
    type Asked<'a> = (&'a str, &'a dyn Fn(&(String, String, i64, String)) -> bool);
    let conditions: [Asked<'_>; 5] = [
        ("content LIKE '%question 17_ %'", &|message| {
            message.3.contains("question 17") && !message.3.contains("question 17 ")
        }),
        ("content NOT LIKE '%question%'", &|message| message.1 == "output"),
        ("content IS NULL", &|_| false),
        ("content LIKE '%question 3 %' AND position = 4 AND span_id > '00000000000000b0'", &|message| {
            message.2 == 4 && message.1 == "input" && message.0.as_str() > "00000000000000b0"
        }),
        ("direction = 'output' OR content LIKE '%question 0 %'", &|message| message.1 == "output" || message.2 == 1),
    ];
    for (condition, holds) in conditions {
        let expected: Vec<_> = all.iter().filter(|message| holds(message)).cloned().collect();
        let found = told(server.sql(&format!("{columns} WHERE {condition} {order}")));
        assert!(found == expected, "{state}: {condition} gives {} of {} rows", found.len(), expected.len());
    }

    let first = server.sql("SELECT content FROM messages WHERE date = '2026-05-05' LIMIT 7");
    assert_eq!(first.len(), 7, "{state}");
    assert!(first.iter().all(|row| row["content"].is_string()), "{state}: {first:?}");
    let counts =
        server.sql("SELECT date, direction, count(*) AS n FROM messages GROUP BY ALL ORDER BY date, direction");
    let counts: Vec<_> = counts.iter().map(|row| row["n"].as_u64().unwrap()).collect();
    let questions = |day: u64| (0..TURNS).filter(|turn| turn % 2 == day).map(|turn| turn + 1).sum::<u64>();
    assert_eq!(counts, [questions(0), TURNS / 2, questions(1), TURNS / 2], "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_stands_beside_its_own_text() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // The same span again with the same texts: they may be stored more than once.
    let send = async |server: &Server, turns: std::ops::Range<u64>| {
        let body = request(turns.map(call).collect());
        server.takes("/v1/traces", body).await;
    };
    let late = ["--commit-interval", "1h", "--no-maintenance"];
    let server = Server::start(&data, &late).await;
    send(&server, 0..TURNS).await;
    check(&server, "in memory");
    server.stop();
    let server = Server::start(&data, &late).await;
    check(&server, "in files");
    send(&server, TURNS / 2..TURNS).await;
    check(&server, "in files and in memory, half of it twice");
    server.stop();
    let server = Server::start(&data, &late).await;
    check(&server, "in files, half of it twice");
}
