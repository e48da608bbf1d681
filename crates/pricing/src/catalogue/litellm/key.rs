//! The names of LiteLLM's prices.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::unit::Unit;

/// What a price is for by its name without size and tier, and the unit it is here.
const PRICES: &[(&str, &str)] = &[
    ("input_cost_per_token", "input_tokens"),
    ("output_cost_per_token", "output_tokens"),
    ("cache_read_input_token_cost", "cache_read_tokens"),
    ("input_cost_per_token_cache_hit", "cache_read_tokens"),
    ("cache_creation_input_token_cost", "cache_write_tokens"),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_tokens"),
    ("input_cost_per_audio_token", "audio_input_tokens"),
    ("output_cost_per_audio_token", "audio_output_tokens"),
    ("output_cost_per_reasoning_token", "reasoning_tokens"),
    ("input_cost_per_image_token", "image_input_tokens"),
    ("output_cost_per_image_token", "image_output_tokens"),
    ("cache_read_input_audio_token_cost", "cache_audio_read_tokens"),
    ("cache_read_input_image_token_cost", "cache_image_read_tokens"),
    ("cache_creation_input_audio_token_cost", "cache_audio_write_tokens"),
    ("input_cost_per_video_token", "input_video_tokens"),
    ("output_cost_per_video_token", "output_video_tokens"),
    ("citation_cost_per_token", "output_citation_tokens"),
    ("input_cost_per_request", "requests"),
    ("input_cost_per_query", "rerank_searches"),
    ("search_context_cost_per_query", "web_searches"),
    ("input_cost_per_character", "input_characters"),
    ("output_cost_per_character", "output_characters"),
    ("input_cost_per_image", "input_images"),
    ("output_cost_per_image", "output_images"),
    ("input_cost_per_pixel", "input_pixels"),
    ("output_cost_per_pixel", "output_pixels"),
    ("input_cost_per_second", "seconds"),
    ("output_cost_per_second", "output_seconds"),
    ("input_cost_per_audio_per_second", "input_audio_seconds"),
    ("input_cost_per_video_per_second", "input_video_seconds"),
    ("input_cost_per_text_message", "input_text_messages"),
    ("ocr_cost_per_page", "input_document_pages"),
    ("annotation_cost_per_page", "input_annotated_document_pages"),
];

/// Service tiers as names end in them; `batches` is the way of processing.
const TIERS: [&str; 7] = ["batches", "priority", "flex", "fast", "ultrafast", "balanced", "decisions"];

/// What a price is for.
#[derive(Debug, PartialEq)]
pub(super) struct Key {
    pub(super) unit: Unit,
    /// For more input tokens than this.
    pub(super) over: i64,
    /// The service tier, or `batches`; none is the standard one.
    pub(super) tier: Option<String>,
}

impl Key {
    /// Reads `input_cost_per_token_above_272k_tokens_priority`.
    pub(super) fn read(name: &str) -> Option<Self> {
        let ending = TIERS.iter().find_map(|tier| Some((name.strip_suffix(tier)?.strip_suffix('_')?, *tier)));
        let (name, tier) = ending.map_or((name, None), |(name, tier)| (name, Some(tier.to_owned())));
        let (name, over) = match name.strip_suffix("k_tokens").and_then(|name| name.rsplit_once("_above_")) {
            Some((name, thousands)) => (name, thousands.parse::<i64>().ok()?.checked_mul(1_000)?),
            None => (name, 0),
        };
        let (_, unit) = PRICES.iter().find(|(price, _)| *price == name)?;
        Some(Self { unit: Unit::named(unit)?, over, tier })
    }

    /// The text of the price: of a number, of a number in quotes, or of a search of medium size.
    pub(super) fn number(&self, json: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Search<'a> {
            #[serde(borrow)]
            search_context_size_medium: &'a RawValue,
        }
        match json.bytes().next()? {
            b'0'..=b'9' | b'-' => Some(json.to_owned()),
            b'"' => serde_json::from_str(json).ok(),
            b'{' => Some(serde_json::from_str::<Search<'_>>(json).ok()?.search_context_size_medium.get().to_owned()),
            _ => None,
        }
    }
}
