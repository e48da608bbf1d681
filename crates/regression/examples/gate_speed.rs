//! How long a gate takes: `cargo run --release -p tracewell-regression --example gate_speed -- 5000 10`.

use std::time::Instant;

use tracewell_blocks::{Look, terminal};
use tracewell_regression::gate::{Case, Evidence, Gate, Side, Trial, page};
use tracewell_regression::scorers::{Score, Value};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>().expect("a number"));
    let (examples, scorers) = (arguments.next().unwrap_or(5000), arguments.next().unwrap_or(10));
    let head = "name = 'speed'\ndataset = 'made@v1'\nbaseline = 'live'\ncandidate = 'version:2'\n";
    let rules = (0..scorers).map(|name| format!("[[scorer]]\nname = 's{name}'\nkind = 'rouge-l'\nmax_drop = 0.02\n"));
    let gate = Gate::parse(&(head.to_owned() + &rules.collect::<String>())).expect("a valid gate");
    let cases: Vec<Case> = (0..examples).map(|case| Case { id: format!("case-{case}"), tags: Vec::new() }).collect();
    let trial = |case: u32, side: Side| {
        let score = |name: u32| {
            // Some number that depends on all three.
            let value = f64::from((case * 7919 + name * 104_729 + side as u32 * 31) % 1000) / 1000.0;
            Score::Known { value: Value::Share(value), passed: None, explanation: String::new() }
        };
        let scores = (0..scorers).map(|name| (format!("s{name}"), score(name))).collect();
        let example = format!("case-{case}");
        Trial { example, side, repetition: 1, answer: None, latency: None, cost: None, scores }
    };
    let sides = [Side::Baseline, Side::Candidate];
    let trials: Vec<Trial> = (0..examples).flat_map(|case| sides.map(|side| trial(case, side))).collect();
    let start = Instant::now();
    let evidence = Evidence { cases: &cases, trials: &trials, today: chrono::NaiveDate::default() };
    let verdict = gate.decide(&evidence);
    let took = start.elapsed();
    let mut short = verdict;
    short.changes.truncate(3);
    println!("{}", terminal(&page(&short), Look { width: 160, color: false }));
    println!("{examples} examples, {scorers} scorers: {took:.2?}");
}
