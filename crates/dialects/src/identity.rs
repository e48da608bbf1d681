//! Who and what a span belongs to: provider, models, application, user, agent, prompt, tool.

use std::borrow::Cow;

use tracewell_model::kind::{Dialect, Kind};

use crate::errors;
use crate::fields::Field;
use crate::fields::facts::Facts;
use crate::input::SpanInput;
use crate::json;
use crate::normalized::Normalized;
use crate::providers;
use crate::value::Scalar;

/// What any span may state, a service's own included.
pub(crate) fn context<'a>(facts: &Facts<'_, 'a>, team_keys: &[String], out: &mut Normalized<'a>) {
    out.service = facts.text(Field::Service);
    out.service_version = facts.text(Field::ServiceVersion);
    out.environment = facts.text(Field::Environment);
    out.release = facts.text(Field::Release);
    let metadata = |key: &String| out.metadata.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
    out.team = facts.text(Field::Team).or_else(|| team_keys.iter().find_map(metadata));
    // Pydantic AI makes up a conversation per run, so there what the application set comes first.
    let generated = out.dialect == Dialect::PydanticAi || facts.has(Field::AgentCall);
    let order = if generated { [Field::Session, Field::Conversation] } else { [Field::Conversation, Field::Session] };
    out.conversation_id = facts.first(&order);
    // The `user.id` of Claude Code is an installation.
    let user =
        if out.dialect == Dialect::ClaudeCode { [Field::Account, Field::User] } else { [Field::User, Field::Account] };
    out.user_id = facts.first(&user);
    out.request_id = facts.text(Field::RequestId);
}

/// Provider, framework, models and the response's id.
pub(crate) fn call<'a>(span: &SpanInput<'_, 'a>, facts: &Facts<'_, 'a>, out: &mut Normalized<'a>) {
    out.operation = facts.text(Field::Operation).or(Some(Cow::Borrowed(out.kind.as_str())));
    let of_model = || Some(Cow::Owned(facts.text(Field::LiteLlmModel)?.split_once('/')?.0.to_owned()));
    let provider = facts.text(Field::Provider).or_else(of_model);
    out.provider = provider.map(|name| providers::canonical(name, out.dialect));
    out.framework = facts
        .text(Field::Framework)
        .map(|name| Cow::Owned(name.to_ascii_lowercase()))
        .or_else(|| framework(span.scope_name, out.dialect).map(Cow::Borrowed));
    out.service_tier = facts.text(Field::ServiceTier);
    models(span, facts, out);
    let local = facts.text(Field::LocalCallId);
    let made_up = |id: &str| out.dialect == Dialect::LiteLlm && (local.as_deref() == Some(id) || is_local_id(id));
    out.response_id = facts.text(Field::ResponseId).filter(|id| !made_up(id));
}

/// LiteLLM answers in OpenAI's form for every provider, with a UUID where OpenAI has letters and digits.
fn is_local_id(id: &str) -> bool {
    let uuid = id.strip_prefix("chatcmpl-").unwrap_or_default();
    uuid.len() == 36 && uuid.bytes().enumerate().all(|(at, byte)| (byte == b'-') == matches!(at, 8 | 13 | 18 | 23))
}

/// The instrumentations of OpenInference that write the model asked for as `llm.model_name`, in Python and JavaScript.
const NAMES_OF_REQUESTS: &[&str] = &[
    "agno",
    "autogen_agentchat",
    "bedrock",
    "beeai",
    "cohere",
    "crewai",
    "dspy",
    "google_adk",
    "instructor",
    "litellm",
    "llama_index",
    "pipecat",
    "smolagents",
    "vertexai",
];

/// `llm.model_name` of OpenInference and the model of Langfuse are the response's where there was one, else the
/// request's.
fn models<'a>(span: &SpanInput<'_, 'a>, facts: &Facts<'_, 'a>, out: &mut Normalized<'a>) {
    let asked = facts.get(Field::RequestModel).filter(|found| !is_of_response(found.source, facts));
    out.request_model = asked.map(|found| found.value.text());
    out.response_model = facts.text(Field::ResponseModel);
    let Some(either) = facts.text(Field::EitherModel) else { return };
    let counted = facts.has(Field::Input) || facts.has(Field::Output);
    let libraries = ["openinference.instrumentation.", "@arizeai/openinference-instrumentation-"];
    let library = libraries.iter().find_map(|prefix| span.scope_name.strip_prefix(*prefix));
    // Spans of CrewAI's events come from a module below.
    let library = library.and_then(|library| library.split('.').next());
    let of_request = library.is_some_and(|library| NAMES_OF_REQUESTS.contains(&library))
        || out.kind == Kind::Embedding && span.scope_name.starts_with("@arizeai/");
    let answered = match &out.request_model {
        // What was asked for is known, so this is the other.
        Some(asked) if *asked != either => true,
        asked => !of_request && (counted || asked.is_none()),
    };
    if answered && !errors::failed(span, facts) {
        out.response_model.get_or_insert(either);
    } else {
        out.request_model.get_or_insert(either);
    }
}

/// OpenAI Agents under OpenInference: what is called the request's parameters is the response.
fn is_of_response(source: &str, facts: &Facts<'_, '_>) -> bool {
    let parameters = || facts.attribute("llm.invocation_parameters").and_then(|value| Scalar::Any(value).json());
    source == "llm.invocation_parameters.model"
        && parameters().is_some_and(|parameters| json::members(&parameters).any(|(name, _)| name == "created_at"))
}

