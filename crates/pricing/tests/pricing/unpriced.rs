//! What has no price says why, and is never priced at nothing.

use tracewell_pricing::pricer::MAX_COUNT;
use tracewell_pricing::{Catalogue, Pricer, Route, Usage};

use crate::{NO_USAGE, at, built_in, list, rules};

fn outcome(pricer: &Pricer, route: &Route<'_>, usage: &Usage) -> String {
    let quote = pricer.price(route, at("2026-11-01"), usage);
    quote.map_or_else(|why| why.to_string(), |quote| quote.charge.total.to_string())
}

fn of(provider: &'static str, model: &'static str) -> Route<'static> {
    Route { provider: Some(provider), response_model: Some(model), ..Route::default() }
}

const TOKENS: Usage = Usage { input_tokens: Some(1_000), output_tokens: Some(100), ..NO_USAGE };

#[test]
fn an_unknown_name_is_named_as_such() {
    let pricer = built_in();
    for (route, reason) in [
        (Route { provider: Some("openai"), ..Route::default() }, "no_model"),
        (Route { provider: Some("openai"), response_model: Some(" "), ..Route::default() }, "no_model"),
        (of("openai", "my-own-model"), "unknown_model"),
        (of("ollama", "llama3"), "unknown_provider"),
        (of("ollama", "gpt-4o"), "unknown_provider"),
        (Route { response_model: Some("llama3"), ..Route::default() }, "unknown_model"),
        (Route { service_tier: Some("scale"), ..of("openai", "gpt-4o") }, "no_tier_rate"),
        (Route { service_tier: Some("flex"), ..of("anthropic", "claude-sonnet-4-5") }, "no_tier_rate"),
        // A reseller's batches are not its maker's.
        (Route { batch: true, ..of("azure.ai.openai", "gpt-4o-2024-08-06") }, "no_tier_rate"),
    ] {
        assert_eq!(outcome(&pricer, &route, &TOKENS), reason, "{route:?}");
    }
}

#[test]
fn a_name_that_is_hostile_is_only_unknown() {
    let pricer = built_in();
    let long = "a/".repeat(100_000);
    for name in ["-20", "//", "/", "models/", "@", "İ", "\u{0}", "%", "*", "-2020-20-20", long.as_str()] {
        let route = Route { provider: Some(name), response_model: Some(name), ..Route::default() };
        assert_eq!(outcome(&pricer, &route, &TOKENS), "unknown_provider", "{name:.40}");
        let route = Route { provider: None, ..route };
        assert_eq!(outcome(&pricer, &route, &TOKENS), "unknown_model", "{name:.40}");
    }
}

#[test]
fn counts_that_are_missing_or_contradict_each_other_have_no_price() {
    let pricer = built_in();
    let none = Usage::default();
    for (usage, reason) in [
        (none, "no_usage"),
        (Usage { cache_read_tokens: Some(5), ..none }, "no_usage"),
        (Usage { output_tokens: None, ..TOKENS }, "missing_count: output_tokens"),
        (Usage { input_tokens: None, ..TOKENS }, "missing_count: input_tokens"),
        (Usage { cache_read_tokens: Some(1_001), ..TOKENS }, "contradictory_usage"),
        (Usage { cache_read_tokens: Some(600), cache_write_tokens: Some(401), ..TOKENS }, "contradictory_usage"),
        (Usage { cache_write_tokens: Some(10), cache_write_1h_tokens: Some(11), ..TOKENS }, "contradictory_usage"),
        (Usage { audio_input_tokens: Some(600), image_input_tokens: Some(401), ..TOKENS }, "contradictory_usage"),
        (Usage { reasoning_tokens: Some(101), ..TOKENS }, "contradictory_usage"),
        (Usage { audio_output_tokens: Some(101), ..TOKENS }, "contradictory_usage"),
        (Usage { input_tokens: Some(-1), ..TOKENS }, "implausible_count"),
        (Usage { cache_write_tokens: Some(-1), ..TOKENS }, "implausible_count"),
        (Usage { output_tokens: Some(MAX_COUNT + 1), ..TOKENS }, "implausible_count"),
        (
            Usage { cache_write_5m_tokens: Some(i64::MAX), cache_write_1h_tokens: Some(i64::MAX), ..TOKENS },
            "implausible_count",
        ),
        (Usage { output_tokens: Some(i64::MAX), cache_write_5m_tokens: Some(i64::MAX), ..TOKENS }, "implausible_count"),
    ] {
        assert_eq!(outcome(&pricer, &of("anthropic", "claude-sonnet-4-5"), &usage), reason, "{usage:?}");
    }
}

