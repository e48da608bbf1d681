//! A gate: 5,000 examples, two sides, 10 scorers with a threshold each.

use std::time::Instant;

use tracewell_regression::gate::{Case, Evidence, Gate, Side, Trial};
use tracewell_regression::scorers::{Score, Value};

const EXAMPLES: u32 = 5_000;
const SCORERS: u32 = 10;

pub(super) fn run() -> anyhow::Result<()> {
    let head = "name = 'speed'\ndataset = 'made@v1'\nbaseline = 'live'\ncandidate = 'version:2'\n";
    let rules = (0..SCORERS).map(|name| format!("[[scorer]]\nname = 's{name}'\nkind = 'rouge-l'\nmax_drop = 0.02\n"));
    let gate = Gate::parse(&(head.to_owned() + &rules.collect::<String>()))?;
    let cases: Vec<Case> = (0..EXAMPLES).map(|case| Case { id: format!("case-{case}"), tags: Vec::new() }).collect();
    let trial = |case: u32, side: Side| {
        let score = |name: u32| {
            // Some number that depends on all three.
            let value = f64::from((case * 7919 + name * 104_729 + side as u32 * 31) % 1000) / 1000.0;
            Score::Known { value: Value::Share(value), passed: None, explanation: String::new() }
        };
        let scores = (0..SCORERS).map(|name| (format!("s{name}"), score(name))).collect();
        let example = format!("case-{case}");
        Trial { example, side, repetition: 1, answer: None, latency: None, cost: None, scores }
    };
    let sides = [Side::Baseline, Side::Candidate];
    let trials: Vec<Trial> = (0..EXAMPLES).flat_map(|case| sides.map(|side| trial(case, side))).collect();
    let evidence = Evidence { cases: &cases, trials: &trials, today: chrono::NaiveDate::default() };
    for _ in 0..3 {
        let start = Instant::now();
        let verdict = gate.decide(&evidence);
        let (took, judged) = (start.elapsed(), verdict.decision);
        println!("gate: {EXAMPLES} examples, two sides, {SCORERS} scores each, decided ({judged:?}) in {took:.2?}");
    }
    Ok(())
}
