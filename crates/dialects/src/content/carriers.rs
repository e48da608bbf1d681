//! Which attributes and events carry contents, and in what order they are asked.

use std::sync::LazyLock;

use tracewell_model::kind::Kind;

use crate::keys::Table;

macro_rules! slots {
    ($($slot:ident = $key:literal),+ $(,)?) => {
        /// An attribute known to carry contents.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Slot { $($slot),+ }

        impl Slot {
            pub(crate) const ALL: &'static [(&'static str, Self)] = &[$(($key, Self::$slot)),+];
        }
    };
}

slots! {
    InputMessages = "gen_ai.input.messages",
    OutputMessages = "gen_ai.output.messages",
    SystemInstructions = "gen_ai.system_instructions",
    Prompt = "gen_ai.prompt",
    Completion = "gen_ai.completion",
    ToolDefinitions = "gen_ai.tool.definitions",
    RequestTools = "gen_ai.request.tools",
    AgentTools = "gen_ai.agent.tools",
    ToolArguments = "gen_ai.tool.call.arguments",
    ToolResult = "gen_ai.tool.call.result",
    ToolArgs = "gen_ai.tool.args",
    ToolInput = "gen_ai.tool.input",
    ToolOutput = "gen_ai.tool.output",
    RetrievalDocuments = "gen_ai.retrieval.documents",
    MemoryRecords = "gen_ai.memory.records",
    EmbeddingInputs = "gen_ai.request.embedding_inputs",
    WorkflowInput = "gen_ai.workflow.input",
    WorkflowOutput = "gen_ai.workflow.output",
    TaskInput = "gen_ai.task.input",
    TaskOutput = "gen_ai.task.output",
    InputValue = "input.value",
    OutputValue = "output.value",
    LlmPrompts = "llm.prompts",
    EntityInput = "traceloop.entity.input",
    EntityOutput = "traceloop.entity.output",
    LangfuseInput = "langfuse.observation.input",
    LangfuseOutput = "langfuse.observation.output",
    LangfuseTraceInput = "langfuse.trace.input",
    LangfuseTraceOutput = "langfuse.trace.output",
    AiPrompt = "ai.prompt",
    AiPromptMessages = "ai.prompt.messages",
    AiPromptTools = "ai.prompt.tools",
    AiText = "ai.response.text",
    AiReasoning = "ai.response.reasoning",
    AiToolCalls = "ai.response.toolCalls",
    AiObject = "ai.response.object",
    AiFiles = "ai.response.files",
    AiResultText = "ai.result.text",
    AiResultToolCalls = "ai.result.toolCalls",
    AiResultObject = "ai.result.object",
    AiToolArgs = "ai.toolCall.args",
    AiToolResult = "ai.toolCall.result",
    AiValue = "ai.value",
    AiValues = "ai.values",
    AiEmbedding = "ai.embedding",
    AiEmbeddings = "ai.embeddings",
    AllMessages = "pydantic_ai.all_messages",
    AllMessagesEvents = "all_messages_events",
    FinalResult = "final_result",
    ModelRequestParameters = "model_request_parameters",
    ToolArgumentsV2 = "tool_arguments",
    ToolResponseV2 = "tool_response",
    RequestData = "request_data",
    ResponseData = "response_data",
    MlflowInputs = "mlflow.spanInputs",
    MlflowOutputs = "mlflow.spanOutputs",
    MlflowTools = "mlflow.chat.tools",
    AdkRequest = "gcp.vertex.agent.llm_request",
    AdkResponse = "gcp.vertex.agent.llm_response",
    AdkToolArgs = "gcp.vertex.agent.tool_call_args",
    AdkToolResponse = "gcp.vertex.agent.tool_response",
    AdkData = "gcp.vertex.agent.data",
    HaystackPipelineInput = "haystack.pipeline.input_data",
    HaystackPipelineOutput = "haystack.pipeline.output_data",
    HaystackComponentInput = "haystack.component.input",
    HaystackComponentOutput = "haystack.component.output",
    HaystackAgentInput = "haystack.agent.input",
    HaystackAgentOutput = "haystack.agent.output",
    HaystackLlmInput = "haystack.agent.step.llm.input",
    HaystackLlmOutput = "haystack.agent.step.llm.output",
    HaystackToolInput = "haystack.agent.step.tool.input",
    HaystackToolOutput = "haystack.agent.step.tool.output",
    HaystackTools = "haystack.agent.tools",
    LangtraceInputs = "langchain.inputs",
    LangtraceOutputs = "langchain.outputs",
    SpringArguments = "spring.ai.tool.call.arguments",
    SpringResult = "spring.ai.tool.call.result",
    VectorDocuments = "db.vector.query.response.documents",
    DbResponse = "db.response",
    UserPrompt = "user_prompt",
    FunctionArgs = "function_args",
    // Claude Code with `ENABLE_BETA_TRACING_DETAILED`, as its page on monitoring lists them. `user_system_prompt` is no
    // call's: it comes once a session, without Claude Code's own instructions.
    NewContext = "new_context",
    ModelOutput = "response.model_output",
    ClaudeToolInput = "tool_input",
}