#[test]
fn what_the_rule_has_no_rate_for_has_no_price() {
    let pricer = built_in();
    for (route, usage, reason) in [
        // Transcription is charged by the hour, and nothing counts hours.
        (of("openai", "whisper-1"), TOKENS, "missing_rate: input_tokens"),
        (of("openai", "text-embedding-3-small"), TOKENS, "missing_rate: output_tokens"),
        // The catalogue has the model and no price for it.
        (of("openai", "omni-moderation-latest"), TOKENS, "missing_rate: input_tokens"),
        // Audio by the hour beside tokens of text.
        (
            of("mistral_ai", "voxtral-small-24b-2507"),
            Usage { audio_input_tokens: Some(10), ..TOKENS },
            "missing_rate: audio_input_tokens",
        ),
        // Images in the output have their own price, and no column counts them.
        (of("gcp.gemini", "gemini-2.5-flash-image"), TOKENS, "uncounted_part: image_output_tokens"),
        (of("perplexity", "sonar-deep-research"), TOKENS, "uncounted_part: output_citation_tokens"),
        // How much of the audio was cached is not counted.
        (
            of("gcp.gemini", "gemini-2.5-flash"),
            Usage { audio_input_tokens: Some(10), cache_read_tokens: Some(10), ..TOKENS },
            "ambiguous_parts",
        ),
    ] {
        assert_eq!(outcome(&pricer, &route, &usage), reason, "{route:?}");
    }
}

/// What they are charged by is not counted, so that no tokens cost something all the same.
#[test]
fn what_is_charged_by_pages_hours_or_images_alone_is_not_priced_at_nothing() {
    let pricer = built_in();
    let no_tokens = Usage { input_tokens: Some(0), output_tokens: Some(0), ..Usage::default() };
    for (route, reason) in [
        (of("mistral_ai", "mistral-ocr-2503"), "uncounted_part: input_document_pages"),
        (of("openai", "whisper-1"), "uncounted_part: audio_seconds"),
        // Searches are charged beside tokens.
        (of("openai", "gpt-4o"), "0"),
    ] {
        assert_eq!(outcome(&pricer, &route, &no_tokens), reason, "{route:?}");
    }
    let painter =
        r#"{"painter": {"litellm_provider": "openai", "input_cost_per_token": 5e-06, "output_cost_per_image": 0.04}}"#;
    let pricer = Pricer::new(vec![list(painter)]);
    for output_tokens in [None, Some(0)] {
        let usage = Usage { output_tokens, ..TOKENS };
        assert_eq!(outcome(&pricer, &of("openai", "painter"), &usage), "uncounted_part: output_images");
    }
}

#[test]
fn only_what_is_known_to_be_free_costs_nothing() {
    let pricer = Pricer::new(vec![
        rules("[[price]]\nprovider = \"ollama\"\nmodel = \"*\"\ninput_tokens = 0\noutput_tokens = 0\n"),
        Catalogue::built_in(),
    ]);
    for usage in [TOKENS, Usage::default(), Usage { output_tokens: None, reasoning_tokens: Some(7), ..TOKENS }] {
        assert_eq!(outcome(&pricer, &of("ollama", "llama3"), &usage), "0");
        assert_eq!(outcome(&pricer, &of("openrouter", "deepseek/deepseek-r1:free"), &usage), "0");
    }
}

#[test]
fn how_the_counts_were_read_is_said() {
    let pricer = built_in();
    let said = |route: &Route<'_>, usage: &Usage| {
        let plan = pricer.plan(route);
        let quote = plan.price(at("2026-11-01"), usage).expect("a price");
        plan.reading(&quote, usage).to_string()
    };
    assert_eq!(
        said(&of("openai", "gpt-4o"), &Usage { reasoning_tokens: Some(50), cache_read_tokens: Some(0), ..TOKENS }),
        "reasoning_tokens at the rate of output_tokens; fees for what is not counted left out"
    );
    assert_eq!(
        said(&of("cohere", "command-r-plus"), &Usage { cache_read_tokens: Some(10), ..TOKENS }),
        "cache_read_tokens at the rate of input_tokens"
    );
    assert_eq!(said(&of("deepseek", "deepseek-chat"), &TOKENS), "cache_read_tokens not reported");
    // What is free is not left out.
    let free = r#"{"m": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06,
        "search_context_cost_per_query": {"search_context_size_low": 0, "search_context_size_medium": 0,
        "search_context_size_high": 0}}}"#;
    let plan = Pricer::new(vec![list(free)]).plan(&of("openai", "m"));
    let quote = plan.price(at("2026-11-01"), &TOKENS).expect("a price");
    assert_eq!(plan.reading(&quote, &TOKENS).to_string(), "");
}
