//! `runs list`: filters and pages.

use serde_json::{Value, json};

use super::{get, hex, printed, refused, said, send, start};
use crate::sent::{Sent, base, span};
use crate::server::Server;
use crate::spans::text;

fn spans() -> Vec<Sent> {
    let root = |id: u128, times, user: &str| {
        span("shop", "app", (id, 1), 0, times)
            .named(&format!("seed_run {id}"))
            .with(text("gen_ai.operation.name", "invoke_agent"))
            .with(text("user.id", user))
            .with(text("session.id", &format!("session of {user}")))
    };
    let chat = |id: u128, times: (u64, u64), version: &str| {
        span("shop", "a", (id, 2), 1, times)
            .chat()
            .used(10, 1)
            .with(text("gen_ai.prompt.name", "seller"))
            .with(text("gen_ai.prompt.version", version))
            .with(text("gen_ai.input.messages", &said("user", "Where?")))
    };
    let failed = |span: &mut opentelemetry_proto::tonic::trace::v1::Span| {
        span.status = Some(opentelemetry_proto::tonic::trace::v1::Status { code: 2, message: "no".into() });
    };
    vec![
        root(1, (0, 900), "ada"),
        chat(1, (10, 100), "1"),
        root(2, (1_000, 4_000), "o'brien"),
        chat(2, (1_010, 1_100), "10"),
        root(3, (5_000, 5_100), "ada").but(failed),
        // Two that begin at once.
        root(4, (6_000, 6_100), "ada"),
        span("shop", "a", (4, 3), 1, (6_010, 6_020))
            .with(text("gen_ai.operation.name", "execute_tool"))
            .with(text("gen_ai.tool.name", "lookup")),
        root(5, (6_000, 6_050), "ada"),
        // Four days earlier: further back than the list looks at first.
        span("archive", "app", (6, 1), 0, (0, 10)).but(|span| {
            span.start_time_unix_nano -= 4 * 86_400_000_000_000;
            span.end_time_unix_nano -= 4 * 86_400_000_000_000;
        }),
    ]
}

