//! The search for near duplicates among a million texts, and among texts that begin alike: the worst case, alike but not
//! alike enough.

use std::time::Instant;

use tracewell_regression::near_duplicates::NearDuplicates;

use crate::random::Random;

const TEXTS: usize = 1_000_000;
const TEMPLATED: usize = 100_000;

pub(super) fn run() {
    search(TEXTS, 0);
    search(TEMPLATED, 40);
}

fn search(count: usize, template: u64) {
    let texts = texts(count, template);
    let bytes: usize = texts.iter().map(String::len).sum();
    let start = Instant::now();
    let found = NearDuplicates::default().find(&texts);
    let took = start.elapsed();
    let duplicates = found.duplicates.iter().filter(|one| one.is_some()).count();
    println!(
        "near duplicates: {count} texts of {} bytes, {template} words the same: {duplicates} found, {} cut short, {took:.2?}",
        bytes / count,
        found.cut_short
    );
}

/// A third of the texts are earlier ones with a word changed; words are as unevenly common as in speech.
fn texts(count: usize, template: u64) -> Vec<String> {
    let template: Vec<String> = (0..template).map(|word| format!("template{word}")).collect();
    let mut random = Random::new(1, 0);
    let mut texts: Vec<String> = Vec::with_capacity(count);
    while texts.len() < count {
        if texts.len() > 10 && random.below(3) == 0 {
            let earlier = random.pick(&texts);
            let mut words: Vec<String> = earlier.split(' ').map(str::to_owned).collect();
            let place = random.below(words.len() as u64) as usize;
            words[place] = format!("changed{}", random.below(1_000));
            texts.push(words.join(" "));
        } else {
            let more = 8 + random.below(40);
            let more = (0..more).map(|_| format!("word{}", 20_000_f64.powf(random.unit()) as u64));
            texts.push(template.iter().cloned().chain(more).collect::<Vec<_>>().join(" "));
        }
    }
    texts
}
