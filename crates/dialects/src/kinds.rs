//! What a span stands for, by the words of its dialect.

use tracewell_model::kind::{Dialect, Kind};

use crate::fields::Field;
use crate::fields::facts::Facts;
use crate::input::SpanInput;
use crate::json;
use crate::value::Scalar;

/// The kind of `span`. The dialect's own word counts more than `gen_ai.operation.name`: LangSmith calls a retriever
/// `embeddings` there. No kind follows from `gen_ai.tool.name`, which OpenLIT puts on chats.
pub(crate) fn kind(span: &SpanInput<'_, '_>, facts: &Facts<'_, '_>, dialect: Dialect) -> Kind {
    let text = |field| facts.text(field);
    if dialect == Dialect::Plain {
        return if facts.has(Field::DbSystem) { database(facts) } else { http_or_other(facts) };
    }
    // LiteLLM's copy of the request and response, beside the span of the call.
    if span.name == "raw_gen_ai_request" {
        return Kind::Other;
    }
    if let Some(kind) = text(Field::LangfuseType).and_then(|word| langfuse(&word)) {
        return kind;
    }
    if let Some(kind) = text(Field::MlflowType).and_then(|word| mlflow(&word, facts)) {
        return kind;
    }
    if let Some(kind) = text(Field::OpenInferenceKind).and_then(|word| open_inference(&word, span, facts)) {
        return kind;
    }
    if let Some(kind) = text(Field::LangSmithKind).and_then(|word| langsmith(&word)) {
        return kind;
    }
    if let Some(kind) = text(Field::SpringKind).and_then(|word| spring(&word, facts)) {
        return kind;
    }
    if dialect == Dialect::Mcp
        && let Some(method) = text(Field::McpMethod)
    {
        return mcp(&method);
    }
    if let Some(kind) = text(Field::Operation).and_then(|word| operation(&word)) {
        return kind;
    }
    if let Some(kind) = text(Field::RequestType).and_then(|word| request_type(&word, span)) {
        return kind;
    }
    if let Some(kind) = text(Field::TraceloopKind).and_then(|word| traceloop(&word)) {
        return kind;
    }
    if let Some(operation) = text(Field::AiOperation) {
        return vercel(&operation, facts);
    }
    if let Some(kind) = haystack(span, facts) {
        return kind;
    }
    if let Some(kind) = text(Field::LangtraceType).and_then(|word| langtrace(&word)) {
        return kind;
    }
    if dialect == Dialect::ClaudeCode {
        return claude_code(
            text(Field::ClaudeType).as_deref().unwrap_or_else(|| span.name.trim_start_matches("claude_code.")),
        );
    }
    if let Some(method) = text(Field::McpMethod) {
        return mcp(&method);
    }
    by_name_or_residue(span, facts, dialect)
}

fn http_or_other(facts: &Facts<'_, '_>) -> Kind {
    if facts.has(Field::HttpMethod) { Kind::Http } else { Kind::Other }
}

/// `span` says nothing: it is whatever else the span states, else a chain.
fn langfuse(word: &str) -> Option<Kind> {
    Some(match word {
        "generation" => Kind::Chat,
        "embedding" => Kind::Embedding,
        "agent" => Kind::Agent,
        "tool" => Kind::Tool,
        "chain" => Kind::Chain,
        "retriever" => Kind::Retrieval,
        "guardrail" => Kind::Guardrail,
        "evaluator" => Kind::Evaluator,
        "event" => Kind::Other,
        _ => return None,
    })
}

fn mlflow(word: &str, facts: &Facts<'_, '_>) -> Option<Kind> {
    Some(match word {
        "LLM" if sends_messages(facts) => Kind::Chat,
        "LLM" => Kind::Completion,
        "CHAT_MODEL" => Kind::Chat,
        "EMBEDDING" => Kind::Embedding,
        "TOOL" => Kind::Tool,
        "RETRIEVER" => Kind::Retrieval,
        "RERANKER" => Kind::Rerank,
        "AGENT" => Kind::Agent,
        "CHAIN" | "TASK" | "PARSER" | "MEMORY" => Kind::Chain,
        "WORKFLOW" => Kind::Workflow,
        "GUARDRAIL" => Kind::Guardrail,
        "EVALUATOR" => Kind::Evaluator,
        _ => return None,
    })
}

fn sends_messages(facts: &Facts<'_, '_>) -> bool {
    let input = || facts.attribute("mlflow.spanInputs").and_then(|value| Scalar::Any(value).json());
    facts.attribute("mlflow.message.format").is_some()
        || input().is_some_and(|input| json::members(&input).any(|(name, _)| name == "messages"))
}

