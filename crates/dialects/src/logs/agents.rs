//! The records of Claude Code, Codex and Gemini CLI.
//!
//! One model call leaves several records, and one of them stands for it: the one that tells what it used, or that it
//! failed. The others (a request about to be sent, an answer's headers, one event of a stream) are no calls.

use std::borrow::Cow;

use tracewell_model::kind::{Dialect, Kind};
use tracewell_otlp::AnyValue;

use super::{Event, Place, Record, find};
use crate::content::carriers::Cut;
use crate::input::LogInput;
use crate::value::Scalar;

// Where the agents keep what no span says.
const DECISION: &[&str] = &["decision", "decision_type"];
const DECIDED_BY: &[&str] = &["source", "decision_source"];
const MCP_SERVER: &[&str] = &["mcp_server", "mcp_server_name"];
const PROMPT_ID: &[&str] = &["prompt.id", "prompt_id"];
const DURATION: &str = "duration_ms";
const SUCCESS: &str = "success";
const MESSAGE: &[&str] = &["error", "error.message"];
const ERROR_TYPE: &[&str] = &["error_type"];
const FACTS: &[&[&str]] = &[DECISION, DECIDED_BY, MCP_SERVER, PROMPT_ID, &[DURATION], &[SUCCESS], MESSAGE, ERROR_TYPE];

/// What events carry, by their short names, with the list it goes to.
const CONTENTS: &[(&[&str], &str, Place, Cut)] = &[
    (&["user_prompt"], "prompt", Place::Input, Cut::Whole),
    (&["assistant_response"], "response", Place::Output, Cut::Whole),
    (&["api_request_body"], "body", Place::Input, Cut::Messages),
    (&["api_response_body"], "body", Place::Output, Cut::Messages),
    (&["api_request"], "request_text", Place::Input, Cut::Messages),
    (&["api_response"], "response_text", Place::Output, Cut::Messages),
    (TOOL_EVENTS, "tool_input", Place::Input, Cut::Whole),
    (TOOL_EVENTS, "tool_parameters", Place::Input, Cut::Whole),
    (TOOL_EVENTS, "arguments", Place::Input, Cut::Whole),
    (TOOL_EVENTS, "function_args", Place::Input, Cut::Whole),
    (TOOL_EVENTS, "output", Place::Output, Cut::Whole),
];
const TOOL_EVENTS: &[&str] = &["tool_result", "tool_call"];

/// Whether the attribute `key` of an event means something.
pub(super) fn reads(event: &str, key: &str) -> bool {
    let name = short(event);
    FACTS.iter().any(|keys| keys.contains(&key))
        || CONTENTS.iter().any(|(events, carrier, ..)| *carrier == key && events.contains(&name))
}

/// What a record stands for, and whether it says by its name that something failed.
pub(super) fn kind(event: &Event<'_>, log: &LogInput<'_, '_>) -> (Kind, bool) {
    let value = |key: &str| log.attributes.iter().rev().find(|found| found.key == key).map(|found| found.value);
    match (event.dialect, short(event.name)) {
        (Dialect::Codex, "api_request") => {
            let refused = value("http.response.status_code")
                .and_then(|status| Scalar::Any(status).int())
                .is_some_and(|status| status >= 400);
            let failed = refused || says(value("error.message"));
            (if failed { Kind::Chat } else { Kind::Http }, failed)
        }
        (Dialect::Codex, "sse_event" | "websocket_event") => {
            let failed = says(value("error.message"));
            let counts = ["input_token_count", "output_token_count"].iter().any(|key| says(value(key)));
            (if failed || counts { Kind::Chat } else { Kind::Other }, failed)
        }
        (Dialect::ClaudeCode, "api_request") | (Dialect::GeminiCli, "api_response") => (Kind::Chat, false),
        (Dialect::ClaudeCode | Dialect::GeminiCli, "api_error") => (Kind::Chat, true),
        (_, "tool_result" | "tool_call") => (Kind::Tool, false),
        (_, "tool_decision" | "user_prompt") => (Kind::Human, false),
        _ => (Kind::Other, false),
    }
}

fn says(value: Option<AnyValue<'_>>) -> bool {
    value.is_some_and(|value| !Scalar::Any(value).is_empty())
}

/// The name of an event without that of its agent.
fn short(event: &str) -> &str {
    event.rsplit_once('.').map_or(event, |(_, name)| name)
}

impl Record<'_, '_, '_> {
    pub(super) fn agent(&mut self, event: &str) {
        let name = short(event);
        self.outcome(name);
        if name.starts_with("tool_") {
            self.out.record.decision = self.text(DECISION);
            self.out.record.decision_source = self.text(DECIDED_BY);
            let over_mcp = self.text(MCP_SERVER).map(|_| Cow::Borrowed("mcp"));
            self.out.tool_type = self.out.tool_type.take().or(over_mcp);
        }
        for (_, key, place, cut) in CONTENTS.iter().filter(|(events, ..)| events.contains(&name)) {
            self.attribute(key, *place, *cut);
        }
        if name == "user_prompt" {
            self.out.input.iter_mut().for_each(|piece| piece.role = Some(Cow::Borrowed("user")));
        }
    }

    /// How long it took and how it ended.
    fn outcome(&mut self, name: &str) {
        const NANOS_PER_MILLI: f64 = 1e6;
        // Codex states of a stream's event how long it waited for that.
        if !name.ends_with("_event") {
            let millis = find(self.log, DURATION).and_then(|(found, _)| Scalar::Any(found.value).float());
            let nanos = millis.filter(|millis| *millis >= 0.0).map(|millis| (millis * NANOS_PER_MILLI).round() as i64);
            self.out.record.duration_ns = nanos;
        }
        self.out.record.prompt_id = self.text(PROMPT_ID);
        let succeeded = find(self.log, SUCCESS).and_then(|(found, _)| Scalar::Any(found.value).bool());
        // Whatever failed has a class.
        self.out.record.status = match self.out.error_class {
            Some(_) => Some("error"),
            None => succeeded.filter(|succeeded| *succeeded).map(|_| "ok"),
        };
        if self.out.error_class.is_some() {
            self.out.record.status_message = self.text(MESSAGE);
            let error_type = self.text(ERROR_TYPE);
            self.out.error_type = self.out.error_type.take().or(error_type);
        }
    }
}
