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
            self.out.record.decision = self.text(&["decision", "decision_type"]);
            self.out.record.decision_source = self.text(&["source", "decision_source"]);
            let over_mcp = self.text(&["mcp_server", "mcp_server_name"]).map(|_| Cow::Borrowed("mcp"));
            self.out.tool_type = self.out.tool_type.take().or(over_mcp);
        }
        match name {
            "user_prompt" => self.attribute("prompt", Place::Input, Cut::Whole),
            "assistant_response" => self.attribute("response", Place::Output, Cut::Whole),
            "api_request_body" => self.attribute("body", Place::Input, Cut::Messages),
            "api_response_body" => self.attribute("body", Place::Output, Cut::Messages),
            "api_request" => self.attribute("request_text", Place::Input, Cut::Messages),
            "api_response" => self.attribute("response_text", Place::Output, Cut::Messages),
            "tool_result" | "tool_call" => {
                for key in ["tool_input", "tool_parameters", "arguments", "function_args"] {
                    self.attribute(key, Place::Input, Cut::Whole);
                }
                self.attribute("output", Place::Output, Cut::Whole);
            }
            _ => {}
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
            let millis = find(self.log, "duration_ms").and_then(|(found, _)| Scalar::Any(found.value).float());
            let nanos = millis.filter(|millis| *millis >= 0.0).map(|millis| (millis * NANOS_PER_MILLI).round() as i64);
            self.out.record.duration_ns = nanos;
        }
        self.out.record.prompt_id = self.text(&["prompt.id", "prompt_id"]);
        let succeeded = find(self.log, "success").and_then(|(found, _)| Scalar::Any(found.value).bool());
        // Whatever failed has a class.
        self.out.record.status = match self.out.error_class {
            Some(_) => Some("error"),
            None => succeeded.filter(|succeeded| *succeeded).map(|_| "ok"),
        };
        if self.out.error_class.is_some() {
            self.out.record.status_message = self.text(&["error", "error.message"]);
            let error_type = self.text(&["error_type"]);
            self.out.error_type = self.out.error_type.take().or(error_type);
        }
    }
}
