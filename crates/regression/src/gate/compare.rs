//! Is the candidate worse than the baseline by more than a margin?

use crate::statistics::{Bootstrap, Interval, PairedCounts, z_of};

/// What the examples' differences say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared {
    pub(super) interval: Interval,
    /// Small where it is surely not worse by the margin.
    pub(super) p_pass: f64,
    /// Small where it surely is.
    pub(super) p_fail: f64,
    pub(super) mcnemar: Option<f64>,
    /// About how many examples would show it, were the others like these. `None` where none would.
    pub(super) needed: Option<u64>,
}

/// Compares by the differences of the examples, each from -1 to 1 and less than 0 where the candidate is worse. `None`
/// without examples.
pub(super) fn shares(differences: &[f64], margin: f64, confidence: f64, bootstrap: Bootstrap) -> Option<Compared> {
    let first = *differences.first()?;
    let both_sides = 2.0 * confidence - 1.0;
    let (interval, p_fail, mcnemar) = if differences.iter().all(|one| [-1.0, 0.0, 1.0].contains(one)) {
        let counts = counts(differences);
        (counts.interval(both_sides)?, counts.p_below(-margin)?, Some(counts.mcnemar_mid_p()))
    } else if let Some(resampled) = bootstrap.mean(differences) {
        (resampled.interval(both_sides), resampled.p_below(-margin), None)
    } else {
        return Some(all_alike(first, differences.len(), margin, confidence));
    };
    let needed = needed(differences, margin, confidence);
    Some(Compared { interval, p_pass: 1.0 - p_fail, p_fail, mcnemar, needed })
}

/// Compares by differences on no bounded scale, less than 0 where the candidate is worse than allowed. `None` without
/// examples.
pub(super) fn measures(differences: &[f64], confidence: f64, bootstrap: Bootstrap) -> Option<Compared> {
    let first = *differences.first()?;
    let Some(resampled) = bootstrap.mean(differences) else {
        // All examples differ by the same, as where both sides cost the same each time.
        let p_fail = if first < 0.0 { 0.0 } else { 1.0 };
        let interval = Interval { low: first, high: first };
        return first.is_finite().then_some(Compared {
            interval,
            p_pass: 1.0 - p_fail,
            p_fail,
            mcnemar: None,
            needed: None,
        });
    };
    let p_fail = resampled.p_below(0.0);
    let interval = resampled.interval(2.0 * confidence - 1.0);
    Some(Compared {
        interval,
        p_pass: 1.0 - p_fail,
        p_fail,
        mcnemar: None,
        needed: needed(differences, 0.0, confidence),
    })
}

fn counts(differences: &[f64]) -> PairedCounts {
    let count = |of: f64| differences.iter().filter(|one| **one == of).count() as u64;
    PairedCounts { examples: differences.len() as u64, broke: count(-1.0), mended: count(1.0) }
}

/// Where all examples differ by the same, resampling sees no spread. But up to a share `u` of all others may differ from
/// them, where `(1 - u)^n` is the chance of not having seen one; and each by the whole scale.
fn all_alike(difference: f64, count: usize, margin: f64, confidence: f64) -> Compared {
    let unseen = 1.0 - (1.0 - confidence).powf(1.0 / count as f64);
    let chance = |share: f64| if share > 0.0 { (1.0 - share).max(0.0).powi(count as i32) } else { 1.0 };
    let pass_share = (difference + margin) / (difference + 1.0);
    let needed = (pass_share > 0.0).then(|| ((1.0 - confidence).ln() / (1.0 - pass_share).ln()).ceil() as u64);
    Compared {
        interval: Interval { low: difference * (1.0 - unseen) - unseen, high: difference * (1.0 - unseen) + unseen },
        p_pass: chance(pass_share),
        p_fail: chance((-margin - difference) / (1.0 - difference)),
        mcnemar: None,
        needed,
    }
}

fn needed(differences: &[f64], margin: f64, confidence: f64) -> Option<u64> {
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let distance = mean + margin;
    if distance <= 0.0 {
        return None;
    }
    let variance = differences.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / count;
    let z = z_of(confidence);
    // Where nothing differs, what Tango's interval needs.
    let needed = if variance > 0.0 { variance * (z / distance).powi(2) } else { z * z * (1.0 - distance) / distance };
    Some(needed.ceil() as u64)
}
