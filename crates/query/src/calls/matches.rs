//! Across siblings and traces: calls that two instrumentations saw without being nested.

use std::collections::HashMap;
use std::hash::Hash;

use super::{Family, Node, RECORD_TOLERANCE_NS, TOLERANCE_NS};

/// Spans that are one call, and what they say together.
#[derive(Clone, Debug)]
pub(super) struct Nest<'a> {
    pub(super) members: Vec<Node<'a>>,
    service: &'a str,
    family: Option<Family>,
    response: Option<&'a str>,
    instructions: Option<&'a str>,
    conversation: Option<&'a str>,
    /// There is no span among them.
    records: bool,
    input: Option<i64>,
    output: Option<i64>,
    start: i64,
    end: i64,
    scopes: Vec<&'a str>,
    models: Vec<&'a str>,
}

impl<'a> Nest<'a> {
    /// One call of `members`, the innermost first.
    pub(super) fn of(members: Vec<Node<'a>>) -> Self {
        let first = &members[0].span;
        let mut nest = Self {
            service: first.service,
            family: first.family,
            response: None,
            instructions: None,
            conversation: first.facts.conversation,
            records: true,
            input: None,
            output: None,
            start: i64::MAX,
            end: i64::MIN,
            scopes: Vec::new(),
            models: Vec::new(),
            members: Vec::new(),
        };
        members.into_iter().for_each(|node| nest.add(node));
        nest
    }

    fn add(&mut self, node: Node<'a>) {
        let span = &node.span;
        self.records &= span.record;
        self.response = self.response.or(span.response);
        self.instructions = self.instructions.or(span.instructions);
        let usage = span.usage.unwrap_or_default();
        self.input = self.input.max(usage.input);
        self.output = self.output.max(usage.output);
        self.start = self.start.min(span.start);
        self.end = self.end.max(span.end);
        self.scopes.push(span.scope);
        self.models.extend(span.models());
        self.members.push(node);
    }

    /// Whether the two overlap and no instrumentation saw both.
    fn may_be(&self, other: &Self) -> bool {
        let tolerance = if self.records || other.records { RECORD_TOLERANCE_NS } else { TOLERANCE_NS };
        let overlap =
            other.start <= self.end.saturating_add(tolerance) && self.start <= other.end.saturating_add(tolerance);
        overlap && !self.scopes.iter().any(|scope| other.scopes.contains(scope))
    }
}

/// Brings together the calls of one tenant.
pub(super) fn across(nests: Vec<Nest<'_>>) -> Vec<Nest<'_>> {
    let nests = with_tails(nests);
    let of_response = |nest: &Nest<'_>| Some((nest.service.to_owned(), nest.family?, nest.response?.to_owned()));
    let nests = join(nests, of_response, |_, _| true);
    let of_usage = |nest: &Nest<'_>| {
        let output = nest.output.or((nest.family != Some(Family::Text)).then_some(0));
        Some((nest.service.to_owned(), nest.family?, nest.input.filter(|count| *count > 0)?, output?))
    };
    let nests = join(nests, of_usage, |a, b| {
        let agree = a.instructions.is_none() || b.instructions.is_none() || a.instructions == b.instructions;
        (a.response.is_none() || b.response.is_none()) && agree && same_model(&a.models, &b.models)
    });
    // One of Gemini CLI's two records of a call leaves out what tools put in and what was thought.
    let of_records =
        |nest: &Nest<'_>| Some((nest.service.to_owned(), nest.family?, nest.conversation?.to_owned(), nest.records));
    join(nests, of_records, |a, b| {
        let written_together = a.records && a.end.abs_diff(b.end) <= RECORD_TOLERANCE_NS.unsigned_abs();
        let within = |a: &Nest<'_>, b: &Nest<'_>| a.input.is_some() && a.input <= b.input && a.output <= b.output;
        let fit = within(a, b) || within(b, a);
        written_together && fit && !(a.response.is_some() && b.response.is_some()) && same_model(&a.models, &b.models)
    })
}

