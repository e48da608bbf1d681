//! Products and quotients of decimals with room for their digits.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Digits of the narrow decimals.
const NARROW: u8 = 38;
/// Digits of the wide ones.
const WIDE: u8 = 76;
/// A quotient has four digits more behind the point than what is divided.
const MORE: u8 = 4;
/// A quotient has so many digits behind the point at least, as in PostgreSQL.
const QUOTIENT: u8 = 16;

#[derive(Debug)]
pub(super) struct Decimals;

impl ExprPlanner for Decimals {
    fn plan_binary_op(&self, mut raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if !matches!(raw.op, BinaryOperator::Multiply | BinaryOperator::Divide) {
            return Ok(PlannerResult::Original(raw));
        }
        let types = (raw.left.get_type(schema), raw.right.get_type(schema));
        if let (Ok(left), Ok(right)) = types
            && (left.is_decimal() || right.is_decimal())
            && let (Some(left), Some(right)) = (digits(&left), digits(&right))
        {
            match raw.op {
                BinaryOperator::Multiply if left.0 + right.0 + 1 > NARROW => {
                    raw.left = widened(raw.left, left.0, left.1);
                    raw.right = widened(raw.right, right.0, right.1);
                }
                BinaryOperator::Divide => {
                    let scale = left.1.max(QUOTIENT - MORE);
                    let precision = left.0 + (scale - left.1);
                    if precision + MORE + right.1 > NARROW {
                        raw.left = widened(raw.left, precision.min(WIDE), scale);
                        raw.right = widened(raw.right, right.0, right.1);
                    } else {
                        raw.left = cast(raw.left, DataType::Decimal128(precision, scale.cast_signed()));
                    }
                }
                _ => {}
            }
        }
        Ok(PlannerResult::Original(raw))
    }
}

fn widened(expression: Expr, precision: u8, scale: u8) -> Expr {
    cast(expression, DataType::Decimal256(precision, scale.cast_signed()))
}

/// How many digits an exact number has, and how many of them behind the point.
fn digits(data_type: &DataType) -> Option<(u8, u8)> {
    match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => Some((*precision, u8::try_from(*scale).ok()?)),
        DataType::Int8 | DataType::UInt8 => Some((3, 0)),
        DataType::Int16 | DataType::UInt16 => Some((5, 0)),
        DataType::Int32 | DataType::UInt32 => Some((10, 0)),
        DataType::Int64 | DataType::UInt64 => Some((20, 0)),
        _ => None,
    }
}
