//! Lists read with a memory, against lists cut without one.

use std::borrow::Cow;

use proptest::prelude::*;
use tracewell_model::kind::Form;

use super::*;
use crate::content::carriers::Cut;
use crate::content::split::{Carrier, Part, split};

/// Role and bytes of each message, and whether spaces stand between them.
type Read = (Vec<(Option<String>, String)>, bool);

/// What `split` makes of `text`, where that is an array of messages and nothing else.
fn cut(text: &str) -> Option<Read> {
    let carrier = Carrier { text: Cow::Borrowed(text), source: Cow::Borrowed("m"), whole: Form::Value, role: None };
    let mut pieces = Vec::new();
    let flag = split(carrier, Cut::Messages, true, |part, piece| pieces.push((part, piece)));
    let form = pieces[0].1.form;
    if !matches!(form, Form::Array | Form::ArraySpaced) {
        return None;
    }
    assert!(flag.is_none() && pieces.iter().all(|(part, _)| *part == Part::Element));
    let message = |piece: crate::Piece<'_>| (piece.role.map(Cow::into_owned), piece.bytes.into_owned());
    Some((pieces.into_iter().map(|(_, piece)| message(piece)).collect(), form == Form::ArraySpaced))
}

fn read(histories: &mut Histories, text: &str, may_grow: bool) -> Option<Read> {
    let Messages { list, spaced } = histories.read(text, may_grow)?;
    let message = |message: &Message| {
        let bytes = &text[message.range.clone()];
        assert_eq!(message.hash, content_hash(bytes.as_bytes()));
        (message.role.as_deref().map(str::to_owned), bytes.to_owned())
    };
    Some((list.iter().map(message).collect(), spaced))
}

fn message() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => ("user|assistant|tool|developer", "[a-c]{10,30}").prop_map(|(role, text)| format!(r#"{{"role":"{role}","content":"{text}"}}"#)),
        1 => Just(r#""a text of its own""#.to_owned()),
        1 => Just(r#"{"type":"ai","content":"\"]}, é"}"#.to_owned()),
        1 => Just(r#"{"update":{"messages":[{"role":"user"}]}}"#.to_owned()),
        1 => Just("{}".to_owned()),
        1 => prop_oneof![Just("[]"), Just("7"), Just("{'a'}"), Just(r#"{"a":]"#), Just(" {}"), Just("")].prop_map(str::to_owned),
        1 => (1_usize..4).prop_map(|more| format!("{{\"a\":{}{}}}", "[".repeat(124 + more), "]".repeat(124 + more))),
    ]
}

/// What becomes of a list before it is sent again.
#[derive(Clone, Debug)]
enum Step {
    Grow(Vec<String>),
    /// Another list of those sent so far, shortened, grows.
    Back(usize, usize, Vec<String>),
    /// The text breaks off.
    Break(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let messages = || prop::collection::vec(message(), 0..4);
    prop_oneof![
        4 => messages().prop_map(Step::Grow),
        2 => (any::<usize>(), any::<usize>(), messages()).prop_map(|(list, at, more)| Step::Back(list, at, more)),
        1 => any::<usize>().prop_map(Step::Break),
    ]
}

proptest! {
    #[test]
    fn a_list_is_cut_the_same_with_and_without_a_memory(
        first in prop::collection::vec(message(), 1..4),
        separators in prop::collection::vec(prop_oneof![6 => Just(","), 2 => Just(", "), 1 => Just(" ,")], 1..3),
        steps in prop::collection::vec((step(), any::<bool>()), 1..12),
    ) {
        let mut histories = Histories::default();
        let mut sent = vec![first];
        for (number, (step, grows)) in steps.into_iter().enumerate() {
            let mut list = sent[sent.len() - 1].clone();
            let mut keep = usize::MAX;
            match step {
                Step::Grow(more) => list.extend(more),
                Step::Back(which, at, more) => {
                    list = sent[which % sent.len()].clone();
                    list.truncate(at % (list.len() + 1));
                    list.extend(more);
                }
                Step::Break(at) => keep = at,
            }
            let mut text = format!("[{}]", list.join(separators[number % separators.len()]));
            text.truncate(text.floor_char_boundary(keep % (text.len() + 1)));
            if !text.is_empty() {
                prop_assert_eq!(read(&mut histories, &text, grows), cut(&text), "{}", text);
            }
            sent.push(list);
        }
    }
}

#[test]
fn a_list_that_grows_is_read_on() {
    let mut histories = Histories::default();
    let mut text = String::from(r#"[{"role":"user","content":"What is the weather?"}]"#);
    for number in 0..5 {
        assert_eq!(read(&mut histories, &text, true), cut(&text));
        assert_eq!((histories.lists.len(), histories.lists[0].messages.len()), (1, number + 1));
        text.pop();
        text.push_str(r#",{"role":"assistant","content":"Let me see."}]"#);
    }
    // Another run with the same question shares no more than that.
    let other = r#"[{"role":"user","content":"What is the weather?"},{"role":"assistant","content":"Sunny."}]"#;
    assert_eq!(read(&mut histories, other, true), cut(other));
    assert_eq!(histories.lists.len(), 2);
}

#[test]
fn memory_is_bounded() {
    let mut histories = Histories::default();
    let bytes = |histories: &Histories| histories.lists.iter().map(List::bytes).sum::<usize>();
    for number in 0..100_usize {
        let text = format!(r#"[{{"number":{number},"content":"{}"}}]"#, "x".repeat(number * LONGEST / 90));
        assert_eq!(histories.read(&text, true).is_some(), text.len() <= LONGEST);
        assert!(histories.lists.len() <= LISTS && bytes(&histories) <= CAPACITY);
    }
    // What came last is still there.
    assert!(histories.lists.iter().any(|list| list.text.starts_with(r#"[{"number":89,"#)));
    for number in 0..2 * LISTS {
        let text = format!(r#"[{{"the number":{number}}}]"#);
        assert!(histories.read(&text, true).is_some());
        assert!(histories.lists.len() <= LISTS);
    }
}
