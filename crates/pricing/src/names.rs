//! The same provider, model or tier under the different names that calls and catalogues have for it.

use std::borrow::Cow;
use std::fmt;

use chrono::NaiveDate;

/// Names of the service tier that list prices are for.
///
/// `auto` is what a request asks for; a provider that serves such a call at another tier says so in its response.
const STANDARD_TIERS: [&str; 7] = ["", "auto", "default", "on_demand", "ondemand", "standard", "standard_only"];

/// Whether `tier` is what list prices are for.
pub(crate) fn is_standard_tier(tier: &str) -> bool {
    STANDARD_TIERS.iter().any(|standard| tier.eq_ignore_ascii_case(standard))
}

/// Providers whose OpenTelemetry name is not their id in `genai-prices`. The rules there would find some of them, but
/// the one for OpenAI (`contains: openai`) would take Azure's, which has prices of its own.
const GENAI_IDS: &[(&str, &str)] = &[
    ("aws.bedrock", "aws"),
    ("azure.ai.inference", "azure"),
    ("azure.ai.openai", "azure"),
    ("fireworks_ai", "fireworks"),
    ("gcp.gemini", "google"),
    ("gcp.gen_ai", "google"),
    ("gcp.vertex_ai", "google"),
    ("mistral_ai", "mistral"),
    ("moonshot_ai", "moonshotai"),
    ("together_ai", "together"),
    ("x_ai", "x-ai"),
];

/// The name by which a catalogue's own rules for providers know the provider that calls name `provider`.
pub(crate) fn genai_provider(provider: &str) -> &str {
    GENAI_IDS.iter().find(|(name, _)| *name == provider).map_or(provider, |(_, id)| *id)
}

/// LiteLLM's names of providers whose OpenTelemetry name is another; those that end with `*` stand for all that begin
/// so.
const LITELLM_PROVIDERS: &[(&str, &str)] = &[
    ("azure", "azure.ai.openai"),
    ("azure_ai", "azure.ai.inference"),
    ("azure_text", "azure.ai.openai"),
    ("bedrock*", "aws.bedrock"),
    ("chatgpt", "openai"),
    ("codestral", "mistral_ai"),
    ("cohere_chat", "cohere"),
    ("fireworks_ai*", "fireworks_ai"),
    ("gemini", "gcp.gemini"),
    ("meta_llama", "meta"),
    ("mistral", "mistral_ai"),
    ("moonshot", "moonshot_ai"),
    ("text-completion-codestral", "mistral_ai"),
    ("text-completion-openai", "openai"),
    ("vertex_ai*", "gcp.vertex_ai"),
    ("watsonx", "ibm.watsonx.ai"),
    ("xai", "x_ai"),
];

/// The name that calls have for the provider that LiteLLM names `provider`.
pub(crate) fn of_litellm_provider(provider: &str) -> &str {
    LITELLM_PROVIDERS
        .iter()
        .find(|(name, _)| match name.strip_suffix('*') {
            Some(start) => provider.starts_with(start),
            None => *name == provider,
        })
        .map_or(provider, |(_, canonical)| *canonical)
}

/// How the name of a model was read for a rule to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As it stands.
    AsSent,
    /// With its date written as `2025-12-11`.
    DateSpelledOut,
    /// Without the name of its provider or the kind of resource before it.
    WithoutPrefix,
    /// Without its date: the rule is that of the model's undated name.
    WithoutDate,
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsSent => "as sent",
            Self::DateSpelledOut => "date spelled out",
            Self::WithoutPrefix => "without prefix",
            Self::WithoutDate => "without date",
        })
    }
}

/// The readings of a model's name, in the order they are tried; all in lower case.
pub(crate) fn readings(model: &str, provider: Option<&str>) -> Vec<(Reading, String)> {
    let model = model.trim().to_lowercase();
    let mut readings = vec![(Reading::AsSent, model.clone())];
    let mut add = |reading, name: Cow<'_, str>| {
        if !readings.iter().any(|(_, known)| *known == name) {
            readings.push((reading, name.into_owned()));
        }
    };
    add(Reading::DateSpelledOut, spelled_out(&model));
    let bare = without_prefix(&model, provider);
    add(Reading::WithoutPrefix, Cow::Borrowed(bare));
    add(Reading::WithoutPrefix, spelled_out(bare));
    add(Reading::WithoutDate, Cow::Borrowed(without_date(bare)));
    readings
}

/// Whether a name before a slash, which may be LiteLLM's, is that of the provider with this id.
fn is_provider(prefix: &str, id: &str) -> bool {
    [prefix, of_litellm_provider(prefix)].into_iter().any(|name| genai_provider(name) == id)
}

