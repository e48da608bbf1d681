//! Runs of agents after OpenTelemetry's GenAI conventions.
//!
//! A run is a root `invoke_agent`, some ten model calls, each with the whole history so far, and a tool call
//! between two of them. System prompt and tool definitions are an agent's own and the same in all its runs.

use std::fmt::Write;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;

use super::{EPOCH_NANOS, Group, Request, attribute, double, int, request, text};
use crate::random::Random;
use crate::text::{hex, prose, word};

/// Spans made in one piece, about.
pub(super) const SPANS_OF_PART: u64 = 2_000;
/// Spans of a request: what some runs of one process end within a few seconds.
const SPANS_OF_REQUEST: usize = 50;
/// Runs of one process at a time.
const CONCURRENT: usize = 8;
const SCOPES: [(&str, &str); 1] = [("opentelemetry.instrumentation.openai_agents", "0.4.1")];
const KINDS: [(&str, &str, &str); 4] = [
    ("support", "openai", "gpt-5-mini"),
    ("research", "anthropic", "claude-sonnet-4-5"),
    ("coding", "anthropic", "claude-opus-4-1"),
    ("billing", "openai", "gpt-5"),
];
const TEAMS: [&str; 3] = ["care", "platform", "finance"];
const USERS: u64 = 20_000;
const TOOLS: [&str; 6] =
    ["search_documents", "read_file", "query_orders", "run_command", "fetch_page", "lookup_customer"];

/// What is the same in all runs of an agent.
struct Agent {
    name: String,
    id: String,
    provider: &'static str,
    model: &'static str,
    /// Bytes of prompt and tool definitions, in tokens.
    fixed_tokens: u64,
    instructions: String,
    tools: String,
    resource: Vec<KeyValue>,
    /// Which prompt its calls name; empty where runs tell only what makes them large.
    prompt: Vec<KeyValue>,
}

impl Agent {
    fn new(random: &mut Random, (name, provider, model): (&str, &'static str, &'static str)) -> Self {
        let mut instructions = format!("[{{\"type\":\"text\",\"content\":\"You are the {name} agent. ");
        prose(random, 1_950, "\\n\\n", &mut instructions);
        instructions.push_str("\"}]");
        let mut tools = String::from("[");
        for tool in TOOLS {
            if tools.len() > 1 {
                tools.push(',');
            }
            write!(tools, "{{\"type\":\"function\",\"name\":\"{tool}\",\"description\":\"").expect("text takes all");
            prose(random, 230, "", &mut tools);
            tools.push_str("\",\"parameters\":{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\",\"description\":\"");
            prose(random, 60, "", &mut tools);
            tools.push_str("\"},\"limit\":{\"type\":\"integer\"}},\"required\":[\"query\"]}}");
        }
        tools.push(']');
        let resource = vec![
            text("service.name", format!("{name}-agent")),
            text("service.version", "3.2.0"),
            text("service.instance.id", hex(random, 24)),
            text("host.name", format!("{name}-agent-{}", hex(random, 10))),
            text("deployment.environment.name", "production"),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.language", "python"),
            text("telemetry.sdk.version", "1.36.0"),
        ];
        Self {
            name: format!("{name}-agent"),
            id: format!("agent_{}", hex(random, 24)),
            provider,
            model,
            fixed_tokens: (instructions.len() + tools.len()) as u64 / 4,
            instructions,
            tools,
            resource,
            prompt: Vec::new(),
        }
    }
}

/// One piece of the load: a stretch of time of one process of one agent.
pub(super) fn part(seed: u64, number: u64) -> Vec<Request> {
    stretch(seed, number, EPOCH_NANOS + number * 60_000_000_000, None)
}

/// What runs tell beside what makes them large: who asked, which prompt, how the answer was judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// Version of the prompt of all agents.
    pub(super) version: u64,
}

/// A stretch of time from `start` of one process of one agent.
pub(super) fn stretch(seed: u64, number: u64, start: u64, told: Option<Told>) -> Vec<Request> {
    let kind = number as usize % KINDS.len();
    let mut agent = Agent::new(&mut Random::new(seed, 1_000 + kind as u64), KINDS[kind]);
    if let Some(told) = told {
        agent.resource.push(text("team", TEAMS[kind % TEAMS.len()]));
        agent.prompt = vec![
            text("gen_ai.prompt.name", agent.name.replace("-agent", "-instructions")),
            text("gen_ai.prompt.version", told.version.to_string()),
        ];
    }
    let mut random = Random::new(seed, 1_000_000 + number);
    let mut now = start;
    let mut running = Vec::new();
    let mut spans = Vec::new();
    while (spans.len() as u64) < SPANS_OF_PART {
        // Each place in the process starts a run when the one before has ended.
        now += random.nanos(2_000_000_000);
        if running.len() < CONCURRENT {
            running.push(now);
        }
        let place = random.below(running.len() as u64) as usize;
        running[place] = run(&mut random, &agent, running[place].max(now), &mut spans);
    }
    spans.sort_by_key(|span| span.end_time_unix_nano);
    let mut requests = Vec::new();
    let mut rest = spans.into_iter();
    loop {
        let spans: Vec<_> = rest.by_ref().take(SPANS_OF_REQUEST).map(|span| (0, span)).collect();
        if spans.is_empty() {
            return requests;
        }
        requests.push(request(vec![Group { resource: &agent.resource, spans }], &SCOPES));
    }
}

