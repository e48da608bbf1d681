//! Dictionary-encoded text that costs one look-up a run of equal values.

use arrow::array::{DictionaryArray, StringDictionaryBuilder};
use arrow::datatypes::UInt32Type;

/// Text of few distinct values. What one request says of all its spans is looked up once, not span by span.
pub(super) struct Runs {
    builder: StringDictionaryBuilder<UInt32Type>,
    /// The last value, and how many rows with it are still to be appended.
    last: String,
    waiting: usize,
}

impl Runs {
    pub(super) fn new() -> Self {
        Self { builder: StringDictionaryBuilder::with_capacity(0, 0, 0), last: String::new(), waiting: 0 }
    }

    #[inline]
    pub(super) fn append_value(&mut self, value: &str) {
        if self.waiting == 0 || self.last != value {
            self.flush();
            self.last.clear();
            self.last.push_str(value);
        }
        self.waiting += 1;
    }

    fn flush(&mut self) {
        match std::mem::take(&mut self.waiting) {
            0 => {}
            1 => self.builder.append_value(&self.last),
            rows => self.builder.append_values(&self.last, rows),
        }
    }

    pub(super) fn append_nulls(&mut self, n: usize) {
        self.flush();
        self.builder.append_nulls(n);
    }

    pub(super) fn finish(&mut self) -> DictionaryArray<UInt32Type> {
        self.flush();
        self.builder.finish()
    }
}
