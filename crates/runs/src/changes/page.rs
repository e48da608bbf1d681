//! Changes as pages.

use super::{Episode, Received};
use crate::render::{Block, count, duration};

/// Episodes as a page: each beside the one before it.
#[must_use]
pub fn changes_page(prompt: &str, episodes: &[Episode]) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, format!("Changes of {prompt}"))];
    if episodes.is_empty() {
        blocks.push(Block::Note("no calls of this prompt fit".to_owned()));
        return blocks;
    }
    let heads = vec![
        "from",
        "changed",
        "until",
        "version",
        "calls",
        "errors",
        "in",
        "out",
        "p50",
        "p95",
        "USD a call",
        "scores",
        "models",
        "run",
    ];
    let row = |episode: &Episode| {
        let time = |time: &str| time.get(..16).unwrap_or(time).replace('T', " ");
        let mean = |mean: Option<f64>| mean.map(|mean| count(mean.round() as i64)).unwrap_or_default();
        let took = |nanos: Option<f64>| nanos.map(|nanos| duration(nanos as i64)).unwrap_or_default();
        let back = if episode.returned { " (as before)" } else { "" };
        let first = if episode.changed.is_empty() && !episode.returned { "first seen" } else { "" };
        let scores = episode.scores.iter().map(|(name, score)| format!("{name} {:.3} ({})", score.mean, score.count));
        vec![
            time(&episode.first_time),
            format!("{first}{}{back}", episode.changed.join(", ")),
            time(&episode.last_time),
            episode.versions.join(", "),
            count(episode.calls),
            episode.error_rate.map(|rate| format!("{:.1}%", rate * 100.0)).unwrap_or_default(),
            mean(episode.mean_input_tokens),
            mean(episode.mean_output_tokens),
            took(episode.p50_ns),
            took(episode.p95_ns),
            cost(episode),
            scores.collect::<Vec<_>>().join(", "),
            episode.models.join(", "),
            episode.trace_id.as_ref().and_then(|id| id.get(..12)).unwrap_or_default().to_owned(),
        ]
    };
    blocks.push(Block::table(heads, episodes.iter().map(row).collect()));
    blocks
}

/// What a call cost on average, and how many that leaves out.
fn cost(episode: &Episode) -> String {
    let mean = episode.mean_cost_usd.clone().unwrap_or_default();
    match episode.unpriced_calls {
        0 => mean,
        unpriced => format!("{mean} ({} unpriced)", count(unpriced)).trim_start().to_owned(),
    }
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
