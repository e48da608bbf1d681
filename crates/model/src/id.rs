//! Ids as they stand in the tables: lowercase hexadecimal.

/// The first 128 bits of the BLAKE3 hash of a content's exact bytes.
///
/// 128 bits keep the two copies of each hash (in `contents` and in the span's references) small;
/// a collision inside one tenant and date needs about 2^64 distinct contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 16]);

/// Lowercase hexadecimal of up to 16 bytes, on the stack.
#[derive(Clone, Copy)]
pub struct Hex<const TEXT: usize>([u8; TEXT]);

impl<const TEXT: usize> Hex<TEXT> {
    /// Writes `bytes` as hexadecimal. `TEXT` must be twice their number.
    #[must_use]
    pub fn new<const BYTES: usize>(bytes: &[u8; BYTES]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        const { assert!(TEXT == BYTES * 2, "two digits a byte") };
        let mut text = [0; TEXT];
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(text)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

/// A trace id as it stands in the tables: 32 digits.
#[must_use]
pub fn trace_id(bytes: &[u8; 16]) -> Hex<32> {
    Hex::new(bytes)
}

/// A span id as it stands in the tables: 16 digits.
#[must_use]
pub fn span_id(bytes: &[u8; 8]) -> Hex<16> {
    Hex::new(bytes)
}

impl ContentHash {
    /// The hash as it stands in the tables: 32 digits.
    #[must_use]
    pub fn hex(&self) -> Hex<32> {
        Hex::new(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_are_lowercase_hex() {
        assert_eq!(super::span_id(&[0, 1, 0xab, 0xcd, 0xef, 0x10, 0x7f, 0xff]).as_str(), "0001abcdef107fff");
    }
}
