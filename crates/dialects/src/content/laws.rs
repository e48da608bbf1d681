//! Laws of cutting, on spans that no SDK would send.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use tracewell_model::kind::{Dialect, Form, Kind};
use tracewell_otlp::{AnyValue, KeyValue};

use super::Known;
use crate::input::SpanInput;
use crate::normalized::Normalized;
use crate::rebuild;

fn read<'a>(kind: Kind, attributes: &[KeyValue<'a>]) -> Normalized<'a> {
    let input = SpanInput { attributes, ..SpanInput::default() };
    let mut out = Normalized { kind, dialect: Dialect::OtelGenAi, ..Normalized::default() };
    super::span(&input, &mut Known::default(), &mut out);
    out
}

fn string<'a>(key: &'a str, text: &'a str) -> KeyValue<'a> {
    KeyValue { key, value: AnyValue::Str(text) }
}

/// An attribute that the generated spans can own.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Int(i64),
    Double(f64),
    Bytes(Vec<u8>),
}

fn value() -> impl Strategy<Value = Value> {
    let message = prop_oneof![
        Just(r#"{"role":"system","content":"Be kind."}"#),
        Just(r#"{"role": "user", "content": "[{\"type\":\"text\"}] é"}"#),
        Just(r#"{"update":{"messages":[{"type":"ai","content":""}]}}"#),
        Just(r#"[{"role":"tool"}, {}]"#),
        Just("\"text\""),
        Just("7"),
    ];
    let separator = prop_oneof![Just(","), Just(", "), Just(" ,\n")];
    let list = (prop::collection::vec(message, 0..4), separator)
        .prop_map(|(list, separator)| format!("[{}]", list.join(separator)));
    let wrapped = (list.clone(), list.clone(), 0..3_usize).prop_map(|(messages, tools, shape)| match shape {
        0 => format!(r#"{{"messages":{messages},"tools":{tools},"system":"Be kind.","n":1}}"#),
        1 => format!(r#"{{"input": {{"contents" : {messages}}}, "output":{tools}}}"#),
        _ => format!("[{messages},{tools}]"),
    });
    let text =
        (prop_oneof![list, wrapped, Just("plain [text]".to_owned())], 0..5000_usize, any::<prop::sample::Index>());
    prop_oneof![
        4 => text.clone().prop_map(|(text, ..)| Value::Text(text)),
        // Long enough to be moved whatever its name.
        2 => text.clone().prop_map(|(text, pad, _)| Value::Text(format!("{text}{}", " ".repeat(pad)))),
        2 => text.prop_map(|(text, _, cut)| Value::Text(text[..text.floor_char_boundary(cut.index(text.len() + 1))].to_owned())),
        1 => any::<i64>().prop_map(Value::Int),
        1 => any::<f64>().prop_map(Value::Double),
        1 => any::<Vec<u8>>().prop_map(Value::Bytes),
    ]
}

const KEYS: &[&str] = &[
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.prompt",
    "input.value",
    "output.value",
    "langfuse.observation.input",
    "ai.prompt",
    "ai.response.text",
    "ai.response.toolCalls",
    "llm.input_messages.0.message.role",
    "llm.input_messages.0.message.content",
    "llm.input_messages.10.message.role",
    "llm.input_messages.2.message.role",
    "llm.input_messages.02.message.role",
    "llm.output_messages.7.message.\"content\"",
    "llm.tools.1.tool.json_schema",
    "llm.tools.99999.tool.json_schema",
    "embedding.embeddings.0.embedding.vector",
    "embedding.embeddings.0.embedding.text",
    "retrieval.documents.0.document.content",
    "big",
    "big@1",
    "big@2",
    "event:0:x:y",
];

proptest! {
    #[test]
    fn whatever_is_moved_is_rebuilt(
        kind in prop::sample::select(Kind::ALL),
        sent in prop::collection::vec((prop::sample::select(KEYS), value()), 0..12),
    ) {
        let attributes: Vec<KeyValue<'_>> = sent.iter().map(|(key, value)| KeyValue {
            key,
            value: match value {
                Value::Text(text) => AnyValue::Str(text),
                Value::Int(number) => AnyValue::Int(*number),
                Value::Double(number) => AnyValue::Double(*number),
                Value::Bytes(bytes) => AnyValue::Bytes(bytes),
            },
        }).collect();
        let out = read(kind, &attributes);
        let last: BTreeMap<&str, (usize, AnyValue<'_>)> =
            attributes.iter().enumerate().map(|(position, attribute)| (attribute.key, (position, attribute.value))).collect();
        let parts = rebuild::parts(&out);
        for (key, (position, value)) in last {
            let shown = value.as_str().map_or_else(|| value.to_json(), str::to_owned);
            let rebuilt = rebuild::attribute(key, &parts);
            if out.moved.contains(&(position as u32)) {
                prop_assert_eq!(rebuilt.as_deref(), Some(shown.as_str()), "{}", key);
            } else {
                prop_assert_eq!(rebuilt, None, "{}", key);
            }
        }
    }
}

#[test]
fn a_list_is_its_elements_and_a_wrapper_leaves_a_residual() {
    let message = |text: &str| (Some("user".to_owned()), text.to_owned());
    for (text, form, sources) in [
        (r#"[{"role":"user"},{"role":"user","n":1}]"#, Form::Array, ["input.value"; 2]),
        (r#"[{"role":"user"}, {"role":"user","n":1}]"#, Form::ArraySpaced, ["input.value"; 2]),
        (r#"[{"role":"user"} ,{"role":"user","n":1}]"#, Form::Spliced, ["input.value@1", "input.value@3"]),
        (
            r#"{"messages":[[{"role":"user"},{"role":"user","n":1}]],"n":1}"#,
            Form::Spliced,
            ["input.value@14", "input.value@15"],
        ),
    ] {
        let attributes = [string("input.value", text)];
        let out = read(Kind::Agent, &attributes);
        let pieces: Vec<_> =
            out.input.iter().map(|piece| (piece.role.as_deref().map(str::to_owned), piece.bytes.to_string())).collect();
        assert_eq!(pieces, [message(r#"{"role":"user"}"#), message(r#"{"role":"user","n":1}"#)], "{text}");
        assert!(out.input.iter().all(|piece| piece.form == form && matches!(piece.bytes, Cow::Borrowed(_))), "{text}");
        assert_eq!(out.input.iter().map(|piece| piece.source.as_ref()).collect::<Vec<_>>(), sources, "{text}");
        assert_eq!(out.payloads.len(), usize::from(form == Form::Spliced));
    }
}

#[test]
fn a_value_that_breaks_off_is_kept_whole_and_flagged() {
    for (text, flags) in [
        (r#"[{"role":"user","content":"Wh"#, &["truncated"][..]),
        (r#"[{"role":"user"}}"#, &["unparsable"]),
        (r#"[{'role': 'user'}"#, &[]),
        ("[doc-11] plain", &[]),
    ] {
        let attributes = [string("gen_ai.input.messages", text)];
        let out = read(Kind::Chat, &attributes);
        assert_eq!((out.input[0].form, out.input[0].bytes.as_ref()), (Form::Value, text));
        assert_eq!(out.flags, flags, "{text}");
    }
}

#[test]
fn the_leading_system_message_stands_in_both_places() {
    let attributes = [string("gen_ai.input.messages", r#"[{"role":"system","content":"Be kind."},{"role":"user"}]"#)];
    let out = read(Kind::Chat, &attributes);
    assert_eq!((out.input.len(), out.system.as_ref()), (2, out.input.first()));
}

#[test]
fn a_wrapper_gives_tools_and_system() {
    let text = r#"{"system":"Be kind.","tools":[{"name":"f"}],"messages":[{"role":"user","content":"Where?"}]}"#;
    let attributes = [string("langfuse.observation.input", text)];
    let out = read(Kind::Chat, &attributes);
    let bytes = |piece: &Option<crate::Piece<'_>>| piece.as_ref().map(|piece| piece.bytes.to_string());
    assert_eq!(bytes(&out.tools).as_deref(), Some(r#"[{"name":"f"}]"#));
    assert_eq!(bytes(&out.system).as_deref(), Some(r#""Be kind.""#));
    assert_eq!(out.payloads[0].bytes, r#"{"system":,"tools":,"messages":[]}"#);
}

#[test]
fn a_copy_in_another_vocabulary_shares_its_pieces() {
    let message = format!(r#"{{"role":"user","content":"{}"}}"#, "Where? ".repeat(60));
    let (chosen, copy) = (format!("[{message}]"), format!(r#"{{"messages":[{message}]}}"#));
    let attributes = [string("gen_ai.input.messages", &chosen), string("input.value", &copy)];
    let out = read(Kind::Chat, &attributes);
    assert_eq!(out.moved, [0, 1]);
    assert_eq!(out.input[0].bytes, out.payloads[0].bytes);
}

#[test]
fn a_plain_span_is_left_alone_but_for_what_is_large() {
    let large = "x".repeat(5000);
    let attributes = [string("input.value", "text"), string("dump", &large)];
    let mut out = Normalized::default();
    let span = SpanInput { attributes: &attributes, ..SpanInput::default() };
    super::span(&span, &mut Known::default(), &mut out);
    assert_eq!((out.moved.as_slice(), out.input.len(), out.payloads.len()), (&[1][..], 0, 1));
}
