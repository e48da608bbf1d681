//! Which rule prices a call, where several could.

use std::sync::Arc;

use tracewell_pricing::catalogue::Source;
use tracewell_pricing::pricer::NamedBy;
use tracewell_pricing::{Catalogue, Pricer, Reading, Route, Usage};

use crate::{NO_USAGE, at, list, rules};

const USAGE: Usage = Usage { input_tokens: Some(1_000_000), output_tokens: Some(0), ..NO_USAGE };

const CALL: Route<'_> = Route {
    provider: Some("openai"),
    response_model: Some("gpt-4o"),
    request_model: None,
    tenant: Some("acme"),
    environment: Some("production"),
    service_tier: None,
    batch: false,
};

/// What a million input tokens cost.
fn price(pricer: &Pricer, route: &Route<'_>, moment: &str) -> String {
    let quote = pricer.price(route, at(moment), &USAGE);
    quote.map_or_else(|why| why.to_string(), |quote| quote.charge.total.to_string())
}

#[test]
fn the_operator_goes_before_an_import_and_that_before_the_catalogue() {
    let own = rules(
        "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nfrom = 2026-02-01\nto = 2026-03-01\ninput_tokens = 1.1\n",
    );
    let import = list(r#"{"gpt-4o":{"litellm_provider":"openai","input_cost_per_token":2.2e-06}}"#);
    let built_in = Catalogue::built_in();
    let all = Pricer::new(vec![Arc::clone(&built_in), import, Arc::clone(&own)]);
    assert_eq!(price(&all, &CALL, "2026-02-01"), "1.1");
    assert_eq!(price(&all, &CALL, "2026-01-31T23:59:59Z"), "2.2");
    let sources: Vec<_> = all.catalogues().map(Catalogue::source).collect();
    assert_eq!(sources, [Source::Operator, Source::Litellm, Source::Catalogue]);
    let without_import = Pricer::new(vec![built_in, own]);
    assert_eq!(price(&without_import, &CALL, "2026-03-01"), "2.5");
}

#[test]
fn the_more_specific_rule_goes_first() {
    // Each line goes before all lines below it, wherever it stands in the file.
    let ranked = [
        "tenant = \"acme\"\nenvironment = \"production\"\nmodel = \"*\"",
        "tenant = \"acme\"\nmodel = \"gpt-4o\"",
        "environment = \"production\"\nmodel = \"*\"",
        "provider = \"openai\"\nmodel = \"gpt-4o\"",
        "provider = \"openai\"\nmodel = \"gpt-4o\"\nservice_tier = \"*\"",
        "provider = \"openai\"\nmodel = \"gpt-4*\"",
        "provider = \"openai\"\nmodel = \"gpt-*\"",
        "provider = \"open*\"\nmodel = \"gpt-4o\"",
        "model = \"gpt-4o\"",
        "model = \"*\"",
    ];
    for first in 0..ranked.len() {
        let mut remaining: Vec<_> = (first..ranked.len()).collect();
        for turn in 0..2 {
            let price_of = |rank: &usize| format!("[[price]]\n{}\ninput_tokens = {rank}\n", ranked[*rank]);
            let file: String = remaining.iter().map(price_of).collect();
            let pricer = Pricer::new(vec![rules(&file)]);
            assert_eq!(price(&pricer, &CALL, "2026-01-01"), first.to_string(), "turn {turn}\n{file}");
            remaining.reverse();
        }
    }
}

#[test]
fn among_equals_the_later_date_goes_first() {
    let pricer = Pricer::new(vec![rules(
        "[[price]]\nmodel = \"gpt-4*\"\nfrom = 2026-02-01\ninput_tokens = 2\n\
         [[price]]\nmodel = \"*pt-4o\"\nfrom = 2026-01-01\ninput_tokens = 1\n",
    )]);
    assert_eq!(price(&pricer, &CALL, "2026-03-01"), "2");
    assert_eq!(price(&pricer, &CALL, "2026-01-15"), "1");
    assert_eq!(price(&pricer, &CALL, "2025-12-31"), "no_rule_in_force");
}

#[test]
fn rules_are_for_their_tenant_and_environment_only() {
    let pricer = Pricer::new(vec![rules("[[price]]\nmodel = \"gpt-4o\"\ntenant = \"acme\"\ninput_tokens = 1\n")]);
    assert_eq!(price(&pricer, &CALL, "2026-01-01"), "1");
    assert_eq!(price(&pricer, &Route { batch: true, ..CALL }, "2026-01-01"), "no_tier_rate");
    for tenant in [Some("other"), Some("Acme"), None] {
        assert_eq!(price(&pricer, &Route { tenant, ..CALL }, "2026-01-01"), "unknown_model");
        assert_eq!(price(&pricer, &Route { tenant, batch: true, ..CALL }, "2026-01-01"), "unknown_model");
    }
}

#[test]
fn a_rule_without_a_tier_is_for_the_standard_tier() {
    let pricer = Pricer::new(vec![rules(
        "[[price]]\nmodel = \"gpt-4o\"\ninput_tokens = 1\n\
         [[price]]\nmodel = \"gpt-4o\"\nservice_tier = \"flex\"\ninput_tokens = 0.5\n\
         [[price]]\nmodel = \"gpt-4o\"\nbatch = true\ninput_tokens = 0.25\n\
         [[price]]\nmodel = \"local\"\nservice_tier = \"*\"\nbatch = \"*\"\ninput_tokens = 0\n",
    )]);
    for (tier, batch, expected) in [
        (None, false, "1"),
        (Some("default"), false, "1"),
        (Some("auto"), false, "1"),
        (Some("Flex"), false, "0.5"),
        (Some("priority"), false, "no_tier_rate"),
        (Some("batch"), false, "0.25"),
        (Some("default"), true, "0.25"),
        (Some("flex"), true, "0.25"),
    ] {
        let route = Route { service_tier: tier, batch, ..CALL };
        assert_eq!(price(&pricer, &route, "2026-01-01"), expected, "{tier:?} {batch}");
        let local = Route { response_model: Some("local"), ..route };
        assert_eq!(price(&pricer, &local, "2026-01-01"), "0", "{tier:?} {batch}");
    }
}

#[test]
fn the_model_that_answered_goes_before_the_one_asked_for() {
    let pricer =
        Pricer::new(vec![rules("[[price]]\nmodel = \"deployment-7\"\ninput_tokens = 9\n"), Catalogue::built_in()]);
    let at_provider = |provider, response, request| {
        let route = Route { provider, response_model: response, request_model: request, ..CALL };
        let plan = pricer.plan(&route);
        let quote = plan.price(at("2026-01-01"), &USAGE).expect("a price");
        let provenance = plan.provenance(&quote);
        (quote.charge.total.to_string(), provenance.model, provenance.reading)
    };
    let price = |response, request| at_provider(Some("openai"), response, request);
    let as_sent = Reading::AsSent;
    assert_eq!(price(Some("gpt-4o"), Some("gpt-4.1")), ("2.5".to_owned(), NamedBy::Response, as_sent));
    assert_eq!(price(Some("unheard-of"), Some("gpt-4.1")), ("2".to_owned(), NamedBy::Request, as_sent));
    // The operator's name for a deployment is what was asked for.
    assert_eq!(price(Some("gpt-4o"), Some("deployment-7")), ("9".to_owned(), NamedBy::Request, as_sent));
    assert_eq!(price(Some("gpt-4o-20991231"), None), ("2.5".to_owned(), NamedBy::Response, Reading::WithoutDate));
    let without_prefix = ("2.5".to_owned(), NamedBy::Response, Reading::WithoutPrefix);
    assert_eq!(price(Some("openai/gpt-4o"), None), without_prefix);
    for gateway in [None, Some("litellm")] {
        assert_eq!(at_provider(gateway, Some("openai/gpt-4o"), None), without_prefix);
    }
}

#[test]
fn a_provider_is_known_by_its_opentelemetry_name() {
    let pricer = crate::built_in();
    for (provider, model, rule) in [
        ("openai", "gpt-4o", "openai/gpt-4o"),
        ("anthropic", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("gcp.gemini", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("gcp.vertex_ai", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("gcp.gen_ai", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        // Resold by another provider, at its maker's price.
        ("azure.ai.openai", "gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("azure.ai.inference", "gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("aws.bedrock", "amazon.nova-lite-v1:0", "aws/amazon.nova-lite-v1:0"),
        ("mistral_ai", "mistral-large-2411", "mistral/mistral-large"),
        ("x_ai", "grok-3", "x-ai/grok-3"),
        ("moonshot_ai", "kimi-k2-0905-preview", "moonshotai/kimi-k2-0905-preview"),
        ("deepseek", "deepseek-chat", "deepseek/deepseek-chat"),
        ("cohere", "command-r-plus", "cohere/command-r-plus"),
        ("groq", "llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile"),
        ("perplexity", "sonar-pro", "perplexity/sonar-pro"),
    ] {
        let plan = pricer.plan(&Route { provider: Some(provider), response_model: Some(model), ..Route::default() });
        let usage = Usage { input_tokens: Some(1), output_tokens: Some(1), ..Usage::default() };
        let found = plan.price(at("2026-01-01T12:00:00Z"), &usage).map(|quote| plan.provenance(&quote).rule.clone());
        assert!(found.as_ref().is_ok_and(|found| found.starts_with(rule)), "{provider} {model}: {found:?}");
    }
}

#[test]
fn a_rule_for_a_provider_is_for_calls_whose_model_tells_it() {
    let own = rules(
        "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\ninput_tokens = 1\n\
         [[price]]\nprovider = \"azure.ai.openai\"\nmodel = \"gpt-4o\"\ninput_tokens = 2\n\
         [[price]]\nprovider = \"gcp.gemini\"\nmodel = \"gemini-2.5-pro\"\ninput_tokens = 3\n\
         [[price]]\nprovider = \"aws.bedrock\"\nmodel = \"nova-own\"\ninput_tokens = 4\n\
         [[price]]\nprovider = \"my-gpus\"\nmodel = \"gpt-4o\"\ninput_tokens = 5\n",
    );
    let pricer = Pricer::new(vec![own, Catalogue::built_in()]);
    for gateway in [None, Some(""), Some("litellm")] {
        for (model, expected) in [
            ("gpt-4o", "1"),
            ("openai/gpt-4o", "1"),
            ("gpt-4o-20991231", "1"),
            ("azure/gpt-4o", "2"),
            ("gemini-2.5-pro", "3"),
            ("gemini/gemini-2.5-pro", "3"),
            ("bedrock/nova-own", "4"),
            // No name tells a provider, so that no rule for one is for the call.
            ("nova-own", "unknown_model"),
        ] {
            let route = Route { provider: gateway, response_model: Some(model), ..CALL };
            assert_eq!(price(&pricer, &route, "2026-01-01"), expected, "{gateway:?} {model}");
        }
        // What was asked for says where, what answered does not.
        let route =
            Route { provider: gateway, response_model: Some("gpt-4o"), request_model: Some("azure/gpt-4o"), ..CALL };
        assert_eq!(price(&pricer, &route, "2026-01-01"), "2", "{gateway:?}");
    }
    let named = Route { provider: Some("gcp.vertex_ai"), response_model: Some("gemini-2.5-pro"), ..CALL };
    assert_eq!(price(&pricer, &named, "2026-01-01"), "2.5", "another service of Google's has the list price");
}

#[test]
fn an_import_prices_calls_whose_model_tells_the_provider() {
    let import = list(
        r#"{"gpt-4o":{"litellm_provider":"openai","input_cost_per_token":1e-06},
            "azure/gpt-4o":{"litellm_provider":"azure","input_cost_per_token":2e-06},
            "gemini-2.5-pro":{"litellm_provider":"vertex_ai-language-models","input_cost_per_token":3e-06},
            "gemini/gemini-2.5-pro":{"litellm_provider":"gemini","input_cost_per_token":4e-06}}"#,
    );
    let pricer = Pricer::new(vec![import, Catalogue::built_in()]);
    for (model, expected) in
        [("gpt-4o", "1"), ("azure/gpt-4o", "2"), ("gemini-2.5-pro", "3"), ("gemini/gemini-2.5-pro", "4")]
    {
        let route = Route { provider: Some("litellm"), response_model: Some(model), ..CALL };
        assert_eq!(price(&pricer, &route, "2026-01-01"), expected, "{model}");
    }
}
