//! Scalars of OTLP/JSON: what each may look like, and how it is written as protobuf.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use super::{close, open, write_varint};

/// The type of a scalar field.
pub(super) enum Scalar {
    Text,
    /// `bytes` that OTLP writes in hex.
    Id,
    /// `bytes` in base64.
    Base64,
    Bool,
    Int64,
    Uint32,
    Fixed32,
    Fixed64,
    Double,
    /// The names of the values from 0 on.
    Enum(&'static [&'static str]),
}

impl Scalar {
    /// Reads the value and appends it as field `tag`; `null` appends nothing.
    pub(super) fn write<'de, D: Deserializer<'de>>(
        &self,
        tag: u32,
        source: D,
        out: &mut Vec<u8>,
    ) -> Result<(), D::Error> {
        match self {
            Scalar::Text | Scalar::Id | Scalar::Base64 => {
                let Some(Text(text)) = Deserialize::deserialize(source)? else { return Ok(()) };
                let bytes = match self {
                    Scalar::Id => Cow::Owned(hex::decode(&*text).map_err(|e| invalid("a hex id", e))?),
                    Scalar::Base64 => Cow::Owned(decode_base64(&text).map_err(|e| invalid("base64", e))?),
                    _ => replace_surrogates(text),
                };
                let content = open(tag, out);
                out.extend_from_slice(&bytes);
                close(content, out);
                Ok(())
            }
            _ => {
                // The source text, because a parsed number has lost digits that a double or 64 bits need.
                let raw = <&RawValue>::deserialize(source)?.get();
                let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw);
                match raw {
                    "null" => Ok(()),
                    _ => self.write_number(tag, text, out).ok_or_else(|| {
                        let shown: String = raw.chars().take(40).collect();
                        D::Error::custom(format_args!("invalid value: `{shown}`, expected {}", self.expected()))
                    }),
                }
            }
        }
    }

    fn write_number(&self, tag: u32, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let (wire_type, number) = match self {
            Scalar::Bool => (0, text.parse::<bool>().ok()?.into()),
            Scalar::Int64 => (0, i64::try_from(integer(text)?).ok()? as u64),
            Scalar::Uint32 => (0, u32::try_from(integer(text)?).ok()?.into()),
            Scalar::Enum(names) => {
                let named = names.iter().position(|name| *name == text);
                let number = named.map_or_else(|| integer(text), |position| Some(position as i128))?;
                (0, i32::try_from(number).ok()? as u64)
            }
            Scalar::Fixed32 => (5, u32::try_from(integer(text)?).ok()?.into()),
            Scalar::Fixed64 => (1, u64::try_from(integer(text)?).ok()?),
            Scalar::Double => (1, text.parse::<f64>().ok()?.to_bits()),
            Scalar::Text | Scalar::Id | Scalar::Base64 => return None,
        };
        write_varint(u64::from(tag << 3 | wire_type), out);
        match wire_type {
            0 => write_varint(number, out),
            1 => out.extend_from_slice(&number.to_le_bytes()),
            _ => out.extend_from_slice(&(number as u32).to_le_bytes()),
        }
        Some(())
    }

    fn expected(&self) -> &'static str {
        match self {
            Scalar::Text | Scalar::Id | Scalar::Base64 => "a string",
            Scalar::Bool => "true or false",
            Scalar::Int64 => "a signed 64-bit integer",
            Scalar::Uint32 | Scalar::Fixed32 => "an unsigned 32-bit integer",
            Scalar::Fixed64 => "an unsigned 64-bit integer",
            Scalar::Double => "a number",
            Scalar::Enum(_) => "a number or name of the enum",
        }
    }
}

fn invalid<E: Error>(expected: &str, error: impl fmt::Display) -> E {
    E::custom(format_args!("expected {expected}: {error}"))
}

/// An integer in digits, or in a notation with point or exponent that still means one, as proto3 JSON allows.
fn integer(text: &str) -> Option<i128> {
    let exact = text.parse().ok();
    exact.or_else(|| text.parse::<f64>().ok().filter(|number| number.fract() == 0.0).map(|number| number as i128))
}

/// Proto3 JSON: "either standard or URL-safe base64 encoding with/without paddings are accepted".
fn decode_base64(text: &[u8]) -> Result<Vec<u8>, base64::DecodeError> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let alphabet: &Alphabet = if url_safe { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(alphabet, LENIENT).decode(text)
}

/// A JSON string as bytes: `serde_json` hands out unpaired surrogates that way, in the three bytes UTF-8 would need,
/// where it refuses them in a `str`.
struct Text<'de>(Cow<'de, [u8]>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(bytes)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(bytes.to_vec())))
    }
}

/// Unpaired surrogates as U+FFFD. The request was UTF-8, so nothing else in it can be invalid.
fn replace_surrogates(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if std::str::from_utf8(&text).is_ok() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        out.push_str(chunk.valid());
        // Each of a surrogate's three bytes is a chunk; the first is always 0xed.
        if chunk.invalid() == [0xed] {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
    Cow::Owned(out.into_bytes())
}