/// The framework that an instrumentation's scope names, or that a dialect is.
fn framework(scope: &str, dialect: Dialect) -> Option<&'static str> {
    const SCOPES: &[(&str, &str)] = &[
        ("langchain", "langchain"),
        ("llama_index", "llamaindex"),
        ("llamaindex", "llamaindex"),
        ("crewai", "crewai"),
        ("smolagents", "smolagents"),
        ("dspy", "dspy"),
        ("openai_agents", "openai_agents"),
        ("haystack", "haystack"),
        ("autogen", "autogen"),
        ("agno", "agno"),
    ];
    Some(match dialect {
        Dialect::PydanticAi => "pydantic_ai",
        Dialect::AgentFramework => "microsoft.agent_framework",
        Dialect::SemanticKernel => "semantic_kernel",
        Dialect::GoogleAdk => "google_adk",
        Dialect::Strands => "strands-agents",
        Dialect::Haystack => "haystack",
        Dialect::SpringAi => "spring_ai",
        Dialect::VercelAi => "vercel_ai",
        Dialect::LiteLlm => "litellm",
        _ => return SCOPES.iter().find(|(part, _)| scope.contains(part)).map(|(_, framework)| *framework),
    })
}

/// Agent, workflow, prompt, tool and retrieval.
pub(crate) fn work<'a>(span: &SpanInput<'_, 'a>, facts: &Facts<'_, 'a>, out: &mut Normalized<'a>) {
    let entity = |kind| facts.text(Field::Entity).filter(|_| out.kind == kind);
    out.agent_name = facts.text(Field::Agent).or_else(|| entity(Kind::Agent));
    let runs = matches!(out.kind, Kind::Workflow | Kind::Agent | Kind::Chain);
    // Since 0.1.0 of the conventions the agent of such a span is the workflow; the calls below have another, or none.
    let is_workflow = facts.text(Field::Operation).as_deref() == Some("invoke_workflow");
    out.workflow_name = facts
        .text(Field::Workflow)
        .or_else(|| if is_workflow { out.agent_name.take() } else { None })
        .or_else(|| facts.text(Field::RunName).filter(|_| span.is_root && runs))
        .or_else(|| {
            (span.is_root && out.kind == Kind::Workflow && !span.name.is_empty()).then_some(Cow::Borrowed(span.name))
        });
    let versioned = matches!(out.kind, Kind::Workflow | Kind::Agent);
    out.workflow_version = facts
        .text(Field::WorkflowVersion)
        .or_else(|| facts.first(&[Field::EntityVersion, Field::AgentVersion]).filter(|_| versioned));
    if matches!(out.kind, Kind::Tool | Kind::Human) {
        out.tool_name =
            facts.text(Field::ToolName).or_else(|| entity(Kind::Tool)).or_else(|| tool_of_name(span.name, out.kind));
        out.tool_call_id = facts.text(Field::ToolCallId);
        let over_mcp = facts.has(Field::McpMethod).then_some(Cow::Borrowed("mcp"));
        out.tool_type = facts.text(Field::ToolType).or(over_mcp);
    }
    if matches!(out.kind, Kind::Retrieval | Kind::Rerank) {
        out.retrieval_query = facts.get(Field::Query).map(|found| query(&found.value, found.source));
    }
}

/// A query as sent; MLflow alone encodes a text once more.
fn query<'a>(value: &Scalar<'a>, source: &str) -> Cow<'a, str> {
    if source.starts_with("mlflow.") { value.text() } else { value.verbatim() }
}

/// The name of a tool's span without the words around the tool.
fn tool_of_name(name: &str, kind: Kind) -> Option<Cow<'_, str>> {
    if kind != Kind::Tool || name.is_empty() {
        return None;
    }
    let tool = ["execute_tool ", "tools/call ", "running tool: "].iter().find_map(|label| name.split(label).nth(1));
    let tool = tool.or_else(|| [".tool", ".run"].iter().find_map(|suffix| name.strip_suffix(suffix)));
    Some(Cow::Borrowed(tool.unwrap_or(name)))
}

/// Prompt, tags and variables.
pub(crate) fn prompt<'a>(span: &SpanInput<'_, 'a>, facts: &Facts<'_, 'a>, out: &mut Normalized<'a>) {
    // What Gemini CLI calls so is the id of one question (`loggingContentGenerator.ts`).
    out.prompt_name = facts.text(Field::PromptName).filter(|_| span.scope_name != "gemini-cli");
    out.prompt_version = facts.text(Field::PromptVersion);
    out.prompt_label = facts.text(Field::PromptLabel);
    out.prompt_template = facts.get(Field::PromptTemplate).map(|found| found.value.verbatim());
    if let Some(variables) = facts.get(Field::PromptVariables).and_then(|found| found.value.json()) {
        match variables {
            Cow::Borrowed(text) => {
                out.prompt_variables
                    .extend(json::members(text).map(|(name, raw)| (name, Scalar::Json(Cow::Borrowed(raw)).verbatim())));
            }
            Cow::Owned(text) => out.prompt_variables.extend(json::members(&text).map(|(name, raw)| {
                let value = Scalar::Json(Cow::Borrowed(raw)).verbatim();
                (Cow::Owned(name.into_owned()), Cow::Owned(value.into_owned()))
            })),
        }
    }
    if let Some(tags) = facts.get(Field::Tags) {
        out.tags = match (tags.source, tags.value.text()) {
            // LangSmith joins them.
            ("langsmith.span.tags", Cow::Borrowed(text)) => text.split(", ").map(Cow::Borrowed).collect(),
            _ => tags.value.list(),
        };
        out.tags.retain(|tag| !tag.is_empty());
    }
}
