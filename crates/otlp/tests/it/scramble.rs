//! Re-encodes a request as another encoder could have: fields in another order, singular messages in pieces, fields of
//! a future version in between.

use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use crate::oracle::Signal;

/// The messages, to know which length-delimited fields hold one.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Request(Signal),
    PerResource(Signal),
    PerScope(Signal),
    Resource,
    Scope,
    Span,
    Event,
    Link,
    Status,
    LogRecord,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
}

/// The message that a field holds, if it holds one.
pub(crate) fn child(parent: Kind, tag: u32) -> Option<Kind> {
    Some(match (parent, tag) {
        (Kind::Request(signal), 1) => Kind::PerResource(signal),
        (Kind::PerResource(_), 1) => Kind::Resource,
        (Kind::PerResource(signal), 2) => Kind::PerScope(signal),
        (Kind::PerScope(_), 1) => Kind::Scope,
        (Kind::PerScope(Signal::Traces), 2) => Kind::Span,
        (Kind::PerScope(Signal::Logs), 2) => Kind::LogRecord,
        (Kind::Span, 11) => Kind::Event,
        (Kind::Span, 13) => Kind::Link,
        (Kind::Span, 15) => Kind::Status,
        (Kind::LogRecord, 5) | (Kind::KeyValue, 2) | (Kind::ArrayValue, 1) => Kind::AnyValue,
        (Kind::AnyValue, 5) => Kind::ArrayValue,
        (Kind::AnyValue, 6) => Kind::KeyValueList,
        (Kind::Resource | Kind::KeyValueList, 1)
        | (Kind::Scope | Kind::Event, 3)
        | (Kind::Link, 4)
        | (Kind::LogRecord, 6)
        | (Kind::Span, 9) => Kind::KeyValue,
        _ => return None,
    })
}

/// A small generator of numbers; the same seed gives the same numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // xorshift64*, Vigna 2016.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// An encoding of the same request in which every message's fields are shuffled. Fields with one tag keep their order,
/// which has meaning.
pub(crate) fn scramble(signal: Signal, body: &[u8], random: &mut Random) -> Vec<u8> {
    scramble_message(Kind::Request(signal), body, random)
}

fn scramble_message(kind: Kind, bytes: &[u8], random: &mut Random) -> Vec<u8> {
    shuffle(scrambled_fields(kind, bytes, random), random).concat()
}

/// Each field of the message, encoded and with its tag.
fn scrambled_fields(kind: Kind, mut bytes: &[u8], random: &mut Random) -> Vec<(u32, Vec<u8>)> {
    let mut fields = Vec::new();
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes).expect("a valid request");
        let mut encoded = Vec::new();
        encode_key(tag, wire_type, &mut encoded);
        match wire_type {
            WireType::Varint => encode_varint(decode_varint(&mut bytes).expect("a varint"), &mut encoded),
            WireType::SixtyFourBit => encoded.extend(bytes.copy_to_bytes(8)),
            WireType::ThirtyTwoBit => encoded.extend(bytes.copy_to_bytes(4)),
            WireType::LengthDelimited => {
                let length = decode_varint(&mut bytes).expect("a length") as usize;
                let content = bytes.copy_to_bytes(length);
                match child(kind, tag) {
                    Some(singular @ (Kind::Resource | Kind::Scope | Kind::Status)) => {
                        let mut inner = scrambled_fields(singular, &content, random);
                        let rest = inner.split_off(random.below(inner.len() + 1));
                        fields.push((tag, delimited(tag, &shuffle(inner, random).concat())));
                        encoded = delimited(tag, &shuffle(rest, random).concat());
                    }
                    Some(child) => encoded = delimited(tag, &scramble_message(child, &content, random)),
                    None => encoded = delimited(tag, &content),
                }
            }
            WireType::StartGroup | WireType::EndGroup => unreachable!("prost writes no groups"),
        }
        fields.push((tag, encoded));
    }
    if random.below(4) == 0 {
        let mut encoded = Vec::new();
        match random.below(5) {
            0 => prost::encoding::uint64::encode(1000, &u64::MAX, &mut encoded),
            1 => prost::encoding::fixed64::encode(1000, &1, &mut encoded),
            2 => prost::encoding::string::encode(1000, &"new".to_owned(), &mut encoded),
            3 => prost::encoding::fixed32::encode(1000, &1, &mut encoded),
            _ => {
                encode_key(1000, WireType::StartGroup, &mut encoded);
                prost::encoding::bool::encode(1, &true, &mut encoded);
                encode_key(1000, WireType::EndGroup, &mut encoded);
            }
        }
        fields.push((1000, encoded));
    }
    fields
}

fn delimited(tag: u32, content: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    encode_key(tag, WireType::LengthDelimited, &mut encoded);
    encode_varint(content.len() as u64, &mut encoded);
    encoded.extend(content);
    encoded
}

fn shuffle(mut fields: Vec<(u32, Vec<u8>)>, random: &mut Random) -> Vec<Vec<u8>> {
    let mut shuffled = Vec::new();
    while !fields.is_empty() {
        let tag = fields[random.below(fields.len())].0;
        let first = fields.iter().position(|field| field.0 == tag).expect("one has the tag");
        shuffled.push(fields.remove(first).1);
    }
    shuffled
}
