//! The SQL functions that the views need beyond DataFusion's own. Their names start with `tracewell_`.

mod bounded;
mod calls;
mod scalars;

use datafusion::prelude::SessionContext;

/// Makes the functions known to `context`.
pub(crate) fn register(context: &SessionContext) {
    bounded::register(context);
    context.register_udwf(calls::function());
    scalars::functions().into_iter().for_each(|function| context.register_udf(function));
}
