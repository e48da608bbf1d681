//! Contents: which attributes and events of a span carry its messages, arguments, results and documents, cut into
//! the pieces that go to the `contents` table.
//!
//! `carriers` says where each kind of span keeps what, `split` how a carrier is cut, and [`rebuild`](crate::rebuild)
//! puts it together again. A carrier that is not the chosen one is a copy in another vocabulary: where it is large it
//! becomes a payload, cut the same way, so that equal messages are stored once.

pub(crate) mod attributes;
pub(crate) mod carriers;
mod events;
mod histories;
pub(crate) mod role;
pub(crate) mod split;
pub(crate) mod text;

use std::borrow::Cow;
use std::collections::HashSet;

use tracewell_model::kind::{Dialect, Form};
use tracewell_otlp::AnyValue;

use crate::input::SpanInput;
use crate::memo::Memo;
use crate::normalized::{Normalized, Piece};
use attributes::{Found, flat_piece};
use carriers::{Cut, EVENTS, Events, Family, SYSTEM, Slot, Source, TOOLS};
use histories::{Histories, Messages};
use split::{Carrier, Part, Whole, slice, split};

/// Carriers that were not chosen stay where they are below this many bytes.
const LARGE_COPY: usize = 256;

/// Any other attribute stays where it is below this many bytes.
const LARGE_ATTRIBUTE: usize = 4096;

/// A list with more items than this was made by nobody.
const MAX_TOOLS: u32 = 1024;

/// What is known of the contents of earlier spans.
#[derive(Debug, Default)]
pub(crate) struct Known {
    histories: Histories,
    wholes: Memo<Whole>,
    previews: Memo<String>,
}

/// Fills the contents of `out`, whose `dialect` and `kind` are known.
pub(crate) fn span<'a>(span: &SpanInput<'_, 'a>, known: &mut Known, out: &mut Normalized<'a>) {
    if out.dialect == Dialect::Plain {
        return large_attributes(span, out);
    }
    let (inputs, input_cut) = carriers::input(out.kind);
    let (outputs, output_cut) = carriers::output(out.kind);
    let taken = vec![false; span.attributes.len()];
    let mut content =
        Content { span, found: Found::read(span.attributes), taken, taken_events: HashSet::new(), known, out };
    content.choose(&[TOOLS], Cut::Whole, Place::Tools);
    content.choose(&[SYSTEM], Cut::Whole, Place::System);
    content.choose(inputs, input_cut, Place::Input);
    content.choose(outputs, output_cut, Place::Output);
    if content.out.kind.is_model_call() {
        // LiteLLM leaves tool calls out of the messages, and flattens them beside.
        content.take(Source::Flat(Family::Completion), output_cut, Place::Output);
    }
    content.leading_system();
    content.copies();
    content.list_moved();
    large_attributes(span, out);
    crate::preview::fill(&mut known.previews, out);
}

/// Whether an attribute named `key` is known to carry contents, alone or as part of a flattened list.
pub(crate) fn is_carrier(key: &str) -> bool {
    carriers::slot(key).is_some() || Family::ALL.iter().any(|(_, prefix)| key.starts_with(prefix))
}

/// The attributes known to carry contents, and the prefixes of flattened lists.
pub(crate) fn carrier_keys() -> impl Iterator<Item = &'static str> {
    Slot::ALL.iter().map(|(key, _)| *key).chain(Family::ALL.iter().map(|(_, prefix)| *prefix))
}

/// The list that the pieces of a carrier go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Input,
    Output,
    Tools,
    System,
    Payloads,
}

struct Content<'c, 's, 'a> {
    span: &'c SpanInput<'s, 'a>,
    found: Found<'s, 'a>,
    /// By position: the attributes that pieces hold.
    taken: Vec<bool>,
    /// Likewise those of span events.
    taken_events: HashSet<(u32, u32)>,
    known: &'c mut Known,
    out: &'c mut Normalized<'a>,
}

impl<'a> Content<'_, '_, 'a> {
    /// Takes the first source that holds something.
    fn choose(&mut self, lists: &[&[Source]], cut: Cut, place: Place) {
        lists.iter().copied().flatten().any(|source| self.take(*source, cut, place));
    }

