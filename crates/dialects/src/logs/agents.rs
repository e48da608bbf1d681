//! The records of Claude Code, Codex and Gemini CLI.

use std::borrow::Cow;

use tracewell_model::kind::{Dialect, InputSemantics, Kind};

use super::{Place, Record, truth, unquoted};
use crate::content::carriers::Cut;
use crate::usage::{NEGATIVE_COUNT, amount};
use crate::value::Scalar;

/// Members that say how a person or a rule decided on a tool call, and how it went.
const DECISIONS: &[&str] =
    &["decision", "source", "decision_type", "decision_source", "success", "mcp_server", "mcp_server_name"];

impl Record<'_, '_, '_> {
    pub(super) fn agent(&mut self, event: &str) {
        let name = event.rsplit_once('.').map_or(event, |(_, name)| name);
        self.out.kind = match name {
            "api_request" | "api_response" | "api_error" | "sse_event" | "api_request_body" | "api_response_body"
            | "assistant_response" => Kind::Chat,
            "tool_result" | "tool_call" => Kind::Tool,
            "tool_decision" | "user_prompt" => Kind::Human,
            _ => Kind::Other,
        };
        self.facts();
        self.usage();
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

    fn facts(&mut self) {
        self.out.tool_name = self.text(&["tool_name", "function_name"]).map(unquoted);
        self.out.tool_call_id = self.text(&["tool_use_id", "call_id"]);
        self.out.tool_type = self.text(&["tool_type"]);
        let cost = self.find("cost_usd");
        self.out.reported_cost_usd = cost.and_then(|(_, cost, _)| amount(&Scalar::Any(cost.value)));
        self.out.release = self.text(&["app.version"]);
        let decisions = DECISIONS.iter().filter_map(|key| Some((Cow::Borrowed(*key), self.find(key)?.2)));
        let decisions: Vec<_> = decisions.collect();
        self.out.metadata.extend(decisions);
        let failed = self.find("success").and_then(|(_, success, _)| truth(success.value)) == Some(false);
        if self.out.error_type.is_none() {
            let error = self.text(&["error", "error.message", "status_code", "http.response.status_code"]);
            self.out.error_type = match error {
                Some(error)
                    if failed || self.out.operation.as_deref().is_some_and(|name| name.ends_with("api_error")) =>
                {
                    Some(error)
                }
                None if failed => Some(Cow::Borrowed("_OTHER")),
                _ => None,
            };
        }
    }

    fn count(&mut self, keys: &[&str]) -> Option<i64> {
        let count = self.int(keys)?;
        if count < 0 && !self.out.usage_flags.contains(&NEGATIVE_COUNT) {
            self.out.usage_flags.push(NEGATIVE_COUNT);
        }
        (count >= 0).then_some(count)
    }

    /// Token counts, which arrive as numbers or as text.
    fn usage(&mut self) {
        let input = self.count(&["input_tokens", "input_token_count"]);
        let output = self.count(&["output_tokens", "output_token_count"]);
        let read = self.count(&["cache_read_tokens", "cached_token_count", "cached_content_token_count"]);
        let written = self.count(&["cache_creation_tokens"]);
        let reasoning = self.count(&["reasoning_token_count", "thoughts_token_count"]);
        let plus = |count: Option<i64>, part: Option<i64>| count.map(|count| count.saturating_add(part.unwrap_or(0)));

        let usage = &mut self.out.usage;
        // Claude Code counts as Anthropic does, without what the cache took; Gemini leaves thoughts out of the output.
        let exclusive = self.out.dialect == Dialect::ClaudeCode;
        usage.input_tokens = if exclusive { plus(plus(input, read), written) } else { input };
        usage.output_tokens = if self.out.dialect == Dialect::GeminiCli { plus(output, reasoning) } else { output };
        usage.cache_read_tokens = read;
        usage.cache_write_tokens = written;
        usage.reasoning_tokens = reasoning;
        if input.is_some() {
            let semantics = if exclusive { InputSemantics::Exclusive } else { InputSemantics::Inclusive };
            self.out.input_semantics = Some(semantics);
        }
        const REPORTED: &[&str] = &[
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_creation_tokens",
            "input_token_count",
            "output_token_count",
            "cached_token_count",
            "cached_content_token_count",
            "reasoning_token_count",
            "thoughts_token_count",
            "tool_token_count",
            "total_token_count",
        ];
        let reported = REPORTED.iter().filter_map(|key| Some((Cow::Borrowed(*key), self.find(key)?.2)));
        let reported: Vec<_> = reported.collect();
        self.out.usage_reported.extend(reported);
    }
}
