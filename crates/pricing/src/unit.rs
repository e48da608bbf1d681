//! Everything that catalogues put a price on, and how each bears on the price of a call.

use std::fmt;

use crate::amount::{Amount, NotAnAmount};
use crate::usage::Kind;

const MILLION: u64 = 1_000_000;
const THOUSAND: u64 = 1_000;
const HOUR: u64 = 3_600;

/// What a unit is to a call whose counts are those of [`Usage`](crate::Usage).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is counted.
    Counted(Kind),
    /// It counts what is in two kinds at once, cached audio for instance; no column does.
    Overlap,
    /// A part of the tokens of this kind which no column counts.
    PartOf(Kind),
    /// Audio by its length.
    AudioTime,
    /// Something besides tokens which no column counts: searches, pages, characters.
    Fee,
}

struct Definition {
    name: &'static str,
    /// The key of its price in the data of `genai-prices`, and what that price is for.
    key: &'static str,
    per: u64,
    role: Role,
}

const fn counted(kind: Kind, key: &'static str) -> Definition {
    Definition { name: kind.name(), key, per: MILLION, role: Role::Counted(kind) }
}

const fn tokens(name: &'static str, key: &'static str, role: Role) -> Definition {
    Definition { name, key, per: MILLION, role }
}

const fn fee(name: &'static str, key: &'static str, per: u64) -> Definition {
    Definition { name, key, per, role: Role::Fee }
}

