//! Log records: the GenAI events that carry contents and evaluations beside the spans, and the records of coding
//! agents, which have no spans of their own.
//!
//! A record has no payload references. What is cut out of a wrapper leaves its residual among the pieces of the same
//! list; it is the one whose form is [`Form::Spliced`] and whose source has no offset.

mod agents;

use std::borrow::Cow;

use tracewell_model::kind::{Dialect, Form, Kind};
use tracewell_otlp::KeyValue;

use crate::content::attributes::text;
use crate::content::carriers::Cut;
use crate::content::role;
use crate::content::split::{Carrier, Part, split};
use crate::input::{LogInput, SpanInput};
use crate::normalized::{Normalized, Piece};
use crate::scores::{EVALUATION_EVENT, event_score};

const DETAILS_EVENT: &str = "gen_ai.client.inference.operation.details";

/// Source of what the body of a record carried.
const BODY: &str = "body";

/// A record that says what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    name: &'a str,
    pub(crate) dialect: Dialect,
}

/// A record read as the span that it stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsSpan<'s, 'a> {
    pub(crate) span: SpanInput<'s, 'a>,
    /// `None` when the attributes tell.
    pub(crate) kind: Option<Kind>,
}

impl<'a> Event<'a> {
    /// The event of a record, if it names one.
    pub(crate) fn of(log: &LogInput<'_, 'a>) -> Option<Self> {
        let name = event_name(log)?;
        Some(Self { name, dialect: dialect(log, name) })
    }

    /// Whether it is one of a coding agent's own.
    fn is_agents(&self) -> bool {
        let agent = matches!(self.dialect, Dialect::ClaudeCode | Dialect::Codex | Dialect::GeminiCli);
        agent && !self.name.starts_with("gen_ai.")
    }

    /// The span that the record stands for: these records carry what a span carries, under the same keys.
    pub(crate) fn as_span<'s>(&self, log: &LogInput<'s, 'a>) -> Option<AsSpan<'s, 'a>> {
        let (kind, failed) = if self.is_agents() {
            let (kind, failed) = agents::kind(self, log);
            (Some(kind), failed)
        } else if self.name == DETAILS_EVENT {
            let named = log.attributes.iter().any(|attribute| attribute.key == "gen_ai.operation.name");
            ((!named).then_some(Kind::Chat), false)
        } else {
            return None;
        };
        let span = SpanInput {
            scope_name: log.scope_name,
            scope_version: "",
            name: "",
            span_kind: 0,
            status_code: if failed { 2 } else { 0 },
            status_message: "",
            is_root: false,
            start_unix_nano: 0,
            end_unix_nano: 0,
            attributes: log.attributes,
            resource: log.resource,
            events: &[],
        };
        Some(AsSpan { span, kind })
    }
}

/// Fills `out` from a log record; what it says as a span is in `out` already. `operation` is the name of the event
/// unless the record states one.
///
/// A score's target is this span; where the record names no span it is the call with `response_id`.
pub(crate) fn log<'a>(log: &LogInput<'_, 'a>, event: &Event<'a>, out: &mut Normalized<'a>) {
    let mut record = Record { log, out, taken: Vec::new() };
    record.identity();
    if event.is_agents() {
        record.out.operation = Some(Cow::Borrowed(event.name));
        record.agent(event.name);
    } else {
        record.out.operation.get_or_insert(Cow::Borrowed(event.name));
        record.gen_ai(event.name);
    }
    let mut taken = record.taken;
    taken.sort_unstable();
    out.moved.extend(taken);
}

/// The name of the event: of the record, else the attribute of older SDKs, else a body that is nothing else.
fn event_name<'a>(log: &LogInput<'_, 'a>) -> Option<&'a str> {
    let attribute = || log.attributes.iter().rev().find(|attribute| attribute.key == "event.name")?.value.as_str();
    let body = || {
        log.body.as_str().filter(|body| ["claude_code.", "codex.", "gemini_cli."].iter().any(|p| body.starts_with(p)))
    };
    Some(log.event_name).filter(|name| !name.is_empty()).or_else(attribute).or_else(body)
}

/// The dialect by the event's prefix, else by the scope.
fn dialect(log: &LogInput<'_, '_>, event: &str) -> Dialect {
    const EVENTS: &[(&str, Dialect)] =
        &[("claude_code.", Dialect::ClaudeCode), ("codex.", Dialect::Codex), ("gemini_cli.", Dialect::GeminiCli)];
    const SCOPES: &[(&str, Dialect)] = &[
        ("com.anthropic.claude_code", Dialect::ClaudeCode),
        ("opentelemetry.instrumentation.genai.", Dialect::OtelGenAi),
        ("opentelemetry.instrumentation.openai_v2", Dialect::OtelGenAi),
        ("opentelemetry.instrumentation.google_genai", Dialect::OtelGenAi),
        ("opentelemetry.util.genai", Dialect::OtelGenAi),
        ("opentelemetry.instrumentation.", Dialect::OpenLlmetry),
        ("semantic_kernel", Dialect::SemanticKernel),
        ("Microsoft.SemanticKernel", Dialect::SemanticKernel),
        ("agent_framework", Dialect::AgentFramework),
        ("gcp.vertex.agent", Dialect::GoogleAdk),
        ("openlit", Dialect::OpenLit),
        ("pydantic-ai", Dialect::PydanticAi),
        ("gemini_cli", Dialect::GeminiCli),
        ("gemini-cli", Dialect::GeminiCli),
    ];
    let body = log.body.as_str().unwrap_or_default();
    let by = |list: &[(&str, Dialect)], text: &str| {
        list.iter().find(|(prefix, _)| text.starts_with(prefix)).map(|(_, dialect)| *dialect)
    };
    let fallback = if event.starts_with("gen_ai.") { Dialect::OtelGenAi } else { Dialect::Plain };
    by(EVENTS, event).or_else(|| by(EVENTS, body)).or_else(|| by(SCOPES, log.scope_name)).unwrap_or(fallback)
}

