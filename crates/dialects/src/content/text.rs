//! The words of a message, in whatever shape it comes: OpenTelemetry parts, OpenAI and Anthropic blocks, LangChain
//! constructors, Gemini parts, Bedrock, Haystack and Vercel contents, flattened keys, plain text.
//!
//! Messages are scanned, never parsed into a tree: only the members that lead to text are looked into.

use std::borrow::Cow;

use tracewell_model::kind::Form;

use super::split::looks_like_json;
use crate::json;
use crate::normalized::Piece;

/// What a message says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// Its text parts, one a line.
    pub(crate) text: String,
    /// The first tool call: `name(arguments)`.
    pub(crate) call: Option<String>,
}

/// Messages nest no deeper than this.
const MAX_DEPTH: usize = 10;

/// Encodings within encodings that are undone.
const MAX_DECODES: usize = 3;

/// The words of `message`, at least the first `limit` bytes of them where there are more.
pub(crate) fn words(message: &Piece<'_>, limit: usize) -> Words {
    let mut reader = Reader { limit, words: Words::default() };
    let mut text = Cow::Borrowed(message.bytes.as_ref());
    let mut decoded = false;
    for _ in 0..MAX_DECODES {
        let Some(inner) = json::string(&text) else { break };
        text = Cow::Owned(inner.into_owned());
        decoded = true;
    }
    let is_complete = || if decoded { json::is_complete(&text) } else { message.is_complete };
    if looks_like_json(&text) && is_complete() {
        reader.visit(&text, 0);
    } else {
        reader.push(&text);
    }
    reader.words
}

/// The words of a message that is kept, all of them.
pub(crate) fn of_message(message: &str) -> Option<String> {
    let (source, bytes) = (Cow::Borrowed(""), Cow::Borrowed(message));
    let is_complete = json::is_complete(message);
    let words = words(&Piece { role: None, source, form: Form::Value, bytes, is_complete, hash: None }, usize::MAX);
    let lines = [Some(words.text).filter(|text| !text.is_empty()), words.call];
    let lines: Vec<String> = lines.into_iter().flatten().collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

struct Reader {
    limit: usize,
    words: Words,
}

/// The members of an object that lead to text or to a call.
#[derive(Default)]
struct Members<'m> {
    kind: Option<Cow<'m, str>>,
    content: Option<&'m str>,
    text: Option<&'m str>,
    lines: Vec<&'m str>,
    nested: Vec<&'m str>,
    answer: Option<&'m str>,
    name: Option<&'m str>,
    arguments: Option<&'m str>,
    calls: Vec<&'m str>,
}

impl<'m> Members<'m> {
    fn read(object: &'m str) -> Self {
        let mut found = Self::default();
        for (key, raw) in json::members(object) {
            if raw == "null" {
                continue;
            }
            match key.as_ref() {
                "type" => found.kind = json::string(raw),
                "content" | "message.content" | "page_content" | "document.content" => found.content = Some(raw),
                "text"
                | "prompt.text"
                | "completion.text"
                | "embedding.text"
                | "output_text"
                | "combined_chunk_content" => found.text = Some(raw),
                "parts" | "message" | "kwargs" | "data" | "update" | "messages" | "choices" | "generations"
                | "replies" | "candidates" | "toolResult" | "functionResponse" | "function_response"
                | "tool_call_result" | "contents" | "summary" => found.nested.push(raw),
                "response" | "result" | "output" | "json" | "value" | "server_tool_call_response" => {
                    found.answer = Some(raw);
                }
                "name" | "tool_name" | "toolName" | "message.function_call_name" => found.name = Some(raw),
                "arguments" | "args" | "message.function_call_arguments_json" => found.arguments = Some(raw),
                "input" | "server_tool_call" => found.arguments = found.arguments.or(Some(raw)),
                "tool_calls" | "function" | "toolUse" | "functionCall" | "tool_call" | "function_call" => {
                    found.calls.push(raw);
                }
                flat if flat.ends_with("message_content.text") => found.lines.push(raw),
                flat if is_flat_call(flat) && flat.ends_with(".name") => {
                    found.name = found.name.or(Some(raw));
                }
                flat if is_flat_call(flat) && flat.ends_with(".arguments") => {
                    found.arguments = found.arguments.or(Some(raw));
                }
                _ => {}
            }
        }
        found
    }
}