/// Gives each request the record of the end of its stream.
fn with_tails(mut nests: Vec<Nest<'_>>) -> Vec<Nest<'_>> {
    if !nests.iter().any(|nest| nest.members[0].span.tail) {
        return nests;
    }
    nests.sort_by_key(|nest| (nest.start, nest.members[0].key()));
    let mut joined: Vec<Nest<'_>> = Vec::with_capacity(nests.len());
    // By what both parts of a call share, the requests without usage, the latest last.
    let mut open: HashMap<_, Vec<usize>> = HashMap::new();
    for nest in nests {
        let span = nest.members[0].span;
        let place = span.parent.map(|parent| (span.trace, parent));
        let requests = open.entry((span.service, span.scope, place, span.message)).or_default();
        if !span.tail {
            if nest.input.is_none() && nest.output.is_none() {
                requests.push(joined.len());
            }
            joined.push(nest);
            continue;
        }
        match requests.iter().rposition(|at| joined[*at].end <= nest.start.saturating_add(TOLERANCE_NS)) {
            Some(position) => {
                let request = requests.remove(position);
                nest.members.into_iter().for_each(|node| joined[request].add(node));
            }
            None => joined.push(nest),
        }
    }
    joined
}

/// Joins nests of equal keys that may be one and fit, in the order of their start: of several calls at a time with
/// equal keys the first seen by one instrumentation is the first seen by the other.
fn join<'a, K: Eq + Hash>(
    mut nests: Vec<Nest<'a>>,
    key: impl Fn(&Nest<'a>) -> Option<K>,
    fit: impl Fn(&Nest<'a>, &Nest<'a>) -> bool,
) -> Vec<Nest<'a>> {
    nests.sort_by_key(|nest| (nest.start, nest.members[0].key()));
    let mut joined: Vec<Nest<'a>> = Vec::with_capacity(nests.len());
    // By key, the calls that may still overlap with one that starts later.
    let mut open: HashMap<K, Vec<usize>> = HashMap::new();
    for nest in nests {
        let Some(key) = key(&nest) else {
            joined.push(nest);
            continue;
        };
        let candidates = open.entry(key).or_default();
        candidates.retain(|at| nest.start <= joined[*at].end.saturating_add(RECORD_TOLERANCE_NS));
        match candidates.iter().find(|at| joined[**at].may_be(&nest) && fit(&joined[**at], &nest)) {
            Some(at) => nest.members.into_iter().for_each(|node| joined[*at].add(node)),
            None => {
                candidates.push(joined.len());
                joined.push(nest);
            }
        }
    }
    joined
}

/// Whether two lists of models can name one: nobody says which, or one name is in both but for a vendor before a
/// slash and a date at the end.
pub(super) fn same_model(a: &[&str], b: &[&str]) -> bool {
    let both = || a.iter().flat_map(|one| b.iter().map(move |other| (plain(one), plain(other))));
    a.is_empty() || b.is_empty() || both().any(|(one, other)| one.eq_ignore_ascii_case(other))
}

/// `vendor/model-2026-01-15` and `model-20260115` without vendor and date.
fn plain(model: &str) -> &str {
    let model = model.rsplit('/').next().unwrap_or(model);
    let bytes = model.as_bytes();
    for pattern in ["-0000-00-00", "-00000000"] {
        let Some(from) = bytes.len().checked_sub(pattern.len()).filter(|from| *from > 0) else { continue };
        let fits = bytes[from..].iter().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            other => *byte == other,
        });
        if fits {
            return &model[..from];
        }
    }
    model
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_the_same_but_for_vendor_and_date() {
        assert!(same_model(&["gpt-4.1-mini"], &["openai/gpt-4.1-mini-2026-01-15"]));
        assert!(same_model(&["claude-sonnet-4"], &["claude-sonnet-4-20260115"]));
        assert!(same_model(&[], &["gpt-4.1"]));
        assert!(!same_model(&["gpt-4.1-mini"], &["gpt-4.1"]));
        assert!(!same_model(&["gpt-4.1-2025"], &["gpt-4.1"]));
    }
}
