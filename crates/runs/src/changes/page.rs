//! Changes as pages.

use super::{Episode, Received};
use crate::render::{Block, count, duration};

/// Episodes as a page: when each was and in what it differs from the one before it, and how it went.
#[must_use]
pub fn changes_page(prompt: &str, episodes: &[Episode]) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, format!("Changes of {prompt}"))];
    if episodes.is_empty() {
        blocks.push(Block::Note("no calls of this prompt fit".to_owned()));
        return blocks;
    }
    let heads = vec!["from", "until", "changed", "version", "models", "run"];
    blocks.push(Block::table(heads, episodes.iter().map(difference).collect()));
    blocks.push(Block::Heading(2, "What moved".to_owned()));
    let heads = vec!["from", "calls", "errors", "in", "out", "p50", "p95", "USD a call", "unpriced", "scores"];
    blocks.push(Block::table(heads, episodes.iter().map(movement).collect()));
    blocks
}

fn difference(episode: &Episode) -> Vec<String> {
    let back = if episode.returned { " (as before)" } else { "" };
    let first = if episode.changed.is_empty() && !episode.returned { "first seen" } else { "" };
    vec![
        minute(&episode.first_time),
        minute(&episode.last_time),
        format!("{first}{}{back}", episode.changed.join(", ")),
        episode.versions.join(", "),
        episode.models.join(", "),
        episode.trace_id.as_ref().and_then(|id| id.get(..12)).unwrap_or_default().to_owned(),
    ]
}

fn movement(episode: &Episode) -> Vec<String> {
    let mean = |mean: Option<f64>| mean.map(|mean| count(mean.round() as i64)).unwrap_or_default();
    let took = |nanos: Option<f64>| nanos.map(|nanos| duration(nanos as i64)).unwrap_or_default();
    let scores = episode.scores.iter().map(|(name, score)| format!("{name} {:.3} ({})", score.mean, score.count));
    vec![
        minute(&episode.first_time),
        count(episode.calls),
        episode.error_rate.map(|rate| format!("{:.1}%", rate * 100.0)).unwrap_or_default(),
        mean(episode.mean_input_tokens),
        mean(episode.mean_output_tokens),
        took(episode.p50_ns),
        took(episode.p95_ns),
        episode.mean_cost_usd.clone().unwrap_or_default(),
        count(episode.unpriced_calls),
        scores.collect::<Vec<_>>().join(", "),
    ]
}

/// A point in time to the minute.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

/// Instructions as a page.
#[must_use]
pub fn received_page(prompt: &str, date: &str, received: &[Received]) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, format!("Instructions of {prompt} on {date}"))];
    if received.is_empty() {
        blocks.push(Block::Note("no calls of this prompt on that date".to_owned()));
    }
    for one in received {
        let mut facts =
            vec![("calls", count(one.calls)), ("from", one.first_time.clone()), ("until", one.last_time.clone())];
        for (name, values) in [("version", &one.versions), ("label", &one.labels), ("models", &one.models)] {
            if !values.is_empty() {
                facts.push((name, values.join(", ")));
            }
        }
        facts.extend(one.trace_id.clone().map(|id| ("run", id)));
        blocks.push(Block::Facts(facts));
        blocks.push(match (&one.hash, &one.text) {
            (Some(hash), Some(text)) => {
                let words = tracewell_dialects::message_text(text).unwrap_or_else(|| text.clone());
                Block::Text(format!("instructions {hash}"), words)
            }
            (Some(hash), None) => Block::Note(format!("instructions {hash}: the text has expired")),
            (None, _) => Block::Note("these calls did not send their instructions".to_owned()),
        });
    }
    blocks
}
