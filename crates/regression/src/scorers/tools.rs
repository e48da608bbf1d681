//! Tool calls that are the expected ones.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Score;
use super::json::equal;
use super::text::shown;
use crate::{Answer, ToolCall};

/// Whether the order of the calls matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Call by call.
    #[default]
    Same,
    /// Parallel calls, in any order.
    Any,
}

/// Which arguments matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arguments {
    /// All of them.
    #[default]
    All,
    /// None: the tool's name is enough.
    None,
    /// Those with these names.
    #[serde(untagged)]
    Named(Vec<String>),
}

pub(super) fn calls(answer: &Answer, expected: &Answer, order: Order, arguments: &Arguments) -> Score {
    let (is, wanted) = (&answer.tool_calls, &expected.tool_calls);
    let longer = is.len().max(wanted.len());
    if longer == 0 {
        return Score::verdict(true, "no calls, and none expected");
    }
    let (missing, surplus) = match order {
        Order::Same => by_place(is, wanted, arguments),
        Order::Any => by_any(is, wanted, arguments),
    };
    let matched = wanted.len() - missing.len();
    let names = |calls: &[&ToolCall]| calls.iter().map(|call| written(call)).collect::<Vec<_>>().join(", ");
    let explanation = match (missing.is_empty(), surplus.is_empty()) {
        (true, true) => format!("all {matched} calls as expected"),
        (false, true) => format!("missing {}", names(&missing)),
        (true, false) => format!("not expected {}", names(&surplus)),
        (false, false) => format!("{} instead of {}", names(&surplus), names(&missing)),
    };
    let passed = missing.is_empty() && surplus.is_empty();
    Score::share(matched as f64 / longer as f64, Some(passed), explanation)
}

/// The arguments that none of the expected calls has; none where nothing is called.
pub(super) fn absent<'n>(names: &'n [String], expected: &[&Answer]) -> Vec<&'n str> {
    let calls: Vec<&ToolCall> = expected.iter().flat_map(|answer| &answer.tool_calls).collect();
    let has_none = |name: &str| !calls.is_empty() && calls.iter().all(|call| call.arguments.get(name).is_none());
    names.iter().map(String::as_str).filter(|name| has_none(name)).collect()
}

type Unmatched<'a> = (Vec<&'a ToolCall>, Vec<&'a ToolCall>);

fn by_place<'a>(is: &'a [ToolCall], wanted: &'a [ToolCall], arguments: &Arguments) -> Unmatched<'a> {
    let differs = |calls: &'a [ToolCall], others: &'a [ToolCall]| {
        let same = move |place: usize| others.get(place).is_some_and(|other| matches(&calls[place], other, arguments));
        calls.iter().enumerate().filter(move |(place, _)| !same(*place)).map(|(_, call)| call).collect()
    };
    (differs(wanted, is), differs(is, wanted))
}

/// Matching is an equivalence, so taking the first match never costs another call its own.
fn by_any<'a>(is: &'a [ToolCall], wanted: &'a [ToolCall], arguments: &Arguments) -> Unmatched<'a> {
    let mut surplus: Vec<&ToolCall> = is.iter().collect();
    let mut missing = Vec::new();
    for call in wanted {
        match surplus.iter().position(|other| matches(other, call, arguments)) {
            Some(place) => drop(surplus.remove(place)),
            None => missing.push(call),
        }
    }
    (missing, surplus)
}

fn matches(one: &ToolCall, other: &ToolCall, arguments: &Arguments) -> bool {
    let null = Value::Null;
    let named = |call: &ToolCall, name: &String| call.arguments.get(name).cloned().unwrap_or(Value::Null);
    one.name == other.name
        && match arguments {
            Arguments::All => equal(none_as(&one.arguments, &null), none_as(&other.arguments, &null)),
            Arguments::None => true,
            Arguments::Named(names) => names.iter().all(|name| equal(&named(one, name), &named(other, name))),
        }
}

/// No arguments, however they are written.
fn none_as<'a>(arguments: &'a Value, null: &'a Value) -> &'a Value {
    match arguments {
        Value::Object(members) if members.is_empty() => null,
        Value::String(text) if text.is_empty() => null,
        arguments => arguments,
    }
}

fn written(call: &ToolCall) -> String {
    shown(&format!("{}({})", call.name, call.arguments))
}
