//! Every captured span against what the mock server knows it served.
//!
//! For each model call of a capture there must be a span that states it, field by field. What a dialect does not
//! send is listed in [`GAPS`], with the reason; an entry that is no longer needed fails the test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tracewell_model::kind::{ErrorClass, Kind};
use tracewell_otlp::{Decoder, Limits, index_traces};

use super::Normalizer;
use crate::fixtures;
use crate::input::SpanInput;
use crate::normalized::Normalized;

mod gaps;

/// One model call as a span states it.
#[derive(Clone, Debug)]
struct Stated {
    scope: String,
    kind: Kind,
    error: Option<ErrorClass>,
    fields: BTreeMap<&'static str, String>,
}

pub(super) fn for_each_span(name: &str, mut visit: impl FnMut(&SpanInput<'_, '_>, &Normalized<'_>)) {
    let body = std::fs::read(fixtures::folder().join(format!("{name}.traces.pb"))).expect("a capture");
    let index = index_traces(&body).expect("a capture is well framed");
    let mut decoder = Decoder::new(Limits::default());
    let mut normalizer = Normalizer::new();
    let mut out = Normalized::default();
    let (mut scope_attributes, mut resource) = (Vec::new(), Vec::new());
    for entry in index.spans() {
        let resource_entry = &index.resources()[entry.resource as usize];
        let resource = decoder.decode_resource(&body, resource_entry, &mut resource).expect("a resource").attributes;
        let scope_entry = &index.scopes()[entry.scope as usize];
        let scope = decoder.decode_scope(&body, scope_entry, &mut scope_attributes).expect("a scope");
        let span = decoder.decode_span(entry.bytes(&body)).expect("a span");
        let input = SpanInput::of(&span, &scope, resource);
        normalizer.span(&input, &mut out);
        visit(&input, &out);
    }
}

fn stated(name: &str) -> Vec<Stated> {
    let mut calls = Vec::new();
    for_each_span(name, |span, out| {
        if !out.kind.is_model_call() {
            return;
        }
        let mut fields = BTreeMap::new();
        let mut set = |field, value: Option<String>| fields.extend(value.map(|value| (field, value)));
        let text = |value: &Option<std::borrow::Cow<'_, str>>| value.as_deref().map(str::to_owned);
        let number = |value: Option<i64>| value.map(|value| value.to_string());
        set("request_model", text(&out.request_model));
        set("response_model", text(&out.response_model));
        set("response_id", text(&out.response_id));
        set("input_tokens", number(out.usage.input_tokens));
        set("output_tokens", number(out.usage.output_tokens));
        set("cache_read", number(out.usage.cache_read_tokens));
        set("cache_write", number(out.usage.cache_write_tokens));
        set("cache_write_5m", number(out.usage.cache_write_5m_tokens));
        set("cache_write_1h", number(out.usage.cache_write_1h_tokens));
        set("reasoning", number(out.usage.reasoning_tokens));
        set("finish", (!out.finish_reasons.is_empty()).then(|| out.finish_reasons.join(",")));
        set("streaming", out.streaming.map(|flag| flag.to_string()));
        set("ttft", out.ttft_ns.filter(|nanos| *nanos > 10_000_000).map(|_| "some".to_owned()));
        set("temperature", out.temperature.map(|number| number.to_string()));
        set("top_p", out.top_p.map(|number| number.to_string()));
        set("max_tokens", number(out.max_tokens));
        set("seed", number(out.seed));
        set("provider", text(&out.provider));
        set("flags", (!out.usage_flags.is_empty()).then(|| out.usage_flags.join(",")));
        calls.push(Stated { scope: span.scope_name.to_owned(), kind: out.kind, error: out.error_class, fields });
    });
    calls
}

/// What the server knows of one call, by the names of [`stated`].
fn served(call: &Value) -> BTreeMap<&'static str, String> {
    let mut fields = BTreeMap::new();
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let api = call["api"].as_str().expect("an api");
    let usage = &call["usage"];
    let count = |path: &str| usage.pointer(path).and_then(Value::as_i64);
    let mut set = |field, value: Option<String>| fields.extend(value.map(|value| (field, value)));
    set("request_model", text(&call["model"]));
    set("response_model", text(&call["response_model"]));
    set("response_id", text(&call["response_id"]));
    if api != "openai.embeddings" {
        set("streaming", text(&call["stream"]));
        set("ttft", (call["stream"] == true && call["error"].is_null()).then(|| "some".to_owned()));
    }
    let finish = match call["finish"].as_str() {
        Some("tool_use" | "tool_calls") => Some("tool_calls"),
        Some("STOP" | "end_turn" | "completed" | "stop") => Some("stop"),
        other => other,
    };
    set("finish", finish.map(str::to_owned));
    for name in ["temperature", "top_p", "max_tokens", "seed"] {
        set(name, text(&call["params"][name]));
    }
    set(
        "provider",
        Some(
            match api {
                "anthropic.messages" => "anthropic",
                "gemini" => "gcp.gemini",
                _ => "openai",
            }
            .to_owned(),
        ),
    );
    let add = |counts: &[Option<i64>]| counts[0].map(|_| counts.iter().flatten().sum::<i64>().to_string());
    match api {
        "anthropic.messages" => {
            set(
                "input_tokens",
                add(&[
                    count("/input_tokens"),
                    count("/cache_read_input_tokens"),
                    count("/cache_creation_input_tokens"),
                ]),
            );
            set("output_tokens", add(&[count("/output_tokens")]));
            set("cache_read", add(&[count("/cache_read_input_tokens")]));
            set("cache_write", add(&[count("/cache_creation_input_tokens")]));
            set("cache_write_5m", add(&[count("/cache_creation/ephemeral_5m_input_tokens")]));
            set("cache_write_1h", add(&[count("/cache_creation/ephemeral_1h_input_tokens")]));
        }
        "gemini" => {
            set("input_tokens", add(&[count("/promptTokenCount")]));
            set("output_tokens", add(&[count("/candidatesTokenCount"), count("/thoughtsTokenCount")]));
            set("cache_read", add(&[count("/cachedContentTokenCount")]));
            set("reasoning", add(&[count("/thoughtsTokenCount")]));
        }
        _ => {
            let first = |one: &str, other: &str| add(&[count(one).or_else(|| count(other))]);
            set("input_tokens", first("/prompt_tokens", "/input_tokens"));
            set("output_tokens", first("/completion_tokens", "/output_tokens"));
            set("cache_read", first("/prompt_tokens_details/cached_tokens", "/input_tokens_details/cached_tokens"));
            set(
                "reasoning",
                first("/completion_tokens_details/reasoning_tokens", "/output_tokens_details/reasoning_tokens"),
            );
        }
    }
    fields
}

