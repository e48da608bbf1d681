//! OTLP/JSON to protobuf, so that the rest of the pipeline sees one form.
//!
//! The text is read once and written as protobuf on the way, driven by a table of the messages; no tree of
//! structs is built. The rules are those of the [OTLP JSON encoding][spec] over the [proto3 JSON mapping][proto3],
//! read generously because what senders emit varies: 64-bit integers as strings or numbers, enums as numbers or
//! names, `null` for a missing member, base64 of either alphabet, ids in hex of any case. Members that are not in the
//! table are ignored, as the specification requires. An unpaired surrogate, which JavaScript makes when it cuts a
//! text inside an emoji, becomes U+FFFD instead of costing the request.
//!
//! Nesting is bounded by `serde_json`, at 128 levels of JSON.
//!
//! [spec]: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
//! [proto3]: https://protobuf.dev/programming-guides/json/

mod scalar;
mod schema;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use schema::{Kind, Member, Message};

/// A request that is not OTLP/JSON, with the place where that shows.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or a member that does not have the type OTLP gives it.
    #[error("not a valid otlp json request: {0}")]
    Invalid(#[from] serde_json::Error),
    /// JSON is exchanged in UTF-8 (RFC 8259, section 8.1).
    #[error("not valid utf-8 at line {line} column {column}")]
    NotUtf8 {
        /// Counted from 1.
        line: usize,
        /// In bytes, counted from 1.
        column: usize,
    },
}

impl JsonError {
    /// The line in which it shows, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        match self {
            Self::Invalid(error) => error.line(),
            Self::NotUtf8 { line, .. } => *line,
        }
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Invalid(error) => {
                let text = error.to_string();
                let place = format!(" at line {} column {}", error.line(), error.column());
                text.strip_suffix(&place).map(str::to_owned).unwrap_or(text)
            }
            Self::NotUtf8 { .. } => "not valid utf-8".into(),
        }
    }
}

/// A request in protobuf, and what of its JSON could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// The request. In the place of what could not be read stands what [`Decoder`](crate::Decoder) refuses.
    pub body: Vec<u8>,
    /// The first few spans or log records that could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// A span or log record with a member that does not have the type OTLP gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its position among those of the request, from 0.
    pub position: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// More than these are not told.
const UNREADABLE_TOLD: usize = 8;
/// A span or record that no decoder accepts: it begins with tag 0.
const REFUSED: u8 = 0;

/// An `ExportTraceServiceRequest` from OTLP/JSON to protobuf. A span that is not OTLP costs no other.
///
/// # Errors
/// When what is around the spans is not OTLP/JSON, or nothing is JSON; the whole request is refused.
pub fn convert_traces(json: &[u8]) -> Result<Converted, JsonError> {
    convert(json, &schema::TRACES)
}

/// An `ExportLogsServiceRequest` from OTLP/JSON to protobuf. A record that is not OTLP costs no other.
///
/// # Errors
/// When what is around the records is not OTLP/JSON, or nothing is JSON; the whole request is refused.
pub fn convert_logs(json: &[u8]) -> Result<Converted, JsonError> {
    convert(json, &schema::LOGS)
}

/// An `ExportTraceServiceRequest` from OTLP/JSON to protobuf.
///
/// # Errors
/// When it is not OTLP/JSON; the whole request is refused.
pub fn traces_json_to_protobuf(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    to_protobuf(json, &schema::TRACES)
}

/// An `ExportLogsServiceRequest` from OTLP/JSON to protobuf.
///
/// # Errors
/// When it is not OTLP/JSON; the whole request is refused.
pub fn logs_json_to_protobuf(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    to_protobuf(json, &schema::LOGS)
}

/// An `ExportMetricsServiceRequest` from OTLP/JSON to protobuf, its data points empty: enough for
/// [`count_metric_points`](crate::count_metric_points), which is all that is done with metrics.
///
/// # Errors
/// When it is not OTLP/JSON; the whole request is refused.
pub fn metrics_json_to_protobuf(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    to_protobuf(json, &schema::METRICS)
}

fn to_protobuf(json: &[u8], message: &'static Message) -> Result<Vec<u8>, JsonError> {
    Ok(read(utf8(json)?, message, None)?.body)
}

/// Almost every request can be read, and is, once. Only another one is read again, with spans or records taken apart.
fn convert(json: &[u8], message: &'static Message) -> Result<Converted, JsonError> {
    let text = utf8(json)?;
    Ok(read(text, message, None).or_else(|_| read(text, message, Some(0)))?)
}

