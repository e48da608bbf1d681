//! What the captures carry is found, and put together again.

use std::collections::{BTreeMap, BTreeSet};

use tracewell_model::kind::{Form, Kind};
use tracewell_otlp::AnyValue;

use super::text::words;
use crate::fixtures;
use crate::normalized::{Normalized, Piece};
use crate::rebuild;

/// A value as the tables show it.
fn shown(value: AnyValue<'_>) -> String {
    value.as_str().map_or_else(|| value.to_json(), str::to_owned)
}

/// Every value among `attributes` (by source) that was moved is rebuilt, and every part belongs to one of them.
fn assert_rebuilds(
    context: &str,
    sent: &BTreeMap<String, AnyValue<'_>>,
    moved: &BTreeSet<String>,
    out: &Normalized<'_>,
) {
    let parts = rebuild::parts(out);
    for source in moved {
        let rebuilt = rebuild::attribute(source, &parts);
        assert_eq!(rebuilt.as_deref(), Some(shown(sent[source]).as_str()), "{context}: `{source}`");
    }
    for part in &parts {
        let holds = |source: &String| match part.form {
            Form::Flat => source.starts_with(part.source),
            Form::Spliced => source == part.source || part.source.starts_with(&format!("{source}@")),
            _ => source == part.source,
        };
        assert!(moved.iter().any(holds), "{context}: `{}` was not moved", part.source);
    }
}

#[test]
fn every_attribute_of_every_capture_is_rebuilt() {
    let mut rebuilt = 0;
    for name in fixtures::names() {
        fixtures::spans(&name, |span, out| {
            let mut sent: BTreeMap<String, _> = BTreeMap::new();
            let mut moved = BTreeSet::new();
            for (position, attribute) in span.attributes.iter().enumerate() {
                sent.insert(attribute.key.to_owned(), attribute.value);
                if out.moved.contains(&(position as u32)) {
                    moved.insert(attribute.key.to_owned());
                }
            }
            for (i, event) in span.events.iter().enumerate() {
                for (j, attribute) in event.attributes.iter().enumerate() {
                    let source = format!("event:{i}:{}:{}", event.name, attribute.key);
                    sent.insert(source.clone(), attribute.value);
                    if out.moved_event_attributes.contains(&(i as u32, j as u32)) {
                        moved.insert(source);
                    }
                }
            }
            assert_rebuilds(&format!("{name} {}", span.name), &sent, &moved, out);
            rebuilt += moved.len();
        });
        fixtures::logs(&name, |log, out| {
            let mut sent: BTreeMap<String, _> = log.attributes.iter().map(|a| (a.key.to_owned(), a.value)).collect();
            let mut moved: BTreeSet<String> =
                out.moved.iter().map(|position| log.attributes[*position as usize].key.to_owned()).collect();
            if out.moved_body {
                sent.insert("body".to_owned(), log.body);
                moved.insert("body".to_owned());
            }
            assert_rebuilds(&format!("{name} {}", log.event_name), &sent, &moved, out);
            rebuilt += moved.len();
        });
    }
    assert!(rebuilt > 1500, "only {rebuilt} were moved");
}

/// Facts of a capture that are nowhere on the wire, with the reason.
const GAPS: &[(&str, &[&str], &str)] = &[
    ("anthropic-sdk-native/run", &["call", "text"], NO_CONTENT),
    ("anthropic-sdk-native/stream", &["text"], NO_CONTENT),
    ("google-adk/run", &["call", "text", "tool"], CONTENT_OFF),
    ("google-adk/run_litellm", &["call", "text", "tool"], CONTENT_OFF),
    ("otel-genai-openai-agents/run", &["call", "text"], NO_CALLS),
    ("otel-genai-openai-agents/stream", &["text"], NO_CALLS),
    ("otel-genai/default_anthropic__default", &["call", "text"], CONTENT_OFF),
    ("otel-genai/gemini__span_and_event", &["call"], "two requests make one span, which keeps the last"),
    ("otel-genai/lc__span_and_event", &["documents"], BARE_DOCUMENTS),
    ("otel-genai/run__default", &["call", "text", "tool"], CONTENT_OFF),
    ("otel-genai/run__event_only", &["tool"], "tools have no event"),
    ("otel-genai/run__span_and_event", &["documents"], BARE_DOCUMENTS),
    ("otel-genai/run__span_only", &["documents"], BARE_DOCUMENTS),
    ("otel-openai-v2-legacy/run", &["call", "text"], CONTENT_OFF),
    ("otel-openai-v2-legacy/stream", &["text"], CONTENT_OFF),
    ("otel-openai-v2/run", &["call", "text"], CONTENT_OFF),
    ("otel-openai-v2/stream", &["text"], CONTENT_OFF),
    ("otel-openai-v2/stream_nousage", &["text"], CONTENT_OFF),
];

