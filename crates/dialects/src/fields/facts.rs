//! The facts of one span: for each field, the best of its sources that this span carries.

use std::borrow::Cow;

use tracewell_model::kind::{Dialect, Kind};
use tracewell_otlp::{AnyValue, KeyValue};

use crate::fields::Field;
use crate::json;
use crate::keys::{Class, Family, KEYS, Member, Target};
use crate::normalized::Normalized;
use crate::providers;
use crate::value::Scalar;

/// An attribute that is known, or belongs to a family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) attribute: u32,
    pub(crate) entry: Option<u16>,
    pub(crate) class: Class,
}

/// A value and the name of its source: `key`, or `key.member`.
#[derive(Clone, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) source: &'a str,
    pub(crate) value: Scalar<'a>,
}

/// For each field its best source so far.
#[derive(Debug)]
pub(crate) struct Facts<'s, 'a> {
    attributes: &'s [KeyValue<'a>],
    best: [Slot; Field::COUNT],
    members: Vec<Found<'a>>,
    dialect: Dialect,
}

/// Where the value of a field stands.
#[derive(Clone, Copy, Debug)]
struct Slot {
    rank: u8,
    at: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Nowhere,
    Attribute(u32),
    Member(u32),
}

/// User metadata that is not the user's: token counts, read on their own.
const COUNTS_IN_METADATA: &[&str] = &["usage_metadata", "usage_object"];

impl<'s, 'a> Facts<'s, 'a> {
    /// Reads the attributes that hit, and gathers the families into `out`.
    pub(crate) fn read(
        attributes: &'s [KeyValue<'a>],
        hits: &[Hit],
        dialect: Dialect,
        out: &mut Normalized<'a>,
    ) -> Self {
        let best = [Slot { rank: u8::MAX, at: Place::Nowhere }; Field::COUNT];
        let mut facts = Self { attributes, best, members: Vec::new(), dialect };
        for hit in hits {
            let attribute = &attributes[hit.attribute as usize];
            let value = Scalar::Any(attribute.value);
            if value.is_empty() {
                continue;
            }
            let mut counted = false;
            for target in hit.entry.map_or(&[][..], |entry| &KEYS.entry(entry).targets) {
                counted |= facts.offer(target, Place::Attribute(hit.attribute), &value) && target.field.is_count();
            }
            if counted {
                report(out, Cow::Borrowed(attribute.key), &value);
            }
            facts.read_family(hit, attribute, out);
        }
        facts
    }

    fn read_family(&mut self, hit: &Hit, attribute: &KeyValue<'a>, out: &mut Normalized<'a>) {
        let value = Scalar::Any(attribute.value);
        match hit.class.family {
            // What anyone might call `metadata` is the user's only beside a dialect.
            Some(_) if self.dialect == Dialect::Plain && attribute.key.starts_with("metadata") => {}
            Some(Family::Metadata(prefix)) => self.read_metadata(Cow::Borrowed(&attribute.key[prefix..]), value, out),
            Some(Family::MetadataObject) => match value.json() {
                Some(Cow::Borrowed(text)) => {
                    json::members(text)
                        .for_each(|(key, raw)| self.read_metadata(key, Scalar::Json(Cow::Borrowed(raw)), out));
                }
                Some(Cow::Owned(text)) => json::members(&text).for_each(|(key, raw)| {
                    let (key, raw) = (key.into_owned(), raw.to_owned());
                    self.read_metadata(Cow::Owned(key), Scalar::Json(Cow::Owned(raw)), out);
                }),
                None => {}
            },
            Some(Family::Variable(prefix)) => {
                out.prompt_variables.push((Cow::Borrowed(&attribute.key[prefix..]), value.verbatim()));
            }
            Some(Family::Count) if hit.entry.is_none() => report(out, Cow::Borrowed(attribute.key), &value),
            Some(Family::FinishReason) => out.finish_reasons.push(value.text()),
            Some(Family::Count) | None => {}
        }
    }

    fn read_metadata(&mut self, key: Cow<'a, str>, value: Scalar<'a>, out: &mut Normalized<'a>) {
        if value.is_empty() || COUNTS_IN_METADATA.contains(&key.as_ref()) {
            return;
        }
        let targets = KEYS.metadata(&key);
        if !targets.is_empty() {
            self.offer_member(targets, "metadata", value.clone());
        }
        let text = value.text();
        match out.metadata.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = text,
            None => out.metadata.push((key, text)),
        }
    }

    /// Reads the members of the JSON inside the attributes that hit, as far as a span of this kind has use for them.
    pub(crate) fn read_members(&mut self, hits: &[Hit], kind: Kind, out: &mut Normalized<'a>) {
        for hit in hits {
            let members = hit.entry.map_or(&[][..], |entry| &KEYS.entry(entry).members);
            let attribute = &self.attributes[hit.attribute as usize];
            if members.is_empty() || !worth_reading(attribute.key, kind) {
                continue;
            }
            match Scalar::Any(attribute.value).json() {
                Some(Cow::Borrowed(text)) => Member::visit(members, text, &mut |source, targets, raw| {
                    self.read_member(source, targets, Cow::Borrowed(raw), out);
                }),
                Some(Cow::Owned(text)) => Member::visit(members, &text, &mut |source, targets, raw| {
                    self.read_member(source, targets, Cow::Owned(raw.to_owned()), out);
                }),
                None => {}
            }
        }
    }

    fn read_member(&mut self, source: &'static str, targets: &[Target], raw: Cow<'a, str>, out: &mut Normalized<'a>) {
        let value = Scalar::Json(raw);
        if value.is_empty() {
            return;
        }
        if targets.iter().any(|target| target.field.is_count()) {
            report(out, Cow::Borrowed(source), &value);
        }
        self.offer_member(targets, source, value);
    }

    fn offer_member(&mut self, targets: &[Target], source: &'a str, value: Scalar<'a>) {
        let place = Place::Member(self.members.len() as u32);
        let mut taken = false;
        for target in targets {
            taken |= self.offer(target, place, &value);
        }
        if taken {
            self.members.push(Found { source, value });
        }
    }

    /// Takes a value where it is as good as the best so far, so that the last of equals stands.
    fn offer(&mut self, target: &Target, at: Place, value: &Scalar<'a>) -> bool {
        let mut field = target.field;
        match field {
            _ if target.bare && !writes_bare_words(self.dialect) => return false,
            Field::Provider if providers::is_framework(&value.text()) => field = Field::Framework,
            Field::Query if value.text().trim_ascii_start().starts_with(['{', '[']) => return false,
            // In Claude Code it joins the records of one prompt.
            Field::PromptName if target.rank > 0 && self.dialect == Dialect::ClaudeCode => return false,
            _ => {}
        }
        let slot = &mut self.best[field as usize];
        let better = target.rank <= slot.rank;
        if better {
            *slot = Slot { rank: target.rank, at };
        }
        better
    }

    /// The value of `field` and where it stood.
    pub(crate) fn get(&self, field: Field) -> Option<Found<'a>> {
        match self.best[field as usize].at {
            Place::Nowhere => None,
            Place::Attribute(at) => {
                let KeyValue { key, value } = self.attributes[at as usize];
                Some(Found { source: key, value: Scalar::Any(value) })
            }
            Place::Member(at) => Some(self.members[at as usize].clone()),
        }
    }

    /// Whether the span states `field`.
    pub(crate) fn has(&self, field: Field) -> bool {
        !matches!(self.best[field as usize].at, Place::Nowhere)
    }

    /// The text of `field`.
    pub(crate) fn text(&self, field: Field) -> Option<Cow<'a, str>> {
        self.get(field).map(|found| found.value.text()).filter(|text| !text.is_empty())
    }

    /// The text of the first of `fields` that the span states.
    pub(crate) fn first(&self, fields: &[Field]) -> Option<Cow<'a, str>> {
        fields.iter().find_map(|field| self.text(*field))
    }

    /// The whole number of `field`.
    pub(crate) fn int(&self, field: Field) -> Option<i64> {
        self.get(field)?.value.int()
    }

    /// The number of `field`.
    pub(crate) fn float(&self, field: Field) -> Option<f64> {
        self.get(field)?.value.float()
    }

    /// The value of the attribute `key`, whether or not it was the best source of anything.
    pub(crate) fn attribute(&self, key: &str) -> Option<AnyValue<'a>> {
        self.attributes.iter().rev().find(|attribute| attribute.key == key).map(|attribute| attribute.value)
    }
}

