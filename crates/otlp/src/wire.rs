//! The protobuf wire format: one field at a time from a slice of bytes.
//!
//! ```text
//! message = field*        field = key payload        key = varint(tag << 3 | wire type)
//! wire type   0 varint   1 eight bytes   2 varint length + bytes   3 fields until 4   5 four bytes
//! ```
//!
//! What is accepted is what `prost` accepts, unknown groups included.

use crate::Refusal;

/// How deep groups, which OTLP does not use but unknown fields may, can nest before they are refused; as in `prost`.
const MAX_GROUP_DEPTH: usize = 100;

/// A message that breaks the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed `{message}`: {fault}")]
pub struct WireError {
    /// The protobuf message in which it was found.
    pub message: &'static str,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a malformed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes end inside a field.
    #[error("a field goes beyond the end")]
    Truncated,
    /// A varint of more than 64 bits.
    #[error("a varint is too long")]
    Varint,
    /// Tag 0, or a key of more than 32 bits.
    #[error("a field has an impossible tag")]
    Tag,
    /// Wire types 6 and 7 do not exist.
    #[error("wire type {0} does not exist")]
    WireType(u8),
    /// A known field whose wire type is not the one of its declared type.
    #[error("field {0} has the wrong wire type")]
    WrongType(u32),
    /// A group that ends without having started, or with another tag.
    #[error("a group ends out of place")]
    GroupEnd,
    /// Groups nested too deep.
    #[error("groups are nested too deep")]
    GroupDepth,
}

/// Reads the fields of one message in wire order.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    message: &'static str,
}

/// One field: its tag and what followed.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) tag: u32,
    payload: Payload<'a>,
    message: &'static str,
}

#[derive(Clone, Copy)]
enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Group,
    Fixed32(u32),
}

impl<'a> Fields<'a> {
    /// The fields of `bytes`; `message` names the message in errors.
    pub(crate) fn new(bytes: &'a [u8], message: &'static str) -> Self {
        Fields { rest: bytes, message }
    }

    /// The next field, or `None` at the end of the message.
    // Inlined so that the callers' match on the tag and check of the type fold into this one.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        match self.read() {
            Ok((tag, payload)) => Ok(Some(Field { tag, payload, message: self.message })),
            Err(fault) => Err(WireError { message: self.message, fault }),
        }
    }

    #[inline(always)]
    fn read(&mut self) -> Result<(u32, Payload<'a>), Fault> {
        let (tag, wire_type) = self.key()?;
        let payload = match wire_type {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Payload::Bytes(self.delimited()?),
            3 => {
                self.skip_group(tag, MAX_GROUP_DEPTH)?;
                Payload::Group
            }
            4 => return Err(Fault::GroupEnd),
            5 => Payload::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(Fault::WireType(other)),
        };
        Ok((tag, payload))
    }

    #[inline(always)]
    fn key(&mut self) -> Result<(u32, u8), Fault> {
        let key = u32::try_from(self.varint()?).map_err(|_| Fault::Tag)?;
        match key >> 3 {
            0 => Err(Fault::Tag),
            tag => Ok((tag, (key & 7) as u8)),
        }
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Fault> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            // Attribute lengths of LLM spans are mostly one or two bytes.
            [low, high, rest @ ..] if *high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                // The tenth byte holds the 64th bit alone.
                if i == 9 && *byte > 1 {
                    return Err(Fault::Varint);
                }
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { Fault::Truncated } else { Fault::Varint })
    }

    #[inline(always)]
    fn delimited(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.varint()?).map_err(|_| Fault::Truncated)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    #[cold]
    fn skip_group(&mut self, tag: u32, depth: usize) -> Result<(), Fault> {
        if depth == 0 {
            return Err(Fault::GroupDepth);
        }
        loop {
            let (inner, wire_type) = self.key()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => drop(self.delimited()?),
                3 => self.skip_group(inner, depth - 1)?,
                4 if inner == tag => return Ok(()),
                4 => return Err(Fault::GroupEnd),
                5 => drop(self.array::<4>()?),
                other => return Err(Fault::WireType(other)),
            }
        }
    }
}

