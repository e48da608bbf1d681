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
use crate::errors;
use crate::input::{LogInput, SpanInput};
use crate::keys::KEYS;
use crate::normalized::{Normalized, Piece};
use crate::scores::{EVALUATION_EVENT, event_score};

const DETAILS_EVENT: &str = "gen_ai.client.inference.operation.details";
/// What newer instrumentations write in place of a span's event `exception`.
const EXCEPTION_EVENT: &str = "gen_ai.client.operation.exception";

/// Source of what the body of a record carried.
const BODY: &str = "body";

// Where records of every kind keep the same facts.
const CONVERSATION: &[&str] = &["gen_ai.conversation.id", "session.id", "conversation.id", "langfuse.session.id"];
/// Claude Code's `user.id` is an installation.
const USER: &[&str] = &["user.account_uuid", "user.id", "enduser.id", "user.account_id"];
const TEAM: &[&str] = &["organization.id"];
const PROVIDER: &[&str] = &["gen_ai.provider.name", "gen_ai.system"];
const REQUEST_MODEL: &[&str] = &["gen_ai.request.model", "model"];
const RESPONSE_MODEL: &[&str] = &["gen_ai.response.model"];
const RESPONSE_ID: &[&str] = &["gen_ai.response.id"];
const AGENT: &[&str] = &["gen_ai.agent.name"];
const REQUEST_ID: &[&str] = &["request_id", "prompt.id", "prompt_id", "tool_use_id", "call_id", "gen_ai.response.id"];
const NAMED_EVENT: &[&str] = &["event.name"];
const IDENTITY: &[&[&str]] =
    &[CONVERSATION, USER, TEAM, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, RESPONSE_ID, AGENT, REQUEST_ID, NAMED_EVENT];

/// What a details event carries, with the list it goes to.
const DETAILS: &[(&str, Place, Cut)] = &[
    ("gen_ai.tool.definitions", Place::Tools, Cut::Whole),
    ("gen_ai.system_instructions", Place::System, Cut::Whole),
    ("gen_ai.input.messages", Place::Input, Cut::Messages),
    ("gen_ai.output.messages", Place::Output, Cut::Messages),
];
/// The content of a message whose body says nothing.
const EVENT_CONTENT: &str = "gen_ai.event.content";

// What an exception event tells.
const EXCEPTION_TYPE: &[&str] = &["exception.type", "error.type"];
const EXCEPTION_MESSAGE: &[&str] = &["exception.message"];

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

    /// Whether an attribute `key` may fill a column, or carry contents.
    fn reads(&self, key: &str) -> bool {
        let of_span = || KEYS.look_up(key).is_some_and(|(entry, class)| entry.is_some() || class.family.is_some());
        IDENTITY.iter().any(|keys| keys.contains(&key))
            || match self.name {
                _ if self.is_agents() => agents::reads(self.name, key) || of_span(),
                // What is no fact of a score is its metadata.
                EVALUATION_EVENT => true,
                DETAILS_EVENT => DETAILS.iter().any(|(known, ..)| *known == key) || of_span(),
                EXCEPTION_EVENT => EXCEPTION_TYPE.contains(&key) || EXCEPTION_MESSAGE.contains(&key),
                name => role::of_event(name).is_some() && [BODY, EVENT_CONTENT].contains(&key),
            }
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
            status_code: if failed { 2 } else { 0 },
            attributes: log.attributes,
            resource: log.resource,
            ..SpanInput::default()
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

/// Whether a record of the event `name`, in the dialect `dialect`, may fill a column from its attribute `key`, or carry
/// contents in it; `body` stands for its body.
pub(crate) fn reads(dialect: &str, name: &str, key: &str) -> bool {
    let dialect = Dialect::parse(dialect).unwrap_or(Dialect::Plain);
    !name.is_empty() && Event { name, dialect }.reads(key)
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
        fill(&mut out.conversation_id, CONVERSATION);
        fill(&mut out.user_id, USER);
        fill(&mut out.team, TEAM);
        fill(&mut out.provider, PROVIDER);
        fill(&mut out.request_model, REQUEST_MODEL);
        fill(&mut out.response_model, RESPONSE_MODEL);
        fill(&mut out.response_id, RESPONSE_ID);
        fill(&mut out.agent_name, AGENT);
        out.request_id = None;
        fill(&mut out.request_id, REQUEST_ID);
    }

    fn gen_ai(&mut self, event: &str) {
        match event {
            EVALUATION_EVENT => self.out.scores.extend(event_score(self.log.attributes.iter().copied())),
            DETAILS_EVENT => {
                DETAILS.iter().for_each(|(key, place, cut)| self.attribute(key, *place, *cut));
                self.leading_system();
            }
            EXCEPTION_EVENT => self.exception(),
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
                    self.attribute(EVENT_CONTENT, place, Cut::Whole);
                }
                self.leading_system();
            }
            _ => {}
        }
    }

    /// What failed. The call itself is its span's to tell.
    fn exception(&mut self) {
        let (name, message) = (self.text(EXCEPTION_TYPE), self.text(EXCEPTION_MESSAGE));
        let words = [name.as_deref(), message.as_deref()].map(Option::unwrap_or_default);
        self.out.error_class = Some(errors::class_of_exception(words[0], words[1]));
        (self.out.error_type, self.out.record.status_message) = (name, message);
        self.out.record.status = Some("error");
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
