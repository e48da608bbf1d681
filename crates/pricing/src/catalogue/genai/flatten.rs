//! From prices that shadow one another to rules with periods that exclude each other.
//!
//! In the data the last price whose constraint holds is the model's, and the variants for a service tier or for batches
//! replace single prices of it while their own constraints hold. All boundaries together cut time into cells, dates by
//! hours of the day; each cell has one set of prices, and neighbouring cells with equal prices are put together.

use std::collections::{BTreeMap, BTreeSet};

use super::{Conditional, Constraint, Prices, Variant};
use crate::catalogue::{ContextTier, Rule};
use crate::matching::Match;
use crate::names;
use crate::time::{DAY, Hours, Period, UnixNanos, moment_text};

/// What a call has to be for a variant: `service_tier` → `flex`, for instance. Empty for the standard prices.
type Context = BTreeMap<String, String>;

/// A stretch of dates: from here (none: always before) to there (none: for good).
type Dates = (Option<UnixNanos>, Option<UnixNanos>);

/// What a day costs, window by window; none where a context has no price.
type Day = Vec<(Hours, Option<Prices>)>;

/// The rules of one model.
pub(super) fn rules(
    provider: &str,
    model: &str,
    matches: &Match,
    standard: &[Conditional],
    variants: &[Variant],
) -> Vec<Rule> {
    let mut contexts = vec![Context::new()];
    for variant in variants {
        if !contexts.contains(&variant.when) && !is_standard(&variant.when) {
            contexts.push(variant.when.clone());
        }
    }
    let mut rules = Vec::new();
    for context in &contexts {
        let variants: Vec<&Variant> = variants.iter().filter(|variant| &variant.when == context).collect();
        for (period, prices) in periods(standard, &variants, context.is_empty()) {
            let mut rule = Rule {
                id: id(provider, model, context, &period),
                provider: Some(provider.to_owned()),
                model: model.to_owned(),
                matches: matches.clone(),
                tenant: None,
                environment: None,
                service_tier: None,
                batch: Some(false),
                condition: None,
                period,
                currency: "USD".to_owned(),
                tiers: tiers(&prices),
            };
            set_context(&mut rule, context);
            rules.push(rule);
        }
    }
    rules
}

/// A variant that says that a name of the standard tier means the standard prices.
fn is_standard(context: &Context) -> bool {
    context.len() == 1 && context.get("service_tier").is_some_and(|tier| names::is_standard_tier(tier))
}

fn set_context(rule: &mut Rule, context: &Context) {
    for (key, value) in context {
        match (key.as_str(), value.as_str()) {
            ("service_tier", tier) => rule.service_tier = Some(tier.to_owned()),
            ("processing", "batch") => rule.batch = Some(true),
            (key, value) => {
                let condition = rule.condition.take().map(|others| others + ",").unwrap_or_default();
                rule.condition = Some(format!("{condition}{key}={value}"));
            }
        }
    }
}

fn id(provider: &str, model: &str, context: &Context, period: &Period) -> String {
    let mut id = format!("{provider}/{model}");
    for (key, value) in context {
        id += &match key.as_str() {
            "service_tier" | "processing" => format!("+{value}"),
            key => format!("+{key}={value}"),
        };
    }
    if let Some(from) = period.from {
        id += &format!("@{}", moment_text(from));
    }
    if let Some(hours) = period.hours_text() {
        id += &format!("@{hours}");
    }
    id
}

fn periods(standard: &[Conditional], variants: &[&Variant], always: bool) -> Vec<(Period, Prices)> {
    let constraints = || standard.iter().map(|one| &one.constraint).chain(variants.iter().map(|one| &one.constraint));
    let mut dates: Vec<(Dates, Day)> = Vec::new();
    for (from, to) in stretches(constraints()) {
        let day = windows(constraints())
            .map(|window| (window, at(standard, variants, always, from, window.start)))
            .collect::<Day>();
        match dates.last_mut() {
            Some(((_, end), same)) if *same == day => *end = to,
            _ => dates.push(((from, to), day)),
        }
    }
    let mut periods = Vec::new();
    for ((from, to), day) in dates {
        let mut of_day: Vec<(Vec<Hours>, Prices)> = Vec::new();
        for (window, prices) in day {
            let Some(prices) = prices else { continue };
            match of_day.iter_mut().find(|(_, same)| *same == prices) {
                Some((windows, _)) => append(windows, window),
                None => of_day.push((vec![window], prices)),
            }
        }
        for (windows, prices) in of_day {
            let all_day = windows == [Hours { start: 0, end: DAY }];
            periods.push((Period { from, to, hours: if all_day { Vec::new() } else { windows } }, prices));
        }
    }
    periods
}

fn append(windows: &mut Vec<Hours>, window: Hours) {
    match windows.last_mut() {
        Some(last) if last.end == window.start => last.end = window.end,
        _ => windows.push(window),
    }
}

/// The stretches between the start dates.
fn stretches<'a>(constraints: impl Iterator<Item = &'a Constraint>) -> Vec<Dates> {
    let starts: BTreeSet<UnixNanos> = constraints
        .filter_map(|constraint| match constraint {
            Constraint::From(start) => Some(*start),
            _ => None,
        })
        .collect();
    let from = std::iter::once(None).chain(starts.iter().copied().map(Some));
    let to = starts.iter().copied().map(Some).chain(std::iter::once(None));
    from.zip(to).collect()
}

/// The windows of the day between the boundaries of hours.
fn windows<'a>(constraints: impl Iterator<Item = &'a Constraint>) -> impl Iterator<Item = Hours> {
    let mut bounds = BTreeSet::from([0, DAY]);
    for constraint in constraints {
        if let Constraint::Hours(hours) = constraint {
            bounds.extend(hours.iter().flat_map(|window| [window.start, window.end]));
        }
    }
    let bounds: Vec<u32> = bounds.into_iter().collect();
    (1..bounds.len()).map(move |end| Hours { start: bounds[end - 1], end: bounds[end] })
}