fn error_class(status: i64) -> ErrorClass {
    if status == 429 { ErrorClass::RateLimit } else { ErrorClass::Server }
}

/// The outcome of one field of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Ok,
    NotSent,
    Wrong,
}

#[test]
fn every_call_served_is_stated_as_it_was() {
    let mut table: BTreeMap<(String, String), BTreeMap<&'static str, [usize; 3]>> = BTreeMap::new();
    let mut needed = BTreeSet::new();
    let mut wrong = Vec::new();
    for name in fixtures::names() {
        let (dialect, scenario) = name.split_once('/').expect("dialect/scenario");
        let spans = stated(&name);
        let expected = fixtures::expected(&name);
        let mut used = BTreeSet::new();
        for call in expected["calls"].as_array().expect("a list of calls") {
            let truth = served(call);
            let embeds = call["api"] == "openai.embeddings";
            let fits = |span: &Stated| {
                if embeds { span.kind == Kind::Embedding } else { matches!(span.kind, Kind::Chat | Kind::Completion) }
            };
            if let Some(status) = call["error"].as_i64() {
                // Retries inside a client are no spans, so one failed span may stand for several calls.
                let seen = spans.iter().any(|span| fits(span) && span.error == Some(error_class(status)));
                if !seen && !gaps::expects(dialect, scenario, "error", &mut needed) {
                    wrong.push(format!(
                        "{name}: call {} failed with {status}; stated: {:?}",
                        call["i"],
                        spans.iter().map(|s| (s.kind, s.error)).collect::<Vec<_>>()
                    ));
                }
                continue;
            }
            // The server's numbers differ from call to call, so the span that agrees most is the call's.
            let agreement = |span: &(usize, &Stated)| {
                truth.iter().filter(|(field, value)| span.1.fields.get(*field) == Some(value)).count()
            };
            let scopes: BTreeSet<&str> =
                spans.iter().filter(|span| fits(span)).map(|span| span.scope.as_str()).collect();
            if scopes.is_empty() && !gaps::expects(dialect, scenario, "span", &mut needed) {
                wrong.push(format!("{name}: no span for call {} ({})", call["i"], call["api"]));
            }
            // Each instrumentation that saw the call must state it right.
            for scope in scopes {
                let candidates = spans.iter().enumerate().filter(|(at, span)| {
                    fits(span) && span.scope == scope && span.error.is_none() && !used.contains(at)
                });
                let Some((at, span)) =
                    candidates.max_by_key(|candidate| (agreement(candidate), usize::MAX - candidate.0))
                else {
                    if !gaps::expects(dialect, scenario, "span", &mut needed) {
                        wrong.push(format!("{name}: no span of {scope} for call {} ({})", call["i"], call["api"]));
                    }
                    continue;
                };
                used.insert(at);
                let row = table.entry((dialect.to_owned(), scope.to_owned())).or_default();
                for (field, value) in &truth {
                    let outcome = match span.fields.get(field) {
                        Some(stated) if stated == value => Outcome::Ok,
                        None => Outcome::NotSent,
                        Some(_) => Outcome::Wrong,
                    };
                    row.entry(*field).or_default()[outcome as usize] += 1;
                    let known = outcome != Outcome::Ok
                        && gaps::knows(dialect, scope, scenario, field, outcome == Outcome::NotSent, &mut needed);
                    if outcome != Outcome::Ok && !known {
                        wrong.push(format!(
                            "{name} [{scope}] call {} {field}: served {value}, stated {:?}",
                            call["i"],
                            span.fields.get(field)
                        ));
                    }
                }
                if let Some(flags) = span.fields.get("flags")
                    && !gaps::knows(dialect, scope, scenario, "flags", false, &mut needed)
                {
                    wrong.push(format!("{name} [{scope}] call {}: flagged {flags}", call["i"]));
                }
            }
        }
    }
    print_table(&table);
    wrong.extend(gaps::unneeded(&needed));
    assert!(wrong.is_empty(), "{} disagreements:\n{}", wrong.len(), wrong.join("\n"));
}

