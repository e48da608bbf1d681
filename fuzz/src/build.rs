//! Builds well-framed requests that no encoder would write: known fields of another wire type, repeated and split
//! messages, members of a `oneof` one after another, long varints, groups.

use arbitrary::{Result, Unstructured};
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::oracle::Signal;
use crate::scramble::{Kind, child};

/// How many messages may nest; beyond what the walk allows for values.
const MAX_DEPTH: usize = 220;

/// A request that `data` describes; any bytes describe one.
pub(crate) fn request(signal: Signal, data: &[u8]) -> Vec<u8> {
    let mut choices = Unstructured::new(data);
    let mut out = Vec::new();
    // Where the input ends, so does the request.
    while !choices.is_empty() && message(Some(Kind::Request(signal)), &mut choices, MAX_DEPTH, &mut out).is_ok() {}
    out
}

fn message(kind: Option<Kind>, choices: &mut Unstructured<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    for _ in 0..choices.int_in_range(0..=4)? {
        field(kind, choices, depth, out)?;
    }
    Ok(())
}

fn field(kind: Option<Kind>, choices: &mut Unstructured<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    let tag = match choices.arbitrary::<u8>()? {
        tag @ 1..=16 => u32::from(tag),
        250.. => choices.int_in_range(1..=(1 << 29) - 1)?,
        other => u32::from(other % 16 + 1),
    };
    let inner = kind.and_then(|kind| child(kind, tag)).filter(|_| depth > 0);
    let wire_type = choices.arbitrary::<u8>()?;
    match (inner, wire_type) {
        (Some(inner), 0..=239) => {
            let mut content = Vec::new();
            let result = message(Some(inner), choices, depth - 1, &mut content);
            delimited(tag, &content, out);
            return result;
        }
        (_, 240..) if depth > 0 => {
            encode_key(tag, WireType::StartGroup, out);
            let result = message(None, choices, depth - 1, out);
            encode_key(tag, WireType::EndGroup, out);
            return result;
        }
        _ => {}
    }
    match wire_type % 8 {
        0 => {
            encode_key(tag, WireType::Varint, out);
            encode_varint(choices.arbitrary()?, out);
        }
        1 => {
            encode_key(tag, WireType::Varint, out);
            long_varint(choices.arbitrary()?, out);
        }
        2 => {
            encode_key(tag, WireType::SixtyFourBit, out);
            out.extend(choices.arbitrary::<u64>()?.to_le_bytes());
        }
        3 => {
            encode_key(tag, WireType::ThirtyTwoBit, out);
            out.extend(choices.arbitrary::<u32>()?.to_le_bytes());
        }
        4 => delimited(tag, &[choices.arbitrary::<u8>()? & 1; 8], out),
        5 => delimited(tag, &[choices.arbitrary::<u8>()? & 1; 16], out),
        _ => {
            let length = choices.int_in_range(0..=20)?;
            delimited(tag, choices.bytes(length.min(choices.len()))?, out);
        }
    }
    Ok(())
}

fn delimited(tag: u32, content: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend(content);
}

/// Seven bits in ten bytes.
fn long_varint(value: u8, out: &mut Vec<u8>) {
    out.push(value | 0x80);
    out.extend([0x80; 8]);
    out.push(0);
}
