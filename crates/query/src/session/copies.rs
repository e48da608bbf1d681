//! What rewrites copy: `x LIKE ANY (ARRAY['a', 'b'])` is read as `x LIKE 'a' OR x LIKE 'b'`, so that thirty of them,
//! one within the other, would be a thousand million expressions.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, visit_expressions};

/// Expressions that may be copied in a statement: as many as it may have words.
pub(super) const MOST: usize = 100_000;

/// How many of them are left.
pub(super) struct Copies(usize);

impl Default for Copies {
    fn default() -> Self {
        Self(MOST)
    }
}

impl Copies {
    /// Breaks where so many are not left.
    pub(super) fn take(&mut self, expressions: usize) -> ControlFlow<()> {
        let Some(left) = self.0.checked_sub(expressions) else { return ControlFlow::Break(()) };
        self.0 = left;
        ControlFlow::Continue(())
    }

    /// Takes one expression with all that is within it, so many times.
    pub(super) fn take_of(&mut self, expression: &Expr, times: usize) -> ControlFlow<()> {
        let mut size = 0_usize;
        let _ = visit_expressions(expression, |_: &Expr| {
            size += 1;
            ControlFlow::<()>::Continue(())
        });
        self.take(size.saturating_mul(times))
    }
}