const NO_CONTENT: &str = "the SDK's own spans have no contents";
const CONTENT_OFF: &str = "captured with contents off, the default";
const NO_CALLS: &str = "the instrumentation makes no span for a model call";
const BARE_DOCUMENTS: &str = "OpenTelemetry's documents are ids and scores";

/// What a capture's spans and records say, gathered.
#[derive(Default)]
struct Said {
    texts: Vec<String>,
    calls: Vec<String>,
    tools: Vec<(String, String)>,
    documents: Vec<String>,
}

impl Said {
    fn of(name: &str) -> Self {
        let mut said = Self::default();
        let joined =
            |pieces: &[Piece<'_>]| pieces.iter().map(|piece| piece.bytes.as_ref()).collect::<Vec<_>>().join(" ");
        let mut answers = |out: &Normalized<'_>| {
            for piece in &out.output {
                let words = words(piece, usize::MAX);
                said.texts.push(words.text);
                said.calls.extend(words.call);
            }
        };
        fixtures::logs(name, |_, out| answers(out));
        fixtures::spans(name, |_, out| {
            if out.kind.is_model_call() {
                answers(out)
            }
        });
        fixtures::spans(name, |_, out| match out.kind {
            Kind::Tool => said.tools.push((joined(&out.input), joined(&out.output))),
            Kind::Retrieval => said.documents.extend(out.output.iter().map(|piece| words(piece, usize::MAX).text)),
            _ => {}
        });
        said
    }

    /// The facts of the ground truth that are missing here.
    fn missing(&self, truth: &serde_json::Value) -> Vec<&'static str> {
        let mut missing = Vec::new();
        let calls = truth["calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        let said = |text: &str| self.texts.iter().any(|said| said.contains(text.trim()));
        if calls.iter().filter_map(|call| call["text"].as_str()).any(|text| !said(text)) {
            missing.push("text");
        }
        let calls_tool = calls.iter().any(|call| call["tool_call"].is_object());
        let expected_call = |call: &String| call.starts_with("lookup_stock({") && call.contains("BL-42");
        if calls_tool && !self.calls.iter().any(expected_call) {
            missing.push("call");
        }
        let ran = |(arguments, result): &(String, String)| arguments.contains("BL-42") && result.contains("42");
        if calls_tool && !self.tools.is_empty() && !self.tools.iter().any(ran) {
            missing.push("tool");
        }
        let documents = ["shelf 7", "north aisle"];
        if !self.documents.is_empty()
            && documents.iter().any(|text| !self.documents.iter().any(|found| found.contains(text)))
        {
            missing.push("documents");
        }
        missing
    }
}

#[test]
fn what_the_models_said_is_found_in_every_capture() {
    let mut gaps: BTreeSet<(String, &str)> = BTreeSet::new();
    for name in fixtures::names() {
        let missing = Said::of(&name).missing(&fixtures::expected(&name));
        gaps.extend(missing.into_iter().map(|fact| (name.clone(), fact)));
    }
    let known: BTreeSet<(String, &str)> =
        GAPS.iter().flat_map(|(name, facts, _)| facts.iter().map(|fact| ((*name).to_owned(), *fact))).collect();
    assert_eq!(gaps.difference(&known).collect::<Vec<_>>(), Vec::<&(String, &str)>::new(), "missing");
    assert_eq!(known.difference(&gaps).collect::<Vec<_>>(), Vec::<&(String, &str)>::new(), "no gap any more");
}

