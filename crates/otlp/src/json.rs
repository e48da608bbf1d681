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
    let text = std::str::from_utf8(json).map_err(|error| not_utf8(&json[..error.valid_up_to()]))?;
    let mut out = Vec::with_capacity(json.len() / 2);
    let mut source = serde_json::Deserializer::from_str(text);
    MessageSeed { message, out: &mut out }.deserialize(&mut source)?;
    source.end()?;
    Ok(out)
}

fn not_utf8(valid: &[u8]) -> JsonError {
    let line_start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |i| i + 1);
    let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
    JsonError::NotUtf8 { line, column: valid.len() - line_start + 1 }
}

/// Writes the fields of a JSON object; says whether there was one, and not `null`.
struct MessageSeed<'o> {
    message: &'static Message,
    out: &'o mut Vec<u8>,
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
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MemberSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        match *self.kind {
            Kind::Message(message) => {
                let start = self.out.len();
                let present =
                    write_delimited(self.tag, self.out, |out| MessageSeed { message, out }.deserialize(source))?;
                if !present {
                    self.out.truncate(start);
                }
                Ok(())
            }
            Kind::Repeated(message) => source.deserialize_any(RepeatedSeed { tag: self.tag, message, out: self.out }),
            Kind::Scalar(ref scalar) => scalar.write(self.tag, source, self.out),
        }
    }
}

/// Writes each element of a JSON array as a message of its own.
struct RepeatedSeed<'o> {
    tag: u32,
    message: &'static Message,
    out: &'o mut Vec<u8>,
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
        let message = self.message;
        loop {
            let start = self.out.len();
            let element =
                write_delimited(self.tag, self.out, |out| elements.next_element_seed(MessageSeed { message, out }))?;
            // A `null` element is kept, empty, so that the others keep their places.
            if element.is_none() {
                self.out.truncate(start);
                return Ok(());
            }
        }
    }
}

/// Writes a length-delimited field around whatever `write` appends.
fn write_delimited<T, E>(
    tag: u32,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
) -> Result<T, E> {
    write_varint(u64::from(tag << 3 | 2), out);
    let start = out.len();
    // Most messages are short: leave room for a length of one byte and move the content when that is too little.
    out.push(0);
    let result = write(out)?;
    let length = out.len() - start - 1;
    if length < 0x80 {
        out[start] = length as u8;
    } else {
        let mut encoded = Vec::with_capacity(10);
        write_varint(length as u64, &mut encoded);
        out.splice(start..=start, encoded);
    }
    Ok(result)
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