/// The slot of the attribute `key`.
pub(crate) fn slot(key: &str) -> Option<Slot> {
    static SLOTS: LazyLock<Table> = LazyLock::new(|| Table::new(Slot::ALL.iter().map(|(key, _)| *key)));
    SLOTS.find(key, |position| Slot::ALL[position].0).map(|position| Slot::ALL[usize::from(position)].1)
}

/// A list flattened into attributes: `prefix` + index + `.` + key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    InputMessages,
    OutputMessages,
    Prompt,
    Completion,
    Prompts,
    Choices,
    Tools,
    Functions,
    Documents,
    RerankInput,
    RerankOutput,
    Embeddings,
}

impl Family {
    pub(crate) const ALL: &'static [(Self, &'static str)] = &[
        (Self::InputMessages, "llm.input_messages."),
        (Self::OutputMessages, "llm.output_messages."),
        (Self::Prompt, "gen_ai.prompt."),
        (Self::Completion, "gen_ai.completion."),
        (Self::Prompts, "llm.prompts."),
        (Self::Choices, "llm.choices."),
        (Self::Tools, "llm.tools."),
        (Self::Functions, "llm.request.functions."),
        (Self::Documents, "retrieval.documents."),
        (Self::RerankInput, "reranker.input_documents."),
        (Self::RerankOutput, "reranker.output_documents."),
        (Self::Embeddings, "embedding.embeddings."),
    ];

    pub(crate) fn prefix(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The family of `key`, and the rest of the key.
    pub(crate) fn of(key: &str) -> Option<(Self, &str)> {
        let begins_like_it = |(_, prefix): &&(Self, &str)| prefix.as_bytes().first() == key.as_bytes().first();
        let rest = |(family, prefix): &(Self, &str)| Some((*family, key.strip_prefix(prefix)?));
        Self::ALL.iter().filter(begins_like_it).find_map(rest)
    }
}

/// Span events that carry contents: their names, and the attributes that hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Events {
    pub(crate) names: &'static [&'static str],
    pub(crate) keys: &'static [&'static str],
    /// Whether the attribute holds a list of messages; else one event is one message.
    pub(crate) lists: bool,
}

const DETAILS: &[&str] = &["gen_ai.client.inference.operation.details"];
const DETAILS_INPUT: Events = Events { names: DETAILS, keys: &["gen_ai.input.messages"], lists: true };
const DETAILS_OUTPUT: Events = Events { names: DETAILS, keys: &["gen_ai.output.messages"], lists: true };
const DETAILS_SYSTEM: Events = Events { names: DETAILS, keys: &["gen_ai.system_instructions"], lists: true };
const DETAILS_TOOLS: Events = Events { names: DETAILS, keys: &["gen_ai.tool.definitions"], lists: true };
/// The body of a message event, in the spellings of Strands, Azure and others.
const MESSAGE_KEYS: &[&str] = &["gen_ai.event.content", "content", "message", "tool_calls", "tool.result"];
const MESSAGES: Events = Events {
    names: &["gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message"],
    keys: MESSAGE_KEYS,
    lists: false,
};
const TOOL_MESSAGE: Events = Events { names: &["gen_ai.tool.message"], keys: MESSAGE_KEYS, lists: false };
const CHOICE: Events = Events { names: &["gen_ai.choice"], keys: MESSAGE_KEYS, lists: false };
const CONTENT_PROMPT: Events = Events { names: &["gen_ai.content.prompt"], keys: &["gen_ai.prompt"], lists: true };
const CONTENT_COMPLETION: Events =
    Events { names: &["gen_ai.content.completion"], keys: &["gen_ai.completion"], lists: true };