    /// Moves what `source` holds to `place`; answers whether it held anything.
    fn take(&mut self, source: Source, cut: Cut, place: Place) -> bool {
        match source {
            Source::Of(slot) => self.take_attribute(slot, cut, place),
            Source::All(slots) => {
                let taken = slots.iter().filter(|slot| self.take_attribute(**slot, Cut::Whole, place)).count();
                taken > 0
            }
            Source::Flat(family) if place == Place::Tools => self.take_flat_tools(family),
            Source::Flat(family) => self.take_flat(family, place, 0, |rest| rest != "embedding.vector"),
            Source::In(events) => self.take_events(events, cut, place),
        }
    }

    fn take_attribute(&mut self, slot: Slot, cut: Cut, place: Place) -> bool {
        let Some((attribute, positions)) = self.found.attribute(slot) else { return false };
        let Some(text) = attributes::text(attribute.value) else { return false };
        let positions: Vec<u32> = positions.collect();
        // An attribute can stand in the list of the input and in that of the output.
        if !self.claim(&positions) {
            return false;
        }
        let answers = matches!(
            slot,
            Slot::AiText
                | Slot::AiToolCalls
                | Slot::AiObject
                | Slot::AiResultText
                | Slot::AiResultToolCalls
                | Slot::ModelOutput
        );
        let role = answers.then_some(Cow::Borrowed("assistant"));
        self.place(Carrier { text, source: Cow::Borrowed(attribute.key), whole: Form::Value, role }, cut, place);
        true
    }

    fn take_flat(&mut self, family: Family, place: Place, at_least: usize, keep: impl Fn(&str) -> bool) -> bool {
        let mut items = self.found.flattened(family, keep);
        items.retain(|(_, _, positions)| positions.iter().all(|position| !self.taken[*position as usize]));
        if items.is_empty() || items.iter().map(|(_, object, _)| object.len()).sum::<usize>() < at_least {
            return false;
        }
        for (index, object, positions) in items {
            self.claim(&positions);
            self.put(place, flat_piece(family, index, object));
        }
        true
    }

    /// A flattened list of tools is one piece: an array, with `null` for what is missing.
    fn take_flat_tools(&mut self, family: Family) -> bool {
        let items = self.found.flattened(family, |_| true);
        let Some((last, ..)) = items.last().filter(|(last, ..)| *last < MAX_TOOLS) else { return false };
        let mut array = vec!["null"; *last as usize + 1];
        for (index, object, positions) in &items {
            array[*index as usize] = object;
            self.claim(positions);
        }
        let bytes = Cow::Owned(format!("[{}]", array.join(",")));
        let source = Cow::Borrowed(family.prefix());
        self.put(Place::Tools, Piece { role: None, source, form: Form::Flat, bytes, is_complete: true, hash: None });
        true
    }

    fn take_events(&mut self, events: Events, cut: Cut, place: Place) -> bool {
        if self.span.events.is_empty() {
            return false;
        }
        let cut = if events.lists { cut } else { Cut::Whole };
        let mut any = false;
        for events::EventCarrier { event, positions, carrier } in events::carriers(self.span.events, events) {
            let small = place == Place::Payloads && carrier.text.len() < LARGE_COPY;
            if small || self.taken_events.contains(&(event, positions[0])) {
                continue;
            }
            self.taken_events.extend(positions.iter().map(|position| (event, *position)));
            self.place(carrier, cut, place);
            any = true;
        }
        any
    }

    /// Marks attributes as held by pieces; answers whether they were not yet.
    fn claim(&mut self, positions: &[u32]) -> bool {
        positions.iter().all(|position| !std::mem::replace(&mut self.taken[*position as usize], true))
    }

    fn list_moved(&mut self) {
        let taken = self.taken.iter().enumerate().filter(|(_, taken)| **taken);
        self.out.moved.extend(taken.map(|(position, _)| position as u32));
        self.out.moved_event_attributes.extend(&self.taken_events);
        self.out.moved_event_attributes.sort_unstable();
    }

    /// Cuts a carrier and puts its pieces where they belong.
    fn place(&mut self, carrier: Carrier<'a>, cut: Cut, place: Place) {
        let with_system = place == Place::Input && self.out.system.is_none();
        if matches!(place, Place::Tools | Place::System) {
            return self.place_whole(carrier, place);
        }
        if cut == Cut::Messages && self.place_list(&carrier, place) {
            return;
        }
        // Pydantic AI keeps the tools apart from the messages, beside what else it asks for.
        let offers = place == Place::Input || carrier.source == "model_request_parameters";
        let flag = split(carrier, cut, with_system, |part, piece| match part {
            Part::Element => self.put(place, piece),
            Part::Tools if offers && self.out.tools.is_none() => self.put(Place::Tools, piece),
            Part::System if self.out.system.is_none() => self.put(Place::System, piece),
            Part::Tools | Part::System | Part::Residual => self.put(Place::Payloads, piece),
        });
        self.flag(flag);
    }

