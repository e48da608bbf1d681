//! What evaluators themselves did: spans below a span of the kind `evaluator`, in runs of the application.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tracewell_runs::{Ask, rows};

/// A trace and a span in it.
pub(super) type Place = (String, String);

/// Traces whose spans are asked for at once.
const TRACES: usize = 500;

#[derive(Deserialize)]
struct Run {
    trace_id: String,
}

#[derive(Deserialize)]
struct Span {
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    is_evaluator: bool,
}

/// Those of the spans that are evaluators, or below one.
pub(super) async fn spans(judged: BTreeSet<Place>, source: &impl Ask) -> anyhow::Result<BTreeSet<Place>> {
    if judged.is_empty() {
        return Ok(BTreeSet::new());
    }
    let runs: BTreeSet<&str> = judged.iter().map(|(trace, _)| trace.as_str()).collect();
    let with_evaluators: Vec<Run> =
        rows(source, "SELECT DISTINCT trace_id FROM spans WHERE kind = 'evaluator'").await?;
    let asked: Vec<String> = with_evaluators
        .into_iter()
        .filter(|run| runs.contains(run.trace_id.as_str()))
        .map(|run| format!("'{}'", run.trace_id.replace('\'', "''")))
        .collect();
    let mut tree = Tree::default();
    for traces in asked.chunks(TRACES) {
        let sql = format!(
            "SELECT trace_id, span_id, parent_span_id, coalesce(kind = 'evaluator', false) AS is_evaluator FROM spans \
             WHERE trace_id IN ({})",
            traces.join(", ")
        );
        rows::<Span>(source, &sql).await?.into_iter().for_each(|span| tree.add(span));
    }
    Ok(judged.into_iter().filter(|place| tree.is_of_evaluator(place)).collect())
}

/// Spans by where they are: the span above, and whether it is an evaluator.
#[derive(Default)]
struct Tree(BTreeMap<Place, (Option<String>, bool)>);

impl Tree {
    /// A span may have been sent several times.
    fn add(&mut self, span: Span) {
        let (above, is_evaluator) = self.0.entry((span.trace_id, span.span_id)).or_default();
        *is_evaluator |= span.is_evaluator;
        if above.is_none() {
            *above = span.parent_span_id;
        }
    }

    fn is_of_evaluator(&self, (trace, span): &Place) -> bool {
        // Spans may name one another as their parents.
        let mut seen = BTreeSet::new();
        let mut here = Some(span.clone());
        while let Some(span) = here.filter(|span| seen.insert(span.clone())) {
            match self.0.get(&(trace.clone(), span)) {
                Some((_, true)) => return true,
                Some((above, false)) => here = above.clone(),
                None => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_an_evaluator_is_its_own() {
        let mut tree = Tree::default();
        for (trace, span, above, is_evaluator) in [
            ("a", "root", None, false),
            ("a", "call", Some("root"), false),
            ("a", "judge", Some("root"), true),
            ("a", "chain", Some("judge"), false),
            ("a", "inner", Some("chain"), false),
            // Sent before it was known what it is below of.
            ("a", "late", None, false),
            ("a", "late", Some("chain"), false),
            ("b", "judge", None, false),
            ("b", "x", Some("y"), false),
            ("b", "y", Some("x"), false),
            ("b", "orphan", Some("lost"), false),
        ] {
            let parent_span_id = above.map(str::to_owned);
            tree.add(Span { trace_id: trace.into(), span_id: span.into(), parent_span_id, is_evaluator });
        }
        let is_own = |trace: &str, span: &str| tree.is_of_evaluator(&(trace.to_owned(), span.to_owned()));
        for span in ["judge", "chain", "inner", "late"] {
            assert!(is_own("a", span), "{span}");
        }
        for (trace, span) in [("a", "root"), ("a", "call"), ("b", "judge"), ("b", "x"), ("b", "orphan"), ("c", "call")]
        {
            assert!(!is_own(trace, span), "{trace} {span}");
        }
    }
}