fn open_inference(word: &str, span: &SpanInput<'_, '_>, facts: &Facts<'_, '_>) -> Option<Kind> {
    Some(match word.to_ascii_uppercase().as_str() {
        // LlamaIndex: one step on the way to the call, under the call's kind.
        "LLM" if span.name.contains("._prepare_") => Kind::Chain,
        "LLM" if facts.has(Field::LegacyPrompts) => Kind::Completion,
        "LLM" => Kind::Chat,
        "EMBEDDING" => Kind::Embedding,
        "RETRIEVER" => Kind::Retrieval,
        "RERANKER" => Kind::Rerank,
        "TOOL" => Kind::Tool,
        "AGENT" => Kind::Agent,
        "CHAIN" if span.is_root => Kind::Workflow,
        "CHAIN" => Kind::Chain,
        "GUARDRAIL" => Kind::Guardrail,
        "EVALUATOR" => Kind::Evaluator,
        "PROMPT" => Kind::Prompt,
        _ => return None,
    })
}

fn langsmith(word: &str) -> Option<Kind> {
    Some(match word {
        "llm" => Kind::Chat,
        "chain" | "parser" => Kind::Chain,
        "tool" => Kind::Tool,
        "retriever" => Kind::Retrieval,
        "embedding" => Kind::Embedding,
        "prompt" => Kind::Prompt,
        _ => return None,
    })
}

/// `gen_ai.operation.name`: the registry's words and those seen beside them.
fn operation(word: &str) -> Option<Kind> {
    Some(match word {
        "chat" | "generate_content" | "generate" | "llm" | "llm_call" => Kind::Chat,
        "text_completion" | "completion" => Kind::Completion,
        "embeddings" | "embedding" | "embed" => Kind::Embedding,
        "retrieval" | "vector_db_retrieve" | "search_memory" => Kind::Retrieval,
        "rerank" => Kind::Rerank,
        "invoke_agent" | "agent_call" => Kind::Agent,
        "invoke_workflow" | "framework" | "invoke_swarm" | "invoke_graph" => Kind::Workflow,
        "execute_tool" => Kind::Tool,
        "plan" | "chain" | "execute_task" | "invoke_task" | "agent_step" | "execute_event_loop_cycle" => Kind::Chain,
        "fetch_response"
        | "create_agent"
        | "create_memory_store"
        | "create_memory"
        | "update_memory"
        | "upsert_memory"
        | "delete_memory"
        | "delete_memory_store"
        | "image"
        | "audio"
        | "speech_to_text"
        | "text_to_speech"
        | "vectordb"
        // Gemini CLI's. A log record stands for each tool, run or refused, and names no call by which the two were one.
        | "tool_call" => Kind::Other,
        _ => return None,
    })
}

/// OpenLLMetry up to 0.5 and LiteLLM. The former calls Anthropic's messages a `completion` in a span `anthropic.chat`.
fn request_type(word: &str, span: &SpanInput<'_, '_>) -> Option<Kind> {
    Some(match word {
        "chat" => Kind::Chat,
        "completion" if span.name.ends_with(".chat") => Kind::Chat,
        "completion" => Kind::Completion,
        "embedding" => Kind::Embedding,
        "rerank" => Kind::Rerank,
        _ => return None,
    })
}

fn traceloop(word: &str) -> Option<Kind> {
    Some(match word {
        "workflow" => Kind::Workflow,
        "task" => Kind::Chain,
        "agent" => Kind::Agent,
        "tool" => Kind::Tool,
        _ => return None,
    })
}

/// The outer operations of the AI SDK repeat what their provider calls say.
fn vercel(operation: &str, facts: &Facts<'_, '_>) -> Kind {
    match operation.rsplit('.').next().unwrap_or_default() {
        "doGenerate" | "doStream" => Kind::Chat,
        "doEmbed" => Kind::Embedding,
        "doRerank" => Kind::Rerank,
        "toolCall" => Kind::Tool,
        _ if facts.has(Field::AiToolCalls) => Kind::Agent,
        _ => Kind::Chain,
    }
}

fn haystack(span: &SpanInput<'_, '_>, facts: &Facts<'_, '_>) -> Option<Kind> {
    match span.name {
        "haystack.pipeline.run" => return Some(Kind::Workflow),
        "haystack.agent.run" => return Some(Kind::Agent),
        "haystack.agent.step" => return Some(Kind::Chain),
        "haystack.agent.step.llm" | "haystack.chat_generator.run" => return Some(Kind::Chat),
        "haystack.agent.step.tool" => return Some(Kind::Tool),
        "haystack.agent.hook" if facts.has(Field::HumanDecision) => return Some(Kind::Human),
        _ => {}
    }
    let component = facts.text(Field::HaystackType)?;
    const ENDINGS: &[(&str, Kind)] = &[
        ("Generator", Kind::Chat),
        ("Retriever", Kind::Retrieval),
        ("Ranker", Kind::Rerank),
        ("Embedder", Kind::Embedding),
        ("Agent", Kind::Agent),
        ("ToolInvoker", Kind::Tool),
        ("PromptBuilder", Kind::Prompt),
        ("Evaluator", Kind::Evaluator),
    ];
    Some(ENDINGS.iter().find(|(ending, _)| component.ends_with(ending)).map_or(Kind::Chain, |(_, kind)| *kind))
}

