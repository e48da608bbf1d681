//! Finds a key among those known from the start.
//!
//! One open-addressed table. A key is hashed by its length, its first and its last eight bytes, so that a look-up
//! costs the same for any length and an unknown key is turned away after one comparison.

/// Positions of keys in a list.
#[derive(Debug)]
pub(crate) struct Table {
    /// As many as a power of two, at most half taken.
    places: Vec<Option<u16>>,
}

impl Table {
    /// A table of `keys`, each known by its position.
    pub(crate) fn new<'k>(keys: impl ExactSizeIterator<Item = &'k str>) -> Self {
        let mut places = vec![None; (keys.len() * 2).next_power_of_two()];
        for (position, key) in keys.enumerate() {
            let mut at = hash(key) & (places.len() - 1);
            while places[at].is_some() {
                at = (at + 1) & (places.len() - 1);
            }
            places[at] = Some(u16::try_from(position).expect("far fewer than 65536 keys are known"));
        }
        Self { places }
    }

    /// The position of `key`, where `key_at` is the key at each position.
    pub(crate) fn find<'k>(&self, key: &str, key_at: impl Fn(usize) -> &'k str) -> Option<u16> {
        let mut at = hash(key) & (self.places.len() - 1);
        while let Some(position) = self.places[at] {
            if key_at(usize::from(position)) == key {
                return Some(position);
            }
            at = (at + 1) & (self.places.len() - 1);
        }
        None
    }
}

/// Length, first eight and last eight bytes; shorter keys byte by byte.
fn hash(key: &str) -> usize {
    let bytes = key.as_bytes();
    let (first, last) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
    };
    // Odd constants with well spread bits (the golden ratio; from the PCG paper).
    let mixed =
        first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ last.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ bytes.len() as u64;
    (mixed ^ mixed >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 32
}