/// Counted units are named by their column, all others as `genai-prices` names what they count.
const DEFINITIONS: &[Definition] = &[
    counted(Kind::Input, "input_mtok"),
    counted(Kind::CacheRead, "cache_read_mtok"),
    counted(Kind::CacheWrite, "cache_write_mtok"),
    counted(Kind::CacheWrite5m, "cache_write_5m_mtok"),
    counted(Kind::CacheWrite1h, "cache_write_1h_mtok"),
    counted(Kind::AudioInput, "input_audio_mtok"),
    counted(Kind::ImageInput, "input_image_mtok"),
    counted(Kind::Output, "output_mtok"),
    counted(Kind::Reasoning, "output_reasoning_mtok"),
    counted(Kind::AudioOutput, "output_audio_mtok"),
    counted(Kind::ImageOutput, "output_image_mtok"),
    Definition { name: "requests", key: "requests_kcount", per: THOUSAND, role: Role::Counted(Kind::Requests) },
    tokens("cache_audio_read_tokens", "cache_audio_read_mtok", Role::Overlap),
    tokens("cache_audio_write_tokens", "cache_audio_write_mtok", Role::Overlap),
    tokens("cache_audio_write_5m_tokens", "cache_audio_write_5m_mtok", Role::Overlap),
    tokens("cache_audio_write_1h_tokens", "cache_audio_write_1h_mtok", Role::Overlap),
    tokens("cache_image_read_tokens", "cache_image_read_mtok", Role::Overlap),
    tokens("cache_image_write_tokens", "cache_image_write_mtok", Role::Overlap),
    tokens("cache_image_write_5m_tokens", "cache_image_write_5m_mtok", Role::Overlap),
    tokens("cache_image_write_1h_tokens", "cache_image_write_1h_mtok", Role::Overlap),
    tokens("output_audio_reasoning_tokens", "output_audio_reasoning_mtok", Role::Overlap),
    tokens("output_image_reasoning_tokens", "output_image_reasoning_mtok", Role::Overlap),
    tokens("cache_text_read_tokens", "cache_text_read_mtok", Role::PartOf(Kind::CacheRead)),
    tokens("cache_text_write_tokens", "cache_text_write_mtok", Role::PartOf(Kind::CacheWrite)),
    tokens("cache_text_write_5m_tokens", "cache_text_write_5m_mtok", Role::PartOf(Kind::CacheWrite5m)),
    tokens("cache_text_write_1h_tokens", "cache_text_write_1h_mtok", Role::PartOf(Kind::CacheWrite1h)),
    tokens("cache_video_read_tokens", "cache_video_read_mtok", Role::PartOf(Kind::CacheRead)),
    tokens("cache_video_write_tokens", "cache_video_write_mtok", Role::PartOf(Kind::CacheWrite)),
    tokens("cache_video_write_5m_tokens", "cache_video_write_5m_mtok", Role::PartOf(Kind::CacheWrite5m)),
    tokens("cache_video_write_1h_tokens", "cache_video_write_1h_mtok", Role::PartOf(Kind::CacheWrite1h)),
    tokens("input_text_tokens", "input_text_mtok", Role::PartOf(Kind::Input)),
    tokens("input_video_tokens", "input_video_mtok", Role::PartOf(Kind::Input)),
    tokens("input_tool_tokens", "input_tool_mtok", Role::PartOf(Kind::Input)),
    tokens("input_text_tool_tokens", "input_text_tool_mtok", Role::PartOf(Kind::Input)),
    tokens("input_audio_tool_tokens", "input_audio_tool_mtok", Role::PartOf(Kind::AudioInput)),
    tokens("input_image_tool_tokens", "input_image_tool_mtok", Role::PartOf(Kind::ImageInput)),
    tokens("input_video_tool_tokens", "input_video_tool_mtok", Role::PartOf(Kind::Input)),
    tokens("output_text_tokens", "output_text_mtok", Role::PartOf(Kind::Output)),
    tokens("output_video_tokens", "output_video_mtok", Role::PartOf(Kind::Output)),
    tokens("output_citation_tokens", "output_citation_mtok", Role::PartOf(Kind::Output)),
    tokens("output_text_citation_tokens", "output_text_citation_mtok", Role::PartOf(Kind::Output)),
    tokens("output_text_reasoning_tokens", "output_text_reasoning_mtok", Role::PartOf(Kind::Reasoning)),
    tokens("output_audio_citation_tokens", "output_audio_citation_mtok", Role::PartOf(Kind::AudioOutput)),
    tokens("output_image_citation_tokens", "output_image_citation_mtok", Role::PartOf(Kind::ImageOutput)),
    tokens("output_video_citation_tokens", "output_video_citation_mtok", Role::PartOf(Kind::Output)),
    tokens("output_video_reasoning_tokens", "output_video_reasoning_mtok", Role::PartOf(Kind::Reasoning)),
    Definition { name: "audio_seconds", key: "audio_hours", per: HOUR, role: Role::AudioTime },
    Definition { name: "input_audio_seconds", key: "input_audio_hours", per: HOUR, role: Role::AudioTime },
    Definition { name: "output_audio_seconds", key: "output_audio_hours", per: HOUR, role: Role::AudioTime },
    fee("code_executions", "code_executions_kcount", THOUSAND),
    fee("input_annotated_document_pages", "input_annotated_document_kpages", THOUSAND),
    fee("input_document_pages", "input_document_kpages", THOUSAND),
    fee("input_characters", "input_mchars", MILLION),
    fee("input_pixels", "input_gpixels", 1_000_000_000),
    fee("input_text_messages", "input_text_messages_kcount", THOUSAND),
    fee("rerank_searches", "rerank_searches_kcount", THOUSAND),
    fee("social_searches", "social_searches_kcount", THOUSAND),
    fee("storage_searches", "storage_searches_kcount", THOUSAND),
    fee("web_searches", "web_searches_kcount", THOUSAND),
    fee("input_images", "", 1),
    fee("output_images", "", 1),
    fee("output_characters", "", MILLION),
    fee("output_pixels", "", 1_000_000_000),
    fee("seconds", "", HOUR),
    fee("output_seconds", "", HOUR),
    fee("input_video_seconds", "", HOUR),
];

/// Something that a catalogue puts a price on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(u8);

impl Unit {
    /// All units.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..DEFINITIONS.len()).map(|index| Self(index as u8))
    }

    /// The unit that counts `kind`.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        Self(kind as u8)
    }

    /// The unit of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|unit| unit.name() == name)
    }

    /// The unit of a price key of `genai-prices`, `input_mtok` for instance.
    pub(crate) fn of_price_key(key: &str) -> Option<Self> {
        Self::all().find(|unit| !key.is_empty() && unit.definition().key == key)
    }

    fn definition(self) -> &'static Definition {
        &DEFINITIONS[usize::from(self.0)]
    }

    /// Its name: what is counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// How many of it the price in `genai-prices` is for.
    pub(crate) fn per(self) -> u64 {
        self.definition().per
    }

    pub(crate) fn role(self) -> Role {
        self.definition().role
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A price for so many of a unit, as the catalogue states it: 1.25 for a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// The price.
    pub price: Amount,
    /// What it is for.
    pub per: u64,
}