fn print_table(table: &BTreeMap<(String, String), BTreeMap<&'static str, [usize; 3]>>) {
    println!("per dialect and scope: field ok/not sent/wrong");
    for ((dialect, scope), fields) in table {
        println!("{dialect} [{scope}]");
        let cells: Vec<String> =
            fields.iter().map(|(field, [ok, not_sent, wrong])| format!("{field} {ok}/{not_sent}/{wrong}")).collect();
        println!("    {}", cells.join("  "));
    }
}

/// What the captured application set, wherever its SDK takes it: (dialects that must state it, field, value).
const CONTEXT: &[(&str, &str, &str)] = &[
    (
        "google-adk langfuse-python langfuse-python-v3 langsmith openinference-langchain openinference-llamaindex openinference-python \
      openllmetry-python openllmetry-python-legacy otel-genai otel-genai-openai-agents vercel-ai-v6",
        "conversation_id",
        "sess-7f3a",
    ),
    (
        "langfuse-python langfuse-python-v3 langsmith litellm openinference-langchain openinference-llamaindex openinference-python \
      openllmetry-python openllmetry-python-legacy vercel-ai-v6",
        "user_id",
        "user-042",
    ),
    (
        "langfuse-python langfuse-python-v3 langsmith openinference-langchain openinference-python openllmetry-python \
      openllmetry-python-legacy vercel-ai-v6",
        "team",
        "acme-garden",
    ),
    ("langfuse-python langfuse-python-v3 langsmith openinference-python mcp", "prompt_name", "seed-helper"),
    ("langfuse-python langfuse-python-v3 openinference-python vercel-ai-v6", "prompt_version", "7"),
    ("langfuse-python langfuse-python-v3", "environment", "staging"),
    ("langfuse-python", "release", "r2026.1"),
    (
        "google-adk langfuse-python langfuse-python-v3 langsmith logfire-pydantic-ai ms-agent-framework openinference-langchain \
      openinference-llamaindex openinference-openai-agents openinference-python openllmetry-python openllmetry-python-legacy otel-genai \
      otel-genai-openai-agents vercel-ai-v6 vercel-ai-v7-legacy",
        "tool_name",
        "lookup_stock",
    ),
    (
        "langfuse-python langfuse-python-v3 langsmith openinference-langchain openinference-llamaindex openinference-python \
      openllmetry-python otel-genai",
        "retrieval_query",
        "Where are the blue lantern seeds and how many packets are left?",
    ),
];