/// The prices from `date` on at `second` of the day; none where no variant of the context holds.
fn at(
    standard: &[Conditional],
    variants: &[&Variant],
    always: bool,
    date: Option<UnixNanos>,
    second: u32,
) -> Option<Prices> {
    let holds = |constraint: &Constraint| match constraint {
        Constraint::Always => true,
        Constraint::From(start) => date.is_some_and(|date| date >= *start),
        Constraint::Hours(hours) => hours.iter().any(|window| window.start <= second && second < window.end),
    };
    let active = standard.iter().rev().find(|one| holds(&one.constraint)).or(standard.first())?;
    let mut prices = active.prices.clone();
    let variants: Vec<_> = variants.iter().filter(|variant| holds(&variant.constraint)).collect();
    if variants.is_empty() && !always {
        return None;
    }
    // The first variant that has a price decides, so that later ones are laid under it.
    for variant in variants.iter().rev() {
        prices.extend(variant.prices.iter().map(|(unit, rate)| (*unit, rate.clone())));
    }
    Some(prices)
}

fn tiers(prices: &Prices) -> Vec<ContextTier> {
    let bounds: BTreeSet<i64> =
        prices.values().flat_map(|rate| rate.over.iter().map(|(over, _)| *over)).chain([0]).collect();
    let at = |over: i64| {
        let rate = |rate: &super::TieredRate| {
            rate.over.iter().rev().find(|(start, _)| *start <= over).map_or(rate.base, |(_, rate)| *rate)
        };
        prices.iter().map(|(unit, tiered)| (*unit, rate(tiered))).collect()
    };
    bounds.into_iter().map(|over| ContextTier { over, rates: at(over) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::genai_prices;

    fn rules_of(model: &str) -> Vec<(String, Option<String>, Vec<String>)> {
        let json = format!(r#"[{{"id":"p","models":[{{"id":"m","match":{{"equals":"m"}},{model}}}]}}]"#);
        let catalogue = genai_prices("test", &json).expect("reads");
        let shown = |rule: &Rule| {
            let rates = rule.tiers.iter().map(|tier| {
                let rates: Vec<String> =
                    tier.rates.iter().map(|(unit, rate)| format!("{unit:?} {}", rate.price)).collect();
                format!(">{} {}", tier.over, rates.join(" "))
            });
            (rule.id.clone(), rule.period.to.map(moment_text), rates.collect())
        };
        catalogue.rules().iter().map(shown).collect()
    }

    fn rule(id: &str, to: Option<&str>, rates: &[&str]) -> (String, Option<String>, Vec<String>) {
        (id.to_owned(), to.map(str::to_owned), rates.iter().map(|rate| (*rate).to_owned()).collect())
    }

    #[test]
    fn a_start_date_ends_the_price_before() {
        let rules = rules_of(
            r#""prices":[{"prices":{"input_mtok":3}},{"constraint":{"start_date":"2026-03-13"},"prices":{"input_mtok":2}}]"#,
        );
        let before = rule("p/m", Some("2026-03-13"), &[">0 input_tokens 3"]);
        assert_eq!(rules, [before, rule("p/m@2026-03-13", None, &[">0 input_tokens 2"])]);
    }

    #[test]
    fn hours_that_come_last_win_also_before_a_date() {
        let rules = rules_of(
            r#""prices":[{"prices":{"input_mtok":1}},{"constraint":{"start_date":"2026-08-17"},"prices":{"input_mtok":2}},
               {"constraint":{"start_time":"01:00:00Z","end_time":"04:00:00Z"},"prices":{"input_mtok":4}}]"#,
        );
        assert_eq!(
            rules,
            [
                rule("p/m@00:00-01:00,04:00-24:00", Some("2026-08-17"), &[">0 input_tokens 1"]),
                rule("p/m@01:00-04:00", Some("2026-08-17"), &[">0 input_tokens 4"]),
                rule("p/m@2026-08-17@00:00-01:00,04:00-24:00", None, &[">0 input_tokens 2"]),
                rule("p/m@2026-08-17@01:00-04:00", None, &[">0 input_tokens 4"]),
            ]
        );
    }

    #[test]
    fn a_variant_replaces_single_prices_while_it_holds() {
        let rules = rules_of(
            r#""prices":{"input_mtok":{"base":2,"tiers":[{"start":200000,"price":4}]},"output_mtok":8,"requests_kcount":5},
               "price_variants":[{"when":{"service_tier":"default"},"prices":{}},
                 {"when":{"processing":"batch"},"prices":{"output_mtok":3},"constraint":{"start_date":"2027-01-01"}},
                 {"when":{"processing":"batch"},"prices":{"input_mtok":1,"output_mtok":4},"constraint":{"start_date":"2026-10-14"}},
                 {"when":{"route":"eu"},"prices":{"input_mtok":9}}]"#,
        );
        assert_eq!(
            rules,
            [
                rule(
                    "p/m",
                    None,
                    &[
                        ">0 input_tokens 2 output_tokens 8 requests 5",
                        ">200000 input_tokens 4 output_tokens 8 requests 5"
                    ]
                ),
                rule("p/m+batch@2026-10-14", Some("2027-01-01"), &[">0 input_tokens 1 output_tokens 4 requests 5"]),
                rule("p/m+batch@2027-01-01", None, &[">0 input_tokens 1 output_tokens 3 requests 5"]),
                rule("p/m+route=eu", None, &[">0 input_tokens 9 output_tokens 8 requests 5"]),
            ]
        );
    }
}