/// Why a rate cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRate {
    /// The price is not an exact decimal.
    #[error("the price `{0}` {1}")]
    NotAnAmount(String, NotAnAmount),
    /// The price is below zero.
    #[error("the price `{0}` is negative")]
    Negative(String),
    /// One of the unit costs a fraction that has more digits than an amount.
    #[error("the price `{0}` for {1} has more than 24 digits for one")]
    TooFine(String, u64),
    /// One of the unit costs more than any sum of amounts may hold.
    #[error("the price `{0}` for {1} is more than {max} for one", max = Rate::MAX_EACH)]
    TooLarge(String, u64),
}

impl Rate {
    /// 2⁹⁰ times 10⁻²⁴: so many for one, times as many as [`MAX_COUNT`](crate::pricer::MAX_COUNT), times all kinds
    /// stay within 128 bits.
    const MAX_EACH: Amount = Amount::from_units(1 << 90);

    /// Reads the price of `per` of a unit from its decimal text.
    pub fn read(price: &str, per: u64) -> Result<Self, BadRate> {
        let amount = price.parse::<Amount>().map_err(|why| BadRate::NotAnAmount(price.to_owned(), why))?;
        if amount.is_negative() {
            return Err(BadRate::Negative(price.to_owned()));
        }
        // Hours do not divide into seconds as decimals do; nothing counts seconds, so that rate is only shown.
        let exact_each = per.is_multiple_of(HOUR) || amount.divided(per).is_some();
        if !exact_each {
            return Err(BadRate::TooFine(price.to_owned(), per));
        }
        if amount.divided(per).is_some_and(|each| each > Self::MAX_EACH) {
            return Err(BadRate::TooLarge(price.to_owned(), per));
        }
        Ok(Self { price: amount, per })
    }

    /// The price of one.
    pub(crate) fn each(self) -> Option<Amount> {
        self.price.divided(self.per)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per {
            1 => write!(f, "{} each", self.price),
            THOUSAND => write!(f, "{} per thousand", self.price),
            MILLION => write!(f, "{} per million", self.price),
            HOUR => write!(f, "{} per hour", self.price),
            per => write!(f, "{} per {per}", self.price),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_unit_stands_at_the_place_of_its_kind() {
        for kind in Kind::ALL {
            assert_eq!(Unit::of(kind).name(), kind.name());
            assert_eq!(Unit::of(kind).role(), Role::Counted(kind));
        }
    }

    #[test]
    fn names_and_keys_are_distinct() {
        let mut names: Vec<_> = Unit::all().map(Unit::name).collect();
        let mut keys: Vec<_> = DEFINITIONS.iter().map(|unit| unit.key).filter(|key| !key.is_empty()).collect();
        for list in [&mut names, &mut keys] {
            let length = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), length);
        }
        assert_eq!(Unit::of_price_key(""), None);
    }

    #[test]
    fn what_cannot_be_a_rate_is_refused_with_the_reason() {
        for (price, per, reason) in [
            ("free", 1, "the price `free` is not a decimal number"),
            ("-0.01", 1_000_000, "the price `-0.01` is negative"),
            (
                "0.1234567890123456789",
                1_000_000,
                "the price `0.1234567890123456789` for 1000000 has more than 24 digits for one",
            ),
            ("2000", 1, "the price `2000` for 1 is more than 1237.940039285380274899124224 for one"),
        ] {
            assert_eq!(Rate::read(price, per).map_err(|why| why.to_string()), Err(reason.to_owned()));
        }
        assert_eq!(Rate::read("0.111", 3_600).map(|rate| rate.to_string()), Ok("0.111 per hour".to_owned()));
    }
}
