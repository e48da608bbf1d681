//! What a call used: counts as `llm_calls` holds them, and the kinds of use that carry a price.

/// A kind of use that spans count and that can have its own price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Input that no other kind prices.
    Input,
    /// Input read from the provider's cache.
    CacheRead,
    /// Input written to the provider's cache, kept for the provider's default time.
    CacheWrite,
    /// Input written to the cache for five minutes.
    CacheWrite5m,
    /// Input written to the cache for one hour.
    CacheWrite1h,
    /// Input that is audio.
    AudioInput,
    /// Input that is images.
    ImageInput,
    /// Output that no other kind prices.
    Output,
    /// Output spent on reasoning.
    Reasoning,
    /// Output that is audio.
    AudioOutput,
    /// Output that is images.
    ImageOutput,
    /// The call itself.
    Requests,
}

/// How many kinds there are.
pub const KINDS: usize = 12;

impl Kind {
    /// All kinds, in order.
    pub const ALL: [Self; KINDS] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::AudioInput,
        Self::ImageInput,
        Self::Output,
        Self::Reasoning,
        Self::AudioOutput,
        Self::ImageOutput,
        Self::Requests,
    ];

    /// Its name, which is that of the column of `llm_calls` that counts it, where there is one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input_tokens",
            Self::CacheRead => "cache_read_tokens",
            Self::CacheWrite => "cache_write_tokens",
            Self::CacheWrite5m => "cache_write_5m_tokens",
            Self::CacheWrite1h => "cache_write_1h_tokens",
            Self::AudioInput => "audio_input_tokens",
            Self::ImageInput => "image_input_tokens",
            Self::Output => "output_tokens",
            Self::Reasoning => "reasoning_tokens",
            Self::AudioOutput => "audio_output_tokens",
            Self::ImageOutput => "image_output_tokens",
            Self::Requests => "requests",
        }
    }

    /// The kind it is a part of, at whose rate it is charged where it has none of its own.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::CacheRead | Self::CacheWrite | Self::AudioInput | Self::ImageInput => Some(Self::Input),
            Self::CacheWrite5m | Self::CacheWrite1h => Some(Self::CacheWrite),
            Self::Reasoning | Self::AudioOutput | Self::ImageOutput => Some(Self::Output),
            Self::Input | Self::Output | Self::Requests => None,
        }
    }

    /// Whether it counts what went in.
    #[must_use]
    pub const fn is_input(self) -> bool {
        (self as u8) < Self::Output as u8
    }
}

/// A set of [`Kind`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kinds(u16);

impl Kinds {
    /// With `kind` added.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether `kind` is in it.
    #[must_use]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, in order.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::default(), Self::with)
    }
}

/// The counts of one call, with the meaning of the columns of `llm_calls`: input always includes cache reads and
/// writes, audio and images; output always includes reasoning, audio and images. `None` is "not reported".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input, all of it.
    pub input_tokens: Option<i64>,
    /// Output, all of it.
    pub output_tokens: Option<i64>,
    /// Of the input: read from the cache.
    pub cache_read_tokens: Option<i64>,
    /// Of the input: written to the cache.
    pub cache_write_tokens: Option<i64>,
    /// Of the cache writes: kept five minutes.
    pub cache_write_5m_tokens: Option<i64>,
    /// Of the cache writes: kept one hour.
    pub cache_write_1h_tokens: Option<i64>,
    /// Of the output: reasoning.
    pub reasoning_tokens: Option<i64>,
    /// Of the input: audio.
    pub audio_input_tokens: Option<i64>,
    /// Of the output: audio.
    pub audio_output_tokens: Option<i64>,
    /// Of the input: images.
    pub image_input_tokens: Option<i64>,
    /// Of the output: images. No column counts it yet.
    pub image_output_tokens: Option<i64>,
    /// Requests that the call stands for; one where nothing is said.
    pub requests: Option<i64>,
}
