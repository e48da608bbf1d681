//! Token counts and reported cost.
//!
//! OpenTelemetry and OpenAI count cached tokens inside the input and reasoning inside the output; Anthropic's own
//! counts leave the cache out, Gemini's leave reasoning out. Each dialect passes on one or the other. Here every
//! input is made to include the cache and every output the reasoning; what contradicts itself is flagged and kept.

use std::borrow::Cow;

use tracewell_model::kind::{Dialect, InputSemantics, Kind};

use crate::cost;
use crate::fields::Field;
use crate::fields::facts::Facts;
use crate::input::SpanInput;
use crate::json;
use crate::normalized::{Normalized, Usage};
use crate::providers::counts_like_anthropic;
use crate::value::Scalar;

/// A part is larger than its whole.
const PARTS_EXCEED_WHOLE: &str = "parts_exceed_whole";
/// The total is the sum of neither reading.
const TOTAL_MISMATCH: &str = "total_mismatch";
/// The input leaves the cache out, and nothing says how much that was.
const CACHE_NOT_REPORTED: &str = "cache_not_reported";
/// The emitter added the reasoning to an output that contained it; it is taken off again.
const REASONING_COUNTED_TWICE: &str = "reasoning_counted_twice";
/// A model call said to have used nothing at all.
const ZERO_USAGE: &str = "zero_usage";
/// A count below zero, left out.
const NEGATIVE_COUNT: &str = "negative_count";
/// A count of more than a model ever read or wrote, left out: one such would hide every other in a sum.
const IMPLAUSIBLE_COUNT: &str = "implausible_count";
/// Something that is no whole number, left out.
const NOT_A_COUNT: &str = "not_a_count";

/// Where ADK 1 states the thoughts of Gemini (`test_spans.py` of google/adk-python: 50 candidates and 10 thoughts are
/// an output of 50).
const ADK_REASONING: &str = "gen_ai.usage.experimental.reasoning_tokens";

/// Beyond this a count is not believed.
const MOST_TOKENS: i64 = 1_000_000_000_000;

/// The count that `value` states, or why it states none.
fn believed(value: &Scalar<'_>) -> Result<i64, &'static str> {
    match value.int() {
        Some(..0) => Err(NEGATIVE_COUNT),
        Some(count @ ..=MOST_TOKENS) => Ok(count),
        Some(_) => Err(IMPLAUSIBLE_COUNT),
        // Beyond 64 bits it is no whole number, though still a number.
        None if value.float().is_some_and(|number| number > MOST_TOKENS as f64) => Err(IMPLAUSIBLE_COUNT),
        None => Err(NOT_A_COUNT),
    }
}

/// Fills the counts and the reported cost of `out`, whose kind, provider and models are known.
pub(crate) fn fill<'a>(span: &SpanInput<'_, 'a>, facts: &Facts<'_, 'a>, out: &mut Normalized<'a>) {
    let mut reported = Reported::read(facts, out);
    reported.forget_zeros(out);
    let semantics = reported.semantics(span, facts, out);
    let mut usage = reported.usage;
    if semantics == InputSemantics::Exclusive {
        usage.input_tokens = usage.input_tokens.map(|input| input.saturating_add(reported.cached()));
        let unknown = usage.cache_read_tokens.is_none() && usage.cache_write_tokens.is_none();
        if usage.input_tokens.is_some() && unknown && reported.siblings.input == 0 {
            flag(out, CACHE_NOT_REPORTED);
        }
    }
    if reported.siblings.added {
        usage.input_tokens = reported.usage.input_tokens.map(|input| input.saturating_add(reported.siblings.input));
        usage.output_tokens =
            reported.usage.output_tokens.map(|output| output.saturating_add(reported.siblings.output));
    }
    if let (Some(output), Some(reasoning)) = (usage.output_tokens, usage.reasoning_tokens) {
        // As long as ADK called it experimental, the output was the candidates alone.
        let apart = facts.get(Field::Reasoning).is_some_and(|found| found.source == ADK_REASONING);
        let left_out = match out.dialect {
            Dialect::GeminiCli => true,
            Dialect::GoogleAdk => apart && is_native_gemini(out),
            _ => false,
        };
        if left_out {
            usage.output_tokens = Some(output.saturating_add(reasoning));
        } else if out.dialect == Dialect::GoogleAdk
            && !apart
            && reasoning > 0
            && reasoning <= output
            && !is_native_gemini(out)
        {
            usage.output_tokens = Some(output - reasoning);
            flag(out, REASONING_COUNTED_TWICE);
        }
    }
    if out.dialect == Dialect::GeminiCli {
        // What tools put into the prompt is counted beside it.
        let of_tools = facts.get(Field::ToolTokens).and_then(|found| believed(&found.value).ok()).unwrap_or(0);
        usage.input_tokens = usage.input_tokens.map(|input| input.saturating_add(of_tools));
    }
    check(&usage, &reported, out);
    out.input_semantics = usage.input_tokens.map(|_| semantics);
    out.usage = usage;
    out.reported_cost_usd = cost::reported(facts);
}

