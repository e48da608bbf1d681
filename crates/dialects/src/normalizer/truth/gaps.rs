//! What the captured dialects do not send, or send wrong.

use std::collections::BTreeSet;

/// `(dialect, scope, scenario, field, not sent, reason)`; `*` fits anything. What is sent all the same is wrong.
type Gap = (&'static str, &'static str, &'static str, &'static str, bool, &'static str);

const GAPS: &[Gap] = &[
    // Models and ids.
    ("google-adk", "*", "*", "response_id|response_model", true, "ADK: no response id or model on spans"),
    ("google-adk", "*", "run_litellm", "request_model", false, "ADK: the model keeps LiteLLM's prefix"),
    ("langfuse*", "*", "*", "response_id", true, "Langfuse: no response id"),
    (
        "langfuse*",
        "*",
        "*",
        "request_model|provider",
        true,
        "Langfuse: its OpenAI wrapper states the response's model alone",
    ),
    ("litellm", "*", "anthropic", "response_id", true, "LiteLLM: makes up an id for Anthropic's response"),
    ("litellm", "*", "stream", "response_model", false, "LiteLLM: a stream copies the requested model"),
    (
        "openinference-js",
        "*",
        "*",
        "response_model",
        true,
        "OpenInference JS: embeddings and streams state the requested model",
    ),
    (
        "openinference-js",
        "*",
        "stream",
        "response_id",
        true,
        "OpenInference: the id is in `output.value`, which is text for a stream",
    ),
    (
        "openinference-langchain",
        "*langchain",
        "stream",
        "response_id",
        true,
        "LangChain: a stream's messages have LangChain's id",
    ),
    (
        "openinference-llamaindex",
        "*",
        "*",
        "response_model|response_id",
        true,
        "LlamaIndex: states the requested model, no id",
    ),
    ("openinference-llamaindex", "*", "run", "provider", true, "LlamaIndex: embeddings state no provider"),
    (
        "openinference-openai-agents",
        "*",
        "*",
        "request_model",
        true,
        "OpenAI Agents: what stands for the request is the response",
    ),
    (
        "otel-genai",
        "*langchain",
        "lc_stream*",
        "response_id",
        true,
        "LangChain: a stream's messages have LangChain's id",
    ),
    ("vercel-ai-*", "*", "*", "response_model", true, "AI SDK: embeddings state the requested model"),
    // Streaming.
    (
        "google-adk|langfuse*|langsmith|litellm|logfire-pydantic-ai|ms-agent-framework|openinference*|openllmetry*|otel-openai-v2*",
        "*",
        "*",
        "streaming",
        true,
        "absent is unknown but for the current OpenTelemetry instrumentations",
    ),
    (
        "langsmith|litellm|ms-agent-framework|openinference*|openllmetry-python|otel-genai|otel-openai-v2*",
        "*",
        "*stream*",
        "ttft",
        true,
        "only some state it, or mark the first token",
    ),
    // Usage.
    (
        "logfire-pydantic-ai",
        "*",
        "anthropic",
        "cache_write_5m",
        true,
        "Pydantic AI: only the hour's part, in the details",
    ),
    ("openllmetry*|otel-genai", "*", "*anthropic*", "cache_write_5m|cache_write_1h", true, "no split by time to live"),
    (
        "openllmetry-python",
        "*anthropic",
        "anthropic_stream",
        "output_tokens",
        false,
        "OpenLLMetry: one too high for Anthropic's streams",
    ),
    ("openllmetry-python", "*openai.v1", "stream", "reasoning", true, "OpenLLMetry: streams lose reasoning tokens"),
    ("openllmetry*", "*langchain", "langgraph", "reasoning", true, "OpenLLMetry LangChain: no reasoning tokens"),
    ("openllmetry-python-legacy", "*openai.v1", "*", "reasoning", true, "OpenLLMetry up to 0.5: no reasoning tokens"),
    (
        "openinference-js",
        "*",
        "stream",
        "input_tokens|output_tokens|cache_read|reasoning",
        true,
        "OpenInference JS: streams carry no usage",
    ),
    ("openinference-js", "*", "run", "input_tokens", true, "OpenInference JS: embeddings carry no usage"),
    ("openinference-llamaindex", "*", "run", "input_tokens", true, "LlamaIndex: embeddings carry no usage"),
    ("otel-openai-v2*", "*", "*", "cache_read|reasoning", true, "openai-v2 up to 2.4: no details"),
    (
        "otel-genai",
        "*google_genai",
        "gemini__*",
        "input_tokens|output_tokens|cache_read|reasoning|response_id",
        false,
        "google-genai: automatic function calling leaves one span for two calls, with the last one's facts",
    ),
    ("google-adk", "*", "run_litellm", "flags", false, "ADK: adds the reasoning of other models twice"),
    // Finish reasons.
    ("google-adk", "*", "run_litellm", "finish", false, "ADK: says `stop` on a tool call"),
    ("langfuse*", "*", "*", "finish", true, "Langfuse: no finish reason but in a stream's metadata"),
    ("openllmetry*|otel-genai", "*", "n2*", "finish", false, "one per choice, where the server notes the first"),
    (
        "openllmetry-python|otel-genai|vercel-ai-v6",
        "*",
        "*responses*",
        "finish",
        false,
        "Responses API: completed with a tool call",
    ),
    (
        "openllmetry-python-legacy",
        "*langchain",
        "langgraph",
        "finish",
        true,
        "OpenLLMetry LangChain up to 0.5: only for tool calls",
    ),
    ("otel-openai-v2*", "*", "stream*", "finish", true, "openai-v2: none for streams"),
    // Parameters.
    ("openinference-python", "*", "run__countlimit", "*", true, "the SDK evicts the oldest attributes beyond 128"),
    ("openinference-llamaindex", "*", "*", "temperature|max_tokens", true, "LlamaIndex: no parameters"),
    ("google-adk", "*", "run_litellm", "temperature", true, "ADK: no temperature for other models"),
    ("logfire-pydantic-ai", "com.anthropic*", "*", "temperature", true, "Anthropic SDK: no temperature"),
    (
        "openllmetry-python-legacy",
        "*anthropic",
        "*",
        "max_tokens",
        true,
        "OpenLLMetry up to 0.5: no limit for Anthropic",
    ),
    ("openllmetry*", "*", "*", "seed", true, "OpenLLMetry: no seed"),
];

/// `(dialect, scenario, what, reason)`: calls and failures without a span.
const EXPECTED: &[(&str, &str, &str, &str)] = &[
    ("langsmith", "traceable", "span", "LangSmith: embeddings that are not wrapped leave no span"),
    ("otel-genai-openai-agents", "*", "span", "OpenAI Agents: model calls are left to the OpenAI instrumentation"),
    ("otel-genai-openai-agents", "error", "error", "OpenAI Agents: model calls are left to the OpenAI instrumentation"),
    ("otel-genai", "gemini__*", "span", "google-genai: one span for two calls"),
    ("otel-openai-v2-legacy", "run*", "span", "openai-v2 2.1: no span for embeddings"),
];

pub(super) fn fits(pattern: &str, text: &str) -> bool {
    pattern.split('|').any(|word| match (word.strip_prefix('*'), word.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(word.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => word == text,
    })
}

pub(super) fn knows(
    dialect: &str,
    scope: &str,
    scenario: &str,
    field: &str,
    not_sent: bool,
    needed: &mut BTreeSet<usize>,
) -> bool {
    let gap = GAPS.iter().position(|gap| {
        fits(gap.0, dialect) && fits(gap.1, scope) && fits(gap.2, scenario) && fits(gap.3, field) && gap.4 == not_sent
    });
    needed.extend(gap);
    gap.is_some()
}

pub(super) fn expects(dialect: &str, scenario: &str, what: &str, needed: &mut BTreeSet<usize>) -> bool {
    let gap = EXPECTED.iter().position(|gap| fits(gap.0, dialect) && fits(gap.1, scenario) && gap.2 == what);
    needed.extend(gap.map(|gap| GAPS.len() + gap));
    gap.is_some()
}

/// Entries that nothing needed.
pub(super) fn unneeded(needed: &BTreeSet<usize>) -> Vec<String> {
    let gaps = GAPS.iter().map(|gap| format!("{gap:?}"));
    let expected = EXPECTED.iter().map(|gap| format!("{gap:?}"));
    gaps.chain(expected)
        .enumerate()
        .filter(|(at, _)| !needed.contains(at))
        .map(|(_, gap)| format!("not needed: {gap}"))
        .collect()
}
