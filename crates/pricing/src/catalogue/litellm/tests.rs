use super::*;
use crate::time::read_moment;

fn import(json: &str) -> Result<Import, String> {
    litellm("test", json, None).map_err(|why| why.to_string())
}

/// Each rule as its id, its provider and its rates for one.
fn shown(catalogue: &Catalogue) -> Vec<String> {
    let rule = |rule: &Rule| {
        let tier = |tier: &ContextTier| {
            let rates = tier.rates.iter().map(|(unit, rate)| format!(" {}={}", unit.name(), rate.price));
            format!(" >{}{}", tier.over, rates.collect::<String>())
        };
        let provider = rule.provider.as_deref().unwrap_or("any");
        format!("{} of {provider}{}", rule.id, rule.tiers.iter().map(tier).collect::<String>())
    };
    catalogue.rules().iter().map(rule).collect()
}

/// Entries as they stood in the list that comes with LiteLLM 1.109.1 (MIT licence).
const LIST: &str = r#"{
  "sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of https://docs.litellm.ai/docs/providers"},
  "gpt-5.4": {
    "cache_read_input_token_cost": 2.5e-07, "cache_read_input_token_cost_above_272k_tokens": 5e-07,
    "cache_read_input_token_cost_priority": 5e-07, "input_cost_per_token": 2.5e-06,
    "input_cost_per_token_above_272k_tokens": 5e-06, "input_cost_per_token_priority": 5e-06,
    "input_cost_per_token_batches": 1.25e-06, "input_cost_per_token_above_272k_tokens_batches": 2.5e-06,
    "litellm_provider": "openai", "mode": "chat", "output_cost_per_token": 1.5e-05,
    "output_cost_per_token_above_272k_tokens": 2.25e-05, "output_cost_per_token_priority": 3e-05,
    "output_cost_per_token_batches": 7.5e-06, "output_cost_per_token_above_272k_tokens_batches": 1.125e-05,
    "regional_processing_uplift_multiplier_eu": 1.1
  },
  "anthropic.claude-sonnet-4-5-20250929-v1:0": {
    "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
    "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05, "cache_read_input_token_cost": 3e-07,
    "input_cost_per_token": 3e-06, "litellm_provider": "bedrock_converse", "output_cost_per_token": 1.5e-05,
    "search_context_cost_per_query": {"search_context_size_high": 0.01, "search_context_size_low": 0.01, "search_context_size_medium": 0.01}
  },
  "gemini/gemini-2.5-flash": {
    "input_cost_per_token": 3e-07, "output_cost_per_token": 2.5e-06, "output_cost_per_reasoning_token": 2.5e-06,
    "output_cost_per_token_flex": 1.25e-06, "litellm_provider": "gemini", "google_maps_grounding_cost_per_query": 0.025
  },
  "dashscope/qwen-flash": {
    "litellm_provider": "dashscope", "tiered_pricing": [
      {"input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07, "range": [0, 256000.0]},
      {"input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06, "range": [256000.0, 1000000.0]}]
  },
  "xai/grok-4": {
    "input_cost_per_token": 3e-06, "input_cost_per_token_above_128k_tokens": 6e-06, "litellm_provider": "xai"
  },
  "openai/dall-e-3": {
    "input_cost_per_token": 0, "output_cost_per_token": 0.0, "output_cost_per_image": 0.04, "litellm_provider": "openai"
  }
}"#;

#[test]
fn prices_are_read_with_their_sizes_and_tiers() {
    let import = import(LIST).expect("the list");
    assert_eq!(
        shown(&import.catalogue),
        [
            "anthropic.claude-sonnet-4-5-20250929-v1:0 of aws.bedrock \
             >0 input_tokens=0.000003 cache_read_tokens=0.0000003 cache_write_tokens=0.00000375 \
             cache_write_1h_tokens=0.000006 output_tokens=0.000015 web_searches=0.01 \
             >200000 input_tokens=0.000003 cache_read_tokens=0.0000003 cache_write_tokens=0.00000375 \
             cache_write_1h_tokens=0.000012 output_tokens=0.000015 web_searches=0.01",
            "dashscope/qwen-flash of dashscope >0 input_tokens=0.00000005 output_tokens=0.0000004 \
             >256000 input_tokens=0.00000025 output_tokens=0.000002",
            "gemini/gemini-2.5-flash of gcp.gemini \
             >0 input_tokens=0.0000003 output_tokens=0.0000025 reasoning_tokens=0.0000025",
            // Reasoning costs what output costs, also where the tier changes only the price of output.
            "gemini/gemini-2.5-flash+flex of gcp.gemini >0 input_tokens=0.0000003 output_tokens=0.00000125",
            "gpt-5.4 of openai >0 input_tokens=0.0000025 cache_read_tokens=0.00000025 output_tokens=0.000015 \
             >272000 input_tokens=0.000005 cache_read_tokens=0.0000005 output_tokens=0.0000225",
            "gpt-5.4+batch of openai >0 input_tokens=0.00000125 cache_read_tokens=0.00000025 output_tokens=0.0000075 \
             >272000 input_tokens=0.0000025 cache_read_tokens=0.0000005 output_tokens=0.00001125",
            "gpt-5.4+priority of openai >0 input_tokens=0.000005 cache_read_tokens=0.0000005 output_tokens=0.00003 \
             >272000 input_tokens=0.000005 cache_read_tokens=0.0000005 output_tokens=0.00003",
            "openai/dall-e-3 of openai >0 output_images=0.04",
            "xai/grok-4 of x_ai >0 input_tokens=0.000003 >127999 input_tokens=0.000006",
        ]
    );
    let left_out: Vec<_> = import.left_out.iter().map(|one| (one.model.as_str(), one.key.as_str())).collect();
    assert_eq!(
        left_out,
        [
            ("gemini/gemini-2.5-flash", "google_maps_grounding_cost_per_query"),
            ("gpt-5.4", "regional_processing_uplift_multiplier_eu"),
        ]
    );
    assert_eq!(Catalogue::from_rows(import.catalogue.rows()).expect("its rows"), import.catalogue);
}

#[test]
fn numbers_in_quotes_and_nothing_are_what_they_say() {
    let import = import(
        r#"{"m":{"input_cost_per_token":"1.5e-06","output_cost_per_token":null,"input_cost_per_audio_token":[1]}}"#,
    )
    .expect("a list");
    assert_eq!(shown(&import.catalogue), ["m of any >0 input_tokens=0.0000015"]);
    assert_eq!(import.left_out, [LeftOut { model: "m".to_owned(), key: "input_cost_per_audio_token".to_owned() }]);
}

#[test]
fn a_model_with_prices_for_days_of_the_week_is_left_out_whole() {
    let import = import(
        r#"{"m":{"input_cost_per_token":3e-07,"off_peak_pricing":{"input_cost_per_token":1.5e-07,"windows":[]}}}"#,
    )
    .expect("a list");
    assert!(import.catalogue.rules().is_empty());
    assert_eq!(import.left_out, [LeftOut { model: "m".to_owned(), key: "off_peak_pricing".to_owned() }]);
}

#[test]
fn a_bad_price_refuses_the_list() {
    for (json, reason) in [
        (r#"{"m":{"input_cost_per_token":-1e-06}}"#, "m: `input_cost_per_token`: the price `-1e-06` is negative"),
        (
            r#"{"m":{"output_cost_per_token_flex":"a lot"}}"#,
            "m: `output_cost_per_token_flex`: the price `a lot` is not a decimal number",
        ),
    ] {
        assert_eq!(import(json).map(|_| ()), Err(reason.to_owned()));
    }
    for json in ["[]", r#"{"m":3}"#, "{", r#"{"m":{"tiered_pricing":{}}}"#] {
        assert!(import(json).is_err_and(|why| why.starts_with("not a price list of LiteLLM: ")), "{json}");
    }
}

#[test]
fn an_import_holds_from_its_date_on() {
    let from = read_moment("2026-11-01");
    let import = litellm("test", r#"{"m":{"input_cost_per_token":1e-06}}"#, from).expect("a list");
    assert_eq!(import.catalogue.rules()[0].period, Period { from, ..Period::default() });
}