/// A flattened key of a tool call; LiteLLM has the older `function_call`.
fn is_flat_call(key: &str) -> bool {
    key.contains("tool_calls.") || key.starts_with("function_call.")
}

impl Reader {
    fn full(&self) -> bool {
        self.words.text.len() >= self.limit
    }

    fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.words.text.is_empty() {
            self.words.text.push('\n');
        }
        self.words.text.push_str(text);
    }

    fn visit(&mut self, raw: &str, depth: usize) {
        if depth > MAX_DEPTH || self.full() {
            return;
        }
        match raw.trim_ascii_start().as_bytes().first() {
            Some(b'"') => self.string(raw, depth),
            Some(b'[') => json::elements(raw).for_each(|element| self.visit(element, depth + 1)),
            Some(b'{') => self.object(raw, depth),
            _ => {}
        }
    }

    fn string(&mut self, raw: &str, depth: usize) {
        let raw = raw.trim_ascii();
        // An escape takes at most twelve bytes a character.
        let cut = raw.floor_char_boundary(self.limit.saturating_mul(12).saturating_add(1));
        let text = if cut < raw.len() { json::unescape(&raw[1..cut]) } else { json::string(raw).unwrap_or_default() };
        let before = self.words.text.len();
        // Blocks encoded once more, as SDKs do that keep contents in strings.
        if depth < MAX_DEPTH && text.starts_with("[{") && json::is_complete(&text) {
            self.visit(&text, depth + 1);
        }
        if self.words.text.len() == before {
            self.push(&text);
        }
    }

    fn object(&mut self, raw: &str, depth: usize) {
        let found = Members::read(raw);
        match found.kind.as_deref() {
            Some("reasoning" | "thinking" | "redacted_thinking" | "blob" | "image" | "image_url" | "file" | "uri") => {
                return;
            }
            Some("tool-result" | "tool_call_response" | "server_tool_call_response" | "function_call_output") => {
                return found.answer.or(found.content).into_iter().for_each(|raw| self.answer(raw, depth));
            }
            _ => {}
        }
        let before = self.words.text.len();
        for raw in found.content.into_iter().chain(found.text) {
            if self.words.text.len() == before {
                self.visit(raw, depth + 1);
            }
        }
        if self.words.text.len() == before {
            found.lines.iter().chain(&found.nested).for_each(|raw| self.visit(raw, depth + 1));
        }
        if self.words.call.is_none()
            && let (Some(name), Some(arguments)) = (found.name.and_then(json::string), found.arguments)
        {
            let arguments = json::string(arguments).unwrap_or(Cow::Borrowed(arguments));
            self.words.call = Some(format!("{name}({arguments})"));
            return;
        }
        found.calls.iter().for_each(|raw| self.visit(raw, depth + 1));
        if self.words.text.len() == before && self.words.call.is_none() {
            found.answer.into_iter().for_each(|raw| self.answer(raw, depth));
        }
    }

    /// What a tool answered: text, blocks, or JSON that speaks for itself.
    fn answer(&mut self, raw: &str, depth: usize) {
        let before = self.words.text.len();
        self.visit(raw, depth + 1);
        if self.words.text.len() == before {
            self.push(&raw[..raw.floor_char_boundary(self.limit)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(message: &str) -> Words {
        let (source, bytes) = ("m".into(), message.into());
        let is_complete = json::is_complete(message);
        words(&Piece { role: None, source, form: Form::Value, bytes, is_complete, hash: None }, 1000)
    }

    #[test]
    fn text_is_found_in_every_shape() {
        for message in [
            "a\nb",
            r#""a\nb""#,
            r#""\"a\\nb\"""#,
            r#"{"role":"user","parts":[{"type":"reasoning","content":"x"},{"content":"a","type":"text"},{"type":"text","content":"b"}]}"#,
            r#"{"role":"user","content":"a\nb"}"#,
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{}},{"type":"text","text":"b"}]}"#,
            r#"{"lc":1,"type":"constructor","id":["x","AIMessage"],"kwargs":{"content":"a\nb","tool_calls":[]}}"#,
            r#"{"text":"a\nb","type":"ChatGeneration","message":{"kwargs":{"content":"a\nb"}}}"#,
            r#"{"type":"human","data":{"content":"a\nb"}}"#,
            r#"{"message.role":"user","message.content":"a\nb","message.contents.0.message_content.text":"a\nb"}"#,
            r#"{"message.contents.0.message_content.text":"a","message.contents.1.message_content.text":"b"}"#,
            r#"{"content":{"parts":[{"text":"a"},{"text":"b"}],"role":"model"}}"#,
            r#"[{"text":"a"},{"text":"b"}]"#,
            r#"{"role":"assistant","content":[{"text":"a"},{"text":"b"}],"meta":{}}"#,
            r#"{"index":0,"message":{"role":"assistant","content":"a\nb"},"finish_reason":"stop"}"#,
            r#"{"role":"tool","content":[{"type":"tool-result","toolCallId":"c","output":{"type":"text","value":"a\nb"}}]}"#,
            r#"{"role":"tool","parts":[{"type":"tool_call_response","id":"c","response":"a\nb"}]}"#,
            r#"{"role":"assistant","parts":[{"type":"server_tool_call_response","id":"c","server_tool_call_response":"a\nb"}]}"#,
            r#"{"role":"user","parts":[{"function_response":{"name":"f","response":{"result":"a\nb"}}}]}"#,
            r#"{"type":"message","content":[{"type":"output_text","text":"a\nb","annotations":[]}],"role":"assistant"}"#,
            r#"{"role":"user","content":"[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]"}"#,
        ] {
            assert_eq!(words_of(message).text, "a\nb", "{message}");
        }
    }

    #[test]
    fn a_call_is_found_in_every_shape() {
        for message in [
            r#"{"role":"assistant","parts":[{"type":"tool_call","id":"c","name":"f","arguments":{"a":1}}]}"#,
            r#"{"role":"assistant","parts":[{"type":"server_tool_call","id":"c","name":"f","server_tool_call":{"a":1}}]}"#,
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
            r#"{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{"a":1}}]}"#,
            r#"{"content":"","type":"ai","name":"agent","tool_calls":[{"name":"f","args":{"a":1},"id":"c"}]}"#,
            r#"{"message.role":"assistant","message.tool_calls.0.tool_call.function.name":"f","message.tool_calls.0.tool_call.function.arguments":"{\"a\":1}"}"#,
            r#"{"role":"assistant","tool_calls.0.id":"c","tool_calls.0.name":"f","tool_calls.0.arguments":"{\"a\":1}"}"#,
            r#"[{"toolCallId":"c","toolName":"f","input":{"a":1}}]"#,
            r#"[{"toolUse":{"toolUseId":"c","name":"f","input":{"a":1}}}]"#,
            r#"{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}]}}"#,
            r#"{"role":"assistant","content":[{"tool_call":{"tool_name":"f","arguments":{"a":1},"id":"c"}}]}"#,
            r#"{"arguments":"{\"a\":1}","call_id":"c","name":"f","type":"function_call"}"#,
        ] {
            let words = words_of(message);
            assert_eq!((words.text.as_str(), words.call.as_deref()), ("", Some(r#"f({"a":1})"#)), "{message}");
        }
    }
}