fn langtrace(word: &str) -> Option<Kind> {
    Some(match word {
        "llm" => Kind::Chat,
        "vectordb" => Kind::Retrieval,
        "framework" => Kind::Chain,
        _ => return None,
    })
}

fn claude_code(word: &str) -> Kind {
    match word {
        "interaction" => Kind::Agent,
        "llm_request" => Kind::Chat,
        "tool" => Kind::Tool,
        "tool.blocked_on_user" => Kind::Human,
        "hook" => Kind::Guardrail,
        // Among them `tool.execution`, which is part of a tool.
        _ => Kind::Other,
    }
}

fn spring(word: &str, facts: &Facts<'_, '_>) -> Option<Kind> {
    Some(match word {
        "chat_client" => Kind::Chain,
        "advisor" if facts.text(Field::SpringAdvisor).is_some_and(|name| name.contains("SafeGuard")) => Kind::Guardrail,
        "advisor" => Kind::Chain,
        "tool_call" => Kind::Tool,
        "vector_store" => Kind::Retrieval,
        _ => return None,
    })
}

fn mcp(method: &str) -> Kind {
    match method {
        "tools/call" => Kind::Tool,
        "prompts/get" => Kind::Prompt,
        "elicitation/create" => Kind::Human,
        _ => Kind::Mcp,
    }
}

fn database(facts: &Facts<'_, '_>) -> Kind {
    const VECTOR: &[&str] = &["pinecone", "chroma", "qdrant", "weaviate", "milvus", "lancedb", "marqo", "pgvector"];
    const SEARCH: &[&str] = &["query", "search", "retrieve", "get"];
    let contains = |field, words: &[&str]| {
        let text = facts.text(field).unwrap_or_default();
        let starts_with = |part: &[u8], word: &str| {
            part[0].to_ascii_lowercase() == word.as_bytes()[0] && part.eq_ignore_ascii_case(word.as_bytes())
        };
        let holds = |word: &&str| text.as_bytes().windows(word.len()).any(|part| starts_with(part, word));
        words.iter().any(holds)
    };
    if contains(Field::DbSystem, VECTOR) && contains(Field::DbOperation, SEARCH) {
        Kind::Retrieval
    } else {
        Kind::Other
    }
}

/// Span names of frameworks that state no kind, and spans that carry a model and what it used.
fn by_name_or_residue(span: &SpanInput<'_, '_>, facts: &Facts<'_, '_>, dialect: Dialect) -> Kind {
    match span.name {
        name if name.starts_with("execute_guardrail") => return Kind::Guardrail,
        "text.completions" => return Kind::Completion,
        "call_llm" => return Kind::Chat,
        "AutoFunctionInvocationLoop" | "executor.process" => return Kind::Chain,
        "invocation" | "workflow.run" => return Kind::Workflow,
        "agent run" => return Kind::Agent,
        "running tools" => return Kind::Chain,
        name if name.starts_with("running tool") => return Kind::Tool,
        _ => {}
    }
    if dialect == Dialect::Logfire {
        return logfire(facts);
    }
    if facts.has(Field::DbSystem) {
        return database(facts);
    }
    let model = [Field::RequestModel, Field::ResponseModel, Field::EitherModel].iter().any(|field| facts.has(*field));
    let talks =
        [Field::Input, Field::Output, Field::Messages, Field::FinishReasons].iter().any(|field| facts.has(*field));
    match dialect {
        _ if model && talks => Kind::Chat,
        Dialect::Langfuse | Dialect::LangSmith | Dialect::Mlflow | Dialect::Langtrace => Kind::Chain,
        _ => Kind::Other,
    }
}

/// `logfire.instrument_openai` before it wrote `gen_ai.*`: the request body is all there is.
fn logfire(facts: &Facts<'_, '_>) -> Kind {
    let Some(request) = facts.get(Field::LogfireRequest).and_then(|found| found.value.json()) else {
        return Kind::Other;
    };
    let names: Vec<_> = json::members(&request).map(|(name, _)| name).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    match () {
        () if has("messages") || has("instructions") || has("previous_response_id") => Kind::Chat,
        () if has("prompt") => Kind::Completion,
        () if has("input") && has("model") => Kind::Embedding,
        () => Kind::Other,
    }
}
