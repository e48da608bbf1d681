//! Which vocabulary a span was written in: by the name of its instrumentation scope, else by fingerprint.
//!
//! The decision is per span, for one trace mixes dialects. It rules the structure (kind, messages); what it leaves
//! open is filled from whatever other vocabulary the span carries.

use tracewell_model::kind::Dialect;

use crate::input::SpanInput;
use crate::value::Scalar;

/// Attributes that betray a dialect, the most specific first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Langfuse,
    Mlflow,
    OpenInference,
    Traceloop,
    LangSmith,
    VercelAi,
    Langtrace,
    Haystack,
    GoogleAdk,
    SpringAi,
    GenAiOperation,
    GenAiProvider,
    Mcp,
    /// `llm.*` that OpenInference writes.
    OpenInferenceResidue,
    /// Any other `llm.*`.
    LlmResidue,
    GenAiResidue,
}

/// The marks in the order of their weight, and the dialect each stands for.
const MARKS: &[(Mark, Dialect)] = &[
    (Mark::Langfuse, Dialect::Langfuse),
    (Mark::Mlflow, Dialect::Mlflow),
    (Mark::OpenInference, Dialect::OpenInference),
    (Mark::Traceloop, Dialect::OpenLlmetry),
    (Mark::LangSmith, Dialect::LangSmith),
    (Mark::VercelAi, Dialect::VercelAi),
    (Mark::Langtrace, Dialect::Langtrace),
    (Mark::Haystack, Dialect::Haystack),
    (Mark::GoogleAdk, Dialect::GoogleAdk),
    (Mark::SpringAi, Dialect::SpringAi),
    (Mark::GenAiOperation, Dialect::OtelGenAi),
    (Mark::GenAiProvider, Dialect::OtelGenAi),
    (Mark::Mcp, Dialect::Mcp),
    (Mark::OpenInferenceResidue, Dialect::OpenInference),
    (Mark::LlmResidue, Dialect::OpenLlmetry),
    (Mark::GenAiResidue, Dialect::OtelGenAi),
];

impl Mark {
    /// The mark that `key` sets.
    pub(crate) fn of(key: &str) -> Option<Self> {
        Some(match key {
            "langfuse.observation.type" => Self::Langfuse,
            "mlflow.spanType" => Self::Mlflow,
            "openinference.span.kind" => Self::OpenInference,
            "traceloop.span.kind" | "llm.request.type" => Self::Traceloop,
            "langsmith.span.kind" => Self::LangSmith,
            "ai.operationId" => Self::VercelAi,
            "gen_ai.operation.name" => Self::GenAiOperation,
            "gen_ai.system" | "gen_ai.provider.name" => Self::GenAiProvider,
            "mcp.method.name" => Self::Mcp,
            _ if key.starts_with("traceloop.entity.") => Self::Traceloop,
            _ if key.starts_with("langtrace.") => Self::Langtrace,
            _ if key.starts_with("haystack.") => Self::Haystack,
            _ if key.starts_with("gcp.vertex.agent.") => Self::GoogleAdk,
            _ if key.starts_with("spring.ai.") => Self::SpringAi,
            _ if key.starts_with("gen_ai.") => Self::GenAiResidue,
            _ if key.starts_with("llm.") => {
                const WRITTEN: &[&str] = &[
                    "token_count.",
                    "input_messages.",
                    "output_messages.",
                    "tools.",
                    "invocation_parameters",
                    "model_name",
                ];
                let rest = &key["llm.".len()..];
                if WRITTEN.iter().any(|start| rest.starts_with(start)) {
                    Self::OpenInferenceResidue
                } else {
                    Self::LlmResidue
                }
            }
            _ => return None,
        })
    }
}

/// The marks a span carries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks(u32);

impl Marks {
    /// Adds one.
    pub(crate) fn set(&mut self, mark: Option<Mark>) {
        self.0 |= mark.map_or(0, |mark| 1 << mark as u32);
    }

    fn has(self, mark: Mark) -> bool {
        self.0 & 1 << mark as u32 != 0
    }

