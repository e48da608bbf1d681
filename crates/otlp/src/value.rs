//! Attribute values: views over bytes that were checked when they were decoded.

mod json;

use crate::Refusal;
use crate::wire::Fields;

/// An OTLP `AnyValue`, borrowing from the request.
///
/// Views are made by decoding alone, so the bytes behind an array or map are known to be well formed, and no
/// deeper than [`Limits::max_depth`](crate::Limits::max_depth).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum AnyValue<'a> {
    /// No value; `common.proto`: "valid for all values to be unspecified in which case this AnyValue is considered
    /// to be 'empty'".
    #[default]
    Empty,
    /// `string_value`.
    Str(&'a str),
    /// `bool_value`.
    Bool(bool),
    /// `int_value`.
    Int(i64),
    /// `double_value`.
    Double(f64),
    /// `array_value`.
    Array(ArrayValue<'a>),
    /// `kvlist_value`.
    KvList(KeyValueList<'a>),
    /// `bytes_value`.
    Bytes(&'a [u8]),
}

/// An attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KeyValue<'a> {
    /// Its name; not necessarily unique among its neighbours.
    pub key: &'a str,
    /// Its value.
    pub value: AnyValue<'a>,
}

/// The elements of an array. Equality is that of the encoded bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ArrayValue<'a> {
    bytes: &'a [u8],
}

/// A list of attributes that is read as it is iterated. Equality is that of the encoded bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyValueList<'a> {
    bytes: &'a [u8],
    field: ListField,
}

/// The messages that hold a list of attributes, by the tag of the list.
// A closed set of `u8`, not a number, leaves room for the enum's own discriminant and keeps `AnyValue` at 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ListField {
    KeyValueList = 1,
    Event = 3,
    Link = 4,
}

/// Whether what nests inside a value is still to be checked.
#[derive(Clone, Copy)]
pub(crate) enum Nested {
    /// It was, when the view was made.
    Checked,
    /// It may hold as many levels of arrays and maps as said.
    Check { levels: usize },
}

const CHECKED: &str = "the bytes were checked when the view was made";

impl Nested {
    /// The rule for the elements of an array or map, or `None` when they need no look.
    fn descend(self) -> Result<Option<Self>, Refusal> {
        match self {
            Nested::Checked => Ok(None),
            Nested::Check { levels: 0 } => Err(Refusal::TooDeep),
            Nested::Check { levels } => Ok(Some(Nested::Check { levels: levels - 1 })),
        }
    }
}

impl<'a> AnyValue<'a> {
    /// Merges an encoded `AnyValue` into this one: of a `oneof`, the last member on the wire stands.
    pub(crate) fn merge(&mut self, bytes: &'a [u8], nested: Nested) -> Result<(), Refusal> {
        let mut fields = Fields::new(bytes, "AnyValue");
        while let Some(field) = fields.next()? {
            *self = match field.tag {
                1 => AnyValue::Str(field.string("AnyValue.string_value")?),
                2 => AnyValue::Bool(field.varint()? != 0),
                3 => AnyValue::Int(field.varint()? as i64),
                4 => AnyValue::Double(f64::from_bits(field.fixed64()?)),
                5 if matches!(self, AnyValue::Array(_)) => return Err(Refusal::SplitValue),
                5 => AnyValue::Array(ArrayValue::read(field.bytes()?, nested)?),
                6 if matches!(self, AnyValue::KvList(_)) => return Err(Refusal::SplitValue),
                6 => AnyValue::KvList(KeyValueList::read(field.bytes()?, nested)?),
                7 => AnyValue::Bytes(field.bytes()?),
                // A reference into the string table of the profiles signal: a member of the `oneof`, without meaning
                // in traces and logs.
                8 => {
                    field.varint()?;
                    AnyValue::Empty
                }
                _ => continue,
            };
        }
        Ok(())
    }

    fn read(bytes: &'a [u8], nested: Nested) -> Result<Self, Refusal> {
        let mut value = AnyValue::Empty;
        value.merge(bytes, nested)?;
        Ok(value)
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            AnyValue::Str(value) => Some(value),
            _ => None,
        }
    }

    /// The number of an integer value.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            AnyValue::Int(value) => Some(value),
            _ => None,
        }
    }
}

impl<'a> KeyValue<'a> {
    pub(crate) fn read(bytes: &'a [u8], nested: Nested) -> Result<Self, Refusal> {
        let mut fields = Fields::new(bytes, "KeyValue");
        let mut attribute = KeyValue::default();
        while let Some(field) = fields.next()? {
            match field.tag {
                1 => attribute.key = field.string("KeyValue.key")?,
                2 => attribute.value.merge(field.bytes()?, nested)?,
                // As `string_value_strindex`, of the profiles signal alone.
                3 => drop(field.varint()?),
                _ => {}
            }
        }
        Ok(attribute)
    }
}

impl<'a> ArrayValue<'a> {
    fn read(bytes: &'a [u8], nested: Nested) -> Result<Self, Refusal> {
        if let Some(nested) = nested.descend()? {
            let mut fields = Fields::new(bytes, "ArrayValue");
            while let Some(field) = fields.next()? {
                if field.tag == 1 {
                    AnyValue::read(field.bytes()?, nested)?;
                }
            }
        }
        Ok(ArrayValue { bytes })
    }