fn read(text: &str, message: &'static Message, items: Option<u64>) -> serde_json::Result<Converted> {
    let converted = Converted { body: Vec::with_capacity(text.len() / 2), unreadable: Vec::new() };
    let mut out = Output { converted, items };
    let mut source = serde_json::Deserializer::from_str(text);
    MessageSeed { message, out: &mut out }.deserialize(&mut source)?;
    source.end()?;
    Ok(out.converted)
}

fn utf8(json: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(json).map_err(|error| not_utf8(&json[..error.valid_up_to()]))
}

fn not_utf8(valid: &[u8]) -> JsonError {
    let line_start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |i| i + 1);
    let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
    JsonError::NotUtf8 { line, column: valid.len() - line_start + 1 }
}

/// What is written, and how the spans or records in it are read.
struct Output {
    converted: Converted,
    /// How many there were so far, when each is read apart.
    items: Option<u64>,
}

impl Output {
    /// Writes a span or record; what cannot be read leaves one that will be refused in its place.
    fn item(&mut self, json: &RawValue, message: &'static Message) {
        let start = self.converted.body.len();
        let mut source = serde_json::Deserializer::from_str(json.get());
        let read = MessageSeed { message, out: self }.deserialize(&mut source);
        let position = self.items.unwrap_or_default();
        if let Err(error) = read {
            self.converted.body.truncate(start);
            self.converted.body.push(REFUSED);
            if self.converted.unreadable.len() < UNREADABLE_TOLD {
                self.converted.unreadable.push(Unreadable { position, reason: format!("{error} of its json") });
            }
        }
        self.items = Some(position + 1);
    }
}

/// Writes the fields of a JSON object; says whether there was one, and not `null`.
struct MessageSeed<'o> {
    message: &'static Message,
    out: &'o mut Output,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(member) = map.next_key_seed(NameSeed(self.message))? {
            match member {
                Some((_, tag, kind)) => map.next_value_seed(MemberSeed { tag: *tag, kind, out: self.out })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(true)
    }
}

/// Finds the member a name stands for; `None` for names that are to be ignored.
struct NameSeed(&'static Message);

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Option<&'static Member>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Option<&'static Member>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.0.iter().find(|member| member.0 == name))
    }
}

/// Writes one member's value under its tag.
struct MemberSeed<'o> {
    tag: u32,
    kind: &'static Kind,
    out: &'o mut Output,
}

impl<'de> DeserializeSeed<'de> for MemberSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        match *self.kind {
            Kind::Message(message) => {
                let start = self.out.converted.body.len();
                let content = open(self.tag, &mut self.out.converted.body);
                let present = MessageSeed { message, out: self.out }.deserialize(source)?;
                close(content, &mut self.out.converted.body);
                if !present {
                    self.out.converted.body.truncate(start);
                }
                Ok(())
            }
            Kind::Repeated(message) => {
                source.deserialize_any(RepeatedSeed { tag: self.tag, message, apart: false, out: self.out })
            }
            Kind::Items(message) => {
                let apart = self.out.items.is_some();
                source.deserialize_any(RepeatedSeed { tag: self.tag, message, apart, out: self.out })
            }
            Kind::Scalar(ref scalar) => scalar.write(self.tag, source, &mut self.out.converted.body),
        }
    }
}

/// Writes each element of a JSON array as a message of its own.
struct RepeatedSeed<'o> {
    tag: u32,
    message: &'static Message,
    /// Whether what is wrong with one element is no matter of the others.
    apart: bool,
    out: &'o mut Output,
}

impl<'de> Visitor<'de> for RepeatedSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { tag, message, apart, out } = self;
        loop {
            let start = out.converted.body.len();
            let content = open(tag, &mut out.converted.body);
            // A `null` element is kept, empty, so that the others keep their places.
            let more = if apart {
                elements.next_element::<&RawValue>()?.map(|json| out.item(json, message)).is_some()
            } else {
                elements.next_element_seed(MessageSeed { message, out })?.is_some()
            };
            if !more {
                out.converted.body.truncate(start);
                return Ok(());
            }
            close(content, &mut out.converted.body);
        }
    }
}

/// Begins a length-delimited field; says where its content starts.
fn open(tag: u32, out: &mut Vec<u8>) -> usize {
    write_varint(u64::from(tag << 3 | 2), out);
    // Most messages are short: leave room for a length of one byte and move the content when that is too little.
    out.push(0);
    out.len()
}

/// Ends the field whose content starts at `content`.
fn close(content: usize, out: &mut Vec<u8>) {
    let length = out.len() - content;
    if length < 0x80 {
        out[content - 1] = length as u8;
    } else {
        let mut encoded = Vec::with_capacity(10);
        write_varint(length as u64, &mut encoded);
        out.splice(content - 1..content, encoded);
    }
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