struct Record<'r, 's, 'a> {
    log: &'r LogInput<'s, 'a>,
    out: &'r mut Normalized<'a>,
    /// Positions of the attributes that pieces hold.
    taken: Vec<u32>,
}

/// The last attribute `key` that says something.
fn find<'a>(log: &LogInput<'_, 'a>, key: &str) -> Option<(KeyValue<'a>, Cow<'a, str>)> {
    let attribute = log.attributes.iter().rev().find(|found| found.key == key)?;
    Some((*attribute, text(attribute.value)?))
}

impl<'a> Record<'_, '_, 'a> {
    /// The text of the first of `keys` that says something.
    fn text(&self, keys: &[&str]) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|key| Some(find(self.log, key)?.1))
    }

    /// Facts that every kind of record names the same way, where they are not known yet.
    fn identity(&mut self) {
        let (log, out) = (self.log, &mut *self.out);
        let fill = |fact: &mut Option<Cow<'a, str>>, keys: &[&str]| {
            if fact.is_none() {
                *fact = keys.iter().find_map(|key| Some(find(log, key)?.1));
            }
        };
        fill(
            &mut out.conversation_id,
            &["gen_ai.conversation.id", "session.id", "conversation.id", "langfuse.session.id"],
        );
        // Claude Code's `user.id` is an installation.
        fill(&mut out.user_id, &["user.account_uuid", "user.id", "enduser.id", "user.account_id"]);
        fill(&mut out.team, &["organization.id"]);
        fill(&mut out.provider, &["gen_ai.provider.name", "gen_ai.system"]);
        fill(&mut out.request_model, &["gen_ai.request.model", "model"]);
        fill(&mut out.response_model, &["gen_ai.response.model"]);
        fill(&mut out.response_id, &["gen_ai.response.id"]);
        fill(&mut out.agent_name, &["gen_ai.agent.name"]);
        out.request_id = None;
        fill(
            &mut out.request_id,
            &["request_id", "prompt.id", "prompt_id", "tool_use_id", "call_id", "gen_ai.response.id"],
        );
    }

    fn gen_ai(&mut self, event: &str) {
        match event {
            EVALUATION_EVENT => self.out.scores.extend(event_score(self.log.attributes.iter().copied())),
            DETAILS_EVENT => {
                self.attribute("gen_ai.tool.definitions", Place::Tools, Cut::Whole);
                self.attribute("gen_ai.system_instructions", Place::System, Cut::Whole);
                self.attribute("gen_ai.input.messages", Place::Input, Cut::Messages);
                self.attribute("gen_ai.output.messages", Place::Output, Cut::Messages);
                self.leading_system();
            }
            _ if role::of_event(event).is_some() => {
                let place = if event == "gen_ai.choice" { Place::Output } else { Place::Input };
                let role = role::of_event(event).map(Cow::Borrowed);
                if let Some(text) = text(self.log.body) {
                    // A body that names its speaker knows better than the event's name.
                    let role = role::of(&text).map(|role| Cow::Owned(role.into_owned())).or(role);
                    let carrier = Carrier { text, source: Cow::Borrowed(BODY), whole: Form::Event, role };
                    self.place(carrier, place, Cut::Whole);
                    self.out.moved_body = true;
                } else {
                    self.attribute("gen_ai.event.content", place, Cut::Whole);
                }
                self.leading_system();
            }
            _ => {}
        }
    }

    fn leading_system(&mut self) {
        let leads = |piece: &&Piece<'_>| matches!(piece.role.as_deref(), Some("system" | "developer"));
        if self.out.system.is_none() {
            self.out.system = self.out.input.first().filter(leads).cloned();
        }
    }

    /// Moves the attribute `key` to a list.
    fn attribute(&mut self, key: &'static str, place: Place, cut: Cut) {
        let Some((attribute, text)) = find(self.log, key) else { return };
        // All of equal keys go, for the table holds one.
        let equal = self.log.attributes.iter().enumerate().filter(|(_, other)| other.key == key);
        self.taken.extend(equal.map(|(position, _)| position as u32));
        let carrier = Carrier { text, source: Cow::Borrowed(attribute.key), whole: Form::Event, role: None };
        self.place(carrier, place, cut);
    }

    fn place(&mut self, carrier: Carrier<'a>, place: Place, cut: Cut) {
        let with_system = place == Place::Input && self.out.system.is_none();
        let out = &mut *self.out;
        let flag = split(carrier, cut, with_system, |part, piece| match (part, place) {
            (Part::Tools, Place::Input) if out.tools.is_none() => out.tools = Some(piece),
            (Part::System, _) if out.system.is_none() => out.system = Some(piece),
            (_, Place::Input) => out.input.push(piece),
            (_, Place::Output) => out.output.push(piece),
            (_, Place::Tools) => out.tools = Some(piece),
            (_, Place::System) => out.system = Some(piece),
        });
        out.flags.extend(flag.filter(|flag| !out.flags.contains(flag)));
    }
}

/// The list that the pieces of a carrier go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Input,
    Output,
    Tools,
    System,
}

#[cfg(test)]
mod tests;
