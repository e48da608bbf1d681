//! The closed vocabularies that the tables hold as text.

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the stored text says it")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text stored in the tables.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value stored as `text`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

vocabulary! {
    /// What a span stands for (`spans.kind`).
    #[derive(Default)]
    Kind {
        Chat = "chat",
        Completion = "completion",
        Embedding = "embedding",
        Agent = "agent",
        Workflow = "workflow",
        Chain = "chain",
        Tool = "tool",
        Retrieval = "retrieval",
        Rerank = "rerank",
        Guardrail = "guardrail",
        Evaluator = "evaluator",
        Prompt = "prompt",
        Human = "human",
        Mcp = "mcp",
        Http = "http",
        #[default]
        Other = "other",
    }
}

impl Kind {
    /// Whether a span of this kind is one call of a model, and so may carry cost.
    #[must_use]
    pub const fn is_model_call(self) -> bool {
        matches!(self, Self::Chat | Self::Completion | Self::Embedding | Self::Rerank)
    }
}

vocabulary! {
    /// The vocabulary a span was written in (`spans.dialect`).
    #[derive(Default)]
    Dialect {
        AnthropicSdk = "anthropic-sdk",
        OpenInference = "openinference",
        OpenLlmetry = "openllmetry",
        OtelGenAi = "otel-genai",
        Langfuse = "langfuse",
        LangSmith = "langsmith",
        VercelAi = "vercel-ai",
        PydanticAi = "pydantic-ai",
        Logfire = "logfire",
        Mlflow = "mlflow",
        OpenLit = "openlit",
        Langtrace = "langtrace",
        LiteLlm = "litellm",
        Haystack = "haystack",
        SemanticKernel = "semantic-kernel",
        AgentFramework = "ms-agent-framework",
        GoogleAdk = "google-adk",
        Strands = "strands",
        ClaudeCode = "claude-code",
        Codex = "codex",
        GeminiCli = "gemini-cli",
        SpringAi = "spring-ai",
        Mcp = "mcp",
        /// A span with nothing of a language model in it: HTTP, database, the application's own.
        #[default]
        Plain = "plain",
    }
}

vocabulary! {
    /// How the reported input tokens relate to cached ones (`spans.input_semantics`).
    InputSemantics {
        /// As reported, the input count contains cache reads and writes.
        Inclusive = "inclusive",
        /// As reported, it does not; `input_tokens` holds the sum.
        Exclusive = "exclusive",
        /// Nothing tells; `input_tokens` holds what was reported.
        Unknown = "unknown",
    }
}

vocabulary! {
    /// The normalised class of an error (`spans.error_class`).
    ErrorClass {
        RateLimit = "rate_limit",
        Timeout = "timeout",
        Server = "server",
        Auth = "auth",
        BadRequest = "bad_request",
        ContentFilter = "content_filter",
        Cancelled = "cancelled",
        Tool = "tool",
        Parse = "parse",
        Other = "other",
    }
}

vocabulary! {
    /// How a content was cut out of its carrier, and so how the carrier is rebuilt (`*_refs.form`).
    Form {
        /// The whole value of the attribute `source`, as sent.
        Value = "value",
        /// One element of the JSON array in the value `source`; elements are joined by `,`.
        Array = "array",
        /// One element of the JSON array in the value `source`; elements are joined by `, `.
        ArraySpaced = "array_spaced",
        /// The attributes under the prefix `source`, as one flat JSON object of their key's rest to their value.
        Flat = "flat",
        /// An attribute or body of a span event or log record, named by `source`.
        Event = "event",
        /// A part cut out of the value `source`. The residual, which names the bare `source`, is the value without
        /// its parts; a part names `source@offset`: its bytes stood at that offset of the residual.
        Spliced = "spliced",
    }
}
