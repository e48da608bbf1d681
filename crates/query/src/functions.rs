//! The SQL functions beyond DataFusion's own. Those that only the views need have names that start with `tracewell_`.

mod age;
mod answers;
mod as_text;
mod bounded;
mod buckets;
mod calls;
mod date_part;
mod even;
mod format;
mod json;
mod min_by;
mod model_cost;
mod ordered;
mod percentile;
mod place;
mod price;
mod scalars;
mod spans;
mod texts;
mod to_char;
mod words;
mod zones;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;

use crate::prices::Prices;

pub(crate) use json::{ITEMS, JOINED, SAME};
pub(crate) use place::PLACE;
pub(crate) use price::NAMES as PRICING;
pub(crate) use texts::CUT;

/// Makes the functions known to `context`.
pub(crate) fn register(context: &SessionContext) -> Result<()> {
    json::register(context)?;
    zones::register(context);
    to_char::register(context);
    date_part::register(context);
    spans::register(context)?;
    as_text::register(context)?;
    context.register_udwf(calls::function());
    context.register_udaf(percentile::function(context.udaf("approx_percentile_cont")?));
    ordered::functions().into_iter().chain(min_by::functions()).for_each(|function| context.register_udaf(function));
    for function in [age::function(), buckets::function(), format::function(), place::function()] {
        context.register_udf(function);
    }
    scalars::functions()
        .into_iter()
        .chain(texts::functions())
        .chain(answers::functions())
        .chain(words::functions())
        .for_each(|function| context.register_udf(function));
    // Of those that there are by now.
    bounded::register(context);
    Ok(())
}

/// Makes the functions that price calls known to `context`, and `model_cost`, which people call.
pub(crate) fn register_prices(context: &SessionContext, prices: &Arc<Prices>) {
    price::functions(prices).into_iter().for_each(|function| context.register_udf(function));
    context.register_udf(model_cost::function(prices));
}
