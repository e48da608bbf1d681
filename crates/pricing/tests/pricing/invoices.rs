//! Invoices worked out by hand from the providers' price pages.

use tracewell_pricing::{Kind, Route, Usage};

use crate::{NO_USAGE, at, built_in};

const fn tokens(input: i64, output: i64) -> Usage {
    Usage { input_tokens: Some(input), output_tokens: Some(output), ..NO_USAGE }
}

fn total(provider: &str, model: &str, moment: &str, usage: &Usage) -> String {
    let route = Route { provider: Some(provider), response_model: Some(model), ..Route::default() };
    let quote = built_in().price(&route, at(moment), usage);
    quote.map_or_else(|why| why.to_string(), |quote| quote.charge.total.to_string())
}

/// <https://openai.com/api/pricing>: GPT-4o $2.50 input, $1.25 cached input, $10.00 output for a million.
#[test]
fn openai_with_cached_input() {
    // 1 200 × 2.5 + 800 × 1.25 + 350 × 10 = 3 000 + 1 000 + 3 500 millionths.
    let usage = Usage { cache_read_tokens: Some(800), reasoning_tokens: Some(0), ..tokens(2_000, 350) };
    assert_eq!(total("openai", "gpt-4o-2024-08-06", "2026-03-01", &usage), "0.0075");
}

/// <https://openai.com/api/pricing>: o3 went from $10 and $40 to $2 and $8 on 10 June 2025.
#[test]
fn a_price_cut_holds_from_its_day_on() {
    // Reasoning is part of the output: (1 000 × 10 + 500 × 40) and (1 000 × 2 + 500 × 8) millionths.
    let usage = Usage { reasoning_tokens: Some(400), ..tokens(1_000, 500) };
    assert_eq!(total("openai", "o3", "2025-06-09T23:59:59Z", &usage), "0.03");
    assert_eq!(total("openai", "o3", "2025-06-10T00:00:00Z", &usage), "0.006");
}

/// <https://platform.claude.com/docs/en/about-claude/pricing>: Sonnet 4.5 $3 input, $15 output, cache $3.75 for five
/// minutes, $6 for an hour, $0.30 read; over 200K input tokens $6, $22.50, $7.50, $12 and $0.60.
#[test]
fn anthropic_with_both_caches_and_long_context() {
    // 531 × 3 + 2 013 × 0.3 + 107 × 3.75 + 210 × 6 + 159 × 15 = 1 593 + 603.9 + 401.25 + 1 260 + 2 385.
    let usage = Usage {
        cache_read_tokens: Some(2_013),
        cache_write_tokens: Some(317),
        cache_write_5m_tokens: Some(107),
        cache_write_1h_tokens: Some(210),
        ..tokens(2_861, 159)
    };
    assert_eq!(total("anthropic", "claude-sonnet-4-5-20250929", "2026-01-15", &usage), "0.00624315");
    // Without the split all writes are for five minutes: 317 × 3.75 = 1 188.75 in place of 1 661.25.
    let unsplit = Usage { cache_write_5m_tokens: None, cache_write_1h_tokens: None, ..usage };
    assert_eq!(total("anthropic", "claude-sonnet-4-5-20250929", "2026-01-15", &unsplit), "0.00577065");
    // 200 001 × 6 + 10 × 22.5 against 200 000 × 3 + 10 × 15.
    assert_eq!(total("anthropic", "claude-sonnet-4-5", "2026-01-15", &tokens(200_001, 10)), "1.200231");
    assert_eq!(total("anthropic", "claude-sonnet-4-5", "2026-01-15", &tokens(200_000, 10)), "0.60015");
}

/// <https://ai.google.dev/gemini-api/docs/pricing>: 2.5 Flash $0.30 text, $1.00 audio input, $2.50 output.
#[test]
fn google_with_audio() {
    // 1 000 × 0.3 + 250 × 1 + 100 × 2.5 = 300 + 250 + 250.
    let usage = Usage { audio_input_tokens: Some(250), ..tokens(1_250, 100) };
    assert_eq!(total("gcp.gemini", "gemini-2.5-flash", "2026-02-02", &usage), "0.0008");
    assert_eq!(total("gcp.vertex_ai", "models/gemini-2.5-flash", "2026-02-02", &usage), "0.0008");
}

/// <https://openai.com/api/pricing>: text-embedding-3-small $0.02 for a million; embeddings have no output.
#[test]
fn an_embedding_has_no_output() {
    let usage = Usage { input_tokens: Some(12_345), ..Usage::default() };
    assert_eq!(total("openai", "text-embedding-3-small", "2026-05-05", &usage), "0.0002469");
}

/// <https://docs.perplexity.ai/guides/pricing>: Sonar Pro $3, $15, and $14 for a thousand requests with high context.
#[test]
fn a_request_has_its_own_price() {
    // 200 × 3 + 100 × 15 millionths, and 14 thousandths.
    assert_eq!(total("perplexity", "sonar-pro", "2026-05-05", &tokens(200, 100)), "0.0161");
}

/// <https://api-docs.deepseek.com/quick_start/pricing> of 2025: V3 at half price from 16:30 to 00:30 UTC.
#[test]
fn hours_of_the_day_have_their_prices() {
    // 1 000 × 0.27 + 1 000 × 1.1 against 1 000 × 0.135 + 1 000 × 0.55.
    let usage = tokens(1_000, 1_000);
    assert_eq!(total("deepseek", "deepseek-chat", "2025-07-07T16:29:59Z", &usage), "0.00137");
    assert_eq!(total("deepseek", "deepseek-chat", "2025-07-07T16:30:00Z", &usage), "0.000685");
    assert_eq!(total("deepseek", "deepseek-chat", "2025-07-08T00:29:59Z", &usage), "0.000685");
}

/// <https://developers.openai.com/api/docs/pricing>: batches of GPT-4o at half of $2.50 and $10.
#[test]
fn a_batch_is_half_the_price_from_when_its_rate_is_known() {
    let route = Route { provider: Some("openai"), response_model: Some("gpt-4o"), batch: true, ..Route::default() };
    let price = |moment| built_in().price(&route, at(moment), &tokens(1_000, 100)).map_err(|why| why.to_string());
    // 1 000 × 1.25 + 100 × 5.
    assert_eq!(price("2026-11-01").map(|quote| quote.charge.total.to_string()), Ok("0.00175".to_owned()));
    assert_eq!(price("2026-09-01").map(|quote| quote.charge.total.to_string()), Err("no_rule_in_force".to_owned()));
}

#[test]
fn each_part_of_an_amount_is_kept() {
    let route = Route { provider: Some("anthropic"), response_model: Some("claude-sonnet-4-5"), ..Route::default() };
    let usage = Usage { cache_read_tokens: Some(1_000), cache_write_tokens: Some(100), ..tokens(1_500, 20) };
    let charge = built_in().price(&route, at("2026-01-15"), &usage).expect("a price").charge;
    let parts: Vec<(Kind, String)> = Kind::ALL
        .into_iter()
        .filter(|kind| charge.part(*kind) != tracewell_pricing::Amount::ZERO)
        .map(|kind| (kind, charge.part(kind).to_string()))
        .collect();
    let expected = [
        (Kind::Input, "0.0012"),
        (Kind::CacheRead, "0.0003"),
        (Kind::CacheWrite, "0.000375"),
        (Kind::Output, "0.0003"),
    ];
    assert_eq!(parts, expected.map(|(kind, amount)| (kind, amount.to_owned())));
    assert_eq!((charge.input().to_string(), charge.output().to_string()), ("0.001875".to_owned(), "0.0003".to_owned()));
}
