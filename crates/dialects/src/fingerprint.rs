//! Fingerprints of a model call: what it was told (content), where it went (routing), what bound it (policy), and
//! which prompt it used. Two calls with equal fingerprints differ in nothing of that class.
//!
//! Each is the first 128 bits of BLAKE3 over the parts, every part with its length before it. Texts are hashed as
//! text, never as the JSON around them, so that one prompt has one hash in every dialect.

mod shape;

use std::borrow::Cow;

use crate::content::split::looks_like_json;
use crate::content::text::words;
use crate::json;
use crate::memo::Memo;
use crate::normalized::Normalized;
use shape::shape;

/// Request parameters that bind what the model may answer; the others say where the call goes.
const POLICY_PARAMETERS: &[&str] = &["response_format", "tool_choice", "guardrail", "guardrails", "guardrail_id"];

/// Fills the hashes of model calls. What an agent's calls have in common is worked out once.
#[derive(Debug, Default)]
pub(crate) struct Fingerprints {
    instructions: Memo<Instructions>,
    tools: Memo<Tools>,
    routings: Memo<Option<[u8; 16]>>,
    key: Vec<u8>,
}

impl Fingerprints {
    /// Fills the hashes of a model call; other spans have none.
    pub(crate) fn fill(&mut self, out: &mut Normalized<'_>) {
        if !out.kind.is_model_call() {
            return;
        }
        let instructions = out.system.as_ref().map(|piece| {
            self.instructions.get(piece.bytes.as_bytes(), || Instructions::new(words(piece, usize::MAX).text))
        });
        let instructions = instructions.as_deref().filter(|instructions| !instructions.text.is_empty());
        let template = out.prompt_template.as_deref().filter(|template| !template.is_empty());
        out.content_hash = match (instructions, template) {
            (Some(instructions), None) => Some(instructions.content_hash),
            (None, None) => None,
            (instructions, template) => {
                let text = instructions.map_or("", |instructions| &instructions.text);
                Some(hash([text, template.unwrap_or_default()]))
            }
        };
        let instructions_hash = instructions.map(|instructions| instructions.prompt_hash);
        out.prompt_hash = template.map(|text| hash([text])).or(instructions_hash);
        out.prompt_shape = instructions.map(|instructions| instructions.shape_hash);
        out.routing_hash = self.routing(out);
        out.policy_hash = self.policy(out);
    }

    fn routing(&mut self, out: &Normalized<'_>) -> Option<[u8; 16]> {
        let model = out.request_model.as_deref().or(out.response_model.as_deref());
        self.key.clear();
        let parameters = out.request_params.iter().flat_map(|(name, value)| [Some(*name), Some(value.as_ref())]);
        for text in [out.provider.as_deref(), model].into_iter().chain(parameters) {
            self.key.extend(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            self.key.extend(text.unwrap_or_default().as_bytes());
        }
        let floats = [out.temperature, out.top_p].map(|number| number.map(f64::to_bits));
        let ints = [out.max_tokens, out.seed].map(|number| number.map(i64::cast_unsigned));
        for number in floats.into_iter().chain(ints) {
            self.key.push(u8::from(number.is_some()));
            self.key.extend(number.unwrap_or_default().to_le_bytes());
        }
        *self.routings.get(&self.key, || routing(out, model))
    }

    fn policy(&mut self, out: &Normalized<'_>) -> Option<[u8; 16]> {
        let tools = out
            .tools
            .as_ref()
            .map(|piece| self.tools.get(piece.bytes.as_bytes(), || Tools::new(canonical_tools(&piece.bytes))));
        let tools = tools.as_deref();
        let mut parameters = out.request_params.iter().filter(|(name, _)| POLICY_PARAMETERS.contains(name)).peekable();
        if parameters.peek().is_none() {
            return tools?.hash;
        }
        let tools = tools.into_iter().flat_map(|tools| tools.parts());
        sorted(tools.chain(parameters.map(|(name, value)| (*name, Cow::Borrowed(value.as_ref())))).collect())
    }
}

/// Instructions as text, and what follows from them alone.
#[derive(Debug)]
struct Instructions {
    text: String,
    content_hash: [u8; 16],
    prompt_hash: [u8; 16],
    shape_hash: [u8; 16],
}

impl Instructions {
    fn new(text: String) -> Self {
        let (content_hash, prompt_hash) = (hash([text.as_str(), ""]), hash([text.as_str()]));
        let shape_hash = hash([shape(&text).as_str()]);
        Self { text, content_hash, prompt_hash, shape_hash }
    }
}

/// Tools in their canonical form, and the policy of a call that states no other.
#[derive(Debug)]
struct Tools {
    canonical: Vec<String>,
    hash: Option<[u8; 16]>,
}

impl Tools {
    fn new(canonical: Vec<String>) -> Self {
        let mut tools = Self { canonical, hash: None };
        tools.hash = sorted(tools.parts().collect());
        tools
    }

    fn parts(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        self.canonical.iter().map(|tool| ("tool", Cow::Borrowed(tool.as_str())))
    }
}

fn hash<'p>(parts: impl IntoIterator<Item = &'p str>) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut first = [0; 16];
    hasher.finalize_xof().fill(&mut first);
    first
}

