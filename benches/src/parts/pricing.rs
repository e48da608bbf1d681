//! Pricing alone, on one core.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracewell_pricing::{Amount, Catalogue, Plan, Pricer, Route, Usage, read_moment};

const CALLS: usize = 20_000_000;

/// Calls priced over and over, as many as a batch of rows has.
const BATCH: i64 = 8_192;

/// The place of its plan, its time and its counts.
type Call = (u32, i64, Usage);

fn route(provider: &'static str, model: &'static str) -> Route<'static> {
    Route { provider: Some(provider), response_model: Some(model), tenant: Some("default"), ..Route::default() }
}

/// Calls of eight models, with caches, long contexts, dated prices and hours among them.
fn calls(pricer: &Pricer) -> (Vec<Arc<Plan>>, Vec<Call>) {
    let plans: Vec<_> = [
        route("openai", "gpt-4o"),
        route("openai", "gpt-5.4"),
        route("openai", "o3"),
        route("anthropic", "claude-sonnet-4-5"),
        route("gcp.gemini", "gemini-2.5-pro"),
        route("deepseek", "deepseek-v4-pro"),
        route("mistral_ai", "mistral-large-latest"),
        route("ollama", "unknown"),
    ]
    .map(|route| pricer.plan(&route))
    .into();
    let start = read_moment("2026-01-01").expect("a date");
    let call = |at: i64| {
        let usage = Usage {
            input_tokens: Some(2_000 + at * 7_919 % 300_000),
            output_tokens: Some(at * 31 % 2_000),
            cache_read_tokens: (at % 3 != 0).then_some(at * 17 % 1_000),
            cache_write_tokens: (at % 4 == 0).then_some(at * 13 % 500),
            reasoning_tokens: (at % 5 == 0).then_some(0),
            ..Usage::default()
        };
        ((at % 8) as u32, start + at * 3_600_000_000_000, usage)
    };
    (plans, (0..BATCH).map(call).collect())
}

fn report(what: &str, count: usize, time: Duration) {
    let each = time.as_secs_f64() / count as f64;
    println!("{what}: {:.1} ns each, {:.1} million a second", each * 1e9, 1e-6 / each);
}

pub(super) fn run() {
    let start = Instant::now();
    let catalogue = Catalogue::built_in();
    println!("catalogue: {} rules read in {:.1?}", catalogue.rules().len(), start.elapsed());
    let start = Instant::now();
    let pricer = Pricer::new(vec![catalogue]);
    println!("made ready in {:.1?}", start.elapsed());
    let (plans, calls) = calls(&pricer);
    for _ in 0..3 {
        let start = Instant::now();
        let (mut sum, mut unpriced) = (Amount::ZERO, 0);
        for (plan, at, usage) in calls.iter().cycle().take(CALLS) {
            match plans[*plan as usize].price(*at, black_box(usage)) {
                Ok(quote) => sum += black_box(quote).charge.total,
                Err(_) => unpriced += 1,
            }
        }
        report("price", CALLS, start.elapsed());
        println!("  {sum} in all, {unpriced} unpriced");
    }
    let start = Instant::now();
    for at in 0..1_000_000 {
        black_box(pricer.plan(&route("openai", if at % 2 == 0 { "gpt-4o" } else { "o3" })));
    }
    report("plan, known", 1_000_000, start.elapsed());
    let names: Vec<String> = (0..2_000).map(|at| format!("model-{at}")).collect();
    let start = Instant::now();
    for name in &names {
        black_box(pricer.plan(&Route { provider: Some("openrouter"), response_model: Some(name), ..Route::default() }));
    }
    report("plan, new and unknown", names.len(), start.elapsed());
}