/// What the spans of a run share.
struct Run<'r> {
    agent: &'r Agent,
    trace: Vec<u8>,
    root: Vec<u8>,
    conversation: String,
}

/// Adds the spans of one run and returns when it ended.
fn run(random: &mut Random, agent: &Agent, start: u64, spans: &mut Vec<Span>) -> u64 {
    let run = Run {
        agent,
        trace: random.bytes(16),
        root: random.bytes(8),
        conversation: format!("conv_{}", hex(random, 24)),
    };
    let mut history = String::from("[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"");
    let size = random.between(80, 600) as usize;
    prose(random, size, "\\n", &mut history);
    history.push_str("\"}]}");
    let question = format!("{history}]");
    let mut at = start + random.nanos(2_000_000);
    let (mut input_total, mut output_total) = (0, 0);
    let steps = random.between(8, 12);
    for step in 1..=steps {
        let last = step == steps;
        let call = format!("call_{}", hex(random, 24));
        let tool = *random.pick(&TOOLS);
        let arguments = arguments(random);
        let message = if last { answer(random) } else { tool_call(random, &call, tool, &arguments) };
        let tokens = (agent.fixed_tokens + history.len() as u64 / 4, message.len() as u64 / 4);
        input_total += tokens.0;
        output_total += tokens.1;
        at = chat(random, &run, at, &history, &message, tokens, last, spans);
        history.push(',');
        history.push_str(&message);
        if last {
            let output = format!("[{message}]");
            let mut attributes = vec![
                text("gen_ai.operation.name", "invoke_agent"),
                text("gen_ai.provider.name", agent.provider),
                text("gen_ai.agent.name", agent.name.as_str()),
                text("gen_ai.agent.id", agent.id.as_str()),
                text("gen_ai.conversation.id", run.conversation.as_str()),
                text("gen_ai.request.model", agent.model),
                text("gen_ai.input.messages", question.as_str()),
                text("gen_ai.output.messages", output),
                int("gen_ai.usage.input_tokens", input_total),
                int("gen_ai.usage.output_tokens", output_total),
            ];
            let name = format!("invoke_agent {}", agent.name);
            at += random.nanos(1_000_000);
            let mut events = Vec::new();
            if !agent.prompt.is_empty() {
                // Of the ids, so that what follows is the same with and without it.
                let mut random = Random::new(u64::from(run.root[0]), at);
                attributes.push(text("user.id", format!("user-{}", random.below(USERS))));
                if random.chance(10) {
                    events.push(judgement(&mut random, at));
                }
            }
            let root = span(&run, run.root.clone(), Vec::new(), name, 1, (start, at), attributes);
            spans.push(Span { events, ..root });
        } else {
            let result = result(random);
            write!(
                history,
                ",{{\"role\":\"tool\",\"parts\":[{{\"type\":\"tool_call_response\",\"id\":\"{call}\",\"result\":\"{}\"}}]}}",
                escaped(&result)
            )
            .expect("text takes all");
            let attributes = vec![
                text("gen_ai.operation.name", "execute_tool"),
                text("gen_ai.agent.name", agent.name.as_str()),
                text("gen_ai.conversation.id", run.conversation.as_str()),
                text("gen_ai.tool.name", tool),
                text("gen_ai.tool.type", "function"),
                text("gen_ai.tool.call.id", call),
                text("gen_ai.tool.call.arguments", arguments),
                text("gen_ai.tool.call.result", result),
            ];
            let end = at + random.nanos(300_000_000);
            let id = random.bytes(8);
            spans.push(span(&run, id, run.root.clone(), format!("execute_tool {tool}"), 1, (at, end), attributes));
            at = end + random.nanos(3_000_000);
        }
    }
    at
}

#[expect(clippy::too_many_arguments, reason = "they are the facts of a model call")]
fn chat(
    random: &mut Random,
    run: &Run<'_>,
    start: u64,
    history: &str,
    message: &str,
    (input, output): (u64, u64),
    last: bool,
    spans: &mut Vec<Span>,
) -> u64 {
    let agent = run.agent;
    let reason = if last { "stop" } else { "tool_calls" };
    let reasons = ArrayValue { values: vec![AnyValue { value: Some(Value::StringValue(reason.into())) }] };
    let mut attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", agent.provider),
        text("gen_ai.request.model", agent.model),
        text("gen_ai.response.model", agent.model),
        text("gen_ai.response.id", format!("resp_{}", hex(random, 32))),
        attribute("gen_ai.response.finish_reasons", Value::ArrayValue(reasons)),
        text("gen_ai.agent.name", agent.name.as_str()),
        text("gen_ai.conversation.id", run.conversation.as_str()),
        double("gen_ai.request.temperature", 0.2),
        int("gen_ai.request.max_tokens", 4096),
        int("gen_ai.usage.input_tokens", input),
        int("gen_ai.usage.output_tokens", output),
        int("gen_ai.usage.cache_read.input_tokens", agent.fixed_tokens),
        text("server.address", format!("api.{}.com", agent.provider)),
        int("server.port", 443),
        text("gen_ai.system_instructions", agent.instructions.as_str()),
        text("gen_ai.tool.definitions", agent.tools.as_str()),
        text("gen_ai.input.messages", format!("{history}]")),
        text("gen_ai.output.messages", format!("[{message}]")),
    ];
    attributes.extend_from_slice(&agent.prompt);
    let end = start + random.nanos(2_500_000_000);
    let id = random.bytes(8);
    spans.push(span(run, id, run.root.clone(), format!("chat {}", agent.model), 3, (start, end), attributes));
    end + random.nanos(3_000_000)
}

