//! SciPy and statsmodels have to say the same, on generated cases.

use serde_json::{Value, json};

use super::*;
use crate::oracle::random;

fn ask(test: &str, cases: &[Value]) -> Option<Vec<Value>> {
    crate::oracle::ask(test, "statistics_oracle.py", cases)
}

#[track_caller]
fn close(ours: f64, theirs: &Value, tolerance: f64, case: &Value) {
    let theirs = theirs.as_f64().unwrap_or(f64::NAN);
    assert!((ours - theirs).abs() <= tolerance, "ours {ours}, theirs {theirs}: {case}");
}

#[test]
fn wilson_intervals_are_those_of_statsmodels() {
    let mut random = random(1);
    let mut cases = vec![json!({ "what": "wilson", "k": 0, "n": 1, "confidence": 0.95 })];
    for _ in 0..200 {
        let n = 1 + random(3000);
        let confidence = [0.8, 0.95, 0.99][random(3) as usize];
        cases.push(json!({ "what": "wilson", "k": random(n + 1), "n": n, "confidence": confidence }));
    }
    let Some(answers) = ask("wilson", &cases) else { return };
    for (case, theirs) in cases.iter().zip(answers) {
        let number = |key: &str| case[key].as_u64().unwrap();
        let ours = wilson(number("k"), number("n"), case["confidence"].as_f64().unwrap()).unwrap();
        close(ours.low, &theirs[0], 1e-9, case);
        close(ours.high, &theirs[1], 1e-9, case);
    }
}

#[test]
fn paired_rates_are_those_of_statsmodels_and_of_a_numeric_search() {
    let mut random = random(2);
    let mut cases = Vec::new();
    for _ in 0..150 {
        let n = 1 + random(400);
        let broke = random(n + 1);
        let mended = random(n - broke + 1);
        cases.push(json!({ "what": "mcnemar", "n": n, "broke": broke, "mended": mended, "confidence": 0.9 }));
    }
    for n in [5, 50, 5000] {
        cases.push(json!({ "what": "mcnemar", "n": n, "broke": 0, "mended": 0, "confidence": 0.95 }));
    }
    let Some(answers) = ask("mcnemar", &cases) else { return };
    for (case, theirs) in cases.iter().zip(answers) {
        let number = |key: &str| case[key].as_u64().unwrap();
        let ours = PairedCounts { examples: number("n"), broke: number("broke"), mended: number("mended") };
        close(ours.mcnemar_mid_p(), &theirs["mid_p"], 1e-9, case);
        let confidence = case["confidence"].as_f64().unwrap();
        let interval = ours.interval(confidence).unwrap();
        close(interval.low, &theirs["interval"][0], 1e-5, case);
        close(interval.high, &theirs["interval"][1], 1e-5, case);
        // The test and the interval are two faces of one thing.
        let tail = (1.0 - confidence) / 2.0;
        if interval.high < 1.0 - 1e-9 {
            close(ours.p_below(interval.high).unwrap(), &tail.into(), 1e-6, case);
        }
        if interval.low > -1.0 + 1e-9 {
            close(ours.p_below(interval.low).unwrap(), &(1.0 - tail).into(), 1e-6, case);
        }
    }
}