fn routing(out: &Normalized<'_>, model: Option<&str>) -> Option<[u8; 16]> {
    let mut parts: Vec<(&str, Cow<'_, str>)> = Vec::new();
    let mut add = |name, value: Option<String>| parts.extend(value.map(|value| (name, Cow::Owned(value))));
    add("provider", out.provider.as_deref().map(str::to_owned));
    add("model", model.map(str::to_owned));
    add("temperature", out.temperature.map(|number| number.to_string()));
    add("top_p", out.top_p.map(|number| number.to_string()));
    add("max_tokens", out.max_tokens.map(|number| number.to_string()));
    add("seed", out.seed.map(|number| number.to_string()));
    let parameters = out.request_params.iter().filter(|(name, _)| !POLICY_PARAMETERS.contains(name));
    parts.extend(parameters.map(|(name, value)| (*name, Cow::Borrowed(value.as_ref()))));
    sorted(parts)
}

/// The hash of parts whose order says nothing; `None` when there are none.
fn sorted(mut parts: Vec<(&str, Cow<'_, str>)>) -> Option<[u8; 16]> {
    parts.sort_unstable();
    let flat = parts.iter().flat_map(|(name, value)| [*name, value.as_ref()]);
    (!parts.is_empty()).then(|| hash(flat))
}

/// Each tool as its name and its parameters without white space, whatever the provider wraps them in. What holds no
/// named tool stands for itself.
fn canonical_tools(tools: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect_tools(tools, &mut found, 0);
    if found.is_empty() {
        let mut text = String::new();
        json::minify(tools, &mut text);
        found.push(text);
    }
    found
}

/// Lists, JSON in strings, wrappers: tools are no deeper than this.
const MAX_DEPTH: usize = 6;

fn collect_tools(raw: &str, found: &mut Vec<String>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    if let Some(text) = json::string(raw) {
        return if looks_like_json(&text) {
            collect_tools(&text, found, depth + 1)
        } else {
            found.push(text.into_owned())
        };
    }
    json::elements(raw).for_each(|tool| collect_tools(tool, found, depth + 1));
    let (mut name, mut parameters) = (None, "");
    for (key, raw) in json::members(raw) {
        match key.as_ref() {
            "name" => name = json::string(raw),
            "parameters" | "input_schema" | "inputSchema" | "parameters_json_schema" | "json_schema" => {
                parameters = raw
            }
            "function" | "toolSpec" | "tool.json_schema" | "function_declarations" | "functionDeclarations" => {
                collect_tools(raw, found, depth + 1);
            }
            _ => {}
        }
    }
    if let Some(name) = name {
        let parameters = json::string(parameters).unwrap_or(Cow::Borrowed(parameters));
        let mut tool = format!("{name} ");
        json::minify(&parameters, &mut tool);
        found.push(tool);
    }
}

#[cfg(test)]
mod tests {
    use tracewell_model::kind::{Form, Kind};

    use super::*;
    use crate::normalized::Piece;

    fn piece(bytes: &str) -> Option<Piece<'_>> {
        Some(Piece {
            role: None,
            source: "s".into(),
            form: Form::Value,
            bytes: bytes.into(),
            is_complete: json::is_complete(bytes),
            hash: None,
        })
    }

    fn call<'a>(system: &'a str, tools: &'a str) -> Normalized<'a> {
        let mut out =
            Normalized { kind: Kind::Chat, system: piece(system), tools: piece(tools), ..Normalized::default() };
        Fingerprints::default().fill(&mut out);
        out
    }

    #[test]
    fn one_prompt_has_one_hash_in_every_dialect() {
        let parts = call(r#"[{"type":"text","content":"Be kind."}]"#, "[]");
        let message = call(r#"{"content": "Be kind.", "role": "system"}"#, "[]");
        let flat = call(r#"{"message.role":"system","message.content":"Be kind."}"#, "[]");
        assert!(parts.content_hash.is_some() && parts.prompt_hash.is_some() && parts.prompt_shape.is_some());
        for other in [message, flat] {
            assert_eq!((other.content_hash, other.prompt_hash), (parts.content_hash, parts.prompt_hash));
        }
    }

    #[test]
    fn one_set_of_tools_has_one_hash_in_every_shape() {
        let shapes = [
            r#"[{"type":"function","name":"f","parameters":{"type":"object"}},{"name":"g"}]"#,
            r#"[{"name":"g"},{"type":"function","function":{"name":"f","parameters":{"type": "object"}}}]"#,
            r#"[{"tool.json_schema":"{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}"},{"tool.json_schema":"{\"name\":\"g\"}"}]"#,
            r#"["{\"name\":\"f\",\"inputSchema\":{\"type\":\"object\"}}","{\"name\":\"g\"}"]"#,
        ];
        let hashes: Vec<_> = shapes.iter().map(|tools| call("s", tools).policy_hash).collect();
        assert!(hashes[0].is_some() && hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
    }

    #[test]
    fn a_parameter_changes_the_routing_alone() {
        let mut warm = Normalized { kind: Kind::Chat, request_model: Some("m".into()), ..Normalized::default() };
        let mut cold = warm.clone();
        cold.temperature = Some(0.0);
        Fingerprints::default().fill(&mut warm);
        Fingerprints::default().fill(&mut cold);
        assert_ne!(warm.routing_hash, cold.routing_hash);
        assert_eq!((warm.content_hash, warm.policy_hash), (None, None));
    }

    #[test]
    fn only_model_calls_have_fingerprints() {
        let mut out = Normalized { kind: Kind::Agent, system: piece("Be kind."), ..Normalized::default() };
        Fingerprints::default().fill(&mut out);
        assert_eq!((out.content_hash, out.routing_hash), (None, None));
    }
}