/// A judge's score, as OpenTelemetry's event.
fn judgement(random: &mut Random, at: u64) -> Event {
    let attributes = vec![
        text("gen_ai.evaluation.name", "Relevance"),
        double("gen_ai.evaluation.score.value", 1.0 - random.unit() * random.unit()),
    ];
    Event { time_unix_nano: at, name: "gen_ai.evaluation.result".into(), attributes, dropped_attributes_count: 0 }
}

fn span(
    run: &Run<'_>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    kind: i32,
    (start, end): (u64, u64),
    attributes: Vec<KeyValue>,
) -> Span {
    Span {
        trace_id: run.trace.clone(),
        span_id: id,
        parent_span_id: parent,
        flags: 0x101,
        name,
        kind,
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes,
        ..Span::default()
    }
}

fn answer(random: &mut Random) -> String {
    let mut message = String::from("{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"");
    let size = random.between(400, 1_500) as usize;
    prose(random, size, "\\n\\n", &mut message);
    message.push_str("\"}],\"finish_reason\":\"stop\"}");
    message
}

fn tool_call(random: &mut Random, call: &str, tool: &str, arguments: &str) -> String {
    let mut message = String::from("{\"role\":\"assistant\",\"parts\":[");
    if random.chance(50) {
        message.push_str("{\"type\":\"text\",\"content\":\"");
        let size = random.between(40, 250) as usize;
        prose(random, size, "", &mut message);
        message.push_str("\"},");
    }
    write!(
        message,
        "{{\"type\":\"tool_call\",\"id\":\"{call}\",\"name\":\"{tool}\",\"arguments\":{arguments}}}],\"finish_reason\":\"tool_calls\"}}"
    )
    .expect("text takes all");
    message
}

fn arguments(random: &mut Random) -> String {
    let mut json = String::from("{\"query\":\"");
    for _ in 0..random.between(3, 10) {
        json.push_str(word(random));
        json.push(' ');
    }
    json.pop();
    write!(json, "\",\"limit\":{},\"customer_id\":{}}}", random.between(1, 50), random.below(1_000_000))
        .expect("text takes all");
    json
}

/// What a tool gives back: records or text of 0.5 to 3 KB.
fn result(random: &mut Random) -> String {
    // More short ones than long ones.
    let size = 500 + (2_500.0 * random.unit() * random.unit()) as usize;
    let mut result = String::new();
    if random.chance(50) {
        prose(random, size, "\n", &mut result);
        return result;
    }
    result.push_str("{\"results\":[");
    while result.len() < size {
        if !result.ends_with('[') {
            result.push(',');
        }
        write!(
            result,
            "{{\"id\":\"{}\",\"score\":0.{:04},\"title\":\"{} {} {}\",\"text\":\"",
            hex(random, 12),
            random.below(10_000),
            word(random),
            word(random),
            word(random)
        )
        .expect("text takes all");
        prose(random, 180, "", &mut result);
        result.push_str("\"}");
    }
    result.push_str("]}");
    result
}

/// As it stands in a JSON string.
fn escaped(text: &str) -> String {
    text.replace('"', "\\\"").replace('\n', "\\n")
}