#[test]
fn what_the_application_set_is_found_and_nothing_else() {
    let mut found: BTreeSet<(String, &str)> = BTreeSet::new();
    let mut wrong = BTreeSet::new();
    for name in fixtures::names() {
        let (dialect, _) = name.split_once('/').expect("dialect/scenario");
        for_each_span(&name, |span, out| {
            for (_, field, expected) in CONTEXT {
                let stated = match *field {
                    "conversation_id" => &out.conversation_id,
                    "user_id" => &out.user_id,
                    "team" => &out.team,
                    "prompt_name" => &out.prompt_name,
                    "prompt_version" => &out.prompt_version,
                    "environment" => &out.environment,
                    "release" => &out.release,
                    "tool_name" => &out.tool_name,
                    "retrieval_query" => &out.retrieval_query,
                    other => panic!("`{other}` is not compared"),
                };
                let Some(stated) = stated else { continue };
                // FastMCP names functions; Pydantic AI makes up a conversation per run; one flow calls its tool otherwise.
                let spelled = stated.replace("seed_helper", "seed-helper").replace("lookup_stock_tool", "lookup_stock");
                let made_up = *field == "conversation_id" && dialect == "logfire-pydantic-ai";
                if spelled == *expected || (*field == "tool_name" && spelled == "lookup") {
                    found.insert((dialect.to_owned(), field));
                } else if !made_up {
                    wrong.insert(format!("{dialect}: {field} of `{}` is {stated}", span.name));
                }
            }
        });
    }
    for (dialects, field, _) in CONTEXT {
        for dialect in dialects.split_whitespace() {
            if !found.contains(&(dialect.to_owned(), *field)) {
                wrong.insert(format!("{dialect}: no {field}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Kinds of the captured spans, by the start of their names, as the dialects' documentation describes them.
const KINDS: &[(&str, &str, Kind)] = &[
    ("*", "anthropic.messages.create", Kind::Chat),
    ("google-adk", "invoke_workflow", Kind::Workflow),
    ("google-adk|otel-genai*|logfire*|ms-agent*", "invoke_agent", Kind::Agent),
    ("google-adk|otel-genai", "generate_content", Kind::Chat),
    ("google-adk|otel-genai*|logfire*|ms-agent*|openllmetry-python", "execute_tool", Kind::Tool),
    ("langfuse*", "ChatOpenAI", Kind::Chat),
    ("langfuse*", "OpenAI-embedding", Kind::Embedding),
    ("langfuse*", "no_secrets", Kind::Guardrail),
    ("langfuse*", "judge", Kind::Evaluator),
    ("langsmith", "NotesRetriever", Kind::Retrieval),
    ("langsmith", "seed_run", Kind::Chain),
    ("langsmith", "lookup_stock", Kind::Tool),
    ("litellm", "chat", Kind::Chat),
    ("litellm", "embeddings", Kind::Embedding),
    ("litellm", "raw_gen_ai_request", Kind::Other),
    ("logfire*", "running tool", Kind::Tool),
    ("logfire*", "agent run", Kind::Agent),
    ("mcp", "tools/call|MCP send tools/call", Kind::Tool),
    ("mcp", "prompts/get|MCP send prompts/get", Kind::Prompt),
    ("mcp", "tools/list|resources/read|server/discover|MCP send tools/list", Kind::Mcp),
    ("openinference-langchain", "seed_run", Kind::Workflow),
    ("openinference-langchain", "model|tools", Kind::Chain),
    ("openinference-llamaindex", "FunctionTool", Kind::Tool),
    ("openinference-llamaindex", "OpenAI._prepare_chat_with_tools", Kind::Chain),
    ("openinference-openai-agents", "no_block_words", Kind::Guardrail),
    ("openinference-python", "render_prompt", Kind::Prompt),
    ("openinference-python", "rerank", Kind::Rerank),
    ("openinference-python", "human review|session review", Kind::Evaluator),
    ("openllmetry*", "POST", Kind::Http),
    ("openllmetry*", "seed_flow", Kind::Workflow),
    ("openllmetry*", "seed_agent.agent", Kind::Agent),
    ("openllmetry*", "retrieve_notes.task", Kind::Chain),
    ("openllmetry*", "anthropic.chat|ChatOpenAI.chat", Kind::Chat),
    ("openllmetry-python", "create_agent", Kind::Other),
    ("openllmetry-python", "execute_task", Kind::Chain),
    ("openllmetry-python", "vector_db_retrieve", Kind::Retrieval),
    ("vercel*", "ai.generateText.doGenerate|ai.streamText.doStream", Kind::Chat),
    ("vercel*", "ai.embed.doEmbed", Kind::Embedding),
    ("vercel*", "ai.toolCall", Kind::Tool),
    ("anthropic*|openinference-python|openllmetry*|otel-*", "turn|seed_request", Kind::Other),
];

#[test]
fn captured_spans_have_their_kinds() {
    let mut met = BTreeSet::new();
    let mut wrong = BTreeSet::new();
    for name in fixtures::names() {
        let (dialect, scenario) = name.split_once('/').expect("dialect/scenario");
        for_each_span(&name, |span, out| {
            let rule = KINDS.iter().position(|(dialects, starts, _)| {
                gaps::fits(dialects, dialect) && starts.split('|').any(|start| span.name.starts_with(start))
            });
            let Some(rule) = rule else { return };
            met.insert(rule);
            if out.kind != KINDS[rule].2 {
                wrong.insert(format!("{dialect}/{scenario}: `{}` is {}", span.name, out.kind));
            }
        });
    }
    wrong.extend(
        KINDS.iter().enumerate().filter(|(at, _)| !met.contains(at)).map(|(_, rule)| format!("never met: {rule:?}")),
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}
