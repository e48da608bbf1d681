//! Providers by the names that the OpenTelemetry registry gives them.

use std::borrow::Cow;

use tracewell_model::kind::Dialect;

/// Frameworks that put their own name where the provider's belongs.
const FRAMEWORKS: &[&str] = &[
    "langchain",
    "langgraph",
    "litellm",
    "strands-agents",
    "microsoft.agent_framework",
    "gcp.vertex.agent",
    "crewai",
    "pydantic_ai",
    "pydantic-ai",
    "llamaindex",
    "llama_index",
    "haystack",
    "openai_agents",
    "autogen",
    "dspy",
    "semantic_kernel",
    "spring_ai",
];

/// Other names of a provider: earlier versions of the registry, OpenInference's, LangChain's and the AI SDK's.
const ALIASES: &[(&str, &str)] = &[
    ("gemini", "gcp.gemini"),
    ("google.generative-ai", "gcp.gemini"),
    ("google_genai", "gcp.gemini"),
    ("google-gla", "gcp.gemini"),
    ("vertex_ai", "gcp.vertex_ai"),
    ("vertexai", "gcp.vertex_ai"),
    ("google", "gcp.vertex_ai"),
    ("google.vertex", "gcp.vertex_ai"),
    ("google_vertexai", "gcp.vertex_ai"),
    ("google-vertex", "gcp.vertex_ai"),
    ("az.ai.inference", "azure.ai.inference"),
    ("az.ai.openai", "azure.ai.openai"),
    ("azure", "azure.ai.openai"),
    ("azure-openai", "azure.ai.openai"),
    ("azure_openai", "azure.ai.openai"),
    ("mistralai", "mistral_ai"),
    ("mistral", "mistral_ai"),
    ("xai", "x_ai"),
    ("bedrock", "aws.bedrock"),
    ("aws", "aws.bedrock"),
    ("moonshot", "moonshot_ai"),
    ("watsonx", "ibm.watsonx.ai"),
];

/// Whether `name` is a framework's.
pub(crate) fn is_framework(name: &str) -> bool {
    FRAMEWORKS.iter().any(|framework| name.eq_ignore_ascii_case(framework))
}

/// The canonical name of the provider that a span of `dialect` calls `name`.
pub(crate) fn canonical<'a>(name: Cow<'a, str>, dialect: Dialect) -> Cow<'a, str> {
    // The AI SDK names the API as well: `openai.chat`, `google.generative-ai`, `anthropic.messages`.
    let known = |name: &str| ALIASES.iter().find(|(alias, _)| name.eq_ignore_ascii_case(alias)).map(|(_, name)| *name);
    if dialect == Dialect::VercelAi
        && let Some((vendor, api)) = name.split_once('.')
        && !matches!(vendor, "aws" | "gcp" | "ibm")
        && !matches!((vendor, api), ("azure", "ai.openai" | "ai.inference"))
    {
        let vendor_and_api =
            known(&name).or_else(|| (vendor == "google" && api.starts_with("vertex")).then_some("gcp.vertex_ai"));
        return vendor_and_api.map_or_else(|| canonical(Cow::Owned(vendor.to_owned()), Dialect::Plain), Cow::Borrowed);
    }
    if let Some(canonical) = known(&name) {
        return Cow::Borrowed(canonical);
    }
    if name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("amazon")) {
        return Cow::Borrowed("aws.bedrock");
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(name.to_ascii_lowercase()) } else { name }
}

/// Whether the provider, else the model by its name, is Anthropic or serves its models with its counts.
pub(crate) fn counts_like_anthropic(provider: Option<&str>, model: Option<&str>) -> bool {
    provider.is_some_and(|provider| matches!(provider, "anthropic" | "aws.bedrock"))
        || model.is_some_and(|model| model.contains("claude") || model.contains("anthropic"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_has_one_name() {
        for (name, dialect, expected) in [
            ("openai", Dialect::OtelGenAi, "openai"),
            ("Anthropic", Dialect::OpenLlmetry, "anthropic"),
            ("gemini", Dialect::OtelGenAi, "gcp.gemini"),
            ("az.ai.openai", Dialect::OtelGenAi, "azure.ai.openai"),
            ("azure.ai.openai", Dialect::OtelGenAi, "azure.ai.openai"),
            ("vertexai", Dialect::OpenInference, "gcp.vertex_ai"),
            ("mistralai", Dialect::OpenInference, "mistral_ai"),
            ("amazon-bedrock", Dialect::VercelAi, "aws.bedrock"),
            ("openai.chat", Dialect::VercelAi, "openai"),
            ("anthropic.messages", Dialect::VercelAi, "anthropic"),
            ("google.generative-ai", Dialect::VercelAi, "gcp.gemini"),
            ("google.vertex.chat", Dialect::VercelAi, "gcp.vertex_ai"),
            ("aws.bedrock", Dialect::VercelAi, "aws.bedrock"),
            ("huggingface", Dialect::OtelGenAi, "huggingface"),
        ] {
            assert_eq!(canonical(Cow::Borrowed(name), dialect), expected, "{name}");
        }
    }
}
