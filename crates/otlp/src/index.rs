//! Pass 1: where the resources, scopes and spans of a request lie.
//!
//! Traces and logs share one shape, down to the field numbers:
//!
//! ```text
//! Export*ServiceRequest  1 resource_*   repeated
//! Resource*              1 resource     2 scope_* repeated              3 schema_url
//! Scope*                 1 scope        2 spans / log_records repeated  3 schema_url
//! ```
//!
//! An entry of a resource is the range of its whole `ResourceSpans`, not of the `Resource` inside: the fields come
//! in any order and a `Resource` may come in pieces, so it is read once all of it is known to be there.

use crate::MalformedRequest;
use crate::wire::Fields;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ByteRange {
    start: u32,
    end: u32,
}

impl ByteRange {
    /// The range of `part` in `body`, which it borrows from.
    fn of(part: &[u8], body: &[u8]) -> Self {
        let start = part.as_ptr().addr() - body.as_ptr().addr();
        // `Index::build` has checked that the body's length fits.
        ByteRange { start: start as u32, end: (start + part.len()) as u32 }
    }

    fn slice<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        &body[self.start as usize..self.end as usize]
    }
}

/// One `ResourceSpans` or `ResourceLogs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceEntry {
    range: ByteRange,
}

/// One `ScopeSpans` or `ScopeLogs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeEntry {
    /// The position in `resources()` of the resource it belongs to.
    pub resource: u32,
    range: ByteRange,
}

/// One `Span` or `LogRecord`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemEntry {
    /// The position in `resources()` of the resource it belongs to.
    pub resource: u32,
    /// The position in `scopes()` of the scope it belongs to.
    pub scope: u32,
    range: ByteRange,
}

impl ResourceEntry {
    /// The bytes of the whole `ResourceSpans` or `ResourceLogs`.
    ///
    /// # Panics
    /// May panic when `body` is not the request that was indexed.
    pub fn bytes<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        self.range.slice(body)
    }
}

impl ScopeEntry {
    /// The bytes of the whole `ScopeSpans` or `ScopeLogs`.
    ///
    /// # Panics
    /// May panic when `body` is not the request that was indexed.
    pub fn bytes<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        self.range.slice(body)
    }
}

impl ItemEntry {
    /// The bytes of the span or record, for [`Decoder`](crate::Decoder).
    ///
    /// # Panics
    /// May panic when `body` is not the request that was indexed.
    pub fn bytes<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        self.range.slice(body)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Index {
    resources: Vec<ResourceEntry>,
    scopes: Vec<ScopeEntry>,
    items: Vec<ItemEntry>,
}

impl Index {
    fn build(body: &[u8], [request, per_resource, per_scope]: [&'static str; 3]) -> Result<Self, MalformedRequest> {
        if u32::try_from(body.len()).is_err() {
            return Err(MalformedRequest::TooLarge(body.len()));
        }
        let mut index = Index::default();
        for_each_message(Fields::new(body, request), 1, |bytes| {
            let resource = index.resources.len() as u32;
            index.resources.push(ResourceEntry { range: ByteRange::of(bytes, body) });
            for_each_message(Fields::new(bytes, per_resource), 2, |bytes| {
                let scope = index.scopes.len() as u32;
                index.scopes.push(ScopeEntry { resource, range: ByteRange::of(bytes, body) });
                for_each_message(Fields::new(bytes, per_scope), 2, |bytes| {
                    index.items.push(ItemEntry { resource, scope, range: ByteRange::of(bytes, body) });
                    Ok(())
                })
            })
        })?;
        Ok(index)
    }
}

fn for_each_message<'a>(
    mut fields: Fields<'a>,
    tag: u32,
    mut visit: impl FnMut(&'a [u8]) -> Result<(), MalformedRequest>,
) -> Result<(), MalformedRequest> {
    while let Some(field) = fields.next()? {
        if field.tag == tag {
            visit(field.bytes()?)?;
        }
    }
    Ok(())
}

/// Where everything lies in an `ExportTraceServiceRequest`; positions only, it does not hold the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceIndex(Index);

/// Where everything lies in an `ExportLogsServiceRequest`; positions only, it does not hold the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogIndex(Index);

/// Finds the spans of an `ExportTraceServiceRequest`.
///
/// # Errors
/// When the framing above the spans is broken. What is inside a span is not looked at.
pub fn index_traces(body: &[u8]) -> Result<TraceIndex, MalformedRequest> {
    Index::build(body, ["ExportTraceServiceRequest", "ResourceSpans", "ScopeSpans"]).map(TraceIndex)
}

/// Finds the records of an `ExportLogsServiceRequest`.
///
/// # Errors
/// When the framing above the records is broken. What is inside a record is not looked at.
pub fn index_logs(body: &[u8]) -> Result<LogIndex, MalformedRequest> {
    Index::build(body, ["ExportLogsServiceRequest", "ResourceLogs", "ScopeLogs"]).map(LogIndex)
}

impl TraceIndex {
    /// The spans in the order sent.
    pub fn spans(&self) -> &[ItemEntry] {
        &self.0.items
    }

    /// Every `ResourceSpans`.
    pub fn resources(&self) -> &[ResourceEntry] {
        &self.0.resources
    }

    /// Every `ScopeSpans` of all resources.
    pub fn scopes(&self) -> &[ScopeEntry] {
        &self.0.scopes
    }
}

impl LogIndex {
    /// The log records in the order sent.
    pub fn records(&self) -> &[ItemEntry] {
        &self.0.items
    }

    /// Every `ResourceLogs`.
    pub fn resources(&self) -> &[ResourceEntry] {
        &self.0.resources
    }

    /// Every `ScopeLogs` of all resources.
    pub fn scopes(&self) -> &[ScopeEntry] {
        &self.0.scopes
    }
}
