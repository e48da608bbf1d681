//! Within one trace: copies of a span, the spans above it, and calls within calls.

use std::collections::{BTreeSet, HashMap};

use super::matches::{Nest, same_model};
use super::{Facts, Family, Node, Prompt, Row, Workflow, Wrapper};

/// Parents that form a circle are followed no further.
const MOST_ANCESTORS: usize = 1024;

/// The calls of a trace.
pub(super) struct OfTrace<'a> {
    /// Each an innermost call with the spans around it that are the same call.
    pub(super) nests: Vec<Nest<'a>>,
    pub(super) wrappers: Vec<Node<'a>>,
}

/// Brings together what is nested in the trace at `positions` of `rows`.
pub(super) fn of_trace<'a>(rows: &[Row<'a>], mut positions: Vec<usize>) -> OfTrace<'a> {
    positions.sort_by(|a, b| in_order(&rows[*a], &rows[*b]));
    let trial = positions.iter().any(|position| rows[*position].trial);
    let whole = whole(positions.iter().map(|position| &rows[*position]));
    let mut nodes: Vec<Node<'a>> = Vec::new();
    for copies in positions.chunk_by(|a, b| rows[*a].id == rows[*b].id) {
        if let Some(id) = rows[copies[0]].id {
            let span = merged(copies.iter().map(|position| &rows[*position]));
            let (row, copies) = (copies[0], copies.len());
            nodes.push(Node { row, id, copies, span, trace_spans: 0, whole, trial, wrapper: None });
        }
    }
    let count = nodes.iter().filter(|node| !node.span.record).count();
    nodes.iter_mut().for_each(|node| node.trace_spans = count);
    let mut around = look_up(&mut nodes);
    let told = take_records(&nodes, &mut around);
    combine(&mut nodes, &around, &told)
}

/// Copies of a span stand together, the longest first. The rest makes equal lengths independent of the arrival.
fn in_order(a: &Row<'_>, b: &Row<'_>) -> std::cmp::Ordering {
    let length = |row: &Row<'_>| row.end.saturating_sub(row.start);
    let rest = |row: &Row<'_>| (row.start, row.usage, row.response.map(str::to_owned), row.asked.map(str::to_owned));
    a.id.cmp(&b.id)
        .then_with(|| length(b).cmp(&length(a)))
        .then_with(|| rest(b).cmp(&rest(a)))
        .then_with(|| (b.facts, b.name, b.scope).cmp(&(a.facts, a.name, a.scope)))
        .then_with(|| (b.parent, b.answered, b.service).cmp(&(a.parent, a.answered, a.service)))
        .then_with(|| (b.instructions, b.message).cmp(&(a.instructions, a.message)))
}

/// One span of its copies: the first that knows something tells it.
fn merged<'r, 'a: 'r>(mut copies: impl Iterator<Item = &'r Row<'a>>) -> Row<'a> {
    let mut span = copies.next().copied().unwrap_or_default();
    for copy in copies {
        span.start = span.start.min(copy.start);
        span.end = span.end.max(copy.end);
        span.parent = span.parent.or(copy.parent);
        span.family = span.family.or(copy.family);
        span.pending &= copy.pending;
        span.asked = span.asked.or(copy.asked);
        span.answered = span.answered.or(copy.answered);
        span.response = span.response.or(copy.response);
        span.instructions = span.instructions.or(copy.instructions);
        span.usage = span.usage.or(copy.usage);
        span.has_content |= copy.has_content;
        span.facts.fill(&copy.facts);
    }
    span
}

/// What the whole trace says: its first root that says it, else all that say it when they agree.
fn whole<'r, 'a: 'r>(rows: impl Iterator<Item = &'r Row<'a>> + Clone) -> Facts<'a> {
    let mut roots: Vec<&Row<'_>> =
        rows.clone().filter(|row| !row.record && row.id.is_some() && row.parent.is_none()).collect();
    roots.sort_by_key(|row| (row.start, row.id));
    let mut facts = Facts::default();
    roots.iter().for_each(|root| facts.fill(&root.facts));
    // Agents come and go within a trace: only a span's own ancestors tell its agent.
    facts.agent = None;
    let facts_of = rows.map(|row| row.facts);
    Facts {
        conversation: facts.conversation.or_else(|| agreed(facts_of.clone().filter_map(|facts| facts.conversation))),
        user: facts.user.or_else(|| agreed(facts_of.clone().filter_map(|facts| facts.user))),
        team: facts.team.or_else(|| agreed(facts_of.clone().filter_map(|facts| facts.team))),
        agent: None,
        workflow: facts
            .workflow
            .or_else(|| agreed::<Workflow<'_>>(facts_of.clone().filter_map(|facts| facts.workflow))),
        prompt: facts.prompt.or_else(|| agreed_prompt(facts_of.filter_map(|facts| facts.prompt))),
    }
}

/// The one value, unless there are two.
fn agreed<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// The one prompt, unless there are two; what its spans do not agree on is left out.
fn agreed_prompt<'a>(prompts: impl Iterator<Item = Prompt<'a>> + Clone) -> Option<Prompt<'a>> {
    let names = prompts.clone().filter_map(|prompt| prompt.name);
    let name = agreed(names.clone());
    if name.is_none() && names.count() > 0 {
        return None;
    }
    let version = agreed(prompts.clone().filter_map(|prompt| prompt.version));
    let label = agreed(prompts.filter_map(|prompt| prompt.label));
    name.or(version).or(label).map(|_| Prompt { name, version, label })
}

