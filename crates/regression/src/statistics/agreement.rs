//! How far people who judged the same items agree beyond chance.

use std::collections::BTreeMap;

/// Cohen's kappa of two raters, who gave each item one label (J. Cohen, 1960). `None` without items, and where both
/// only ever gave one same label: chance alone explains that.
#[must_use]
pub fn cohen_kappa<L: Ord>(items: &[(L, L)]) -> Option<f64> {
    let mut labels: BTreeMap<&L, (f64, f64)> = BTreeMap::new();
    for (first, second) in items {
        labels.entry(first).or_default().0 += 1.0;
        labels.entry(second).or_default().1 += 1.0;
    }
    let count = items.len() as f64;
    let agreed = items.iter().filter(|(first, second)| first == second).count() as f64 / count;
    let by_chance = labels.values().map(|(first, second)| first * second).sum::<f64>() / (count * count);
    beyond_chance(agreed, by_chance)
}

/// Fleiss' kappa (J. L. Fleiss, 1971): for each item, how many raters gave each label. `None` without items, where the
/// items were not all judged by the same number of raters, two or more, and where only one label was ever given.
#[must_use]
pub fn fleiss_kappa(items: &[Vec<u64>]) -> Option<f64> {
    let first = items.first()?;
    let raters: u64 = first.iter().sum();
    if raters < 2 || items.iter().any(|item| item.len() != first.len() || item.iter().sum::<u64>() != raters) {
        return None;
    }
    let (count, raters) = (items.len() as f64, raters as f64);
    let pairs = |item: &Vec<u64>| item.iter().map(|given| (*given as f64) * (*given as f64 - 1.0)).sum::<f64>();
    let agreed = items.iter().map(pairs).sum::<f64>() / (count * raters * (raters - 1.0));
    let share = |label: usize| items.iter().map(|item| item[label] as f64).sum::<f64>() / (count * raters);
    let by_chance = (0..first.len()).map(|label| share(label).powi(2)).sum();
    beyond_chance(agreed, by_chance)
}

/// Krippendorff's alpha of numbers on an interval scale (K. Krippendorff, 1970): for each item, what each rater gave. `None`
/// without items, where one has fewer than two numbers, and where all numbers are the same.
#[must_use]
pub fn interval_alpha(items: &[Vec<f64>]) -> Option<f64> {
    if items.iter().any(|item| item.len() < 2) {
        return None;
    }
    // Squared differences of all ordered pairs.
    let apart = |numbers: &[f64]| {
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        2.0 * numbers.len() as f64 * numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>()
    };
    let all: Vec<f64> = items.iter().flatten().copied().collect();
    let count = all.len() as f64;
    let observed = items.iter().map(|item| apart(item) / (item.len() as f64 - 1.0)).sum::<f64>() / count;
    let by_chance = apart(&all) / (count * (count - 1.0));
    let alpha = 1.0 - observed / by_chance;
    alpha.is_finite().then_some(alpha)
}

fn beyond_chance(agreed: f64, by_chance: f64) -> Option<f64> {
    let kappa = (agreed - by_chance) / (1.0 - by_chance);
    kappa.is_finite().then_some(kappa)
}
