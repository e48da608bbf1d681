//! The dictionary: for each fact, where the dialects keep it, the preferred source first.
//!
//! How to read a source:
//! - `gen_ai.request.model` is an attribute;
//! - `output.value#usage.input_tokens` is a member of the JSON inside an attribute (a number counts elements);
//! - `usage*prompt_tokens` is that member of any object in [`USAGE_OBJECTS`], which hold a provider's own counts;
//! - `params*temperature` is that member of any object in [`PARAMETER_OBJECTS`];
//! - `~thread_id` is an entry of the user's metadata, whatever prefix the dialect gives those;
//! - `=model` is a bare word, believed only in the dialects that write bare words.
//!
//! The first source that holds something wins. A source that needs more than a look-up (a unit, a rule of one
//! dialect) is handled where the field is read.

pub(crate) mod facts;

/// Objects with token counts in a provider's or a framework's own words.
pub(crate) const USAGE_OBJECTS: &[&str] = &[
    "langfuse.observation.usage_details#",
    "mlflow.chat.tokenUsage#",
    "langsmith.metadata.usage_metadata#",
    "langsmith.usage_metadata#",
    "gen_ai.usage.raw#",
    "metadata.usage_object#",
    "output.value#usage.",
    "output.value#generations.0.0.message.kwargs.usage_metadata.",
    "mlflow.spanOutputs#usage.",
    "gen_ai.completion#usage.",
    "gen_ai.completion#generations.0.0.message.kwargs.usage_metadata.",
    "haystack.agent.step.llm.output#replies.0.meta.usage.",
    "haystack.component.output#replies.0.meta.usage.",
    "haystack.component.output#meta.0.usage.",
];

/// Objects with request parameters.
pub(crate) const PARAMETER_OBJECTS: &[&str] = &[
    "llm.invocation_parameters#",
    "embedding.invocation_parameters#",
    "langfuse.observation.model.parameters#",
    "langsmith.metadata.ls_invocation_params#",
    "gen_ai.prompt#",
    "request_data#",
];

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident: $($source:literal),+ $(,)?;)+) => {
        /// One fact that spans state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Field { $($(#[$doc])* $field),+ }

        impl Field {
            /// Every field with its sources, the preferred one first.
            pub(crate) const ALL: &'static [(Self, &'static [&'static str])] = &[$((Self::$field, &[$($source),+])),+];
        }
    };
}

