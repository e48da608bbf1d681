//! The SQL functions beyond DataFusion's own. Those that only the views need have names that start with `tracewell_`.

mod bounded;
mod calls;
mod scalars;
mod texts;

use datafusion::prelude::SessionContext;

/// Makes the functions known to `context`.
pub(crate) fn register(context: &SessionContext) {
    bounded::register(context);
    context.register_udwf(calls::function());
    scalars::functions().into_iter().chain(texts::functions()).for_each(|function| context.register_udf(function));
}
