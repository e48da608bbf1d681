//! How often a gate is wrong, over many worlds whose truth is known.

use super::*;

/// The shares of verdicts over worlds in which the candidate's mean truly is lower by `drop`; the sides agree mostly.
fn shares(gate: &Gate, count: usize, drop: f64, graded: bool) -> (f64, f64) {
    const WORLDS: u32 = 400;
    let mut random = random(31);
    let mut even = move || random(1_000_000) as f64 / 1e6;
    let (mut passed, mut failed) = (0, 0);
    let cases = cases(count);
    for _ in 0..WORLDS {
        let pairs: Vec<[f64; 2]> = (0..count)
            .map(|_| {
                if graded {
                    // Skewed noise on both sides; the candidate's mean is lower by `drop`.
                    let base = 0.4 + 0.5 * even().powi(3);
                    [base, (base + 0.1 * (even() - 0.5) - drop).clamp(0.0, 1.0)]
                } else {
                    // A tenth of the examples change; of them more break than mend.
                    let (breaks, mends) = (0.05 + drop / 2.0, 0.05 - drop / 2.0);
                    let draw = even();
                    if draw < breaks {
                        [1.0, 0.0]
                    } else if draw < breaks + mends {
                        [0.0, 1.0]
                    } else {
                        [1.0, 1.0]
                    }
                }
            })
            .collect();
        let trials = trials(count, |case, side| pairs[case][side as usize]);
        match decide(gate, &cases, &trials).decision {
            Decision::Pass => passed += 1,
            Decision::Fail => failed += 1,
            Decision::NotEnoughEvidence => {}
        }
    }
    (f64::from(passed) / f64::from(WORLDS), f64::from(failed) / f64::from(WORLDS))
}

/// One in twenty, and three standard errors of so many worlds.
const LEVEL: f64 = 0.05 + 3.0 * 0.0109;

#[test]
fn rates_at_the_margin_are_wrong_no_oftener_than_asked_for() {
    let gate = gate("minimum_sample = 20\n[[scorer]]\nname = 's'\nkind = 'exact'\nmax_drop = 0.04\n");
    let (passed, failed) = shares(&gate, 150, 0.04, false);
    assert!(passed <= LEVEL && failed <= LEVEL, "{passed} {failed}");
    let (passed, failed) = shares(&gate, 600, 0.0, false);
    assert!(passed > 0.8 && failed == 0.0, "{passed} {failed}");
    let (passed, failed) = shares(&gate, 1500, 0.09, false);
    assert!(failed > 0.8 && passed == 0.0, "{passed} {failed}");
}

#[test]
fn scores_at_the_margin_are_wrong_no_oftener_than_asked_for() {
    let gate =
        gate("minimum_sample = 20\nresamples = 1000\n[[scorer]]\nname = 's'\nkind = 'rouge-l'\nmax_drop = 0.03\n");
    let (passed, failed) = shares(&gate, 60, 0.03, true);
    assert!(passed <= LEVEL && failed <= LEVEL, "{passed} {failed}");
    let (passed, failed) = shares(&gate, 60, 0.0, true);
    assert!(passed > 0.8 && failed == 0.0, "{passed} {failed}");
}
