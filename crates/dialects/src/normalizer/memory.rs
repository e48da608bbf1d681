//! A normalizer that has read other spans before answers as a new one does.

use proptest::prelude::*;
use tracewell_otlp::{AnyValue, KeyValue};

use super::Normalizer;
use super::truth::for_each_span;
use crate::fixtures;
use crate::input::SpanInput;
use crate::normalized::{Normalized, content_hash};

fn assert_same(experienced: &mut Normalizer, span: &SpanInput<'_, '_>) {
    let [mut out, mut expected] = [Normalized::default(), Normalized::default()];
    experienced.span(span, &mut out);
    Normalizer::new().span(span, &mut expected);
    assert_eq!(format!("{out:?}"), format!("{expected:?}"), "{span:?}");
    let pieces = out.input.iter().chain(&out.output).chain(&out.payloads).chain(&out.system).chain(&out.tools);
    for piece in pieces.filter(|piece| piece.hash.is_some()) {
        assert_eq!(piece.hash, Some(content_hash(piece.bytes.as_bytes())), "{span:?}");
    }
}

#[test]
fn what_was_read_before_changes_no_answer() {
    let mut experienced = Normalizer::new();
    // Twice, so that everything comes again.
    for name in [fixtures::names(), fixtures::names()].concat() {
        for_each_span(&name, |span, _| assert_same(&mut experienced, span));
    }
}

/// What calls say, from so few words that much comes again and much comes almost again.
fn call() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let text = |key, words: &'static [&'static str]| {
        prop::option::of(prop::sample::select(words)).prop_map(move |word| word.map(|word| (key, word.to_owned())))
    };
    let message = prop::sample::select(
        &[
            r#"{"role":"system","content":"Be kind on 2026-01-15."}"#,
            r#"{"role":"user","content":"Where?"}"#,
            r#"{"role":"user","parts":[{"type":"text","content":"When?"}]}"#,
            r#"{"role":"tool","content":"{\"a\": 1}"}"#,
        ][..],
    );
    let input = prop::collection::vec(message, 0..5)
        .prop_map(|list| Some(("gen_ai.input.messages", format!("[{}]", list.join(",")))));
    let instructions = text(
        "gen_ai.system_instructions",
        &[
            "Be kind.",
            "\"Be kind.\"",
            r#"[{"type":"text","content":"Be kind."}]"#,
            r#"[{"type":"text","content":"Be"#,
            "{}",
        ],
    );
    let tools = text(
        "gen_ai.tool.definitions",
        &[
            r#"[{"name":"f"}]"#,
            r#"[{"name":"f","parameters":{"a": 1}}]"#,
            r#"[{"name":"f","parameters":{"a":1}}]"#,
            "f",
        ],
    );
    let output = text("gen_ai.output.messages", &[r#"[{"role":"assistant","content":"Here."}]"#, "Here."]);
    let template = text("llm.prompt_template.template", &["Be {how}.", "Be kind."]);
    let routing = (
        text("gen_ai.request.model", &["m", "n"]),
        text("gen_ai.response.model", &["m", "n"]),
        text("gen_ai.request.temperature", &["0", "1"]),
        text("gen_ai.request.top_p", &["0", "1"]),
        text("gen_ai.request.seed", &["0", "1"]),
        text("gen_ai.request.max_tokens", &["0", "1"]),
        text("gen_ai.request.top_k", &["0", "1"]),
    )
        .prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g]);
    let policy = text("gen_ai.request.tool_choice", &["auto", "none"]);
    (instructions, tools, input, output, template, routing, policy).prop_map(
        |(instructions, tools, input, output, template, routing, policy)| {
            let said = [instructions, tools, input, output, template, policy].into_iter().chain(routing);
            said.flatten().chain([("gen_ai.operation.name", "chat".to_owned())]).collect()
        },
    )
}

proptest! {
    #[test]
    fn calls_before_change_no_answer(calls in prop::collection::vec(call(), 1..30)) {
        let mut experienced = Normalizer::new();
        for call in &calls {
            let attributes: Vec<_> =
                call.iter().map(|(key, text)| KeyValue { key, value: AnyValue::Str(text) }).collect();
            assert_same(&mut experienced, &super::tests::span("app", "chat", &attributes));
        }
    }
}
