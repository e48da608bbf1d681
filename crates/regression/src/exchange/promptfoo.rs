//! promptfoo's test cases. The prompt that goes with them is `{{messages}}`.
//!
//! promptfoo reads texts as templates (Nunjucks), and those that begin with `file://` as files. Both are kept from it:
//! what a user once wrote must not run.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::entry::Given;
use super::write::{self, OWN};
use super::{Exported, Format, Read, read};
use crate::{Answer, Example};

/// Whether the calls that came out are the wanted ones, members of objects in any order. `WANTED` is put in.
const SAME_CALLS: &str = "(() => { const sorted = (value) => Array.isArray(value) ? value.map(sorted) : value && typeof value === 'object' \
    ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])])) : value; \
    const calls = typeof output === 'string' ? (output ? JSON.parse(output) : []) : output; \
    const parsed = (text) => { try { return JSON.parse(text); } catch { return text; } }; \
    const made = (Array.isArray(calls) ? calls : calls.tool_calls ?? []).map((call) => call.function ?? call) \
    .map((call) => [call.name, typeof call.arguments === 'string' ? parsed(call.arguments) : call.arguments]); \
    return JSON.stringify(sorted(made)) === JSON.stringify(sorted(WANTED)); })()";

pub(super) fn export(format: Format, examples: &[Example]) -> Exported {
    let tests: Vec<Value> = examples.iter().map(test).collect();
    let text = match format {
        Format::PromptfooYaml => yaml(&tests),
        _ => printable(&format!("{:#}\n", Value::Array(tests))),
    };
    Exported { text, skipped: Vec::new() }
}

/// Block style where it is read back as it was; else JSON, which is YAML too.
fn yaml(tests: &[Value]) -> String {
    let text = serde_saphyr::to_string(&tests).unwrap_or_default();
    match serde_saphyr::from_str::<Vec<Value>>(&text) {
        Ok(back) if back == tests => text,
        _ => tests.iter().map(|test| format!("- {}\n", printable(&test.to_string()))).collect(),
    }
}

/// JSON without characters that YAML does not allow: they can only be within texts.
fn printable(json: &str) -> String {
    let is_printable =
        |c: char| !matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let escaped = |c: char| if is_printable(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    json.chars().map(escaped).collect()
}

fn test(example: &Example) -> Value {
    let mut test = json!({
        "description": inert(&example.id),
        "vars": { "messages": inert_json(&json!(example.messages)) },
        "metadata": { OWN: inert_json(&write::metadata(example, &["messages"])) },
    });
    let asserts: Vec<Value> = example.expected.iter().flat_map(asserts).collect();
    if !asserts.is_empty() {
        test["assert"] = Value::Array(asserts);
    }
    test
}

fn asserts(expected: &Answer) -> Vec<Value> {
    let text = expected.text.as_ref().map(|text| json!({ "type": "equals", "value": inert(text) }));
    let calls: Vec<Value> = expected.tool_calls.iter().map(|call| json!([call.name, call.arguments])).collect();
    let calls = (!calls.is_empty()).then(|| {
        let wanted = inert_json(&Value::Array(calls));
        json!({ "type": "javascript", "value": SAME_CALLS.replace("WANTED", &wanted), "metric": CALLS })
    });
    // The output is either; where both are wanted, the calls tell more.
    calls.or(text).into_iter().collect()
}

/// The name of the assertion on calls.
const CALLS: &str = "tool calls";

/// What begins something in a template, and the end of a comment, which is an error by itself.
const MARKS: [&str; 4] = ["{{", "{%", "{#", "#}"];

/// JSON that is no template: the braces of marks are written as escapes. Only within texts are there any.
fn inert_json(value: &Value) -> String {
    let escaped = |text: String, mark: &&str| {
        let inert = if *mark == "#}" { "#\\u007d".to_owned() } else { format!("\\u007b{}", &mark[1..]) };
        text.replace(*mark, &inert)
    };
    MARKS.iter().fold(printable(&value.to_string()), escaped)
}

const RAW: (&str, &str) = ("{% raw %}", "{% endraw %}");

/// A text that comes out of promptfoo as it went in.
fn inert(text: &str) -> String {
    let is_template = MARKS.iter().any(|mark| text.contains(mark));
    if !is_template && !text.starts_with("file://") && !text.starts_with("package:") {
        return text.to_owned();
    }
    // What would end the raw part is broken in two.
    let inner = text.replace("{%", &format!("{{{}{}%", RAW.1, RAW.0));
    format!("{}{inner}{}", RAW.0, RAW.1)
}

/// Undoes [`inert`].
fn plain(text: &str) -> String {
    let inner = text.strip_prefix(RAW.0).and_then(|rest| rest.strip_suffix(RAW.1));
    inner.map_or_else(|| text.to_owned(), |inner| inner.replace(&format!("{}{}", RAW.1, RAW.0), ""))
}

/// A whole configuration, as far as it is read.
#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    prompts: Value,
    tests: Vec<Spanned<Value>>,
}

pub(super) fn import(bytes: &[u8]) -> Read {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            return vec![(line, Err("it is not UTF-8".to_owned()))];
        }
    };
    // A file of tests alone, or a whole configuration.
    let (tests, prompt) = match serde_saphyr::from_str(text) {
        Ok(Value::Object(_)) => match serde_saphyr::from_str::<Configuration>(text) {
            Ok(configuration) => (configuration.tests, only_prompt(&configuration.prompts)),
            Err(error) => return unreadable(&error),
        },
        Ok(_) => match serde_saphyr::from_str::<Vec<Spanned<Value>>>(text) {
            Ok(tests) => (tests, None),
            Err(error) => return unreadable(&error),
        },
        Err(error) => return unreadable(&error),
    };
    let entry = |test: Spanned<Value>| (test.referenced.line() as usize, example(test.value, prompt.as_deref()));
    tests.into_iter().map(entry).collect()
}