/// OpenLLMetry's, of all vector stores and of Milvus.
const QUERY_RESULT: Events = Events {
    names: &["db.query.result", "db.search.result"],
    keys: &["db.query.result.document", "db.search.result.entity"],
    lists: false,
};
const CLAUDE_TOOL_INPUT: Events = Events { names: &["tool.output"], keys: &["input"], lists: false };
const CLAUDE_TOOL_OUTPUT: Events = Events { names: &["tool.output"], keys: &["output", "content"], lists: false };

/// Every event above: what is not chosen is a copy, and stored as one.
pub(crate) const EVENTS: &[Events] = &[
    DETAILS_INPUT,
    DETAILS_OUTPUT,
    DETAILS_SYSTEM,
    DETAILS_TOOLS,
    MESSAGES,
    CHOICE,
    CONTENT_PROMPT,
    CONTENT_COMPLETION,
    QUERY_RESULT,
    CLAUDE_TOOL_INPUT,
    CLAUDE_TOOL_OUTPUT,
];

/// One step of an ordered list: the first that holds something is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// One attribute.
    Of(Slot),
    /// All of these attributes together.
    All(&'static [Slot]),
    /// A flattened list.
    Flat(Family),
    /// Span events.
    In(Events),
}

use Slot as S;
use Source::{All, Flat, In, Of};

/// What a carrier is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Messages,
    Documents,
    Whole,
}

/// Where a span of this kind keeps its input, in order, and how it is cut.
pub(crate) fn input(kind: Kind) -> (&'static [&'static [Source]], Cut) {
    match kind {
        Kind::Tool => (&[TOOL_ARGUMENTS], Cut::Whole),
        // The query is a column of its own.
        Kind::Retrieval => (&[], Cut::Whole),
        Kind::Rerank => (&[RERANK_INPUT], Cut::Documents),
        Kind::Chat | Kind::Completion | Kind::Embedding => (&[CALL_INPUT, INPUT], Cut::Messages),
        _ => (&[INPUT, FLAT_INPUT], Cut::Messages),
    }
}

/// Where a span of this kind keeps its output, in order, and how it is cut.
pub(crate) fn output(kind: Kind) -> (&'static [&'static [Source]], Cut) {
    match kind {
        Kind::Tool => (&[TOOL_RESULT], Cut::Whole),
        Kind::Retrieval => (&[DOCUMENTS, VALUE_DOCUMENTS], Cut::Documents),
        Kind::Rerank => (&[RERANK_OUTPUT, VALUE_DOCUMENTS], Cut::Documents),
        // Vectors: kept, but nobody's reading.
        Kind::Embedding => (&[], Cut::Whole),
        Kind::Chat | Kind::Completion => (&[CALL_OUTPUT, OUTPUT], Cut::Messages),
        _ => (&[OUTPUT, FLAT_OUTPUT], Cut::Messages),
    }
}

/// On a model call the messages come first, on others the value: frameworks flatten only part of their state.
const CALL_INPUT: &[Source] = &[
    Of(S::InputMessages),
    Flat(Family::InputMessages),
    Flat(Family::Prompt),
    Flat(Family::Embeddings),
    Of(S::EmbeddingInputs),
    Flat(Family::Prompts),
    Of(S::LlmPrompts),
];

const INPUT: &[Source] = &[
    Of(S::InputMessages),
    Of(S::AiPromptMessages),
    Of(S::AiPrompt),
    Of(S::AiValue),
    Of(S::AiValues),
    Of(S::LangfuseInput),
    In(DETAILS_INPUT),
    In(MESSAGES),
    In(CONTENT_PROMPT),
    Of(S::Prompt),
    Of(S::AllMessages),
    Of(S::AllMessagesEvents),
    Of(S::RequestData),
    Of(S::MlflowInputs),
    Of(S::AdkRequest),
    Of(S::AdkData),
    Of(S::HaystackLlmInput),
    Of(S::HaystackAgentInput),
    Of(S::HaystackComponentInput),
    Of(S::HaystackPipelineInput),
    Of(S::InputValue),
    Of(S::WorkflowInput),
    Of(S::TaskInput),
    Of(S::EntityInput),
    Of(S::LangfuseTraceInput),
    Of(S::LangtraceInputs),
    Of(S::UserPrompt),
    Of(S::NewContext),
];

const FLAT_INPUT: &[Source] = &[
    Flat(Family::InputMessages),
    Flat(Family::Prompt),
    Flat(Family::Embeddings),
    Flat(Family::Prompts),
    Of(S::LlmPrompts),
];