fields! {
    // What kind of span it is.
    LangfuseType: "langfuse.observation.type";
    MlflowType: "mlflow.spanType";
    OpenInferenceKind: "openinference.span.kind";
    LangSmithKind: "langsmith.span.kind";
    Operation: "gen_ai.operation.name";
    RequestType: "llm.request.type";
    TraceloopKind: "traceloop.span.kind";
    AiOperation: "ai.operationId";
    HaystackType: "haystack.component.type";
    HumanDecision: "haystack.agent.hook.human_in_the_loop.strategy.decision";
    LangtraceType: "langtrace.service.type";
    ClaudeType: "=span.type";
    SpringKind: "spring.ai.kind";
    SpringAdvisor: "spring.ai.advisor.name";
    McpMethod: "mcp.method.name";
    DbSystem: "db.system.name", "db.system";
    DbOperation: "db.operation.name", "db.operation";
    HttpMethod: "http.request.method", "http.method", "http.route", "http.url";
    LogfireType: "logfire.span_type";
    LogfireRequest: "request_data";
    Messages: "gen_ai.input.messages", "mlflow.message.format", "mlflow.spanInputs";
    LegacyPrompts: "llm.prompts", "llm.prompts.0.prompt.text";
    AiToolCalls: "ai.response.toolCalls";

    // Who made the call, and with what.
    Provider: "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "mlflow.llm.provider",
        "ai.model.provider", "~ls_provider", "error.llm_provider", "litellm.provider.error.llm_provider",
        "decision.provider", "decision.system", "langtrace.service.name";
    Framework: "gen_ai.framework.name";
    RequestModel: "gen_ai.request.model", "llm.request.model_name", "ai.model.id", "~ls_model_name", "params*model",
        "=model", "reranker.model_name", "=model_name", "decision.request.model_name";
    ResponseModel: "gen_ai.response.model", "llm.response.model_name", "ai.response.model", "mlflow.llm.model",
        "decision.response.model_name",
        "output.value#model", "haystack.agent.step.llm.output#replies.0.meta.model",
        "haystack.component.output#replies.0.meta.model", "haystack.component.output#meta.0.model",
        "output.value#generations.0.0.message.kwargs.response_metadata.model_name",
        "gen_ai.completion#generations.0.0.message.kwargs.response_metadata.model_name", "gen_ai.completion#model",
        "mlflow.spanOutputs#model";
    /// The response's model where there is a response, else the one asked for.
    EitherModel: "llm.model_name", "embedding.model_name", "langfuse.observation.model.name", "decision.model_name";
    ResponseId: "gen_ai.response.id", "ai.response.id", "gen_ai.response_id", "=request_id", "output.value#id",
        "output.value#generations.0.0.message.kwargs.response_metadata.id", "mlflow.spanOutputs#id",
        "gen_ai.completion#id", "gen_ai.completion#generations.0.0.message.kwargs.response_metadata.id",
        "haystack.agent.step.llm.output#replies.0.meta.id", "haystack.component.output#replies.0.meta.id";
    /// With LiteLLM's prefix for the provider.
    LiteLlmModel: "litellm.provider.model";
    /// LiteLLM's own id of the call, which it reports as the response id where the provider has none.
    LocalCallId: "litellm.call_id";
    RequestId: "=request_id", "=prompt.id";
    ServiceTier: "openai.response.service_tier", "gen_ai.openai.response.service_tier", "gen_ai.response.service_tier",
        "anthropic.response.service_tier", "output.value#service_tier", "output.value#usage.service_tier",
        "output.value#generations.0.0.message.kwargs.response_metadata.service_tier", "gen_ai.completion#service_tier",
        "gen_ai.completion#generations.0.0.message.kwargs.response_metadata.service_tier",
        "metadata.usage_object#service_tier", "ai.response.providerMetadata#openai.serviceTier",
        "openai.request.service_tier", "gen_ai.openai.request.service_tier", "params*service_tier", "=service_tier";
    Service: "service.name", "gen_ai.application_name";
    ServiceVersion: "langfuse.version", "app.version", "service.version";
    Environment: "langfuse.environment", "deployment.environment.name", "deployment.environment", "gen_ai.environment";
    Release: "langfuse.release";
    Team: "litellm.team.id", "litellm.team.alias", "metadata.user_api_key_team_id", "metadata.user_api_key_team_alias",
        "metadata.user_api_key_org_id", "organization.id";
    Agent: "gen_ai.agent.name", "agent.name", "=agent_name", "graph.node.id", "~lc_agent_name", "ai.telemetry.functionId";
    AgentVersion: "gen_ai.agent.version";
    Entity: "traceloop.entity.name";
    EntityVersion: "traceloop.entity.version";
    Workflow: "gen_ai.workflow.name", "traceloop.workflow.name", "langfuse.trace.name", "workflow.name";
    WorkflowVersion: "gen_ai.workflow.version";
    RunName: "langsmith.trace.name", "haystack.component.name";
    Conversation: "gen_ai.conversation.id";
    /// Set by the application, where `Conversation` may be made up per run.
    Session: "session.id", "langfuse.session.id", "~session_id", "~conversation_id", "~thread_id", "~sessionId",
        "~conversationId", "~threadId", "spring.ai.chat.client.conversation.id", "gen_ai.thread.id",
        "gcp.vertex.agent.session_id", "conversation.id", "mlflow.trace.session", "~langfuse_session_id";
    /// Pydantic AI's id of one run of an agent: the conversation beside it was made up as well.
    AgentCall: "gen_ai.agent.call.id";
    User: "user.id", "enduser.id", "langfuse.user.id", "~user_id", "~userId", "gen_ai.user", "gen_ai.request.user",
        "llm.user", "litellm.end_user.id", "metadata.user_api_key_end_user_id", "mlflow.trace.user",
        "~langfuse_user_id";
    Account: "user.account_uuid", "user.account_id";

    // Which prompt.
    PromptName: "langfuse.observation.prompt.name", "gen_ai.prompt.name", "langfuse.prompt.name",
        "traceloop.prompt.key", "prompt.id", "mlflow.linkedPrompts#0.name",
        "ai.telemetry.metadata.langfusePrompt#name", "~prompt_name", "~lc_hub_repo", "~promptName", "~ls_prompt";
    PromptVersion: "langfuse.observation.prompt.version", "gen_ai.prompt.version", "traceloop.prompt.version",
        "llm.prompt_template.version", "mlflow.linkedPrompts#0.version", "langfuse.prompt.version",
        "ai.telemetry.metadata.langfusePrompt#version", "~lc_hub_commit_hash", "~prompt_version", "~promptVersion";
    PromptLabel: "~prompt_label", "traceloop.prompt.version_name", "~promptLabel";
    PromptTemplate: "llm.prompt_template.template", "traceloop.prompt.template";
    PromptVariables: "llm.prompt_template.variables", "traceloop.prompt.template_variables";
    /// The example of a dataset that is tried: the span is no traffic.
    Example: "tracewell.example.id";
    Tags: "langfuse.trace.tags", "tag.tags", "langfuse.tags", "langsmith.span.tags", "ai.telemetry.metadata.tags",
        "logfire.tags", "~langfuse_tags";

    // What was asked for.
    Temperature: "gen_ai.request.temperature", "ai.settings.temperature", "params*temperature", "=temperature",
        "~ls_temperature";
    TopP: "gen_ai.request.top_p", "ai.settings.topP", "params*top_p", "=top_p", "params*topP";
    MaxTokens: "gen_ai.request.max_tokens", "gen_ai.request.max_completion_tokens", "ai.settings.maxOutputTokens",
        "ai.settings.maxTokens", "params*max_tokens", "params*max_completion_tokens", "params*max_output_tokens",
        "=max_tokens", "=max_completion_tokens", "=max_output_tokens", "~ls_max_tokens";
    Seed: "gen_ai.request.seed", "gen_ai.openai.request.seed", "ai.settings.seed", "params*seed", "=seed";
    Streaming: "gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming", "litellm.request.streaming",
        "langsmith.request.streaming", "gen_ai.request.is_stream", "params*stream", "=stream",
        "spring.ai.chat.client.stream";
    TopK: "gen_ai.request.top_k", "gen_ai.retrieval.top_k", "llm.top_k", "ai.settings.topK", "params*top_k", "=top_k";
    Stop: "gen_ai.request.stop_sequences", "llm.chat.stop_sequences", "ai.settings.stopSequences",
        "params*stop_sequences", "params*stop", "=stop_sequences", "=stop";
    FrequencyPenalty: "gen_ai.request.frequency_penalty", "llm.frequency_penalty", "ai.settings.frequencyPenalty",
        "params*frequency_penalty", "=frequency_penalty";
    PresencePenalty: "gen_ai.request.presence_penalty", "llm.presence_penalty", "ai.settings.presencePenalty",
        "params*presence_penalty", "=presence_penalty";
    ResponseFormat: "gen_ai.request.structured_output_schema", "gen_ai.request.response_format",
        "params*response_format", "params*text.format", "ai.schema", "=response_format", "=text#format",
        "gen_ai.output.type", "gen_ai.openai.request.response_format", "ai.settings.output";
    ToolChoice: "gen_ai.request.tool_choice", "ai.prompt.toolChoice", "params*tool_choice", "=tool_choice";
    ReasoningEffort: "gen_ai.request.reasoning.level", "gen_ai.request.reasoning_effort", "params*reasoning_effort",
        "params*reasoning.effort", "=reasoning_effort", "=reasoning#effort", "=effort";
    ThinkingBudget: "anthropic.thinking.budget_tokens", "params*thinking.budget_tokens", "=thinking#budget_tokens";
    Choices: "gen_ai.request.choice.count", "gen_ai.request.n", "params*n", "=n";
    RequestTier: "openai.request.service_tier", "gen_ai.openai.request.service_tier", "params*service_tier",
        "=service_tier";
    Dimensions: "gen_ai.request.embedding_dimension", "gen_ai.request.dimensions", "params*dimensions",
        "gen_ai.request.embedding.dimensions";

    // What it used.
    Input: "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.inputTokens",
        "ai.usage.promptTokens", "ai.usage.tokens", "usage*prompt_tokens", "usage*input_tokens", "usage*input",
        "usage*promptTokens", "=input_tokens", "=input_token_count", "llm.usage.prompt_tokens",
        "decision.token_count.input", "gen_ai.aggregated_usage.input_tokens";
    Output: "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
        "ai.usage.outputTokens", "ai.usage.completionTokens", "usage*completion_tokens", "usage*output_tokens",
        "usage*output", "usage*completionTokens", "=output_tokens", "=output_token_count",
        "llm.usage.completion_tokens", "decision.token_count.output", "gen_ai.aggregated_usage.output_tokens";
    Total: "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens",
        "usage*total_tokens", "usage*total", "usage*totalTokens", "=total_token_count";
    CacheRead: "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cached_tokens", "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.details.cache_read_input_tokens", "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.input_tokens.cached", "llm.token_count.prompt_details.cache_read",
        "llm.token_count.prompt_details.cache_input", "ai.usage.cachedInputTokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.response.providerMetadata#anthropic.usage.cache_read_input_tokens",
        "ai.response.providerMetadata#anthropic.cacheReadInputTokens", "usage*prompt_tokens_details.cached_tokens",
        "usage*input_tokens_details.cached_tokens", "usage*input_token_details.cache_read",
        "usage*cache_read_input_tokens", "usage*input_cache_read", "usage*input_cached_tokens",
        "gen_ai.usage.input_token_details#cache_read", "=cache_read_tokens", "=cached_token_count",
        "=cached_content_token_count", "gen_ai.aggregated_usage.cache_read.input_tokens";
    CacheWrite: "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.details.cache_write_tokens", "gen_ai.usage.details.cache_creation_input_tokens",
        "gen_ai.usage.input_tokens.cache_write",
        "llm.token_count.prompt_details.cache_write", "ai.usage.inputTokenDetails.cacheWriteTokens",
        "ai.response.providerMetadata#anthropic.usage.cache_creation_input_tokens",
        "ai.response.providerMetadata#anthropic.cacheCreationInputTokens", "usage*input_token_details.cache_creation",
        "usage*cache_creation_input_tokens", "usage*input_cache_creation",
        "usage*prompt_tokens_details.cache_write_tokens", "usage*input_tokens_details.cache_write_tokens",
        "gen_ai.usage.input_token_details#cache_creation", "=cache_creation_tokens",
        "gen_ai.aggregated_usage.cache_creation.input_tokens";
    CacheWrite5m: "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
        "gen_ai.usage.details.ephemeral_5m_input_tokens", "usage*cache_creation.ephemeral_5m_input_tokens",
        "usage*prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens",
        "usage*input_cache_creation_5m",
        "ai.response.providerMetadata#anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
        "gen_ai.aggregated_usage.details.ephemeral_5m_input_tokens";
    CacheWrite1h: "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.details.ephemeral_1h_input_tokens", "usage*cache_creation.ephemeral_1h_input_tokens",
        "usage*prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
        "usage*input_cache_creation_1h", "usage*cache_creation_input_tokens_above_1hr",
        "ai.response.providerMetadata#anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.aggregated_usage.details.ephemeral_1h_input_tokens";
    Reasoning: "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens", "gen_ai.usage.output_tokens.reasoning", "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens",
        "ai.usage.outputTokenDetails.reasoningTokens", "usage*completion_tokens_details.reasoning_tokens",
        "usage*output_tokens_details.reasoning_tokens", "usage*output_token_details.reasoning",
        "usage*output_reasoning_tokens", "usage*output_reasoning", "gen_ai.usage.output_token_details#reasoning",
        "=reasoning_token_count", "=thoughts_token_count", "gen_ai.usage.experimental.reasoning_tokens",
        "gen_ai.aggregated_usage.details.reasoning_tokens";
    AudioInput: "gen_ai.usage.audio.input_tokens", "gen_ai.usage.audio_input_tokens",
        "llm.token_count.prompt_details.audio", "gen_ai.usage.details.input_audio_tokens",
        "usage*prompt_tokens_details.audio_tokens",
        "usage*input_token_details.audio", "usage*input_audio_tokens", "usage*input_audio",
        "gen_ai.usage.input_token_details#audio";
    AudioOutput: "gen_ai.usage.audio.output_tokens", "gen_ai.usage.audio_output_tokens",
        "llm.token_count.completion_details.audio", "gen_ai.usage.details.output_audio_tokens",
        "usage*completion_tokens_details.audio_tokens",
        "usage*output_token_details.audio", "usage*output_audio_tokens", "usage*output_audio",
        "gen_ai.usage.output_token_details#audio";
    ImageInput: "gen_ai.usage.image.input_tokens", "usage*prompt_tokens_details.image_tokens",
        "usage*input_token_details.image", "usage*input_image_tokens";
    /// Stated by the AI SDK from version 6 on, whose input counts include cached tokens with every provider.
    UncachedInput: "ai.usage.inputTokenDetails.noCacheTokens";
    /// The total in Codex, input beside the prompt in Gemini CLI.
    ToolTokens: "=tool_token_count";
    Cost: "llm.cost.total", "langfuse.observation.cost_details#total", "gen_ai.usage.cost", "gen_ai.cost.total_cost",
        "operation.cost", "mlflow.llm.cost#total_cost", "litellm.cost.total_cost", "=cost_usd", "usage*total_cost",
        "hidden_params#response_cost";

    // What came of it.
    FinishReasons: "gen_ai.response.finish_reasons", "llm.finish_reason", "ai.response.finishReason",
        "gen_ai.response.finish_reason", "anthropic.message.stop_reason", "gen_ai.response.stop_reason",
        "=stop_reason", "=finish_reasons", "gen_ai.finishReason", "llm.response.finish_reason", "llm.response.stop_reason",
        "~finish_reason", "haystack.agent.step.llm.output#replies.0.meta.finish_reason",
        "haystack.component.output#replies.0.meta.finish_reason", "haystack.component.output#meta.0.finish_reason",
        "output.value#stop_reason", "output.value#choices.0.finish_reason",
        "output.value#generations.0.0.generation_info.finish_reason", "gen_ai.completion#choices.0.finish_reason",
        "gen_ai.completion#generations.0.0.generation_info.finish_reason", "mlflow.spanOutputs#choices.0.finish_reason",
        "mlflow.spanOutputs#stop_reason", "output.value#status";
    TtftSeconds: "gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.inference.time_to_first_chunk";
    /// Seconds as a double (OpenLIT), milliseconds as an int (Strands).
    ServerTtft: "gen_ai.server.time_to_first_token";
    TtftMillis: "ai.response.msToFirstChunk", "ai.stream.msToFirstChunk", "=ttft_ms";
    CompletionStart: "langfuse.observation.completion_start_time";
    ErrorType: "error.type", "error.code";
    ErrorMessage: "error.message", "langfuse.observation.status_message", "=error", "haystack.tool.error";
    ErrorLevel: "langfuse.observation.level";
    HttpStatus: "http.response.status_code", "http.status_code", "=status_code", "error.code",
        "litellm.provider.error.code";
    Success: "=success", "gen_ai.tool.status";

    // Tools and retrieval.
    ToolName: "gen_ai.tool.name", "tool.name", "ai.toolCall.name", "haystack.tool.name",
        "spring.ai.tool.definition.name", "=tool_name", "=function_name";
    ToolCallId: "gen_ai.tool.call.id", "tool.id", "tool_call.id", "ai.toolCall.id", "=tool_use_id", "=call_id",
        "haystack.tool.call.id", "spring.ai.tool.call.id", "~tool_call_id";
    ToolType: "gen_ai.tool.type", "spring.ai.tool.type", "=tool_type";
    Query: "gen_ai.retrieval.query.text", "gen_ai.retrieval.query", "gen_ai.memory.query.text", "reranker.query",
        "input.value#query",
        "input.value", "db.vector.query.content", "db.query.text", "langfuse.observation.input#query",
        "langfuse.observation.input", "traceloop.entity.input#query", "traceloop.entity.input#kwargs.query",
        "mlflow.spanInputs#query", "mlflow.spanInputs", "haystack.component.input#query", "gen_ai.prompt#query";
}

impl Field {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// Whether it is a token count, which is reported as sent as well.
    pub(crate) fn is_count(self) -> bool {
        (Self::Input as usize..=Self::ToolTokens as usize).contains(&(self as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_names_a_source_twice() {
        for (field, sources) in Field::ALL {
            let distinct: std::collections::BTreeSet<_> = sources.iter().collect();
            assert_eq!(distinct.len(), sources.len(), "{field:?}");
        }
    }
}
