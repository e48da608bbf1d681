//! What must hold of every price.

use std::sync::Arc;

use proptest::prelude::*;
use tracewell_pricing::catalogue::{PriceFile, genai_prices, litellm, operator};
use tracewell_pricing::pricer::MAX_COUNT;
use tracewell_pricing::{Catalogue, Kind, Pricer, Rate, Route, Usage};

use crate::at;

/// Rates with up to six digits after the point, as providers have them, by LiteLLM's and by genai-prices' names.
const RATES: [(&str, &str); 5] = [
    ("input_cost_per_token", "input_mtok"),
    ("cache_read_input_token_cost", "cache_read_mtok"),
    ("cache_creation_input_token_cost", "cache_write_mtok"),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_mtok"),
    ("output_cost_per_token", "output_mtok"),
];

fn pricer(catalogue: Catalogue) -> Pricer {
    Pricer::new(vec![Arc::new(catalogue)])
}

fn of_litellm(rates: &[u32; 5]) -> Catalogue {
    // A millionth of a millionth is 1e-12.
    let prices = RATES.iter().zip(rates).map(|((key, _), rate)| format!(r#","{key}":{rate}e-12"#));
    let json = format!(r#"{{"m":{{"litellm_provider":"p"{}}}}}"#, prices.collect::<String>());
    litellm("list", &json, None).expect("a list").catalogue
}

fn of_genai(rates: &[u32; 5]) -> Catalogue {
    let prices: Vec<_> = RATES.iter().zip(rates).map(|((_, key), rate)| format!(r#""{key}":{rate}e-6"#)).collect();
    let model = format!(r#"{{"id":"m","match":{{"equals":"m"}},"prices":{{{}}}}}"#, prices.join(","));
    genai_prices("data", &format!(r#"[{{"id":"p","models":[{model}]}}]"#)).expect("data")
}

/// Counts whose parts add up: uncached, read, written for five minutes and for an hour, output.
fn usage(counts: &[i64; 5]) -> Usage {
    let [uncached, read, short, long, output] = *counts;
    Usage {
        input_tokens: Some(uncached + read + short + long),
        output_tokens: Some(output),
        cache_read_tokens: Some(read),
        cache_write_tokens: Some(short + long),
        cache_write_1h_tokens: Some(long),
        ..Usage::default()
    }
}

const CALL: Route<'_> = Route {
    provider: Some("p"),
    response_model: Some("m"),
    request_model: None,
    tenant: None,
    environment: None,
    service_tier: None,
    batch: false,
};

proptest! {
    #[test]
    fn an_amount_is_the_sum_of_counts_times_rates(
        rates in any::<[u32; 5]>(),
        counts in proptest::array::uniform5(0i64..1_000_000_000),
    ) {
        let expected: i128 = rates.iter().zip(counts).map(|(rate, count)| i128::from(*rate) * i128::from(count)).sum();
        let units = expected * 10i128.pow(12);
        for catalogue in [of_litellm(&rates), of_genai(&rates)] {
            let quote = pricer(catalogue).price(&CALL, at("2026-01-01"), &usage(&counts)).expect("a price");
            prop_assert_eq!(quote.charge.total.units(), units);
            prop_assert_eq!(quote.charge.parts.into_iter().sum::<tracewell_pricing::Amount>(), quote.charge.total);
        }
    }

    #[test]
    fn two_calls_cost_what_they_cost_together(
        rates in any::<[u32; 5]>(),
        one in proptest::array::uniform5(0i64..1_000_000),
        other in proptest::array::uniform5(0i64..1_000_000),
    ) {
        let pricer = pricer(of_genai(&rates));
        let total = |counts| pricer.price(&CALL, at("2026-01-01"), &usage(counts)).expect("a price").charge.total;
        let both = std::array::from_fn(|place| one[place] + other[place]);
        prop_assert_eq!(total(&one) + total(&other), total(&both));
    }

    #[test]
    fn no_counts_panic_or_cost_less_than_nothing(counts in proptest::array::uniform12(count())) {
        let usage = Usage {
            input_tokens: counts[0],
            output_tokens: counts[1],
            cache_read_tokens: counts[2],
            cache_write_tokens: counts[3],
            cache_write_5m_tokens: counts[4],
            cache_write_1h_tokens: counts[5],
            reasoning_tokens: counts[6],
            audio_input_tokens: counts[7],
            audio_output_tokens: counts[8],
            image_input_tokens: counts[9],
            image_output_tokens: counts[10],
            requests: counts[11],
        };
        for (provider, model) in [("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-realtime"), ("perplexity", "sonar-pro")] {
            let route = Route { provider: Some(provider), response_model: Some(model), ..CALL };
            if let Ok(quote) = BUILT_IN.with(|pricer| pricer.price(&route, at("2026-11-01"), &usage)) {
                prop_assert!(Kind::ALL.into_iter().all(|kind| !quote.charge.part(kind).is_negative()));
            }
        }
    }

    #[test]
    fn no_name_panics(provider in proptest::option::of(".*"), model in ".*", tier in proptest::option::of(".*")) {
        let route = Route {
            provider: provider.as_deref(),
            response_model: Some(&model),
            service_tier: tier.as_deref(),
            ..Route::default()
        };
        let _ = BUILT_IN.with(|pricer| pricer.price(&route, at("2026-11-01"), &Usage::default()));
    }
}

/// Files as they come from anywhere: a good one with some of its characters replaced.
fn damaged(good: &'static str) -> impl Strategy<Value = String> {
    let damage = (0..good.len(), ".{0,3}", 0usize..4);
    proptest::collection::vec(damage, 1..4).prop_map(move |all| {
        let mut text = good.to_owned();
        for (at, new, cut) in all {
            let bound = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let (start, end) = (bound(at), bound(at + cut));
            text.replace_range(start..end, &new);
        }
        text
    })
}

const TOML: &str = "unit = \"1M\"\n[[price]]\nmodel = \"a*\"\nfrom = 2026-01-01\nto = 2026-02-01\ninput_tokens = 1.25\n\
                    [[price]]\nmodel = \"a*\"\nfrom = 2026-02-01\nbatch = false\ninput_tokens = 2e-1\n";
const CSV: &str = "model,from,to,over,input_tokens,currency\na,2026-01-01,,,1.25,USD\na,2026-01-01,,9,2.5,USD\n";
const LIST: &str = r#"{"a":{"litellm_provider":"p","input_cost_per_token":1e-06,"output_cost_per_token_flex":"2e-6",
    "tiered_pricing":[{"range":[0,5],"input_cost_per_token":3e-7}],"search_context_cost_per_query":{"search_context_size_medium":1}}}"#;
const DATA: &str = r#"[{"id":"p","provider_match":{"contains":"p"},"models":[{"id":"m","match":{"regex":"^m"},"prices":
    [{"prices":{"input_mtok":{"base":1,"tiers":[{"start":5,"price":2}]}}},{"constraint":{"start_date":"2026-01-01"},"prices":{}},
     {"constraint":{"start_time":"23:00:00Z","end_time":"01:00:00Z"},"prices":{"output_mtok":1}}],
    "price_variants":[{"when":{"service_tier":"flex"},"prices":{"input_mtok":0.5}}]}]}]"#;

proptest! {
    #[test]
    fn no_file_panics_and_what_is_taken_survives_its_rows(
        toml in damaged(TOML), csv in damaged(CSV), list in damaged(LIST), data in damaged(DATA)
    ) {
        let file = |name: &str, text| PriceFile { name: name.to_owned(), text };
        let taken = [
            operator(&[file("p.toml", toml)]).ok(),
            operator(&[file("p.csv", csv)]).ok(),
            litellm("list", &list, None).ok().map(|import| import.catalogue),
            genai_prices("data", &data).ok(),
        ];
        for catalogue in taken.into_iter().flatten().filter(|catalogue| !catalogue.rules().is_empty()) {
            prop_assert_eq!(&Catalogue::from_rows(catalogue.rows()).expect("its rows"), &catalogue);
            let quote = pricer(catalogue).price(&CALL, at("2026-01-15"), &usage(&[1, 0, 0, 0, 1]));
            prop_assert!(quote.is_err() || quote.is_ok_and(|quote| !quote.charge.total.is_negative()));
        }
    }
}

thread_local! {
    static BUILT_IN: Pricer = crate::built_in();
}

/// Counts as they come from anywhere: none, small, at the limit, absurd.
fn count() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        3 => Just(None),
        4 => (0i64..1_000).prop_map(Some),
        1 => Just(Some(MAX_COUNT)),
        1 => any::<i64>().prop_map(Some),
    ]
}