/// The counts as reported.
#[derive(Debug)]
struct Reported {
    usage: Usage,
    total: Option<i64>,
    siblings: Siblings,
}

impl Reported {
    fn read(facts: &Facts<'_, '_>, out: &mut Normalized<'_>) -> Self {
        let codex = out.dialect == Dialect::Codex;
        let mut count = |field| believed(&facts.get(field)?.value).map_err(|why| flag(out, why)).ok();
        let usage = Usage {
            input_tokens: count(Field::Input),
            output_tokens: count(Field::Output),
            cache_read_tokens: count(Field::CacheRead),
            cache_write_tokens: count(Field::CacheWrite),
            cache_write_5m_tokens: count(Field::CacheWrite5m),
            cache_write_1h_tokens: count(Field::CacheWrite1h),
            reasoning_tokens: count(Field::Reasoning),
            audio_input_tokens: count(Field::AudioInput),
            audio_output_tokens: count(Field::AudioOutput),
            image_input_tokens: count(Field::ImageInput),
        };
        // Codex fills the count of tools with the total.
        let of_codex = count(Field::ToolTokens).filter(|_| codex);
        let total = count(Field::Total).or(of_codex);
        let mut reported = Self { usage, total, siblings: Siblings::default() };
        reported.siblings = Siblings::read(facts, &reported, out);
        let split = [usage.cache_write_5m_tokens, usage.cache_write_1h_tokens];
        if usage.cache_write_tokens.is_none() && split.iter().any(Option::is_some) {
            reported.usage.cache_write_tokens = Some(sum(&split));
        }
        reported
    }

    /// Where emitters write zero for what they do not know, zero is no fact.
    fn forget_zeros(&mut self, out: &mut Normalized<'_>) {
        let unknown = match out.dialect {
            Dialect::OpenLit => true,
            Dialect::Strands => out.kind == Kind::Agent,
            Dialect::OpenLlmetry => out.kind == Kind::Embedding,
            _ => false,
        };
        let usage = &mut self.usage;
        if unknown {
            for part in [&mut usage.cache_read_tokens, &mut usage.cache_write_tokens, &mut usage.reasoning_tokens] {
                *part = part.filter(|count| *count != 0);
            }
        }
        if out.kind.is_model_call() && usage.input_tokens == Some(0) && usage.output_tokens.unwrap_or(0) == 0 {
            *usage = Usage::default();
            flag(out, ZERO_USAGE);
        }
    }

    fn cached(&self) -> i64 {
        sum(&[self.usage.cache_read_tokens, self.usage.cache_write_tokens])
    }

    /// How the input relates to the cache: by the dialect, unless the numbers themselves say otherwise.
    fn semantics(&self, span: &SpanInput<'_, '_>, facts: &Facts<'_, '_>, out: &Normalized<'_>) -> InputSemantics {
        if self.siblings.added {
            return InputSemantics::Exclusive;
        }
        let model = out.response_model.as_deref().or(out.request_model.as_deref());
        let like_anthropic = counts_like_anthropic(out.provider.as_deref(), model);
        let stated = stated(span, facts, out, like_anthropic);
        let cached = self.cached();
        let all = sum(&[self.usage.input_tokens, self.usage.output_tokens, Some(cached)]);
        let total_adds_cache = cached > 0 && self.total == Some(all);
        // More read from the cache than there was input: the input cannot contain it.
        let too_much =
            cached > self.usage.input_tokens.unwrap_or(0) && (like_anthropic || stated == InputSemantics::Unknown);
        if total_adds_cache || too_much { InputSemantics::Exclusive } else { stated }
    }
}

/// Which reading the dialect promises.
fn stated(
    span: &SpanInput<'_, '_>,
    facts: &Facts<'_, '_>,
    out: &Normalized<'_>,
    like_anthropic: bool,
) -> InputSemantics {
    use InputSemantics::{Exclusive, Inclusive, Unknown};

    let source = facts.get(Field::Input).map_or("", |found| found.source);
    let standard_scope = ["opentelemetry.instrumentation.", "opentelemetry.util.genai."]
        .iter()
        .any(|scope| span.scope_name.starts_with(scope));
    match out.dialect {
        Dialect::ClaudeCode => Exclusive,
        _ if !like_anthropic => Inclusive,
        // Anthropic's and Bedrock's counts, from here on.
        Dialect::OpenLit | Dialect::Langtrace | Dialect::Strands => Exclusive,
        Dialect::VercelAi if facts.has(Field::AiOperation) && !facts.has(Field::UncachedInput) => Exclusive,
        _ if is_provider_object(source) => Exclusive,
        Dialect::OtelGenAi if !standard_scope => Unknown,
        Dialect::SpringAi
        | Dialect::Haystack
        | Dialect::Mlflow
        | Dialect::SemanticKernel
        | Dialect::AgentFramework
        | Dialect::Langfuse
        | Dialect::Mcp
        | Dialect::Plain => Unknown,
        _ => Inclusive,
    }
}

