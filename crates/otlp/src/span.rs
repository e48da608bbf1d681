//! Spans with their events and links.

use crate::decode::{check_room, id, optional_id, push_attribute};
use crate::value::ListField;
use crate::wire::Fields;
use crate::{Decoder, KeyValue, KeyValueList, Limits, Refusal};

/// A span whose ids, text and framing were checked. It lives until the decoder is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span<'s, 'a> {
    /// Never all zeros.
    pub trace_id: [u8; 16],
    /// Never all zeros.
    pub span_id: [u8; 8],
    /// `None` for a root span: sent empty, as zeros or not at all.
    pub parent_span_id: Option<[u8; 8]>,
    /// W3C `tracestate`.
    pub trace_state: &'a str,
    /// W3C trace flags, and whether the parent is remote.
    pub flags: u32,
    /// The operation.
    pub name: &'a str,
    /// A `SpanKind`, or a number that has no name yet.
    pub kind: i32,
    /// Nanoseconds since 1970, as sent.
    pub start_unix_nano: u64,
    /// Nanoseconds since 1970, as sent; may be before the start.
    pub end_unix_nano: u64,
    /// Attributes as sent, duplicate keys included.
    pub attributes: &'s [KeyValue<'a>],
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Events in the order sent.
    pub events: &'s [Event<'a>],
    /// Events the sender dropped.
    pub dropped_events_count: u32,
    /// Links in the order sent.
    pub links: &'s [Link<'a>],
    /// Links the sender dropped.
    pub dropped_links_count: u32,
    /// A `StatusCode`: 0 unset, 1 ok, 2 error.
    pub status_code: i32,
    /// What the sender said about an error.
    pub status_message: &'a str,
}

/// Something that happened during a span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// Nanoseconds since 1970, as sent.
    pub time_unix_nano: u64,
    /// What happened.
    pub name: &'a str,
    /// Attributes as sent, duplicate keys included.
    pub attributes: KeyValueList<'a>,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A reference to another span.
///
/// The [specification][links] lets SDKs record links to nowhere for the sake of their attributes, so an absent id is no
/// reason to refuse the span.
///
/// [links]: https://opentelemetry.io/docs/specs/otel/trace/api/#link
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link<'a> {
    /// `None` when sent empty or as zeros.
    pub trace_id: Option<[u8; 16]>,
    /// `None` when sent empty or as zeros.
    pub span_id: Option<[u8; 8]>,
    /// W3C `tracestate` of the other span.
    pub trace_state: &'a str,
    /// Attributes as sent, duplicate keys included.
    pub attributes: KeyValueList<'a>,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// W3C trace flags of the other span, and whether it is remote.
    pub flags: u32,
}

impl<'a> Decoder<'a> {
    /// Decodes one `Span` message.
    ///
    /// # Errors
    /// A refusal holds for this span alone.
    pub fn decode_span(&mut self, bytes: &'a [u8]) -> Result<Span<'_, 'a>, Refusal> {
        self.attributes.clear();
        self.events.clear();
        self.links.clear();
        let limits = &self.limits;
        let (mut trace_id, mut span_id, mut parent_span_id) = (&[][..], &[][..], &[][..]);
        let mut span = Span::default();

        let mut fields = Fields::new(bytes, "Span");
        while let Some(field) = fields.next()? {
            match field.tag {
                1 => trace_id = field.bytes()?,
                2 => span_id = field.bytes()?,
                3 => span.trace_state = field.string("Span.trace_state")?,
                4 => parent_span_id = field.bytes()?,
                5 => span.name = field.string("Span.name")?,
                6 => span.kind = field.varint()? as i32,
                7 => span.start_unix_nano = field.fixed64()?,
                8 => span.end_unix_nano = field.fixed64()?,
                9 => push_attribute(&mut self.attributes, field, limits)?,
                10 => span.dropped_attributes_count = field.varint()? as u32,
                11 => {
                    check_room(self.events.len(), limits.max_events, "events")?;
                    self.events.push(Event::read(field.bytes()?, limits)?);
                }
                12 => span.dropped_events_count = field.varint()? as u32,
                13 => {
                    check_room(self.links.len(), limits.max_links, "links")?;
                    self.links.push(Link::read(field.bytes()?, limits)?);
                }
                14 => span.dropped_links_count = field.varint()? as u32,
                15 => span.merge_status(field.bytes()?)?,
                16 => span.flags = field.fixed32()?,
                _ => {}
            }
        }

        span.trace_id = id(trace_id).map_err(Refusal::TraceIdLength)?;
        span.span_id = id(span_id).map_err(Refusal::SpanIdLength)?;
        span.parent_span_id = optional_id(parent_span_id).map_err(Refusal::ParentIdLength)?;
        if span.trace_id == [0; 16] {
            return Err(Refusal::ZeroTraceId);
        }
        if span.span_id == [0; 8] {
            return Err(Refusal::ZeroSpanId);
        }
        span.attributes = &self.attributes;
        span.events = &self.events;
        span.links = &self.links;
        Ok(span)
    }
}

impl<'a> Span<'_, 'a> {
    fn merge_status(&mut self, bytes: &'a [u8]) -> Result<(), Refusal> {
        let mut fields = Fields::new(bytes, "Status");
        while let Some(field) = fields.next()? {
            match field.tag {
                2 => self.status_message = field.string("Status.message")?,
                3 => self.status_code = field.varint()? as i32,
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> Event<'a> {
    fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, Refusal> {
        let attributes = KeyValueList::in_checked_message(bytes, ListField::Event);
        let mut event = Event { time_unix_nano: 0, name: "", attributes, dropped_attributes_count: 0 };
        let mut count = 0;
        let mut fields = Fields::new(bytes, "Event");
        while let Some(field) = fields.next()? {
            match field.tag {
                1 => event.time_unix_nano = field.fixed64()?,
                2 => event.name = field.string("Event.name")?,
                3 => {
                    check_room(count, limits.max_attributes, "attributes of an event")?;
                    count += 1;
                    KeyValue::read(field.bytes()?, limits.nested())?;
                }
                4 => event.dropped_attributes_count = field.varint()? as u32,
                _ => {}
            }
        }
        Ok(event)
    }
}

impl<'a> Link<'a> {
    fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, Refusal> {
        let (mut trace_id, mut span_id) = (&[][..], &[][..]);
        let (mut trace_state, mut dropped_attributes_count, mut flags) = ("", 0, 0);
        let mut count = 0;
        let mut fields = Fields::new(bytes, "Link");
        while let Some(field) = fields.next()? {
            match field.tag {
                1 => trace_id = field.bytes()?,
                2 => span_id = field.bytes()?,
                3 => trace_state = field.string("Link.trace_state")?,
                4 => {
                    check_room(count, limits.max_attributes, "attributes of a link")?;
                    count += 1;
                    KeyValue::read(field.bytes()?, limits.nested())?;
                }
                5 => dropped_attributes_count = field.varint()? as u32,
                6 => flags = field.fixed32()?,
                _ => {}
            }
        }
        Ok(Link {
            trace_id: optional_id(trace_id).map_err(Refusal::LinkIdLength)?,
            span_id: optional_id(span_id).map_err(Refusal::LinkIdLength)?,
            trace_state,
            attributes: KeyValueList::in_checked_message(bytes, ListField::Link),
            dropped_attributes_count,
            flags,
        })
    }
}
