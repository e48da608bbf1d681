//! What was masked before it was sent.

use opentelemetry_proto::tonic::trace::v1::{Status, span::Event};
use serde_json::json;

use super::{hex, record, send, start};
use crate::sent::span;
use crate::spans::text;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_says_what_was_masked_wherever_the_mark_stands() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let s = "shop";
    let instructions = json!([{"type": "text", "content": "You help __REDACTED__."}]).to_string();
    let tools = json!([{"type": "function", "name": "order", "description": "for <redacted>"}]).to_string();
    let event = Event {
        name: "asked".into(),
        attributes: vec![text("question", "[Scrubbed due to 'password']")],
        ..Event::default()
    };
    let spans = vec![
        // An attribute that means nothing here.
        span(s, "app", (1, 1), 0, (0, 5_000)).with(text("shop.card", "[REDACTED]")),
        span(s, "a", (1, 2), 1, (100, 200)).chat().with(text("gen_ai.system_instructions", &instructions)),
        span(s, "a", (1, 3), 1, (1_100, 1_200)).chat().with(text("gen_ai.tool.definitions", &tools)),
        span(s, "a", (1, 4), 1, (2_100, 2_200)).but(|span| span.events = vec![event]),
        span(s, "a", (1, 5), 1, (3_100, 3_200)).but(|span| {
            span.status = Some(Status { code: 2, message: "redacted-by-litellm".into() });
        }),
        span(s, "a", (1, 6), 1, (4_100, 4_200)).with(text("shop.note", "nothing to hide")),
    ];
    send(&server, spans).await;
    let found = record(&server, &hex(1)).await;
    let masked = |mark: &str, span: u64| json!({"mark": mark, "spans": [format!("{span:016x}")]});
    assert_eq!(
        found["completeness"]["redacted"],
        json!([
            masked("<redacted>", 3),
            masked("[REDACTED", 1),
            masked("[Scrubbed due to", 4),
            masked("__REDACTED__", 2),
            masked("redacted-by-litellm", 5),
        ])
    );
}