/// The previews of the first span of a capture that `chosen` picks.
fn previews(name: &str, chosen: impl Fn(&str, &Normalized<'_>) -> bool) -> (Option<String>, Option<String>) {
    let mut found = None;
    fixtures::spans(name, |span, out| {
        if found.is_none() && chosen(span.name, out) {
            found = Some((out.input_preview.clone(), out.output_preview.clone()));
        }
    });
    found.unwrap_or_else(|| panic!("{name} has no such span"))
}

const QUESTION: &str = "Where are the blue lantern seeds";

#[test]
fn a_call_shows_the_question_and_the_tool_call() {
    for name in [
        "google-adk/run__content",
        "langfuse-python/run",
        "langfuse-python/langgraph",
        "langfuse-python-v3/langgraph",
        "langsmith/run",
        "logfire-pydantic-ai/run",
        "logfire-pydantic-ai/run__v2",
        "ms-agent-framework/run",
        "openinference-js/run",
        "openinference-langchain/run",
        "openinference-openai-agents/run",
        "openinference-python/responses",
        "openinference-python/run",
        "openllmetry-python-legacy/run",
        "openllmetry-python/run",
        "otel-genai/run__span_and_event",
        "vercel-ai-v6/run",
        "vercel-ai-v6/run_responses",
        "vercel-ai-v7-legacy/run",
    ] {
        let calls_tool =
            |out: &Normalized<'_>| out.output_preview.as_deref().is_some_and(|text| text.starts_with("lookup_stock("));
        let (input, output) = previews(name, |_, out| out.kind == Kind::Chat && calls_tool(out));
        let output = output.map(|text| text.replace(' ', ""));
        assert_eq!(output.as_deref(), Some(r#"lookup_stock({"sku":"BL-42"})"#), "{name}");
        let input = input.unwrap_or_default();
        assert!(input.contains(QUESTION), "{name}: {input}");
    }
}

#[test]
fn previews_follow_the_kind_of_the_span() {
    let named = |wanted: &'static str| move |name: &str, _: &Normalized<'_>| name == wanted;
    let some = |input: &str, output: &str| (Some(input.to_owned()), Some(output.to_owned()));
    let run = "openinference-python/run";
    assert_eq!(
        previews(run, named("lookup_stock")),
        some(r#"{"sku": "BL-42"}"#, r#"{"sku": "BL-42", "packets": 42, "shelf": 7}"#)
    );
    let documents = previews(run, named("retrieve_notes")).1;
    assert_eq!(documents.as_deref(), Some("Blue lantern seeds (SKU BL-42) are kept on shelf 7."));
    assert_eq!(
        previews("openllmetry-python/run", named("seed_agent.agent")).1.as_deref(),
        Some("Blue lantern seeds are on shelf 7; 42 packets are left.")
    );
    // Agents and graphs put out all that was said.
    for (capture, name) in [
        ("ms-agent-framework/run", "invoke_agent seed_agent"),
        ("langsmith/run", "seed_run"),
        ("openinference-langchain/run", "seed_run"),
    ] {
        let answer = previews(capture, named(name)).1;
        assert_eq!(answer.as_deref(), Some("Blue lantern seeds are on shelf 7; 42 packets are left."), "{capture}");
    }
    let unicode = fixtures::expected("openinference-python/unicode")["facts"]["input_text"].as_str().map(str::to_owned);
    let asked = previews("openinference-python/unicode", |_, out| out.kind == Kind::Chat).0;
    assert_eq!(asked, unicode);
    let big = previews("openinference-python/big", |_, out| out.kind == Kind::Chat).0;
    assert_eq!(big.map(|text| text.chars().count()), Some(256));
}

#[test]
fn a_repeated_history_repeats_its_pieces() {
    let mut calls: Vec<Vec<String>> = Vec::new();
    fixtures::spans("langfuse-python/langgraph", |span, out| {
        if span.name == "OpenAI-generation" {
            calls.push(out.input.iter().map(|piece| piece.bytes.to_string()).collect());
        }
    });
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(calls[0], calls[1][..2]);
}

#[test]
fn a_list_without_its_head_keeps_its_numbers() {
    let mut first = Vec::new();
    fixtures::spans("openinference-python/run__countlimit", |_, out| {
        first.extend(out.input.first().filter(|piece| piece.form == Form::Flat).map(|piece| piece.source.to_string()));
    });
    assert!(first.iter().any(|source| source != "llm.input_messages.0."), "{first:?}");
}