    fn heaviest(self) -> Option<Dialect> {
        MARKS.iter().find(|(mark, _)| self.has(*mark)).map(|(_, dialect)| *dialect)
    }
}

/// Scopes by the start of their name; where one is the start of another, the longer stands first.
const SCOPES: &[(&str, Dialect)] = &[
    ("com.anthropic.sdk.", Dialect::AnthropicSdk),
    // What the API itself says of a request, in the words of the SDK.
    ("com.anthropic.claude-platform", Dialect::AnthropicSdk),
    ("com.anthropic.claude_code", Dialect::ClaudeCode),
    ("openinference.instrumentation.", Dialect::OpenInference),
    ("@arizeai/openinference-", Dialect::OpenInference),
    ("opentelemetry.instrumentation.genai.", Dialect::OtelGenAi),
    ("opentelemetry.instrumentation.openai_v2", Dialect::OtelGenAi),
    ("opentelemetry.instrumentation.google_genai", Dialect::OtelGenAi),
    ("opentelemetry.util.genai.", Dialect::OtelGenAi),
    ("traceloop.", Dialect::OpenLlmetry),
    ("@traceloop/", Dialect::OpenLlmetry),
    ("langfuse-sdk", Dialect::Langfuse),
    ("langsmith", Dialect::LangSmith),
    ("pydantic-ai", Dialect::PydanticAi),
    ("logfire", Dialect::Logfire),
    ("mlflow", Dialect::Mlflow),
    ("openlit", Dialect::OpenLit),
    ("langtrace_python_sdk", Dialect::Langtrace),
    ("litellm", Dialect::LiteLlm),
    ("haystack", Dialect::Haystack),
    ("semantic_kernel", Dialect::SemanticKernel),
    ("Microsoft.SemanticKernel", Dialect::SemanticKernel),
    ("agent_framework", Dialect::AgentFramework),
    ("gcp.vertex.agent", Dialect::GoogleAdk),
    ("strands.telemetry", Dialect::Strands),
];

/// What OpenLLMetry instruments, as `opentelemetry.instrumentation.<library>`; others with such names are plain.
const TRACELOOP_LIBRARIES: &[&str] = &[
    "agno",
    "alephalpha",
    "anthropic",
    "bedrock",
    "chromadb",
    "cohere",
    "crewai",
    "google_generativeai",
    "groq",
    "haystack",
    "lancedb",
    "langchain",
    "llamaindex",
    "marqo",
    "mcp",
    "milvus",
    "mistralai",
    "ollama",
    "openai",
    "openai_agents",
    "pinecone",
    "qdrant",
    "replicate",
    "sagemaker",
    "together",
    "transformers",
    "vertexai",
    "voyageai",
    "watsonx",
    "weaviate",
    "writer",
];

/// The dialect that a scope's name settles.
fn of_scope(name: &str, version: &str) -> Option<Dialect> {
    // `ai` (up to version 6) and `gen_ai` (version 7) are whole names.
    if matches!(name, "ai" | "gen_ai") {
        return Some(Dialect::VercelAi);
    }
    if !matches!(
        name.as_bytes().first()?,
        b'@' | b'M' | b'a' | b'c' | b'g' | b'h' | b'l' | b'm' | b'o' | b'p' | b's' | b't'
    ) {
        return None;
    }
    if let Some((_, dialect)) = SCOPES.iter().find(|(prefix, _)| name.starts_with(prefix)) {
        return Some(*dialect);
    }
    let library = name.strip_prefix("opentelemetry.instrumentation.")?;
    let library = library.strip_suffix(".v1").or_else(|| library.strip_suffix(".v0")).unwrap_or(library);
    let theirs = TRACELOOP_LIBRARIES.contains(&library) && (version.is_empty() || version.starts_with("0."));
    theirs.then_some(Dialect::OpenLlmetry)
}

/// The dialect of `span`, whose attributes carry `marks`.
pub(crate) fn dialect(span: &SpanInput<'_, '_>, marks: Marks) -> Dialect {
    if let Some(dialect) = of_scope(span.scope_name, span.scope_version) {
        return dialect;
    }
    if span.name.starts_with("claude_code.") {
        return Dialect::ClaudeCode;
    }
    match marks.heaviest() {
        Some(Dialect::OtelGenAi) => generic(span),
        Some(dialect) => dialect,
        None => Dialect::Plain,
    }
}

