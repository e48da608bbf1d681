//! Which spans are below the one that marks a trial.

use std::collections::HashMap;

use serde::Deserialize;
use tracewell_model::time::Day;
use tracewell_runs::cases::RunDay;
use tracewell_runs::sql::ids;
use tracewell_runs::{Ask, rows};

use crate::LedgerError;

/// The parent of each span of runs that hold several trials.
pub(super) struct Parents(HashMap<String, HashMap<String, String>>);

impl Parents {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Whether `span` is `above` or below it.
    pub(super) fn is_below(&self, trace: &str, span: &str, above: &str) -> bool {
        let parents = self.0.get(trace);
        let mut at = span;
        // A circle ends here as well.
        for _ in 0..1_000 {
            if at == above {
                return true;
            }
            match parents.and_then(|parents| parents.get(at)) {
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    }
}

/// The parents of the spans of `runs`.
pub(super) async fn parents(source: &impl Ask, runs: &[RunDay]) -> Result<Parents, LedgerError> {
    #[derive(Deserialize)]
    struct Row {
        trace_id: String,
        span_id: String,
        parent_span_id: String,
    }
    let mut parents: HashMap<String, HashMap<String, String>> = HashMap::new();
    for some in runs.chunks(2_000) {
        let days = || some.iter().map(|run| run.day);
        let query = format!(
            "SELECT trace_id, span_id, parent_span_id FROM spans WHERE parent_span_id IS NOT NULL
                AND date BETWEEN DATE '{}' AND DATE '{}' AND trace_id IN ({})",
            Day(days().min().unwrap_or_default()),
            Day(days().max().unwrap_or_default() + 1),
            ids(some.iter().map(|run| run.trace_id.as_str()))
        );
        for Row { trace_id, span_id, parent_span_id } in rows::<Row>(source, &query).await? {
            parents.entry(trace_id).or_default().insert(span_id, parent_span_id);
        }
    }
    Ok(Parents(parents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_span_is_told_from_what_is_not() {
        let parents = [("b", "a"), ("c", "b"), ("x", "y"), ("y", "x")].map(|(one, other)| (one.into(), other.into()));
        let parents = Parents(HashMap::from([("t".to_owned(), HashMap::from(parents))]));
        assert!(parents.is_below("t", "c", "a") && parents.is_below("t", "a", "a"));
        assert!(
            !parents.is_below("t", "a", "c") && !parents.is_below("t", "x", "a") && !parents.is_below("u", "c", "a")
        );
    }
}