/// Resource prefixes of Google's APIs and of gateways, and the provider's own name before a slash.
fn without_prefix<'a>(model: &'a str, provider: Option<&str>) -> &'a str {
    let model = model.strip_prefix("models/").unwrap_or(model);
    if let Some((_, name)) = model.rsplit_once("/models/") {
        return name;
    }
    match (model.split_once('/'), provider) {
        (Some((prefix, name)), Some(provider)) if is_provider(prefix, genai_provider(provider)) => name,
        _ => model,
    }
}

/// Rewrites dates like `-20251211` to `-2025-12-11`, where they are dates and end there.
fn spelled_out(model: &str) -> Cow<'_, str> {
    let mut name = Cow::Borrowed(model);
    let mut from = 0;
    while let Some(at) = name[from..].find("-20").map(|at| at + from) {
        from = at + 1;
        let Some(digits) = name.get(at + 1..at + 9) else { break };
        let ends = name[at + 9..].chars().next().is_none_or(|next| matches!(next, '-' | ':'));
        if ends && let Some(date) = compact_date(digits) {
            let spelled = format!("{}-{date}{}", &name[..at], &name[at + 9..]);
            name = Cow::Owned(spelled);
        }
    }
    name
}

fn compact_date(digits: &str) -> Option<NaiveDate> {
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| NaiveDate::parse_from_str(digits, "%Y%m%d").ok()).flatten()
}

/// Cuts a date at the end: `-2025-12-11`, `-20251211` or `@20251211`.
fn without_date(model: &str) -> &str {
    let cut = |length: usize| {
        let at = model.len().checked_sub(length)?;
        Some((model.get(..at)?, model.get(at..)?))
    };
    if let Some((name, end)) = cut(11)
        && end.starts_with('-')
        && NaiveDate::parse_from_str(&end[1..], "%Y-%m-%d").is_ok()
    {
        return name;
    }
    match cut(9) {
        Some((name, end)) if end.starts_with(['-', '@']) && compact_date(&end[1..]).is_some() => name,
        _ => model,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(model: &str, provider: Option<&str>) -> Vec<String> {
        readings(model, provider).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn a_name_is_tried_as_sent_before_anything_is_taken_from_it() {
        assert_eq!(names("GPT-5", None), ["gpt-5"]);
        assert_eq!(names("gpt-5.2-20251211", None), ["gpt-5.2-20251211", "gpt-5.2-2025-12-11", "gpt-5.2"]);
        assert_eq!(names("claude-sonnet-4@20250514", None), ["claude-sonnet-4@20250514", "claude-sonnet-4"]);
        assert_eq!(names("models/gemini-2.5-pro", None), ["models/gemini-2.5-pro", "gemini-2.5-pro"]);
        assert_eq!(
            names("projects/p/locations/eu/publishers/google/models/gemini-2.5-pro", Some("gcp.vertex_ai"))[1],
            "gemini-2.5-pro"
        );
    }

    #[test]
    fn only_the_providers_own_name_is_cut() {
        assert_eq!(names("openai/gpt-5", Some("openai")), ["openai/gpt-5", "gpt-5"]);
        assert_eq!(names("openai/gpt-5", Some("anthropic")), ["openai/gpt-5"]);
        assert_eq!(names("openai/gpt-5", None), ["openai/gpt-5"]);
        assert_eq!(names("x-ai/grok-4", Some("x_ai")), ["x-ai/grok-4", "grok-4"]);
        assert_eq!(names("bedrock/nova", Some("aws.bedrock")), ["bedrock/nova", "nova"]);
    }

    #[test]
    fn what_is_no_date_is_left() {
        assert_eq!(names("model-20250230", None), ["model-20250230"]);
        assert_eq!(names("model-202512110", None), ["model-202512110"]);
        assert_eq!(names("gpt-4-0613", None), ["gpt-4-0613"]);
        assert_eq!(
            names("a-20251211-20240229", None),
            ["a-20251211-20240229", "a-2025-12-11-2024-02-29", "a-20251211"]
        );
        assert_eq!(names("größe-20251211:free", None), ["größe-20251211:free", "größe-2025-12-11:free"]);
        assert_eq!(names("-20é", None), ["-20é"]);
    }

    #[test]
    fn litellms_providers_have_the_names_that_calls_have() {
        for (litellm, canonical) in [
            ("vertex_ai-anthropic_models", "gcp.vertex_ai"),
            ("bedrock_converse", "aws.bedrock"),
            ("azure", "azure.ai.openai"),
            ("gemini", "gcp.gemini"),
            ("openai", "openai"),
        ] {
            assert_eq!(of_litellm_provider(litellm), canonical);
        }
    }
}