fn listed(server: &Server, arguments: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> = ["runs", "list", "--format", "json"].iter().chain(arguments).copied().collect();
    let runs: Vec<Value> = serde_json::from_str(&printed(&server.data, &arguments)).unwrap();
    runs.iter().map(|run| run["trace_id"].as_str().unwrap().trim_start_matches('0').to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_by_what_they_are_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    assert!(refused(&server.data, &["runs", "list"]).contains("no spans are stored yet"));
    send(&server, spans()).await;
    let a_second_in = chrono_text(base() + 1_000_000_000);
    for (arguments, wanted) in [
        (&[][..], &["5", "4", "3", "2", "1", "6"][..]),
        (&["--user", "o'brien"], &["2"]),
        (&["--user", "' OR 'a' = 'a"], &[]),
        (&["--session", "session of ada", "--limit", "2"], &["5", "4"]),
        (&["--status", "error"], &["3"]),
        (&["--status", "unset", "--service", "shop"], &["5", "4", "2", "1"]),
        (&["--prompt", "seller"], &["2", "1"]),
        (&["--prompt", "seller@1"], &["1"]),
        (&["--prompt", "sell"], &[]),
        (&["--model", "gpt-4.1-mini"], &["2", "1"]),
        (&["--tool", "lookup"], &["4"]),
        (&["--kind", "agent", "--min-duration", "900ms"], &["2", "1"]),
        (&["--name", "RUN 3"], &["3"]),
        (&["--service", "archive"], &["6"]),
        (&["--since", &a_second_in, "--service", "shop"], &["5", "4", "3", "2"]),
        (&["--until", &a_second_in], &["1", "6"]),
        (&["--since", "3d", "--service", "archive"], &[]),
    ] {
        assert_eq!(listed(&server, arguments), wanted, "{arguments:?}");
    }
    let naive = refused(&server.data, &["runs", "list", "--since", "2026-11-20 14:00"]);
    assert!(naive.contains("write 2026-11-20T14:00:00Z"), "{naive}");
    let wide = printed(&server.data, &["runs", "list", "--format", "table"]);
    assert!(wide.contains("seed_run 3") && wide.lines().all(|line| line.chars().count() <= 120), "{wide}");
    assert!(
        printed(&server.data, &["runs", "list", "--format", "csv"]).starts_with("trace_id,start_time,duration_ns,")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_with_what_they_cost_and_what_was_last_said_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let call = |id: u128, model: &str, used: (i64, i64)| {
        let start = id as u64 * 10_000;
        span("shop", "a", (id, 1), 0, (start, start + 100))
            .with(text("gen_ai.operation.name", "chat"))
            .with(text("gen_ai.provider.name", "openai"))
            .with(text("gen_ai.request.model", model))
            .used(used.0, used.1)
    };
    // Nobody knows the price of the last.
    let calls =
        [call(1, "gpt-4.1-mini", (2_000, 100)), call(2, "gpt-4.1-mini", (10, 0)), call(3, "house-model", (5, 1))];
    send(&server, calls).await;
    for (trace, score) in [
        (1, json!({"name": "correctness", "value": 0.4})),
        (2, json!({"name": "correctness", "value": 0.3})),
        // What ada says of it last.
        (1, json!({"name": "correctness", "value": 0.9})),
        (2, json!({"name": "tone", "label": "kind"})),
    ] {
        let mut score = score;
        score["trace_id"] = hex(trace).into();
        score["source"] = "human".into();
        score["author"] = "ada".into();
        let answer = server.post("/v1/scores", "application/json", score.to_string().into_bytes()).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    for (arguments, wanted) in [
        (&["--min-cost", "0.0005"][..], &["1"][..]),
        (&["--min-cost", "0.000004"], &["2", "1"]),
        (&["--score", "correctness"], &["2", "1"]),
        (&["--score", "correctness<0.5"], &["2"]),
        (&["--score", "correctness>=0.9", "--costs"], &["1"]),
        (&["--score", "tone=kind"], &["2"]),
        (&["--score", "tone=rude"], &[]),
    ] {
        assert_eq!(listed(&server, arguments), wanted, "{arguments:?}");
    }
    // (2 000 × 0.4 + 100 × 1.6) and 10 × 0.4 millionths.
    let rows = printed(&server.data, &["runs", "list", "--format", "json", "--costs", "--scores"]);
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let said = |row: &Value| -> Vec<Value> {
        let scores = row["scores"].as_array().into_iter().flatten();
        let mut scores: Vec<_> = scores.map(|score| json!([score["name"], score["value"], score["label"]])).collect();
        scores.sort_by_key(Value::to_string);
        scores
    };
    let cells = rows.iter().map(|row| json!([row["cost_usd"], row["unpriced_calls"], said(row)]));
    assert_eq!(
        cells.collect::<Value>(),
        json!([
            [null, 1, []],
            ["0.000004", 0, [["correctness", 0.3, null], ["tone", null, "kind"]]],
            ["0.00096", 0, [["correctness", 0.9, null]]],
        ])
    );
    let table = printed(&server.data, &["runs", "list", "--format", "table", "--costs", "--scores"]);
    assert!(table.contains("0.00096") && table.contains("kind"), "{table}");
    let page = get(&server, "/v1/runs?costs=true&min_cost=0.0005", "*/*").await.json::<Value>().await.unwrap();
    assert_eq!(page["runs"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!([&page["runs"][0]["cost_usd"], &page["runs"][0]["unpriced_calls"]], [&json!("0.00096"), &json!(0)]);
    // Neither is worked out for who does not ask.
    let page = get(&server, "/v1/runs", "*/*").await.json::<Value>().await.unwrap();
    assert!(page["runs"][0].get("cost_usd").is_none() && page["runs"][0].get("scores").is_none(), "{page}");
    for path in ["/v1/runs?min_cost=much", "/v1/runs?score=correctness<good", "/v1/runs?costs=often"] {
        assert_eq!(get(&server, path, "*/*").await.status(), 400, "{path}");
    }
}

fn chrono_text(nanos: u64) -> String {
    chrono::DateTime::from_timestamp_nanos(i64::try_from(nanos).unwrap()).to_rfc3339()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_run_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    send(&server, spans()).await;
    for limit in 1..=7 {
        let mut seen = Vec::new();
        let mut path = format!("/v1/runs?limit={limit}");
        loop {
            let answer = get(&server, &path, "*/*").await;
            assert_eq!(answer.status(), 200, "{path}");
            let page: Value = answer.json().await.unwrap();
            let runs = page["runs"].as_array().unwrap();
            assert!(runs.len() <= limit);
            seen.extend(runs.iter().map(|run| run["trace_id"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/runs?limit={limit}&before={next}");
        }
        assert_eq!(Value::from(seen), json!([hex(5), hex(4), hex(3), hex(2), hex(1), hex(6)]), "{limit}");
    }
    for path in
        ["/v1/runs?limit=0", "/v1/runs?status=x", "/v1/runs?colour=red", "/v1/runs?before=x", "/v1/runs?since=x"]
    {
        assert_eq!(get(&server, path, "*/*").await.status(), 400, "{path}");
    }
}