/// Tells apart the emitters that write the standard names under a scope of the application's choice.
fn generic(span: &SpanInput<'_, '_>) -> Dialect {
    if span.scope_name == "org.springframework.boot" {
        return Dialect::SpringAi;
    }
    let says = |key: &str, word: &str| {
        let stated = span.attributes.iter().chain(span.resource).find(|attribute| attribute.key == key);
        stated.is_some_and(|attribute| Scalar::Any(attribute.value).text() == word)
    };
    const PROVIDERS: &[(&str, Dialect)] = &[
        ("strands-agents", Dialect::Strands),
        ("microsoft.agent_framework", Dialect::AgentFramework),
        ("gcp.vertex.agent", Dialect::GoogleAdk),
    ];
    if says("telemetry.sdk.name", "openlit") {
        return Dialect::OpenLit;
    }
    let provider = |word| says("gen_ai.system", word) || says("gen_ai.provider.name", word);
    PROVIDERS.iter().find(|(word, _)| provider(word)).map_or(Dialect::OtelGenAi, |(_, dialect)| *dialect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_listed_in_their_order() {
        for (position, (mark, _)) in MARKS.iter().enumerate() {
            assert_eq!(*mark as usize, position, "{mark:?}");
        }
    }

    #[test]
    fn scopes_name_their_dialect() {
        for (name, version, dialect) in [
            ("com.anthropic.sdk.python", "2.11.0", Some(Dialect::AnthropicSdk)),
            ("com.anthropic.claude-platform", "", Some(Dialect::AnthropicSdk)),
            ("openinference.instrumentation.openai", "0.1.66", Some(Dialect::OpenInference)),
            ("@arizeai/openinference-instrumentation-openai", "4.2.7", Some(Dialect::OpenInference)),
            ("opentelemetry.instrumentation.openai.v1", "0.62.4", Some(Dialect::OpenLlmetry)),
            ("opentelemetry.instrumentation.openai_v2", "2.1b0", Some(Dialect::OtelGenAi)),
            ("opentelemetry.instrumentation.google_genai", "1.3b0", Some(Dialect::OtelGenAi)),
            ("opentelemetry.instrumentation.anthropic", "0.62.4", Some(Dialect::OpenLlmetry)),
            ("opentelemetry.instrumentation.anthropic", "1.0.0", None),
            ("opentelemetry.instrumentation.requests", "0.50b0", None),
            ("@traceloop/instrumentation-openai", "0.27.0", Some(Dialect::OpenLlmetry)),
            ("ai", "", Some(Dialect::VercelAi)),
            ("gen_ai", "", Some(Dialect::VercelAi)),
            ("ai-gateway", "", None),
            ("logfire.openai", "5.2.0", Some(Dialect::Logfire)),
            ("my.service", "", None),
            ("", "", None),
        ] {
            assert_eq!(of_scope(name, version), dialect, "{name}");
        }
    }

    #[test]
    fn the_most_specific_mark_wins() {
        let dialect = |keys: &[&str]| {
            let mut marks = Marks::default();
            keys.iter().for_each(|key| marks.set(Mark::of(key)));
            marks.heaviest()
        };
        assert_eq!(dialect(&["gen_ai.operation.name", "langsmith.span.kind"]), Some(Dialect::LangSmith));
        assert_eq!(dialect(&["gen_ai.system", "traceloop.entity.name"]), Some(Dialect::OpenLlmetry));
        assert_eq!(dialect(&["mcp.method.name", "gen_ai.tool.name"]), Some(Dialect::Mcp));
        assert_eq!(dialect(&["llm.token_count.prompt"]), Some(Dialect::OpenInference));
        assert_eq!(dialect(&["llm.openai.model"]), Some(Dialect::OpenLlmetry));
        // Copied onto every span of a request, HTTP calls included.
        assert_eq!(dialect(&["traceloop.association.properties.user_id", "session.id"]), None);
    }
}
