//! Who speaks in a message, found without reading it.

use std::borrow::Cow;

use crate::json;

/// Frameworks nest a message this deep in wrappers of their own.
const MAX_DEPTH: usize = 3;

/// The role that `message` names: as sent, or for LangChain, which names classes, what the class stands for.
pub(crate) fn of(message: &str) -> Option<Cow<'_, str>> {
    at(message, 0)
}

fn at(message: &str, depth: usize) -> Option<Cow<'_, str>> {
    let mut nested = None;
    for (key, raw) in json::members(message) {
        match key.as_ref() {
            "role" | "message.role" => return json::string(raw).filter(|role| !role.is_empty()),
            // `{"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"],"kwargs":{…}}`
            "id" if raw.starts_with('[') => {
                let class = json::elements(raw).last().and_then(json::string);
                return class.and_then(|class| langchain(&class)).map(Cow::Borrowed);
            }
            "type" => {
                if let Some(role) = json::string(raw).and_then(|name| langchain(&name)) {
                    return Some(Cow::Borrowed(role));
                }
            }
            "message" if raw.starts_with('{') && depth < MAX_DEPTH => nested = at(raw, depth + 1),
            // Gemini's candidate.
            "content" if raw.starts_with('{') && depth < MAX_DEPTH => nested = at(raw, depth + 1),
            _ => {}
        }
    }
    nested
}

fn langchain(name: &str) -> Option<&'static str> {
    match name {
        "human" | "HumanMessage" | "HumanMessageChunk" => Some("user"),
        "ai" | "AIMessage" | "AIMessageChunk" => Some("assistant"),
        "system" | "SystemMessage" | "SystemMessageChunk" => Some("system"),
        "tool" | "ToolMessage" | "ToolMessageChunk" => Some("tool"),
        _ => None,
    }
}

/// The role that a message event's name states.
pub(crate) fn of_event(name: &str) -> Option<&'static str> {
    match name {
        "gen_ai.system.message" => Some("system"),
        "gen_ai.user.message" => Some("user"),
        "gen_ai.assistant.message" | "gen_ai.choice" => Some("assistant"),
        "gen_ai.tool.message" => Some("tool"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_found_in_every_shape() {
        for (message, role) in [
            (r#"{"content":"{\"role\":\"x\"}","role":"user"}"#, Some("user")),
            (r#"{"message.role":"tool","message.content":"7"}"#, Some("tool")),
            (r#"{"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"]}"#, Some("user")),
            (r#"{"type":"ai","data":{"content":""}}"#, Some("assistant")),
            (r#"{"index":0,"message":{"role":"assistant","content":"7"}}"#, Some("assistant")),
            (r#"{"content":{"parts":[{"text":"7"}],"role":"model"},"index":0}"#, Some("model")),
            (r#"{"type":"text","text":"7"}"#, None),
            ("plain", None),
            (r#"{"role":"#, None),
        ] {
            assert_eq!(of(message).as_deref(), role, "{message}");
        }
    }
}
