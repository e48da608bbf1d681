//! Log records: GenAI events and the records of coding agents come this way.

use crate::decode::{optional_id, push_attribute};
use crate::wire::Fields;
use crate::{AnyValue, Decoder, KeyValue, Refusal};

/// A log record whose ids, text and framing were checked. It lives until the decoder is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogRecord<'s, 'a> {
    /// When it happened, in nanoseconds since 1970; 0 when unknown.
    pub time_unix_nano: u64,
    /// When the collection system saw it, in nanoseconds since 1970.
    pub observed_time_unix_nano: u64,
    /// A `SeverityNumber`, or a number that has no name yet.
    pub severity_number: i32,
    /// The severity as the source calls it.
    pub severity_text: &'a str,
    /// What is recorded.
    pub body: AnyValue<'a>,
    /// Attributes as sent, duplicate keys included.
    pub attributes: &'s [KeyValue<'a>],
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// W3C trace flags in the low byte.
    pub flags: u32,
    /// The trace it belongs to; `None` when sent empty, as zeros or not at all.
    pub trace_id: Option<[u8; 16]>,
    /// The span it belongs to; `None` when sent empty, as zeros or not at all.
    pub span_id: Option<[u8; 8]>,
    /// The kind of event; empty for a plain record.
    pub event_name: &'a str,
}

impl<'a> Decoder<'a> {
    /// Decodes one `LogRecord` message.
    ///
    /// # Errors
    /// A refusal holds for this record alone.
    pub fn decode_log(&mut self, bytes: &'a [u8]) -> Result<LogRecord<'_, 'a>, Refusal> {
        self.attributes.clear();
        let (mut trace_id, mut span_id) = (&[][..], &[][..]);
        let mut record = LogRecord::default();

        let mut fields = Fields::new(bytes, "LogRecord");
        while let Some(field) = fields.next()? {
            match field.tag {
                1 => record.time_unix_nano = field.fixed64()?,
                2 => record.severity_number = field.varint()? as i32,
                3 => record.severity_text = field.string("LogRecord.severity_text")?,
                5 => record.body.merge(field.bytes()?, self.limits.nested())?,
                6 => push_attribute(&mut self.attributes, field, &self.limits)?,
                7 => record.dropped_attributes_count = field.varint()? as u32,
                8 => record.flags = field.fixed32()?,
                9 => trace_id = field.bytes()?,
                10 => span_id = field.bytes()?,
                11 => record.observed_time_unix_nano = field.fixed64()?,
                12 => record.event_name = field.string("LogRecord.event_name")?,
                _ => {}
            }
        }

        record.trace_id = optional_id(trace_id).map_err(Refusal::TraceIdLength)?;
        record.span_id = optional_id(span_id).map_err(Refusal::SpanIdLength)?;
        record.attributes = &self.attributes;
        Ok(record)
    }
}
