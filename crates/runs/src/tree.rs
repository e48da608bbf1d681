//! The spans of a run as a tree, written down depth first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::record::{MissingParent, Span};

/// The spans in order, and what is odd about the tree.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) spans: Vec<Span>,
    pub(crate) missing_parents: Vec<MissingParent>,
    pub(crate) circular: Vec<String>,
    pub(crate) has_root: bool,
}

/// Orders `spans`, which are in the order of their start: a span before its children. Spans whose parent is missing
/// stand where a root would, and so does the first of spans that are each other's ancestors.
pub(crate) fn tree(spans: Vec<Span>) -> Tree {
    let places: HashMap<String, usize> =
        spans.iter().enumerate().map(|(place, span)| (span.span_id.clone(), place)).collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut tops = Vec::new();
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut tree = Tree::default();
    for (place, span) in spans.iter().enumerate() {
        match span.parent_span_id.as_deref() {
            None => {
                tree.has_root |= span.record.is_none();
                tops.push(place);
            }
            Some(parent) => match places.get(parent) {
                Some(parent) => children.entry(*parent).or_default().push(place),
                None => {
                    missing.entry(parent).or_default().push(span.span_id.clone());
                    tops.push(place);
                }
            },
        }
    }
    tree.missing_parents =
        missing.into_iter().map(|(id, children)| MissingParent { span_id: id.to_owned(), children }).collect();
    let mut order = Vec::with_capacity(spans.len());
    let mut seen = HashSet::with_capacity(spans.len());
    let mut walk = |top: usize, seen: &mut HashSet<usize>| {
        let mut open = vec![(top, 0)];
        while let Some((place, depth)) = open.pop() {
            if seen.insert(place) {
                order.push((place, depth));
                let below = children.get(&place).into_iter().flatten().rev();
                open.extend(below.map(|child| (*child, depth + 1)));
            }
        }
    };
    tops.into_iter().for_each(|top| walk(top, &mut seen));
    let circular: BTreeSet<usize> = (0..spans.len()).filter(|place| !seen.contains(place)).collect();
    circular.iter().for_each(|place| walk(*place, &mut seen));
    tree.circular = circular.iter().map(|place| spans[*place].span_id.clone()).collect();
    let mut spans: Vec<Option<Span>> = spans.into_iter().map(Some).collect();
    tree.spans =
        order.into_iter().filter_map(|(place, depth)| spans[place].take().map(|span| Span { depth, ..span })).collect();
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>) -> Span {
        Span { span_id: id.to_owned(), parent_span_id: parent.map(str::to_owned), ..Span::default() }
    }

    fn order(tree: &Tree) -> Vec<(&str, usize)> {
        tree.spans.iter().map(|span| (span.span_id.as_str(), span.depth)).collect()
    }

    #[test]
    fn a_span_stands_before_its_children_and_orphans_stand_at_the_top() {
        let spans =
            [("c", Some("b")), ("a", None), ("b", Some("a")), ("d", Some("a")), ("e", Some("x")), ("f", Some("x"))];
        let tree = tree(spans.map(|(id, parent)| span(id, parent)).to_vec());
        assert_eq!(order(&tree), [("a", 0), ("b", 1), ("c", 2), ("d", 1), ("e", 0), ("f", 0)]);
        assert!(tree.has_root);
        let missing = MissingParent { span_id: "x".to_owned(), children: vec!["e".to_owned(), "f".to_owned()] };
        assert_eq!(tree.missing_parents, [missing]);
    }

    #[test]
    fn circles_end_and_deep_trees_do_not_overflow() {
        let circle = tree(vec![span("a", Some("b")), span("b", Some("a")), span("c", Some("c"))]);
        assert_eq!(order(&circle), [("a", 0), ("b", 1), ("c", 0)]);
        assert_eq!(circle.circular, ["a", "b", "c"]);
        assert!(!circle.has_root);
        let id = |n: usize| format!("{n:016x}");
        let chain = (1..=100_000).map(|n| span(&id(n), (n > 1).then(|| id(n - 1)).as_deref())).collect();
        assert_eq!(tree(chain).spans.last().map(|span| span.depth), Some(99_999));
    }
}