#[test]
fn the_largest_counts_at_the_highest_rate_stay_exact() {
    // The highest rate there may be, 2^90 units for one, for every kind that can be in use at once.
    let highest = "1237.940039285380274899124224";
    assert!(Rate::read(highest, 1).is_ok());
    let prices: Vec<_> = ["input_cost_per_token", "output_cost_per_token", "input_cost_per_request"]
        .map(|key| format!(r#""{key}":{highest}"#))
        .into();
    let json = format!(r#"{{"m":{{"litellm_provider":"p",{}}}}}"#, prices.join(","));
    let pricer = pricer(litellm("list", &json, None).expect("a list").catalogue);
    let all = Some(MAX_COUNT);
    let usage = Usage { input_tokens: all, output_tokens: all, requests: all, ..Usage::default() };
    let quote = pricer.price(&CALL, at("2026-01-01"), &usage).expect("a price");
    // 3 × (2^32 - 1) × 2^90 units.
    assert_eq!(quote.charge.total.units(), 3 * ((1i128 << 122) - (1 << 90)));
}

/// A snapshot of an earlier version answers as that version did, whatever came after.
#[test]
fn rows_of_an_earlier_version_price_as_it_did() {
    let (old, new) = (of_genai(&[3_000_000; 5]), of_genai(&[2_000_000; 5]));
    assert_ne!(old.version(), new.version());
    let total = |catalogue| {
        let usage = Usage { input_tokens: Some(1_000), output_tokens: Some(0), ..Usage::default() };
        pricer(catalogue).price(&CALL, at("2026-01-01"), &usage).expect("a price").charge.total.to_string()
    };
    let rows = old.rows();
    assert_eq!(total(new), "0.002");
    assert_eq!(total(Catalogue::from_rows(rows).expect("its rows")), "0.003");
}
