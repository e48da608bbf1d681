//! What the request asked for besides messages and tools.

use tracewell_model::kind::Dialect;

use crate::fields::Field;
use crate::fields::facts::Facts;
use crate::normalized::Normalized;

/// Parameters without a column of their own, by their canonical names.
const PARAMETERS: &[(&str, Field)] = &[
    ("top_k", Field::TopK),
    ("stop", Field::Stop),
    ("frequency_penalty", Field::FrequencyPenalty),
    ("presence_penalty", Field::PresencePenalty),
    ("response_format", Field::ResponseFormat),
    ("tool_choice", Field::ToolChoice),
    ("reasoning_effort", Field::ReasoningEffort),
    ("thinking_budget", Field::ThinkingBudget),
    ("n", Field::Choices),
    ("service_tier", Field::RequestTier),
    ("dimensions", Field::Dimensions),
];

/// Fills the parameters of `out`. Zeros that the emitter writes unasked are left out: penalties of Langfuse and
/// OpenLIT, and OpenLIT's seed.
pub(crate) fn fill<'a>(facts: &Facts<'_, 'a>, out: &mut Normalized<'a>) {
    let openlit = out.dialect == Dialect::OpenLit;
    out.temperature = facts.float(Field::Temperature);
    out.top_p = facts.float(Field::TopP);
    out.max_tokens = facts.int(Field::MaxTokens);
    out.seed = facts.int(Field::Seed).filter(|seed| !openlit || *seed != 0);
    for (name, field) in PARAMETERS {
        let Some(found) = facts.get(*field) else { continue };
        let penalty = matches!(field, Field::FrequencyPenalty | Field::PresencePenalty);
        let unasked = penalty && (openlit || out.dialect == Dialect::Langfuse) && found.value.float() == Some(0.0);
        if !unasked {
            out.request_params.push((name, found.value.text()));
        }
    }
}
