//! The table of prices that were in force. It is no Delta table: queries read it from the price books beside the tables.

use super::ColumnType::{Bool, Int64, Text, Timestamp};
use super::{Table, column};

/// One row per rate of each version of the prices that was in force.
pub const PRICES: Table = Table {
    name: "prices",
    doc: "One row per rate of a rule, for each version of the prices that was in force. A price of one's own goes before an imported one, and that before the built-in one. It is no Delta table: its rows are in the Parquet files of `price-books`.",
    sort: &["since"],
    columns: &[
        column("since", Timestamp, "When these prices came into force.").required(),
        column("prices_version", Text, "Their version: `prices_version` of `span_costs`.").required(),
        column("catalogue", Text, "What the catalogue is: a file, or a data set with its release."),
        column("version", Text, "Version of the catalogue: a hash of its content."),
        column("source", Text, "operator, litellm, catalogue."),
        column("ordinal", Int64, "Place of the row in the catalogue."),
        column("provider", Text, "Id of the provider in the catalogue, or a pattern for `provider`."),
        column("provider_match", Text, "JSON of the condition on other names of the provider."),
        column("provider_model_match", Text, "JSON of the condition on models that tell the provider."),
        column("provider_fallbacks", Text, "JSON list of the providers whose models it serves at their prices."),
        column("rule", Text, "The rule; NULL for a provider without models."),
        column("model", Text, "What the catalogue calls the model."),
        column("model_match", Text, "JSON of the condition on the model's name."),
        column("tenant", Text, "Only for this tenant."),
        column("environment", Text, "Only for this environment."),
        column("service_tier", Text, "The service tier; NULL is the standard one."),
        column("batch", Bool, "Whether it is for batches; NULL is for either."),
        column("condition", Text, "A condition that calls do not tell about; such a rule never prices a call."),
        column("valid_from", Int64, "In force from here, in nanoseconds since 1970; NULL is always before."),
        column("valid_to", Int64, "In force up to and without this, in nanoseconds since 1970; NULL is for good."),
        column("hours", Text, "Only in these windows of the UTC day; NULL is all day."),
        column("currency", Text, "ISO 4217 code of the currency."),
        column("context_over", Int64, "For calls with more input tokens than this."),
        column("unit", Text, "What the price is for; NULL where the model has no price."),
        column("price", Text, "The price, an exact decimal."),
        column("per", Int64, "For how many of the unit."),
    ],
};
