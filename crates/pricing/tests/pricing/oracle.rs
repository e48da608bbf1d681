//! Agreement with `genai-prices`: its Python package, which computes with decimals, and its crate, which uses floats.
//!
//! Where the two differ on purpose:
//! - It charges nothing for what a model has no rate for (tokens of a model with no prices at all, output of an
//!   embedding model). Here that is `missing_rate`, or `uncounted_part` where a rate exists for a part that nothing
//!   counts; only models whose name ends in `:free` cost nothing without a rate.
//! - For a service tier or a batch without a rate, or before its rate begins, it takes the standard one. Here that is
//!   `no_tier_rate` or `no_rule_in_force`.
//! - It checks parts against the whole only where they have a rate. Here a contradiction is one whatever it costs.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use genai_prices::{Calculator, PriceRequest};
use serde_json::{Value, json};
use tracewell_pricing::{Quote, Route, Unpriced, Usage};

use crate::built_in;
use crate::cases::{Case, cases};
use crate::skipped::skipped;

/// The counts by the names that genai-prices has for them.
fn counts(usage: &Usage) -> Vec<(&'static str, i64)> {
    let counts = [
        ("input_tokens", usage.input_tokens),
        ("output_tokens", usage.output_tokens),
        ("cache_read_tokens", usage.cache_read_tokens),
        ("cache_write_tokens", usage.cache_write_tokens),
        ("cache_write_5m_tokens", usage.cache_write_5m_tokens),
        ("cache_write_1h_tokens", usage.cache_write_1h_tokens),
        ("output_reasoning_tokens", usage.reasoning_tokens),
        ("input_audio_tokens", usage.audio_input_tokens),
        ("output_audio_tokens", usage.audio_output_tokens),
        ("input_image_tokens", usage.image_input_tokens),
        ("output_image_tokens", usage.image_output_tokens),
    ];
    counts.into_iter().filter_map(|(name, count)| Some((name, count?))).collect()
}

fn context(case: &Case) -> Vec<(&'static str, &'static str)> {
    let tier = case.tier.map(|tier| ("service_tier", tier));
    let batch = case.batch.then_some(("processing", "batch"));
    tier.into_iter().chain(batch).collect()
}

/// Our price of each case, and where it comes from.
fn ours(cases: &[Case]) -> Vec<Result<(Quote, String), Unpriced>> {
    let pricer = built_in();
    let price = |case: &Case| {
        let route = Route {
            provider: case.provider.as_deref(),
            response_model: Some(&case.model),
            service_tier: case.tier,
            batch: case.batch,
            ..Route::default()
        };
        let plan = pricer.plan(&route);
        let quote = plan.price(case.at, &case.usage)?;
        Ok((quote, plan.provenance(&quote).rule.clone()))
    };
    cases.iter().map(price).collect()
}

/// Whether a reason is one of the differences on purpose.
fn on_purpose(why: Unpriced) -> bool {
    matches!(
        why,
        Unpriced::MissingRate(_)
            | Unpriced::UncountedPart(_)
            | Unpriced::NoTierRate
            | Unpriced::NoRuleInForce
            | Unpriced::ContradictoryUsage
    )
}

fn describe(case: &Case) -> String {
    let (provider, model, tier) = (&case.provider, &case.model, case.tier);
    format!("{provider:?} {model} at {} tier {tier:?} batch {} {:?}", case.at, case.batch, counts(&case.usage))
}

/// What the Python package says of each case.
fn asked_of_python(python: &str, cases: &[Case]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/prices.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the script runs");
    let questions: String = cases
        .iter()
        .map(|case| {
            let question = json!({
                "provider": case.provider,
                "model": case.model,
                "at": tracewell_pricing::moment_text(case.at.div_euclid(1_000) * 1_000),
                "context": context(case).into_iter().collect::<BTreeMap<_, _>>(),
                "usage": counts(&case.usage).into_iter().collect::<BTreeMap<_, _>>(),
            });
            format!("{question}\n")
        })
        .collect();
    let mut stdin = child.stdin.take().expect("piped");
    let asking = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("the script ends");
    asking.join().expect("no panic").expect("the script reads all questions");
    assert!(output.status.success(), "the script fails");
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().map(|line| serde_json::from_str(line).expect("an answer")).collect()
}

#[test]
fn the_python_package_agrees_to_the_last_digit() {
    let Ok(python) = std::env::var("TRACEWELL_PYTHON") else {
        skipped(
            "the_python_package_agrees_to_the_last_digit",
            "set TRACEWELL_PYTHON to a Python that has tests/python/requirements.txt (.ci/run makes one)",
        );
        return;
    };
    let cases = cases();
    let (ours, theirs) = (ours(&cases), asked_of_python(&python, &cases));
    assert_eq!(theirs.len(), cases.len());
    let mut tally = BTreeMap::new();
    for ((case, our), their) in cases.iter().zip(&ours).zip(&theirs) {
        let outcome = match (our, their["error"].as_str()) {
            (Ok((quote, rule)), None) => {
                let ours = json!({
                    "input": quote.charge.input().to_string(),
                    "output": quote.charge.output().to_string(),
                    "total": quote.charge.total.to_string(),
                    "model": their["model"],
                });
                assert_eq!(&ours, their, "{}", describe(case));
                let model = their["model"].as_str().expect("a model");
                assert!(rule.contains(&format!("/{model}")), "{rule} for {model}: {}", describe(case));
                "agreed"
            }
            (Err(why), None) if on_purpose(*why) => why.name(),
            (Err(_), Some(_)) => "both refused",
            (our, their) => panic!("we say {our:?}, they say {their:?}: {}", describe(case)),
        };
        *tally.entry(outcome).or_insert(0) += 1;
    }
    println!("{tally:?}");
    assert!(tally["agreed"] > 4_000, "too few cases have a price: {tally:?}");
}

#[test]
fn the_crate_whose_data_is_built_in_agrees_within_its_floats() {
    let calculator = Calculator::bundled();
    let cases = cases();
    let mut agreed = 0;
    for (case, our) in cases.iter().zip(ours(&cases)) {
        let usage: genai_prices::Usage = counts(&case.usage)
            .into_iter()
            .map(|(name, count)| (genai_prices::UsageKey::from(name), count as f64))
            .collect();
        let since_1970 = Duration::from_nanos(u64::try_from(case.at).expect("after 1970"));
        let mut request = PriceRequest::new(&case.model, &usage).with_timestamp(UNIX_EPOCH + since_1970);
        if let Some(provider) = &case.provider {
            request = request.with_provider_id(provider);
        }
        for (key, value) in context(case) {
            request = request.with_price_context(key, value);
        }
        match (our, calculator.calculate(&request)) {
            (Ok((quote, rule)), Ok(theirs)) => {
                let ours: f64 = quote.charge.total.to_string().parse().expect("a number");
                // Its own promise is 5e-9 dollars for a request.
                assert!((ours - theirs.total_price).abs() < 5e-9, "{ours} {theirs:?} {}", describe(case));
                assert!(rule.contains(&format!("/{}", theirs.model_id)), "{rule} {theirs:?}");
                agreed += 1;
            }
            (Err(why), Ok(_)) if on_purpose(why) => {}
            (Err(_), Err(_)) => {}
            (our, theirs) => panic!("we say {our:?}, they say {theirs:?}: {}", describe(case)),
        }
    }
    assert!(agreed > 4_000, "{agreed}");
}
