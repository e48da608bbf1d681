//! How long a search takes, and how much memory:
//! `cargo run --release -p tracewell-regression --example near_duplicates_speed -- 1000000`. With the number of words
//! of a template as a second argument, all texts begin with it: the worst case, alike but not alike enough.

use std::time::Instant;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use tracewell_regression::near_duplicates::NearDuplicates;

fn main() {
    let count: usize = std::env::args().nth(1).map_or(1_000_000, |argument| argument.parse().expect("a number"));
    let template: usize = std::env::args().nth(2).map_or(0, |argument| argument.parse().expect("a number"));
    let template: Vec<String> = (0..template).map(|word| format!("template{word}")).collect();
    let mut draw = Pcg64Mcg::seed_from_u64(1);
    // A third of the texts are earlier ones with a word changed; words are as unevenly common as in speech.
    let mut texts: Vec<String> = Vec::with_capacity(count);
    while texts.len() < count {
        let mut random = |below: u64| draw.next_u64() % below;
        if texts.len() > 10 && random(3) == 0 {
            let earlier = &texts[random(texts.len() as u64) as usize];
            let mut words: Vec<String> = earlier.split(' ').map(str::to_owned).collect();
            let place = random(words.len() as u64) as usize;
            words[place] = format!("changed{}", random(1000));
            texts.push(words.join(" "));
        } else {
            let words = 8 + random(40);
            let words = (0..words).map(|_| {
                let rank = 20_000_f64.powf(random(1_000_000) as f64 / 1e6);
                format!("word{}", rank as u64)
            });
            texts.push(template.iter().cloned().chain(words).collect::<Vec<_>>().join(" "));
        }
    }
    let bytes: usize = texts.iter().map(String::len).sum();
    let start = Instant::now();
    let found = NearDuplicates::default().find(&texts);
    let took = start.elapsed();
    let duplicates = found.duplicates.iter().filter(|one| one.is_some()).count();
    println!(
        "{count} texts of {} bytes: {duplicates} duplicates, {} cut short: {took:.2?}",
        bytes / count,
        found.cut_short
    );
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    }
}
