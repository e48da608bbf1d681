//! What names a run: what its root says, else what all of its spans agree on. The rule of the view `trace_parts`.

use std::collections::BTreeMap;

use tracewell_pricing::Amount;

use crate::record::{ModelCall, Prompt, RunRecord, Tokens};
use crate::rows::SpanRow;

/// Fills in what `spans` say of the run as a whole. They are in the order of their start.
pub(crate) fn fill(record: &mut RunRecord, spans: &[SpanRow]) {
    let told: Vec<&SpanRow> = spans.iter().filter(|span| !span.is_pending()).collect();
    let told = if told.is_empty() { spans.iter().collect() } else { told };
    let roots: Vec<&SpanRow> = told.iter().copied().filter(|span| span.is_root()).collect();
    let failed = told.iter().any(|span| span.status.as_deref() == Some("error") && !span.is_record);
    record.start_unix_nano = told.iter().map(|span| span.start_unix_nano).min().unwrap_or(record.start_unix_nano);
    let end = told.iter().map(|span| span.end()).max().unwrap_or(record.start_unix_nano);
    record.duration_ns = end - record.start_unix_nano;
    record.start_time = crate::moment::rfc3339(record.start_unix_nano.div_euclid(1_000));
    record.name = roots.first().and_then(|root| root.name.clone());
    record.kind = roots.first().map(|root| root.kind.clone());
    record.status = match roots.first() {
        Some(root) => root.status.clone(),
        None => failed.then(|| "error".to_owned()),
    };
    let one = |of: fn(&SpanRow) -> Option<&String>| {
        roots
            .iter()
            .filter_map(|root| of(root))
            .max()
            .or_else(|| agreed(told.iter().filter_map(|span| of(span))))
            .cloned()
    };
    record.service = one(|span| span.service.as_ref());
    record.service_version = one(|span| span.service_version.as_ref());
    record.environment = one(|span| span.environment.as_ref());
    record.release = one(|span| span.release.as_ref());
    record.team = one(|span| span.team.as_ref());
    record.conversation_id = one(|span| span.conversation_id.as_ref());
    record.user_id = one(|span| span.user_id.as_ref());
    record.workflow_name = one(|span| span.workflow_name.as_ref());
    record.workflow_version = one(|span| span.workflow_version.as_ref());
    for span in &told {
        record.tags.extend(span.tags.iter().cloned());
        let metadata = span.metadata.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
        for (key, value) in metadata {
            record.metadata.entry(key).or_insert(value);
        }
    }
    record.tags.sort();
    record.tags.dedup();
}

/// The value that all agree on.
fn agreed<'a>(mut values: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// Sums that leave out what is not known, and are unknown where nothing is known.
pub(crate) fn tokens(calls: &[ModelCall]) -> Tokens {
    let sum = |of: fn(&ModelCall) -> Option<i64>| {
        calls
            .iter()
            .filter_map(of)
            .fold(None, |sum: Option<i64>, count| Some(sum.unwrap_or_default().saturating_add(count)))
    };
    Tokens {
        input_tokens: sum(|call| call.input_tokens),
        output_tokens: sum(|call| call.output_tokens),
        cache_read_tokens: sum(|call| call.cache_read_tokens),
        cache_write_tokens: sum(|call| call.cache_write_tokens),
        reasoning_tokens: sum(|call| call.reasoning_tokens),
        calls_without_usage: calls
            .iter()
            .filter(|call| call.input_tokens.is_none() && call.output_tokens.is_none())
            .count() as u64,
    }
}

/// What the calls cost that have a price, and how many have none. Each amount is written in its shortest form.
pub(crate) fn cost(calls: &mut [ModelCall]) -> (Option<String>, u64) {
    let (mut sum, mut unpriced) = (None, 0);
    for call in calls {
        match call.cost_usd.as_deref().and_then(|cost| cost.parse::<Amount>().ok()) {
            Some(cost) => {
                call.cost_usd = Some(cost.to_string());
                sum = Some(cost.units().saturating_add(sum.unwrap_or_default()));
            }
            None => unpriced += 1,
        }
    }
    (sum.map(|units| Amount::from_units(units).to_string()), unpriced)
}

/// The prompts of the calls. `templates` by span.
pub(crate) fn prompts(calls: &[ModelCall], templates: &BTreeMap<String, String>) -> Vec<Prompt> {
    let mut prompts: Vec<Prompt> = Vec::new();
    for call in calls.iter().filter(|call| call.prompt_name.is_some() || call.prompt_hash.is_some()) {
        let same = |prompt: &Prompt| {
            prompt.name == call.prompt_name
                && prompt.version == call.prompt_version
                && prompt.label == call.prompt_label
                && prompt.hash == call.prompt_hash
                && prompt.variables == call.prompt_variables
        };
        let place = prompts.iter().position(same).unwrap_or_else(|| {
            prompts.push(Prompt {
                name: call.prompt_name.clone(),
                version: call.prompt_version.clone(),
                label: call.prompt_label.clone(),
                hash: call.prompt_hash.clone(),
                shape: call.prompt_shape.clone(),
                variables: call.prompt_variables.clone(),
                ..Prompt::default()
            });
            prompts.len() - 1
        });
        let prompt = &mut prompts[place];
        prompt.calls.push(call.span_id.clone());
        if let Some(system) = call.system.as_ref().filter(|system| !prompt.instructions.contains(&system.hash)) {
            prompt.instructions.push(system.hash.clone());
        }
        let told = std::iter::once(&call.span_id).chain(call.duplicates.iter().map(|other| &other.span_id));
        let template = || told.into_iter().find_map(|span| templates.get(span)).cloned();
        prompt.template = prompt.template.take().or_else(template);
    }
    prompts
}