/// Whether `source` is an object that holds the provider's own counts, under Anthropic's name for the input.
fn is_provider_object(source: &str) -> bool {
    const OBJECTS: &[&str] =
        &["output.value.usage.", "mlflow.spanOutputs.usage.", "gen_ai.completion.usage.", "gen_ai.usage.raw."];
    source.ends_with(".input_tokens") && OBJECTS.iter().any(|object| source.starts_with(object))
}

/// ADK asks Gemini by its name, and every other model through LiteLLM, as `openai/gpt-4.1-mini`. Its log records name
/// the provider alone.
fn is_native_gemini(out: &Normalized<'_>) -> bool {
    let Some(model) = out.request_model.as_deref().filter(|model| !model.is_empty()) else {
        return out.provider.as_deref().is_none_or(|provider| provider.starts_with("gcp"));
    };
    let through_litellm = model.split('/').count() == 2;
    !through_litellm && model.contains("gemini")
}

/// Langfuse's LangChain callback takes every part out of `input` and `output` and puts it beside them, as
/// `input_cache_read`, `output_reasoning` and so on.
#[derive(Clone, Copy, Debug, Default)]
struct Siblings {
    input: i64,
    output: i64,
    /// Whether they come on top of `input` and `output`.
    added: bool,
}

impl Siblings {
    fn read(facts: &Facts<'_, '_>, reported: &Reported, out: &mut Normalized<'_>) -> Self {
        let mut siblings = Self::default();
        let source = facts.get(Field::Input).or_else(|| facts.get(Field::Output)).map_or("", |found| found.source);
        let from_map =
            matches!(source, "langfuse.observation.usage_details.input" | "langfuse.observation.usage_details.output");
        let map = from_map.then(|| facts.attribute("langfuse.observation.usage_details")).flatten();
        let Some(map) = map.and_then(|value| Scalar::Any(value).json()) else { return siblings };
        let mut count = |raw| {
            believed(&Scalar::Json(Cow::Borrowed(raw))).unwrap_or_else(|why| {
                flag(out, why);
                0
            })
        };
        let splits_a_part = |key: &str| {
            let whole = key.strip_suffix("_5m").or_else(|| key.strip_suffix("_1h"));
            whole.is_some_and(|whole| json::members(&map).any(|(key, _)| key == whole))
        };
        for (key, raw) in json::members(&map).filter(|(key, _)| !splits_a_part(key)) {
            if key.starts_with("input_") {
                siblings.input = siblings.input.saturating_add(count(raw));
            } else if key.starts_with("output_") {
                siblings.output = siblings.output.saturating_add(count(raw));
            }
        }
        let named = sum(&[reported.usage.input_tokens, reported.usage.output_tokens]);
        siblings.added = (siblings.input > 0 || siblings.output > 0) && reported.total != Some(named);
        siblings
    }
}

/// Flags what cannot be.
fn check(usage: &Usage, reported: &Reported, out: &mut Normalized<'_>) {
    let exceeds = |parts: &[Option<i64>], whole: Option<i64>| whole.is_some_and(|whole| sum(parts) > whole);
    if exceeds(&[usage.cache_read_tokens, usage.cache_write_tokens], usage.input_tokens)
        || exceeds(&[usage.audio_input_tokens, usage.image_input_tokens], usage.input_tokens)
        || exceeds(&[usage.cache_write_5m_tokens, usage.cache_write_1h_tokens], usage.cache_write_tokens)
        || exceeds(&[usage.reasoning_tokens], usage.output_tokens)
        || exceeds(&[usage.audio_output_tokens], usage.output_tokens)
    {
        flag(out, PARTS_EXCEED_WHOLE);
    }
    let both = |usage: &Usage| sum(&[usage.input_tokens, usage.output_tokens]);
    let counted = usage.input_tokens.is_some() && usage.output_tokens.is_some();
    if counted && reported.total.is_some_and(|total| total != both(usage) && total != both(&reported.usage)) {
        flag(out, TOTAL_MISMATCH);
    }
}

/// What is missing counts nothing; no number from outside overflows.
fn sum(counts: &[Option<i64>]) -> i64 {
    counts.iter().flatten().fold(0, |sum: i64, count| sum.saturating_add(*count))
}

fn flag(out: &mut Normalized<'_>, flag: &'static str) {
    if !out.usage_flags.contains(&flag) {
        out.usage_flags.push(flag);
    }
}
