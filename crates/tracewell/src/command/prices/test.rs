//! `tracewell prices test`.

use anyhow::bail;
use clap::Args;
use tracewell_pricing::pricer::NamedBy;
use tracewell_pricing::{Kind, Pricer, Route, UnixNanos, Unpriced, Usage};

use crate::clock::now;
use crate::command::Place;
use crate::output::{self, Shown};
use crate::prices;

#[derive(Debug, Args)]
pub(super) struct Test {
    #[command(flatten)]
    place: Place,
    /// The model that answers
    model: String,
    /// The provider by its OpenTelemetry name; told by the model where it is left out
    #[arg(long)]
    provider: Option<String>,
    /// When the call begins: a date, or a date and time with its offset [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    at: Option<UnixNanos>,
    /// Input tokens, with those of caches
    #[arg(long, value_name = "N")]
    input: Option<i64>,
    /// Output tokens, with reasoning
    #[arg(long, value_name = "N")]
    output: Option<i64>,
    /// Of the input: read from the cache
    #[arg(long, value_name = "N")]
    cache_read: Option<i64>,
    /// Of the input: written to the cache
    #[arg(long, value_name = "N")]
    cache_write: Option<i64>,
    /// Of the cache writes: kept five minutes
    #[arg(long, value_name = "N")]
    cache_write_5m: Option<i64>,
    /// Of the cache writes: kept one hour
    #[arg(long, value_name = "N")]
    cache_write_1h: Option<i64>,
    /// Of the input: audio
    #[arg(long, value_name = "N")]
    audio_input: Option<i64>,
    /// Of the input: images
    #[arg(long, value_name = "N")]
    image_input: Option<i64>,
    /// Of the output: reasoning
    #[arg(long, value_name = "N")]
    reasoning: Option<i64>,
    /// Of the output: audio
    #[arg(long, value_name = "N")]
    audio_output: Option<i64>,
    /// Of the output: images
    #[arg(long, value_name = "N")]
    image_output: Option<i64>,
    /// Service tier; `batch` is for batches
    #[arg(long)]
    service_tier: Option<String>,
    /// Tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Environment
    #[arg(long)]
    environment: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let in_force = prices::read(&self.place.load(Vec::new())?.config)?;
        let rows = self.price(in_force.pricer())?;
        let rows = output::table(&["what", "value"], rows, |(what, value)| [Some(what), Some(value)])?;
        output::print(self.shown.format(), &rows)
    }

    fn price(&self, pricer: &Pricer) -> anyhow::Result<Vec<(String, String)>> {
        let route = Route {
            provider: self.provider.as_deref(),
            response_model: Some(&self.model),
            request_model: None,
            tenant: self.tenant.as_deref(),
            environment: self.environment.as_deref(),
            service_tier: self.service_tier.as_deref(),
            batch: false,
        };
        let usage = Usage {
            input_tokens: self.input,
            output_tokens: self.output,
            cache_read_tokens: self.cache_read,
            cache_write_tokens: self.cache_write,
            cache_write_5m_tokens: self.cache_write_5m,
            cache_write_1h_tokens: self.cache_write_1h,
            reasoning_tokens: self.reasoning,
            audio_input_tokens: self.audio_input,
            audio_output_tokens: self.audio_output,
            image_input_tokens: self.image_input,
            image_output_tokens: self.image_output,
            requests: None,
        };
        let plan = pricer.plan(&route);
        let quote = match plan.price(self.at.unwrap_or_else(now), &usage) {
            Ok(quote) => quote,
            Err(why) => {
                let hint = match why {
                    Unpriced::UnknownModel => "; `tracewell prices list` shows the models that have one",
                    Unpriced::NoUsage => "; say what it used: --input, --output",
                    _ => "",
                };
                bail!("this call has no price: {why} ({}){hint}", why.meaning())
            }
        };
        let from = plan.provenance(&quote);
        let parts = Kind::ALL.into_iter().filter(|kind| quote.charge.part(*kind).units() != 0);
        let mut rows: Vec<(String, String)> =
            parts.map(|kind| (kind.name().to_owned(), quote.charge.part(kind).to_string())).collect();
        let mut add = |what: &str, value: String| rows.push((what.to_owned(), value));
        add("cost", quote.charge.total.to_string());
        add("currency", from.currency.clone());
        add("rule", from.rule.clone());
        add("source", from.source.name().to_owned());
        add("catalogue", from.catalogue.clone());
        add("catalogue_version", from.version.clone());
        add("tier", from.service_tier.clone().unwrap_or_else(|| "standard".to_owned()));
        add("batch", (from.batch == Some(true)).to_string());
        add("context_over", quote.charge.context_over.to_string());
        let named =
            if from.model == NamedBy::Response { "as the model that answered" } else { "as the model asked for" };
        add("model_reading", format!("{named}, {}", from.reading));
        add("count_reading", plan.reading(&quote, &usage).to_string());
        Ok(rows)
    }
}
