//! Pass 2: the decoder, its limits, and what spans and records share: resource and scope.

use crate::index::{ResourceEntry, ScopeEntry};
use crate::value::Nested;
use crate::wire::{Field, Fields};
use crate::{Event, KeyValue, Link, Refusal};

/// How much one span, record, resource or scope may hold before it is refused.
///
/// An empty attribute takes 2 bytes of a request and 40 of memory; the limits bound what a request can grow into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of arrays and maps inside a value, counted from 1. Decoding recurses as deep.
    pub max_depth: usize,
    /// Attributes of a span, a record, a resource, a scope, or one event or link.
    pub max_attributes: usize,
    /// Events of a span.
    pub max_events: usize,
    /// Links of a span.
    pub max_links: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_depth: 64, max_attributes: 16_384, max_events: 16_384, max_links: 16_384 }
    }
}

impl Limits {
    pub(crate) fn nested(&self) -> Nested {
        Nested::Check { levels: self.max_depth }
    }
}

/// Decodes spans and log records one at a time, reusing its memory.
#[derive(Debug)]
pub struct Decoder<'a> {
    pub(crate) limits: Limits,
    pub(crate) attributes: Vec<KeyValue<'a>>,
    pub(crate) events: Vec<Event<'a>>,
    pub(crate) links: Vec<Link<'a>>,
}

/// What sent the telemetry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resource<'s, 'a> {
    /// Attributes as sent, duplicate keys included.
    pub attributes: &'s [KeyValue<'a>],
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// The schema of the resource; that of the scope, if it has one, is for the data.
    pub schema_url: &'a str,
}

/// The instrumentation that made the spans or records.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scope<'s, 'a> {
    /// Its name; empty when unknown.
    pub name: &'a str,
    /// Its version; empty when unknown.
    pub version: &'a str,
    /// Attributes as sent, duplicate keys included.
    pub attributes: &'s [KeyValue<'a>],
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// The schema of the scope's spans or records.
    pub schema_url: &'a str,
}

impl<'a> Decoder<'a> {
    /// A decoder that refuses what goes beyond `limits`.
    pub fn new(limits: Limits) -> Self {
        Decoder { limits, attributes: Vec::new(), events: Vec::new(), links: Vec::new() }
    }

    /// Decodes the resource of a `ResourceSpans` or `ResourceLogs`, with its attributes in `attributes`.
    ///
    /// # Errors
    /// A refusal holds for every span or record of the resource.
    pub fn decode_resource<'s>(
        &self,
        body: &'a [u8],
        entry: &ResourceEntry,
        attributes: &'s mut Vec<KeyValue<'a>>,
    ) -> Result<Resource<'s, 'a>, Refusal> {
        attributes.clear();
        let mut dropped_attributes_count = 0;
        let mut schema_url = "";
        let mut outer = Fields::new(entry.bytes(body), "ResourceSpans or ResourceLogs");
        while let Some(field) = outer.next()? {
            match field.tag {
                1 => {
                    let mut fields = Fields::new(field.bytes()?, "Resource");
                    while let Some(field) = fields.next()? {
                        match field.tag {
                            1 => push_attribute(attributes, field, &self.limits)?,
                            2 => dropped_attributes_count = field.varint()? as u32,
                            3 => check_entity_ref(field.bytes()?)?,
                            _ => {}
                        }
                    }
                }
                3 => schema_url = field.string("schema_url of a resource")?,
                _ => {}
            }
        }
        Ok(Resource { attributes, dropped_attributes_count, schema_url })
    }

    /// Decodes the scope of a `ScopeSpans` or `ScopeLogs`, with its attributes in `attributes`.
    ///
    /// # Errors
    /// A refusal holds for every span or record of the scope.
    pub fn decode_scope<'s>(
        &self,
        body: &'a [u8],
        entry: &ScopeEntry,
        attributes: &'s mut Vec<KeyValue<'a>>,
    ) -> Result<Scope<'s, 'a>, Refusal> {
        attributes.clear();
        let (mut name, mut version, mut schema_url) = ("", "", "");
        let mut dropped_attributes_count = 0;
        let mut outer = Fields::new(entry.bytes(body), "ScopeSpans or ScopeLogs");
        while let Some(field) = outer.next()? {
            match field.tag {
                1 => {
                    let mut fields = Fields::new(field.bytes()?, "InstrumentationScope");
                    while let Some(field) = fields.next()? {
                        match field.tag {
                            1 => name = field.string("InstrumentationScope.name")?,
                            2 => version = field.string("InstrumentationScope.version")?,
                            3 => push_attribute(attributes, field, &self.limits)?,
                            4 => dropped_attributes_count = field.varint()? as u32,
                            _ => {}
                        }
                    }
                }
                3 => schema_url = field.string("schema_url of a scope")?,
                _ => {}
            }
        }
        Ok(Scope { name, version, attributes, dropped_attributes_count, schema_url })
    }
}

/// Entities are not kept, but a resource that holds a broken one is broken.
fn check_entity_ref(bytes: &[u8]) -> Result<(), Refusal> {
    let mut fields = Fields::new(bytes, "EntityRef");
    while let Some(field) = fields.next()? {
        if matches!(field.tag, 1..=4) {
            field.string("EntityRef")?;
        }
    }
    Ok(())
}

pub(crate) fn push_attribute<'a>(
    attributes: &mut Vec<KeyValue<'a>>,
    field: Field<'a>,
    limits: &Limits,
) -> Result<(), Refusal> {
    check_room(attributes.len(), limits.max_attributes, "attributes")?;
    attributes.push(KeyValue::read(field.bytes()?, limits.nested())?);
    Ok(())
}

pub(crate) fn check_room(count: usize, limit: usize, field: &'static str) -> Result<(), Refusal> {
    if count < limit { Ok(()) } else { Err(Refusal::TooMany { field, limit }) }
}

/// An id of `N` bytes; another length is the error.
pub(crate) fn id<const N: usize>(bytes: &[u8]) -> Result<[u8; N], usize> {
    bytes.try_into().map_err(|_| bytes.len())
}

/// An id that may be absent: empty and all zeros both say so.
pub(crate) fn optional_id<const N: usize>(bytes: &[u8]) -> Result<Option<[u8; N]>, usize> {
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(id(bytes)?).filter(|id| *id != [0; N]))
}
