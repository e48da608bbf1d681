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
        // `check_length` has checked that the body's length fits.
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
        check_length(body)?;
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

/// What a request comes to when each span or record is a row of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Spans or records.
    pub items: u64,
    /// Their bytes, with those of its resource and scope added to each. A few bytes on the wire can be very many here.
    pub bytes: u64,
}

impl Extent {
    fn measure(body: &[u8], [request, per_resource, per_scope]: [&'static str; 3]) -> Result<Self, MalformedRequest> {
        check_length(body)?;
        let mut whole = Extent::default();
        for_each_message(Fields::new(body, request), 1, |bytes| {
            let (mut resource, mut around_scopes) = (Extent::default(), bytes.len());
            for_each_message(Fields::new(bytes, per_resource), 2, |bytes| {
                around_scopes -= bytes.len();
                let (mut scope, mut around_items) = (Extent::default(), bytes.len());
                for_each_message(Fields::new(bytes, per_scope), 2, |bytes| {
                    around_items -= bytes.len();
                    scope.add(1, bytes.len() as u64);
                    Ok(())
                })?;
                resource.add(scope.items, scope.with_each(around_items));
                Ok(())
            })?;
            whole.add(resource.items, resource.with_each(around_scopes));
            Ok(())
        })?;
        Ok(whole)
    }

    fn add(&mut self, items: u64, bytes: u64) {
        self.items += items;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The bytes when each item has `more`.
    fn with_each(&self, more: usize) -> u64 {
        self.bytes.saturating_add(self.items.saturating_mul(more as u64))
    }
}

const TRACES: [&str; 3] = ["ExportTraceServiceRequest", "ResourceSpans", "ScopeSpans"];
const LOGS: [&str; 3] = ["ExportLogsServiceRequest", "ResourceLogs", "ScopeLogs"];

/// Checks the framing of an `ExportTraceServiceRequest` as [`index_traces`] does, and measures it. Takes no memory.
///
/// # Errors
/// When the framing above the spans is broken.
pub fn measure_traces(body: &[u8]) -> Result<Extent, MalformedRequest> {
    Extent::measure(body, TRACES)
}

/// Checks the framing of an `ExportLogsServiceRequest` as [`index_logs`] does, and measures it. Takes no memory.
///
/// # Errors
/// When the framing above the records is broken.
pub fn measure_logs(body: &[u8]) -> Result<Extent, MalformedRequest> {
    Extent::measure(body, LOGS)
}

/// How many messages field 1 of `body` repeats, which is one `message`. Takes no memory.
///
/// # Errors
/// When its framing is broken. What is inside of them is not looked at.
pub fn count_messages(body: &[u8], message: &'static str) -> Result<u64, MalformedRequest> {
    let mut count = 0;
    for_each_message(Fields::new(body, message), 1, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

fn check_length(body: &[u8]) -> Result<(), MalformedRequest> {
    u32::try_from(body.len()).map(drop).map_err(|_| MalformedRequest::TooLarge(body.len()))
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
    Index::build(body, TRACES).map(TraceIndex)
}

/// Finds the records of an `ExportLogsServiceRequest`.
///
/// # Errors
/// When the framing above the records is broken. What is inside a record is not looked at.
pub fn index_logs(body: &[u8]) -> Result<LogIndex, MalformedRequest> {
    Index::build(body, LOGS).map(LogIndex)
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
