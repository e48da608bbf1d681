//! The rules by which spans are model calls, each with spans that show it.

use serde_json::{Value, json};

use crate::sent::{Sent, span};
use crate::spans::{int, text};

/// One rule: the spans of a service of its own, and the calls they are:
/// `[span, tokens in, tokens out, others merged in]`.
pub(crate) struct Rule {
    pub(crate) service: &'static str,
    pub(crate) spans: Vec<Sent>,
    pub(crate) calls: Value,
}

pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut rule = |service, spans, calls| rules.push(Rule { service, spans, calls });

    let s = "sent-again";
    rule(
        s,
        vec![
            span(s, "a", (1, 1), 0, (0, 0)).chat(),
            span(s, "a", (1, 1), 0, (0, 50)).chat().used(10, 2),
            span(s, "a", (1, 1), 0, (0, 50)).chat().used(10, 2),
        ],
        json!([[1, 10, 2, 0]]),
    );

    let s = "nested";
    rule(
        s,
        vec![
            span(s, "framework", (2, 1), 0, (0, 90)),
            span(s, "framework", (2, 2), 1, (10, 80)).chat().response("resp-2").used(100, 20),
            span(s, "client", (2, 3), 2, (11, 79))
                .chat()
                .response("resp-2")
                .used(100, 20)
                .with(int("gen_ai.usage.cache_read.input_tokens", 40)),
        ],
        json!([[2, 100, 20, 1]]),
    );

    let s = "siblings";
    rule(
        s,
        vec![
            span(s, "app", (3, 1), 0, (0, 90)),
            span(s, "a", (3, 2), 1, (10, 80)).chat().response("resp-3").used(100, 20),
            span(s, "b", (3, 3), 1, (11, 79)).chat().response("resp-3"),
        ],
        json!([[2, 100, 20, 1]]),
    );

    let s = "separate-traces";
    rule(
        s,
        vec![
            span(s, "app", (4, 1), 0, (0, 90)),
            span(s, "a", (4, 2), 1, (10, 80)).chat().used(100, 20),
            span(s, "b", (40, 3), 0, (11, 79)).chat().response("resp-4").used(100, 20),
        ],
        json!([[2, 100, 20, 1]]),
    );

    // One of them leaves cached tokens out; it stands for the call, and does not count.
    let s = "exclusive";
    rule(
        s,
        vec![
            span(s, "app", (5, 1), 0, (0, 90)),
            span(s, "exclusive", (5, 2), 1, (10, 80)).chat().response("resp-5").used(531, 159),
            span(s, "native", (50, 3), 0, (11, 79))
                .chat()
                .response("resp-5")
                .used(2861, 159)
                .with(int("gen_ai.usage.cache_read.input_tokens", 2013))
                .with(int("gen_ai.usage.cache_write.input_tokens", 317))
                .with(int("anthropic.usage.cache_creation.ephemeral_5m_input_tokens", 107))
                .with(int("anthropic.usage.cache_creation.ephemeral_1h_input_tokens", 210)),
        ],
        json!([[2, 2861, 159, 1]]),
    );

    let s = "wrapper";
    rule(
        s,
        vec![
            span(s, "a", (6, 1), 0, (0, 90)).chat().used(30, 3),
            span(s, "a", (6, 2), 1, (10, 40)).chat().used(10, 1),
            span(s, "a", (6, 3), 1, (50, 80)).chat().used(20, 2),
        ],
        json!([[2, 10, 1, 0], [3, 20, 2, 0]]),
    );

    let s = "outer-without-usage";
    let embeds =
        |sent: Sent| sent.with(text("gen_ai.operation.name", "embeddings")).with(text("gen_ai.request.model", "e"));
    rule(
        s,
        vec![
            embeds(span(s, "gen_ai", (7, 1), 0, (0, 90))),
            embeds(span(s, "gen_ai", (7, 2), 1, (10, 80))).with(int("gen_ai.usage.input_tokens", 18)),
        ],
        json!([[1, 18, null, 1]]),
    );

    let s = "private-half";
    rule(
        s,
        vec![
            span(s, "a", (8, 1), 0, (0, 90)).chat().used(30, 3).named("OpenAI.achat"),
            span(s, "a", (8, 2), 1, (1, 89)).chat().used(30, 3).named("OpenAI._achat"),
        ],
        json!([[1, 30, 3, 1]]),
    );

    // Logfire: the request's span ends with the headers, and a record of its own tells of the stream's end: beside it,
    // or in a trace of its own where the request has no parent.
    let s = "stream-in-two";
    let half = |ids, parent, times: (u64, u64), words: &str| {
        let asked = json!([{"role": "user", "parts": [{"type": "text", "content": words}]}]).to_string();
        span(s, "logfire.openai", ids, parent, times)
            .with(text("logfire.span_type", if times.0 == times.1 { "log" } else { "span" }))
            .with(text("request_data", "{\"model\":\"gpt-4.1-mini\"}"))
            .with(text("gen_ai.input.messages", &asked))
            .chat()
    };
    let request = |ids, parent, times, words| {
        half(ids, parent, times, words).named("Chat Completion with {request_data[model]!r}")
    };
    let end = |ids, parent, time, words| {
        let answered = json!([{"role": "assistant", "parts": [{"type": "text", "content": "Here."}]}]).to_string();
        half(ids, parent, (time, time), words)
            .named("streaming response from {request_data[model]!r} took {duration:.2f}s")
            .with(text("gen_ai.output.messages", &answered))
    };
    rule(
        s,
        vec![
            span(s, "logfire", (60, 1), 0, (0, 900)),
            request((60, 2), 1, (10, 17), "Which seeds?"),
            end((60, 3), 1, 117, "Which seeds?").used(1101, 207),
            // Two at a time, the later one ends first.
            request((60, 4), 1, (200, 207), "Which pots?"),
            request((60, 5), 1, (210, 217), "Which soil?"),
            end((60, 6), 1, 300, "Which soil?").used(30, 3),
            end((60, 7), 1, 400, "Which pots?").used(20, 2),
            request((61, 8), 0, (500, 507), "Alone?"),
            end((62, 9), 0, 617, "Alone?").used(40, 4),
            // One that was not streamed is whole.
            request((60, 10), 1, (700, 777), "Which seeds?").used(50, 5),
        ],
        json!([[2, 1101, 207, 1], [4, 20, 2, 1], [5, 30, 3, 1], [8, 40, 4, 1], [10, 50, 5, 0]]),
    );

    // What is not one call.
    let s = "an-hour-apart";
    rule(
        s,
        vec![
            span(s, "a", (10, 1), 0, (0, 50)).chat().response("resp-10").used(10, 2),
            span(s, "b", (11, 2), 0, (1_800_000, 1_800_050)).chat().response("resp-10").used(10, 2),
        ],
        json!([[1, 10, 2, 0], [2, 10, 2, 0]]),
    );

    let s = "parallel";
    rule(
        s,
        vec![
            span(s, "a", (12, 1), 9, (0, 50)).chat().used(10, 2),
            span(s, "a", (12, 2), 9, (1, 51)).chat().used(10, 2),
            span(s, "a", (12, 3), 9, (2, 52)).chat().response("resp-12").used(10, 2),
            span(s, "a", (12, 4), 9, (3, 53)).chat().response("resp-12").used(10, 2),
        ],
        json!([[1, 10, 2, 0], [2, 10, 2, 0], [3, 10, 2, 0], [4, 10, 2, 0]]),
    );

    let s = "parallel-seen-twice";
    rule(
        s,
        vec![
            span(s, "a", (13, 1), 9, (0, 50)).chat().used(10, 2),
            span(s, "b", (13, 2), 9, (1, 49)).chat().used(10, 2),
            span(s, "a", (13, 3), 9, (2, 60)).chat().used(10, 2),
            span(s, "b", (13, 4), 9, (3, 59)).chat().used(10, 2),
        ],
        json!([[1, 10, 2, 1], [3, 10, 2, 1]]),
    );

    let s = "other-counts-models-or-ids";
    rule(
        s,
        vec![
            span(s, "a", (14, 1), 0, (0, 50)).chat().used(10, 2),
            span(s, "b", (14, 2), 0, (1, 49)).chat().used(10, 3),
            span(s, "c", (14, 3), 0, (1, 48))
                .used(10, 2)
                .with(text("gen_ai.operation.name", "chat"))
                .with(text("gen_ai.request.model", "gpt-4.1")),
            span(s, "d", (14, 4), 0, (2, 47)).chat().response("resp-14").used(11, 2),
            span(s, "e", (14, 5), 0, (3, 46)).chat().response("resp-15").used(11, 2),
        ],
        json!([[1, 10, 2, 0], [2, 10, 3, 0], [3, 10, 2, 0], [4, 11, 2, 0], [5, 11, 2, 0]]),
    );

    // Equal in all but the instructions.
    let s = "other-instructions";
    let told = |sent: Sent, words: &str| {
        sent.with(text("gen_ai.system_instructions", &json!([{"type": "text", "content": words}]).to_string()))
    };
    rule(
        s,
        vec![
            told(span(s, "a", (16, 1), 0, (0, 50)).chat().used(10, 2), "Be brief."),
            told(span(s, "b", (17, 2), 0, (1, 49)).chat().used(10, 2), "Be thorough."),
        ],
        json!([[1, 10, 2, 0], [2, 10, 2, 0]]),
    );
    let s = "same-instructions";
    rule(
        s,
        vec![
            told(span(s, "a", (18, 1), 0, (0, 50)).chat().used(10, 2), "Be brief."),
            told(span(s, "b", (19, 2), 0, (1, 49)).chat().used(10, 2), "Be brief."),
        ],
        json!([[1, 10, 2, 1]]),
    );

    // Two services that happen to call at one time.
    rule(
        "service-one",
        vec![span("service-one", "a", (20, 1), 0, (0, 50)).chat().response("resp-20").used(10, 2)],
        json!([[1, 10, 2, 0]]),
    );
    rule(
        "service-two",
        vec![span("service-two", "b", (20, 2), 0, (1, 49)).chat().response("resp-20").used(10, 2)],
        json!([[2, 10, 2, 0]]),
    );

    // Facts on the root, on a step above, and on a sibling; nobody's where the trace does not agree.
    let s = "facts";
    rule(
        s,
        vec![
            span(s, "app", (30, 1), 0, (0, 90))
                .with(text("session.id", "conversation-30"))
                .with(text("user.id", "user-30")),
            span(s, "app", (30, 2), 1, (1, 89)).with(text("user.id", "user-of-step")),
            span(s, "a", (30, 3), 2, (10, 40)).chat().used(1, 1),
            span(s, "app", (30, 4), 1, (2, 3))
                .with(text("gen_ai.prompt.name", "seed-helper"))
                .with(text("gen_ai.prompt.version", "7")),
            span(s, "app", (31, 5), 99, (2, 3)).with(text("session.id", "one")),
            span(s, "app", (31, 6), 99, (4, 5)).with(text("session.id", "two")),
            span(s, "a", (31, 7), 99, (10, 40)).chat().used(1, 1),
        ],
        json!([[3, 1, 1, 0], [7, 1, 1, 0]]),
    );

    // A root that never came.
    let s = "no-root";
    rule(
        s,
        vec![
            span(s, "app", (32, 2), 1, (1, 89)).with(text("session.id", "conversation-32")),
            span(s, "a", (32, 3), 2, (10, 40)).chat().used(1, 1),
        ],
        json!([[3, 1, 1, 0]]),
    );
    rules
}
