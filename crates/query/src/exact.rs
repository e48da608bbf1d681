//! Exact numbers: a literal with a point is a decimal and keeps its digits, and what does not fit its type is an error.
//!
//! DataFusion by itself reads `0.1` as binary, cuts the digits of decimals where a product or a quotient has more than
//! 38, and lets integers wrap around. Here the rules are those of PostgreSQL and of the standard: a number with an
//! exponent is approximate (`1e6`), any other is exact, and beside a binary number a decimal becomes binary.

mod checked;
mod literals;
mod numeric;
mod planner;
mod sum;
mod unions;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;

pub(crate) use literals::{rewrite, takes_numeric};
pub(crate) use unions::unions;

/// Makes the arithmetic of `context` exact.
pub(crate) fn register(context: &SessionContext) -> Result<()> {
    let state = context.state_ref();
    let mut state = state.write();
    state.register_function_rewrite(Arc::new(checked::Exact))?;
    state.register_expr_planner(Arc::new(planner::Decimals))?;
    state.register_udf(Arc::new(numeric::function()))?;
    if let Ok(sum) = state.udaf("sum") {
        state.register_udaf(Arc::new(sum::checked(sum)))?;
    }
    Ok(())
}