/// Fills the facts of calls from the spans above them; answers for each call the calls of its family around it,
/// nearest first.
fn look_up(nodes: &mut [Node<'_>]) -> HashMap<usize, Vec<usize>> {
    let by_id: HashMap<&str, usize> = nodes.iter().enumerate().map(|(position, node)| (node.id, position)).collect();
    let mut around = HashMap::new();
    let mut inherited = Vec::new();
    for (position, node) in nodes.iter().enumerate() {
        let Some(family) = call(node) else { continue };
        let (mut facts, mut outer) = (node.span.facts, Vec::new());
        let mut next = node.span.parent;
        for _ in 0..MOST_ANCESTORS {
            let Some(above) = next.and_then(|id| by_id.get(id)) else { break };
            if *above == position {
                // A circle has no inner and no outer.
                outer.clear();
                break;
            }
            facts.fill(&nodes[*above].span.facts);
            if call(&nodes[*above]) == Some(family) && !outer.contains(above) {
                outer.push(*above);
            }
            next = nodes[*above].span.parent;
        }
        around.insert(position, outer);
        inherited.push((position, facts));
    }
    for (position, facts) in inherited {
        nodes[position].span.facts = facts;
    }
    around
}

fn call(node: &Node<'_>) -> Option<Family> {
    node.span.family.filter(|_| !node.span.pending)
}

/// Takes out the records written within the span of a call, and answers with those of each span: they tell of what
/// the span tells of, be it a call or a wrapper.
fn take_records(nodes: &[Node<'_>], around: &mut HashMap<usize, Vec<usize>>) -> HashMap<usize, Vec<usize>> {
    let mut told: HashMap<usize, Vec<usize>> = HashMap::new();
    around.retain(|position, outer| {
        let record = &nodes[*position].span;
        let nearest = outer.first().filter(|_| record.record);
        match nearest.filter(|outer| !differ(nodes[**outer].span.response, record.response)) {
            Some(outer) => told.entry(*outer).or_default().push(*position),
            None => return true,
        }
        false
    });
    told.values_mut().for_each(|records| records.sort_unstable());
    told
}

/// Finds the innermost calls, and what each span around them is. `told` are the records of each span.
fn combine<'a>(
    nodes: &mut [Node<'a>],
    around: &HashMap<usize, Vec<usize>>,
    told: &HashMap<usize, Vec<usize>>,
) -> OfTrace<'a> {
    let mut inner: HashMap<usize, Vec<usize>> = HashMap::new();
    let outer: BTreeSet<usize> = around.values().flatten().copied().collect();
    let mut leaves: Vec<usize> = around.keys().copied().filter(|position| !outer.contains(position)).collect();
    leaves.sort_unstable_by_key(|leaf| (nodes[*leaf].span.start, nodes[*leaf].id));
    for leaf in &leaves {
        for outer in &around[leaf] {
            inner.entry(*outer).or_default().push(*leaf);
        }
    }
    let mut members: HashMap<usize, Vec<usize>> = leaves.iter().map(|leaf| (*leaf, vec![*leaf])).collect();
    let mut wrappers = Vec::new();
    for position in outer {
        let within = inner.get(&position).map_or(&[][..], Vec::as_slice);
        let fit = |leaf: &usize| fit(&nodes[position].span, &nodes[*leaf].span);
        let same = within.iter().find(|leaf| fit(leaf) == Fit::Same);
        let only = within.first().filter(|leaf| within.len() == 1 && fit(leaf) == Fit::AsOnly);
        match same.or(only) {
            Some(leaf) => members.entry(*leaf).or_default().push(position),
            None => wrappers.push(position),
        }
    }
    for (position, outer) in around {
        let nearest = outer.iter().find(|outer| wrappers.contains(outer));
        nodes[*position].wrapper =
            nearest.map(|outer| Wrapper { id: nodes[*outer].id, usage: nodes[*outer].span.usage });
    }
    let with_records = |spans: &[usize]| -> Vec<Node<'a>> {
        let records = spans.iter().filter_map(|span| told.get(span)).flatten();
        spans.iter().chain(records).map(|position| nodes[*position]).collect()
    };
    OfTrace {
        nests: leaves.iter().map(|leaf| Nest::of(with_records(&members[leaf]))).collect(),
        wrappers: with_records(&wrappers),
    }
}

/// How well a span and one within it go together as one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// They say so.
    Same,
    /// They say nothing to the contrary: one call if there is no other within.
    AsOnly,
    Different,
}

fn fit(outer: &Row<'_>, inner: &Row<'_>) -> Fit {
    if outer.response.is_some() && outer.response == inner.response {
        return Fit::Same;
    }
    let (of_outer, of_inner) = (outer.usage.unwrap_or_default(), inner.usage.unwrap_or_default());
    if differ(outer.response, inner.response)
        || differ(outer.instructions, inner.instructions)
        || differ(of_outer.input, of_inner.input)
        || differ(of_outer.output, of_inner.output)
        || !same_model(&outer.models(), &inner.models())
    {
        return Fit::Different;
    }
    let counted = of_outer.input.is_some() && of_outer.input == of_inner.input && of_outer.output == of_inner.output;
    // Within one instrumentation equal usage may be the sum of one call, or one of several of the same size.
    let two_views = outer.scope != inner.scope || public(outer.name) == public(inner.name);
    if counted && two_views { Fit::Same } else { Fit::AsOnly }
}

/// Whether both are known and not equal.
fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    a.is_some() && b.is_some() && a != b
}

/// `Client._aretrieve` and `Client.aretrieve` are the halves of one method.
fn public(name: &str) -> String {
    let method = |part: &str| part.trim_start_matches('_').to_owned();
    name.split('.').map(method).collect::<Vec<_>>().join(".")
}