    /// The elements in order.
    pub fn iter(&self) -> Values<'a> {
        Values { fields: Fields::new(self.bytes, "ArrayValue") }
    }
}

impl<'a> KeyValueList<'a> {
    fn read(bytes: &'a [u8], nested: Nested) -> Result<Self, Refusal> {
        if let Some(nested) = nested.descend()? {
            let mut fields = Fields::new(bytes, "KeyValueList");
            while let Some(field) = fields.next()? {
                if field.tag == 1 {
                    KeyValue::read(field.bytes()?, nested)?;
                }
            }
        }
        Ok(KeyValueList { bytes, field: ListField::KeyValueList })
    }

    /// The attributes in a message whose fields were all checked.
    pub(crate) fn in_checked_message(bytes: &'a [u8], field: ListField) -> Self {
        KeyValueList { bytes, field }
    }

    /// The entries in order, duplicate keys included.
    pub fn iter(&self) -> KeyValues<'a> {
        KeyValues { fields: Fields::new(self.bytes, "KeyValueList"), tag: self.field as u32 }
    }
}

/// Iterates the elements of an [`ArrayValue`].
#[derive(Clone)]
pub struct Values<'a> {
    fields: Fields<'a>,
}

impl<'a> Iterator for Values<'a> {
    type Item = AnyValue<'a>;

    fn next(&mut self) -> Option<AnyValue<'a>> {
        while let Some(field) = self.fields.next().expect(CHECKED) {
            if field.tag == 1 {
                return Some(AnyValue::read(field.bytes().expect(CHECKED), Nested::Checked).expect(CHECKED));
            }
        }
        None
    }
}

/// Iterates the entries of a [`KeyValueList`].
#[derive(Clone)]
pub struct KeyValues<'a> {
    fields: Fields<'a>,
    tag: u32,
}

impl<'a> Iterator for KeyValues<'a> {
    type Item = KeyValue<'a>;

    fn next(&mut self) -> Option<KeyValue<'a>> {
        while let Some(field) = self.fields.next().expect(CHECKED) {
            if field.tag == self.tag {
                return Some(KeyValue::read(field.bytes().expect(CHECKED), Nested::Checked).expect(CHECKED));
            }
        }
        None
    }
}

impl<'a> IntoIterator for ArrayValue<'a> {
    type Item = AnyValue<'a>;
    type IntoIter = Values<'a>;

    fn into_iter(self) -> Values<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for KeyValueList<'a> {
    type Item = KeyValue<'a>;
    type IntoIter = KeyValues<'a>;

    fn into_iter(self) -> KeyValues<'a> {
        self.iter()
    }
}

impl std::fmt::Debug for ArrayValue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl std::fmt::Debug for KeyValueList<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|entry| (entry.key, entry.value))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `AnyValue { array_value: [ ... ] }`, as many times around `inner` as said.
    fn nest(mut inner: Vec<u8>, levels: usize) -> Vec<u8> {
        for _ in 0..levels {
            for tag in [10, 42] {
                let mut outer = vec![tag];
                prost::encoding::encode_varint(inner.len() as u64, &mut outer);
                outer.append(&mut inner);
                inner = outer;
            }
        }
        inner
    }

    fn read(bytes: &[u8]) -> Result<AnyValue<'_>, Refusal> {
        AnyValue::read(bytes, Nested::Check { levels: 3 })
    }

    #[test]
    fn a_value_stays_small() {
        assert_eq!(size_of::<AnyValue<'_>>(), 24);
        assert_eq!(size_of::<KeyValue<'_>>(), 40);
    }

    #[test]
    fn the_last_member_of_a_oneof_stands() {
        assert_eq!(read(&[]), Ok(AnyValue::Empty));
        assert_eq!(read(&[10, 1, b'a', 16, 1]), Ok(AnyValue::Bool(true)));
        assert_eq!(read(&[16, 1, 10, 1, b'a']), Ok(AnyValue::Str("a")));
        assert_eq!(read(&[16, 1, 64, 1]), Ok(AnyValue::Empty));
    }

    #[test]
    fn a_value_may_nest_up_to_the_limit() {
        assert!(read(&nest(vec![16, 1], 3)).is_ok());
        assert_eq!(read(&nest(vec![16, 1], 4)), Err(Refusal::TooDeep));
        assert_eq!(read(&nest(vec![], 2_000)), Err(Refusal::TooDeep));
    }

    #[test]
    fn an_overwritten_value_is_checked_too() {
        let mut bytes = nest(vec![10, 1, 0xff], 1);
        bytes.extend([16, 1]);
        assert_eq!(read(&bytes), Err(Refusal::InvalidUtf8 { field: "AnyValue.string_value" }));
    }

    #[test]
    fn a_split_array_is_refused_and_a_replaced_one_is_not() {
        let array = nest(vec![16, 1], 1);
        assert_eq!(read(&[&array[..], &array].concat()), Err(Refusal::SplitValue));
        let replaced = [&array[..], &[16, 1], &array].concat();
        assert_eq!(read(&replaced).map(|value| value.to_json()), Ok("[true]".to_owned()));
    }
}