    /// Places tools or instructions, which are the same in all calls of an agent.
    fn place_whole(&mut self, carrier: Carrier<'a>, place: Place) {
        let Carrier { text, source, whole, role } = carrier;
        let known = self.known.wholes.get(text.as_bytes(), || Whole::read(&text));
        let role = role.or_else(|| known.role.clone());
        let (is_complete, hash) = (known.is_complete, Some(known.hash));
        self.put(place, Piece { role, source, form: whole, bytes: text, is_complete, hash });
        self.flag(known.flag);
    }

    /// Places a list of messages; answers whether it was one and nothing else.
    fn place_list(&mut self, carrier: &Carrier<'a>, place: Place) -> bool {
        // As in `split`.
        if carrier.source.contains('@') {
            return false;
        }
        // Only the input grows from call to call.
        let messages = self.known.histories.read(&carrier.text, place == Place::Input);
        let Some(Messages { list, spaced }) = messages else { return false };
        let form = if spaced { Form::ArraySpaced } else { Form::Array };
        for message in list {
            let role = message.role.clone().or_else(|| carrier.role.clone());
            let bytes = slice(&carrier.text, message.range.clone());
            let (source, hash) = (carrier.source.clone(), Some(message.hash));
            put(self.out, place, Piece { role, source, form, bytes, is_complete: true, hash });
        }
        true
    }

    fn flag(&mut self, flag: Option<&'static str>) {
        self.out.flags.extend(flag.filter(|flag| !self.out.flags.contains(flag)));
    }

    fn put(&mut self, place: Place, piece: Piece<'a>) {
        put(self.out, place, piece);
    }

    /// Without instructions of their own, the leading system message is repeated as such.
    fn leading_system(&mut self) {
        if self.out.system.is_none() {
            let leads = |piece: &&Piece<'_>| matches!(piece.role.as_deref(), Some("system" | "developer"));
            self.out.system = self.out.input.first().filter(leads).cloned();
        }
    }

    /// What was not chosen: copies in another vocabulary, and vectors.
    fn copies(&mut self) {
        for slot in self.found.slots() {
            let Some((attribute, _)) = self.found.attribute(slot) else { continue };
            if is_large(attribute.value, LARGE_COPY) {
                self.take_attribute(slot, Cut::Messages, Place::Payloads);
            }
        }
        for family in self.found.families() {
            self.take_flat(family, Place::Payloads, LARGE_COPY, |_| true);
        }
        for events in EVENTS {
            self.take_events(*events, Cut::Messages, Place::Payloads);
        }
    }
}

fn put<'a>(out: &mut Normalized<'a>, place: Place, piece: Piece<'a>) {
    match place {
        Place::Input => out.input.push(piece),
        Place::Output => out.output.push(piece),
        Place::Payloads => out.payloads.push(piece),
        Place::Tools => out.tools = Some(piece),
        Place::System => out.system = Some(piece),
    }
}

/// Whether the text of a value reaches `bytes`.
fn is_large(value: AnyValue<'_>, bytes: usize) -> bool {
    match value {
        AnyValue::Str(text) => text.len() >= bytes,
        AnyValue::Array(_) | AnyValue::KvList(_) | AnyValue::Bytes(_) => value.to_json().len() >= bytes,
        _ => false,
    }
}

/// Large strings under names that mean nothing here.
fn large_attributes<'a>(span: &SpanInput<'_, 'a>, out: &mut Normalized<'a>) {
    let mut moved = std::mem::take(&mut out.moved);
    let known = moved.len();
    for (position, attribute) in span.attributes.iter().enumerate() {
        let AnyValue::Str(text) = attribute.value else { continue };
        let at = position as u32;
        // A source that reads like an event's is left alone.
        if text.len() < LARGE_ATTRIBUTE
            || attribute.key.starts_with("event:")
            || moved[..known].binary_search(&at).is_ok()
        {
            continue;
        }
        // Of equal keys the last counts.
        if span.attributes[position + 1..].iter().any(|later| later.key == attribute.key) {
            continue;
        }
        moved.push(at);
        let source = Cow::Borrowed(attribute.key);
        let carrier = Carrier { text: Cow::Borrowed(text), source, whole: Form::Value, role: None };
        split(carrier, Cut::Messages, false, |_, piece| out.payloads.push(piece));
    }
    moved.sort_unstable();
    out.moved = moved;
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod uncaptured;