#[test]
fn corrections_are_those_of_statsmodels() {
    let mut random = random(3);
    let mut cases = Vec::new();
    for round in 0..60 {
        // Coarse, so that some are equal.
        let p: Vec<f64> = (0..1 + random(20)).map(|_| random(200) as f64 / 1000.0).collect();
        let correction = if round % 2 == 0 { Correction::Holm } else { Correction::BenjaminiHochberg };
        cases.push(json!({ "what": "adjust", "p": p, "correction": correction.name() }));
    }
    let Some(answers) = ask("adjust", &cases) else { return };
    for (case, theirs) in cases.iter().zip(answers) {
        let p: Vec<f64> = case["p"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
        let correction = Correction::ALL.into_iter().find(|one| case["correction"] == one.name()).unwrap();
        for (place, ours) in adjust(&p, correction).into_iter().enumerate() {
            close(ours, &theirs[place], 1e-12, case);
        }
    }
}

#[test]
fn agreement_is_that_of_statsmodels() {
    let mut random = random(4);
    let mut cases = Vec::new();
    for _ in 0..40 {
        let labels = 2 + random(4);
        let count = 2 + random(60);
        let pairs: Vec<_> = (0..count).map(|_| (random(labels), random(labels))).collect();
        cases.push(json!({ "what": "cohen", "items": pairs }));
        let raters = 2 + random(5);
        let items: Vec<Vec<u64>> = (0..count)
            .map(|_| {
                let mut given = vec![0; labels as usize];
                (0..raters).for_each(|_| given[random(labels) as usize] += 1);
                given
            })
            .collect();
        cases.push(json!({ "what": "fleiss", "items": items }));
    }
    let Some(answers) = ask("kappa", &cases) else { return };
    let mut compared = 0;
    for (case, theirs) in cases.iter().zip(answers) {
        let ours = if case["what"] == "cohen" {
            cohen_kappa(&serde_json::from_value::<Vec<(u64, u64)>>(case["items"].clone()).unwrap())
        } else {
            fleiss_kappa(&serde_json::from_value::<Vec<Vec<u64>>>(case["items"].clone()).unwrap())
        };
        if let Some(ours) = ours {
            close(ours, &theirs, 1e-9, case);
            compared += 1;
        }
    }
    assert!(compared > 70, "{compared}");
}

#[test]
fn bootstrap_intervals_are_those_of_scipy() {
    let mut random = random(5);
    let mut cases = Vec::new();
    for round in 0..12_u64 {
        let values: Vec<f64> = (0..10 + random(150))
            .map(|_| {
                let even = random(1_000_000) as f64 / 1e6;
                // Even, skewed, and three-valued like the differences of a pass rate.
                match round % 3 {
                    0 => even - 0.5,
                    1 => -(1.0 - even).ln(),
                    _ => (even * 3.0).floor() - 1.0,
                }
            })
            .collect();
        let confidence = [0.8, 0.9, 0.95][round as usize % 3];
        let resampled = Bootstrap { resamples: 20_000, seed: round }.mean(&values).unwrap();
        cases.push(json!({ "what": "bca", "values": values, "means": resampled.means(), "confidence": confidence }));
    }
    let Some(answers) = ask("bca", &cases) else { return };
    for (round, (case, theirs)) in cases.iter().zip(answers).enumerate() {
        let values: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
        let confidence = case["confidence"].as_f64().unwrap();
        let resampled = Bootstrap { resamples: 20_000, seed: round as u64 }.mean(&values).unwrap();
        let ours = resampled.interval(confidence);
        close(ours.low, &theirs["same"][0], 1e-9, &theirs);
        close(ours.high, &theirs["same"][1], 1e-9, &theirs);
        // With resamples of its own SciPy comes out elsewhere: by the error of so many draws, and by a step where there
        // are only few different means.
        let step = if round % 3 == 2 { 1.0 / values.len() as f64 } else { 0.0 };
        let noise = 0.06 * theirs["standard_error"].as_f64().unwrap() + step;
        close(ours.low, &theirs["own"][0], noise, &theirs);
        close(ours.high, &theirs["own"][1], noise, &theirs);
        // The test and the interval are two faces of one thing.
        if round % 3 < 2 {
            let level = resampled.p_below(ours.high);
            assert!((level - (1.0 - confidence) / 2.0).abs() < 2e-3, "{level}");
        }
    }
}

#[test]
fn what_says_nothing_has_no_estimate() {
    let bootstrap = Bootstrap::default();
    for values in [&[][..], &[1.0], &[0.0; 50], &[1.0, f64::NAN, 0.0], &[f64::INFINITY, 1.0]] {
        assert!(bootstrap.mean(values).is_none(), "{values:?}");
    }
    assert_eq!(wilson(0, 0, 0.95), None);
    assert_eq!(PairedCounts::default().interval(0.95), None);
    assert_eq!(cohen_kappa::<u8>(&[]), None);
    assert_eq!(cohen_kappa(&[(1, 1), (1, 1)]), None);
    assert_eq!(fleiss_kappa(&[vec![2, 0], vec![1, 2]]), None);
}

#[test]
fn the_same_seed_draws_the_same() {
    let values: Vec<f64> = (0..99).map(|value| f64::from(value).sin()).collect();
    let interval = |seed| Bootstrap { resamples: 1000, seed }.mean(&values).unwrap().interval(0.95);
    assert_eq!(interval(7), interval(7));
    assert_ne!(interval(7), interval(8));
}