impl<'a> Field<'a> {
    #[inline(always)]
    pub(crate) fn varint(&self) -> Result<u64, WireError> {
        match self.payload {
            Payload::Varint(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    #[inline(always)]
    pub(crate) fn fixed64(&self) -> Result<u64, WireError> {
        match self.payload {
            Payload::Fixed64(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    #[inline(always)]
    pub(crate) fn fixed32(&self) -> Result<u32, WireError> {
        match self.payload {
            Payload::Fixed32(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> Result<&'a [u8], WireError> {
        match self.payload {
            Payload::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong_type()),
        }
    }

    /// A `string` field; `field` names it in the refusal.
    #[inline(always)]
    pub(crate) fn string(&self, field: &'static str) -> Result<&'a str, Refusal> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Refusal::InvalidUtf8 { field })
    }

    #[cold]
    fn wrong_type(&self) -> WireError {
        WireError { message: self.message, fault: Fault::WrongType(self.tag) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(bytes: &[u8]) -> Option<Fault> {
        let mut fields = Fields::new(bytes, "test");
        loop {
            match fields.next() {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(error.fault),
            }
        }
    }

    fn first_varint(bytes: &[u8]) -> Result<u64, Fault> {
        let field = Fields::new(bytes, "test").next().map_err(|e| e.fault)?.expect("a field");
        field.varint().map_err(|e| e.fault)
    }

    #[test]
    fn varints_of_every_length_are_read() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = vec![8];
                prost::encoding::encode_varint(value, &mut bytes);
                assert_eq!(first_varint(&bytes), Ok(value));
            }
        }
    }

    #[test]
    fn a_varint_beyond_64_bits_is_a_fault() {
        let mut bytes = vec![8];
        bytes.extend([0xff; 9]);
        bytes.push(1);
        assert_eq!(first_varint(&bytes), Ok(u64::MAX));
        bytes[10] = 2;
        assert_eq!(first_varint(&bytes), Err(Fault::Varint));
        bytes[10] = 0x80;
        assert_eq!(first_varint(&bytes), Err(Fault::Varint));
        assert_eq!(first_varint(&bytes[..10]), Err(Fault::Truncated));
    }

    #[test]
    fn unknown_fields_of_every_wire_type_are_skipped() {
        let group = [0x0b, 0x10, 1, 0x1b, 0x1c, 0x22, 1, 7, 0x0c];
        let all = [&[8, 1][..], &[9, 0, 0, 0, 0, 0, 0, 0, 0], &[10, 1, 0], &group, &[13, 0, 0, 0, 0]].concat();
        assert_eq!(faults(&all), None);
        for end in 1..all.len() {
            if ![2, 11, 14, 23].contains(&end) {
                assert_eq!(faults(&all[..end]), Some(Fault::Truncated), "cut at {end}");
            }
        }
    }

    #[test]
    fn broken_framing_is_a_fault() {
        assert_eq!(faults(&[0, 1]), Some(Fault::Tag));
        assert_eq!(faults(&[0xff, 0xff, 0xff, 0xff, 0x7f, 1]), Some(Fault::Tag));
        assert_eq!(faults(&[14]), Some(Fault::WireType(6)));
        assert_eq!(faults(&[12]), Some(Fault::GroupEnd));
        assert_eq!(faults(&[11, 20]), Some(Fault::GroupEnd));
        assert_eq!(faults(&[11; 1_000_000]), Some(Fault::GroupDepth));
        assert_eq!(faults(&[10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), Some(Fault::Truncated));
    }

    #[test]
    fn a_known_field_of_another_type_is_a_fault() {
        assert_eq!(first_varint(&[10, 0]), Err(Fault::WrongType(1)));
        assert_eq!(first_varint(&[11, 12]), Err(Fault::WrongType(1)));
    }
}
