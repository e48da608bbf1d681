//! What is found is held against the measure itself, computed from the sets.

use std::collections::HashSet;

use super::*;
use crate::oracle::random;

fn shingles(text: &str) -> HashSet<Vec<String>> {
    let words: Vec<String> = text.split(' ').map(str::to_lowercase).collect();
    words.windows(3.min(words.len())).map(<[String]>::to_vec).collect()
}

fn jaccard(one: &HashSet<Vec<String>>, other: &HashSet<Vec<String>>) -> f64 {
    let shared = one.intersection(other).count();
    shared as f64 / (one.len() + other.len() - shared) as f64
}

/// Texts of random words, some of which are earlier ones with a few words changed.
fn texts(count: usize) -> Vec<String> {
    let mut random = random(41);
    let mut texts: Vec<String> = Vec::new();
    for _ in 0..count {
        let mut words: Vec<String> = if random(2) == 0 || texts.is_empty() {
            (0..10 + random(60)).map(|_| format!("w{}", random(500))).collect()
        } else {
            texts[random(texts.len() as u64) as usize].split(' ').map(str::to_owned).collect()
        };
        for _ in 0..random(5) {
            let place = random(words.len() as u64) as usize;
            words[place] = format!("W{}", random(500));
        }
        texts.push(words.join(" "));
    }
    texts
}

#[test]
fn what_is_alike_is_found_and_the_measure_is_that_of_the_sets() {
    let texts = texts(1500);
    let found = NearDuplicates::default().find(&texts);
    let sets: Vec<_> = texts.iter().map(|text| shingles(text)).collect();
    assert_eq!(found.cut_short, 0);
    let (mut dropped, mut missed, mut errors) = (0_u32, 0_u32, 0.0);
    for (place, duplicate) in found.duplicates.iter().enumerate() {
        let kept = (0..place).filter(|other| found.duplicates[*other].is_none());
        match duplicate {
            Some(duplicate) => {
                dropped += 1;
                assert!(duplicate.of < place && found.duplicates[duplicate.of].is_none());
                assert!(duplicate.similarity >= 0.8);
                let error = duplicate.similarity - jaccard(&sets[place], &sets[duplicate.of]);
                assert!(error.abs() < 0.2, "{error}");
                errors += error * error;
            }
            // Far enough above the threshold for the estimate's error not to matter.
            None => missed += u32::from(kept.into_iter().any(|other| jaccard(&sets[place], &sets[other]) > 0.92)),
        }
    }
    assert!(dropped > 200, "{dropped}");
    assert!(missed * 100 <= dropped, "{missed} of {dropped}");
    // The standard error of 128 numbers at 0.9 is 0.027, a little more for the choice of those above the threshold.
    let error = (errors / f64::from(dropped)).sqrt();
    assert!(error < 0.035, "{error}");
}

#[test]
fn what_is_not_alike_is_kept() {
    let mut random = random(42);
    let texts: Vec<String> =
        (0..2000).map(|_| (0..30).map(|_| format!("w{}", random(2000))).collect::<Vec<_>>().join(" ")).collect();
    let found = NearDuplicates::default().find(&texts);
    assert!(found.duplicates.iter().all(Option::is_none));
}

#[test]
fn case_and_punctuation_do_not_count() {
    let found = NearDuplicates::default().find(&["Where is my order?", "where is MY order", "Where is my parcel?"]);
    assert_eq!(found.duplicates, [None, Some(Duplicate { of: 0, similarity: 1.0 }), None]);
}

#[test]
fn scripts_without_spaces_have_words_too() {
    let text = "我想知道我的订单什么时候能够送到上海的办公室";
    let nearly = "我想知道我的订单什么时候能够送到上海的办公楼";
    let found = NearDuplicates::default().find(&[text, nearly, "完全不同的一个句子没有任何相同之处"]);
    assert_eq!(found.duplicates[2], None);
    assert_eq!(found.duplicates[1].unwrap().of, 0);
}

#[test]
fn texts_without_words_repeat_none() {
    let found = NearDuplicates::default().find(&["", "", "…", "!"]);
    assert_eq!(found.duplicates, [None; 4]);
    assert_eq!(NearDuplicates::default().find::<&str>(&[]), Found::default());
}

#[test]
fn many_alike_keep_the_first_of_them() {
    let texts: Vec<String> = (0..5000)
        .map(|number| format!("Hello, I placed an order last week and it has still not arrived at my house, can you please tell me where it is now, the number is {number}"))
        .collect();
    let found = NearDuplicates::default().find(&texts);
    assert_eq!(found.duplicates.iter().filter(|one| one.is_none()).count(), 1);
}
