//! `runs list`: filters and pages.

use serde_json::{Value, json};

use super::{get, hex, printed, refused, said, send, start};
use crate::server::Server;
use crate::spans::text;
use crate::views::{Sent, base, span};

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