const CALL_OUTPUT: &[Source] =
    &[Of(S::OutputMessages), Flat(Family::OutputMessages), Flat(Family::Completion), Flat(Family::Choices)];

const OUTPUT: &[Source] = &[
    Of(S::OutputMessages),
    All(&[S::AiText, S::AiReasoning, S::AiToolCalls, S::AiObject, S::AiFiles]),
    All(&[S::AiResultText, S::AiResultToolCalls, S::AiResultObject]),
    Of(S::LangfuseOutput),
    In(DETAILS_OUTPUT),
    In(CHOICE),
    In(CONTENT_COMPLETION),
    Of(S::Completion),
    Of(S::FinalResult),
    Of(S::ResponseData),
    Of(S::MlflowOutputs),
    Of(S::AdkResponse),
    Of(S::HaystackLlmOutput),
    Of(S::HaystackAgentOutput),
    Of(S::HaystackComponentOutput),
    Of(S::HaystackPipelineOutput),
    Of(S::OutputValue),
    Of(S::WorkflowOutput),
    Of(S::TaskOutput),
    Of(S::EntityOutput),
    Of(S::LangfuseTraceOutput),
    Of(S::LangtraceOutputs),
    Of(S::ModelOutput),
];

const FLAT_OUTPUT: &[Source] = &[Flat(Family::OutputMessages), Flat(Family::Completion), Flat(Family::Choices)];

const TOOL_ARGUMENTS: &[Source] = &[
    Of(S::ToolArguments),
    Of(S::AiToolArgs),
    Of(S::ToolArgumentsV2),
    Of(S::ToolArgs),
    Of(S::ToolInput),
    Of(S::InputValue),
    Of(S::EntityInput),
    Of(S::LangfuseInput),
    Of(S::MlflowInputs),
    Of(S::AdkToolArgs),
    Of(S::HaystackToolInput),
    Of(S::HaystackComponentInput),
    Of(S::SpringArguments),
    In(TOOL_MESSAGE),
    In(CLAUDE_TOOL_INPUT),
    Of(S::ClaudeToolInput),
    Of(S::Prompt),
    Of(S::FunctionArgs),
    Of(S::InputMessages),
    In(DETAILS_INPUT),
];

const TOOL_RESULT: &[Source] = &[
    Of(S::ToolResult),
    Of(S::AiToolResult),
    Of(S::ToolResponseV2),
    Of(S::ToolOutput),
    Of(S::OutputValue),
    Of(S::EntityOutput),
    Of(S::LangfuseOutput),
    Of(S::MlflowOutputs),
    Of(S::AdkToolResponse),
    Of(S::HaystackToolOutput),
    Of(S::HaystackComponentOutput),
    Of(S::SpringResult),
    In(CHOICE),
    In(CLAUDE_TOOL_OUTPUT),
    Of(S::Completion),
    Of(S::OutputMessages),
    In(DETAILS_OUTPUT),
];

const RERANK_INPUT: &[Source] = &[Flat(Family::RerankInput), Of(S::HaystackComponentInput), Of(S::MlflowInputs)];

const RERANK_OUTPUT: &[Source] = &[Flat(Family::RerankOutput)];

const DOCUMENTS: &[Source] = &[Of(S::RetrievalDocuments), Of(S::MemoryRecords), Flat(Family::Documents)];

const VALUE_DOCUMENTS: &[Source] = &[
    Of(S::LangfuseOutput),
    Of(S::MlflowOutputs),
    Of(S::Completion),
    Of(S::HaystackComponentOutput),
    In(QUERY_RESULT),
    Of(S::VectorDocuments),
    Of(S::DbResponse),
    Of(S::OutputValue),
    Of(S::EntityOutput),
    Of(S::TaskOutput),
];

/// Where the system instructions are kept, unless they lead the messages.
pub(crate) const SYSTEM: &[Source] = &[Of(S::SystemInstructions), In(DETAILS_SYSTEM)];

/// Where the definitions of the tools offered are kept. Some carriers of messages hold them too.
pub(crate) const TOOLS: &[Source] = &[
    Of(S::ToolDefinitions),
    Flat(Family::Tools),
    Flat(Family::Functions),
    Of(S::AiPromptTools),
    Of(S::MlflowTools),
    Of(S::RequestTools),
    In(DETAILS_TOOLS),
    Of(S::AgentTools),
    Of(S::HaystackTools),
];