/// Adds a token count as it was reported.
fn report<'a>(out: &mut Normalized<'a>, source: Cow<'a, str>, value: &Scalar<'a>) {
    if value.float().is_none() {
        return;
    }
    let text = value.text();
    match out.usage_reported.iter_mut().find(|(known, _)| *known == source) {
        Some((_, known)) => *known = text,
        None => out.usage_reported.push((source, text)),
    }
}

/// The dialects that write `model`, `temperature` and the like without a prefix.
fn writes_bare_words(dialect: Dialect) -> bool {
    matches!(
        dialect,
        Dialect::Mlflow
            | Dialect::ClaudeCode
            | Dialect::Codex
            | Dialect::GeminiCli
            | Dialect::PydanticAi
            | Dialect::Logfire
    )
}

/// Carriers of whole messages are scanned only where their few facts are of use.
fn worth_reading(key: &str, kind: Kind) -> bool {
    let searches = matches!(kind, Kind::Retrieval | Kind::Rerank);
    match key {
        "output.value"
        | "mlflow.spanOutputs"
        | "gen_ai.completion"
        | "haystack.agent.step.llm.output"
        | "haystack.component.output" => kind.is_model_call(),
        "input.value"
        | "langfuse.observation.input"
        | "traceloop.entity.input"
        | "mlflow.spanInputs"
        | "haystack.component.input" => searches,
        "gen_ai.prompt" => searches || kind.is_model_call(),
        _ => true,
    }
}