fn unreadable(error: &serde_saphyr::Error) -> Read {
    let line = error.location().map_or(1, |location| location.line() as usize);
    vec![(line, Err(format!("it is no list of tests: {error}")))]
}

/// Several prompts would be several examples; which is meant is not told.
fn only_prompt(prompts: &Value) -> Option<String> {
    match prompts {
        Value::Array(prompts) if prompts.len() == 1 => prompts[0].as_str().map(str::to_owned),
        _ => None,
    }
}

fn example(test: Value, prompt: Option<&str>) -> Result<Given, String> {
    let Value::Object(mut test) = test else { return Err("it is no test but a text or number".to_owned()) };
    let mut members = Map::new();
    let mut vars = match test.remove("vars") {
        Some(Value::Object(vars)) => vars,
        None => return Err("it has no `vars`".to_owned()),
        Some(_) => return Err("its `vars` are elsewhere, or no names and values".to_owned()),
    };
    members.insert("messages".to_owned(), messages(&mut vars, prompt)?);
    let mut metadata = match test.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    if let Some(Value::String(own)) = metadata.remove(OWN) {
        let own: Map<String, Value> = serde_json::from_str(&own).map_err(|error| format!("`{OWN}`: {error}"))?;
        metadata.extend(own);
    } else if let Some(description) = test.remove("description") {
        metadata.insert("description".to_owned(), description);
    }
    if !vars.is_empty() {
        metadata.insert("vars".to_owned(), Value::Object(vars));
    }
    let whole = metadata.get(OWN).and_then(|own| own.get("expected")).cloned();
    if let Some(Value::Array(asserts)) = test.remove("assert") {
        let (known, others): (Vec<Value>, Vec<Value>) = asserts.into_iter().partition(is_expected);
        if let Some(first) = known.first() {
            let expected = expected(first)?;
            // An assertion holds the text or the calls; where it was not changed, both are told.
            let is_part = |whole: &Value| {
                ["text", "tool_calls"].iter().all(|key| expected[*key].is_null() || expected[*key] == whole[*key])
            };
            members.insert("expected".to_owned(), whole.filter(is_part).unwrap_or(expected));
        }
        let others: Vec<Value> = others.into_iter().chain(known.into_iter().skip(1)).collect();
        if !others.is_empty() {
            metadata.insert("assert".to_owned(), Value::Array(others));
        }
    }
    members.insert("metadata".to_owned(), Value::Object(metadata));
    test.remove("description");
    members.extend(test);
    read::example(members)
}

/// From our own variable; else the prompt with its variables put in; else the only variable.
fn messages(vars: &mut Map<String, Value>, prompt: Option<&str>) -> Result<Value, String> {
    if let Some(messages) = vars.remove("messages") {
        return match messages {
            Value::String(text) => serde_json::from_str(&text).map_err(|error| format!("`messages`: {error}")),
            messages => Ok(messages),
        };
    }
    let message = |text: String| json!([{ "role": "user", "content": text }]);
    if let Some(prompt) = prompt.filter(|prompt| !prompt.starts_with("file://")) {
        return Ok(message(filled(prompt, vars)?));
    }
    let mut values = vars.values();
    match (values.next().cloned(), values.next()) {
        (Some(only), None) => {
            vars.clear();
            Ok(message(read::text_of(only)))
        }
        _ => {
            Err("there is no telling which variable is the message; name it `messages`, or give one prompt".to_owned())
        }
    }
}

/// A prompt of plain variables; anything else of Nunjucks is refused.
fn filled(prompt: &str, vars: &Map<String, Value>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = prompt;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("the prompt has a `{{` without its `}}`")?;
        let value = vars.get(name.trim()).ok_or_else(|| format!("the prompt's `{{{{{name}}}}}` is no variable"))?;
        filled += before;
        filled += &read::text_of(value.clone());
        rest = after;
    }
    filled += rest;
    if prompt.contains("{%") { Err("the prompt has a `{% %}`, which is not read".to_owned()) } else { Ok(filled) }
}

/// An assertion that tells the whole answer.
fn is_expected(assert: &Value) -> bool {
    (assert["type"] == "equals" && !assert["value"].is_null()) || (assert["metric"] == CALLS && calls(assert).is_some())
}

fn expected(assert: &Value) -> Result<Value, String> {
    match calls(assert) {
        Some(calls) => Ok(json!({ "tool_calls": calls })),
        None => Ok(match &assert["value"] {
            Value::String(text) => json!({ "text": plain(text) }),
            other => json!({ "text": other.to_string() }),
        }),
    }
}

/// The calls in an assertion of ours.
fn calls(assert: &Value) -> Option<Value> {
    let (before, after) = SAME_CALLS.split_once("WANTED")?;
    let wanted = assert["value"].as_str()?.strip_prefix(before)?.strip_suffix(after)?;
    let calls: Vec<(String, Value)> = serde_json::from_str(wanted).ok()?;
    Some(calls.into_iter().map(|(name, arguments)| json!({ "name": name, "arguments": arguments })).collect())
}
