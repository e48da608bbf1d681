//! The first characters of what went in and what came out, for people who skim.

use std::borrow::Cow;

use tracewell_model::kind::Kind;
use tracewell_model::role::last_answer;

use crate::content::text::words;
use crate::json;
use crate::memo::Memo;
use crate::normalized::{Normalized, Piece};

/// Characters a preview holds.
const LENGTH: usize = 256;

/// Bytes that hold as many characters.
const LIMIT: usize = LENGTH * 4;

/// Fills `input_preview` and `output_preview`: the last user message (else the last input), the first output (of a
/// conversation the last answer). The question of a run is asked again in each of its calls; `known` are the previews
/// of inputs before.
pub(crate) fn fill(known: &mut Memo<String>, out: &mut Normalized<'_>) {
    let is_user = |piece: &&Piece<'_>| piece.role.as_deref() == Some("user");
    let asked = out.input.iter().rev().find(is_user).or(out.input.last());
    out.input_preview = match asked {
        Some(piece) if out.kind == Kind::Tool => Some(verbatim(&piece.bytes)),
        Some(piece) if piece.is_complete => Some(String::clone(&known.get(piece.bytes.as_bytes(), || said(piece)))),
        Some(piece) => Some(said(piece)),
        None => out.retrieval_query.as_deref().map(first),
    };
    let last = last_answer(out.output.iter().map(|piece| piece.role.as_deref()));
    out.output_preview = answered(last.map_or(&out.output[..], |last| &out.output[last..=last]));
}

/// The text of the first output that has one, else its first tool call, else the first output as it stands.
fn answered(output: &[Piece<'_>]) -> Option<String> {
    let mut call = None;
    for piece in output {
        let words = words(piece, LIMIT);
        if !words.text.is_empty() {
            return Some(first(&words.text));
        }
        call = call.or(words.call);
    }
    call.as_deref().map(first).or_else(|| output.first().map(|piece| verbatim(&piece.bytes)))
}

fn said(piece: &Piece<'_>) -> String {
    let words = words(piece, LIMIT);
    match words.call {
        _ if !words.text.is_empty() => first(&words.text),
        Some(call) => first(&call),
        None => verbatim(&piece.bytes),
    }
}

/// A value as it stands, but for the quotes of a JSON string around it.
fn verbatim(text: &str) -> String {
    first(&json::string(text).unwrap_or(Cow::Borrowed(text)))
}

fn first(text: &str) -> String {
    let end = match text.as_bytes().get(..LENGTH) {
        None => text.len(),
        Some(start) if start.is_ascii() => LENGTH,
        Some(_) => text.char_indices().nth(LENGTH).map_or(text.len(), |(end, _)| end),
    };
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use tracewell_model::kind::Form;

    use super::*;

    fn message(role: &'static str, bytes: &'static str) -> Piece<'static> {
        Piece {
            role: Some(role.into()),
            source: "m".into(),
            form: Form::Array,
            bytes: bytes.into(),
            is_complete: true,
            hash: None,
        }
    }

    #[test]
    fn the_last_user_message_and_the_first_answer_are_shown() {
        let input = vec![
            message("user", r#"{"content":"first"}"#),
            message("user", r#"{"content":"second \"quoted\""}"#),
            message("tool", r#"{"content":"42"}"#),
        ];
        let output = vec![message("assistant", r#"{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#)];
        let mut out = Normalized { input, output, ..Normalized::default() };
        fill(&mut Memo::default(), &mut out);
        assert_eq!(out.input_preview.as_deref(), Some("second \"quoted\""));
        assert_eq!(out.output_preview.as_deref(), Some("f({})"));
    }

    #[test]
    fn of_a_conversation_the_last_answer_is_shown() {
        let shown = |output: Vec<Piece<'static>>| {
            let mut out = Normalized { output, ..Normalized::default() };
            fill(&mut Memo::default(), &mut out);
            out.output_preview
        };
        let call = message("assistant", r#"{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#);
        let (result, answer) =
            (message("tool", r#"{"content":"42"}"#), message("assistant", r#"{"content":"Shelf 7."}"#));
        assert_eq!(shown(vec![call.clone(), result.clone(), answer.clone()]).as_deref(), Some("Shelf 7."));
        let system = message("system", r#"{"content":"Be kind."}"#);
        assert_eq!(shown(vec![system, answer.clone(), call.clone(), result.clone()]).as_deref(), Some("f({})"));
        // Of several choices the first, and what a tool says is its output.
        let other = message("assistant", r#"{"content":"Aisle 2."}"#);
        assert_eq!(shown(vec![answer, other]).as_deref(), Some("Shelf 7."));
        assert_eq!(shown(vec![result]).as_deref(), Some("42"));
    }

    #[test]
    fn a_preview_is_cut_between_characters() {
        assert_eq!(first(&"é".repeat(300)).chars().count(), LENGTH);
    }
}
