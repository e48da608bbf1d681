//! Calls of every model of the built-in catalogue, for other calculators to price as well.

use tracewell_pricing::catalogue::Rule;
use tracewell_pricing::{Catalogue, Match, UnixNanos, Usage};

use crate::at;

/// A call that names provider and model as the catalogue does.
pub(crate) struct Case {
    pub(crate) provider: Option<String>,
    pub(crate) model: String,
    pub(crate) at: UnixNanos,
    pub(crate) tier: Option<&'static str>,
    pub(crate) batch: bool,
    pub(crate) usage: Usage,
}

/// Numbers that look random and are the same in every run (Knuth's MMIX generator, its high bits).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % end
    }

    fn one_in(&mut self, times: i64) -> bool {
        self.below(times) == 0
    }
}

/// Some calls of each model, more of those with prices for service tiers or batches.
pub(crate) fn cases() -> Vec<Case> {
    let mut numbers = Numbers(2026);
    let mut cases = Vec::new();
    let same = |one: &Rule, other: &Rule| (&one.provider, &one.model) == (&other.provider, &other.model);
    for rules in Catalogue::built_in().rules().chunk_by(same) {
        let has_tiers = rules.iter().any(|rule| rule.service_tier.is_some() || rule.batch == Some(true));
        let names = names(&rules[0].matches);
        for name in names.iter().cycle().take(if has_tiers { 12 } else { 3 }) {
            let provider = provider(&mut numbers, rules[0].provider.as_deref(), name);
            let special = if has_tiers { numbers.below(2) == 0 } else { numbers.one_in(20) };
            cases.push(case(&mut numbers, provider, name, special));
        }
    }
    cases
}

/// The model's provider, now and then one that resells its models or none.
fn provider(numbers: &mut Numbers, whose: Option<&str>, model: &str) -> Option<String> {
    match whose {
        Some("openai" | "deepseek" | "x-ai" | "moonshotai") if numbers.one_in(8) => Some("azure".to_owned()),
        Some("anthropic") if numbers.one_in(4) => Some("google".to_owned()),
        // Without a provider, only we take the part before a slash for one.
        _ if !model.contains('/') && numbers.one_in(5) => None,
        whose => whose.map(str::to_owned),
    }
}

fn case(numbers: &mut Numbers, provider: Option<String>, model: &str, special: bool) -> Case {
    let tiers = [None, Some("default"), Some("flex"), Some("priority"), Some("fast")];
    let tier = if special { tiers[numbers.below(5) as usize] } else { None };
    Case {
        provider,
        model: if numbers.one_in(8) { model.to_uppercase() } else { model.to_owned() },
        at: moment(numbers),
        tier,
        batch: special && tier.is_none(),
        usage: usage(numbers),
    }
}

/// Any second from 2024 to 2027, often one at which prices change.
fn moment(numbers: &mut Numbers) -> UnixNanos {
    const SECOND: i64 = 1_000_000_000;
    let changes = ["2025-06-10", "2026-08-17", "2026-10-12", "2026-10-14", "2026-10-19", "2026-10-20", "2027-01-01"];
    let hours = ["00:30", "01:00", "04:00", "06:00", "10:00", "16:30"];
    match numbers.below(4) {
        0 => at(changes[numbers.below(7) as usize]) - numbers.below(2) * SECOND,
        1 => {
            let day = at(&format!("2026-11-{:02}T{}:00Z", 1 + numbers.below(30), hours[numbers.below(6) as usize]));
            day - numbers.below(2) * SECOND
        }
        _ => at("2024-01-01") + numbers.below(4 * 365 * 86_400) * SECOND + numbers.below(SECOND),
    }
}

fn usage(numbers: &mut Numbers) -> Usage {
    let sizes = [1, 2_000, 60_000, 128_000, 200_000, 272_000, 1_000_000];
    let input = sizes[numbers.below(7) as usize] + numbers.below(3) - 1 + numbers.below(1_000) * numbers.below(2);
    let output = numbers.below(8_000);
    let mut usage = Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() };
    // Mostly parts that can be, now and then more than the whole.
    let mut part = |whole: i64, often: i64| {
        let excess = if numbers.one_in(60) { 10 } else { 0 };
        numbers.one_in(often).then(|| numbers.below(whole / 3 + 1) + excess)
    };
    usage.cache_read_tokens = part(input, 2);
    usage.cache_write_tokens = part(input, 3);
    usage.reasoning_tokens = part(output, 3);
    usage.audio_input_tokens = part(input, 6);
    usage.audio_output_tokens = part(output, 6);
    usage.image_input_tokens = part(input, 8);
    usage.image_output_tokens = part(output, 8);
    if let Some(written) = usage.cache_write_tokens {
        usage.cache_write_1h_tokens = part(written, 2);
        usage.cache_write_5m_tokens = part(written, 3);
    }
    usage
}

/// Names for which a condition holds, one for each of its alternatives.
fn names(matches: &Match) -> Vec<String> {
    fn texts(matches: &Match) -> Vec<String> {
        match matches {
            Match::Equals(text) | Match::StartsWith(text) | Match::EndsWith(text) | Match::Contains(text) => {
                vec![text.clone()]
            }
            Match::AnyOf(all) | Match::AllOf(all) => all.iter().flat_map(texts).collect(),
            Match::Regex(_) | Match::Glob(_) => Vec::new(),
        }
    }
    let mut all = texts(matches);
    all.push(all.concat());
    all.retain(|name| matches.holds(&name.to_lowercase()));
    assert!(!all.is_empty(), "a name for {matches:?}");
    all
}
