//! Places in lists: `a[-1]` and `a[0]` are NULL to PostgreSQL, and `a[0:2]` begins with the first item. To DataFusion
//! places below the first one count from the last, and a part has both ends.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Subscript, Value};

use super::calls::number;
use crate::functions::PLACE;
use crate::zone::call;

/// Counts the places that an expression asks for from the first item.
pub(super) fn rewrite(expression: &mut Expr) {
    if let Expr::CompoundFieldAccess { access_chain, .. } = expression {
        access_chain.iter_mut().for_each(counted);
    }
}

fn counted(access: &mut AccessExpr) {
    let is_place = |place: &Expr| match place {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number != "0",
            _ => true,
        },
        _ => false,
    };
    let AccessExpr::Subscript(subscript) = access else { return };
    match subscript {
        Subscript::Index { index } if !is_place(index) => {
            *index = Expr::Function(call(PLACE, [index.clone()]));
        }
        Subscript::Slice { lower_bound, upper_bound, stride: None } => {
            for (bound, least, missing) in [(lower_bound, "1", "1"), (upper_bound, "0", "2147483647")] {
                *bound = Some(match bound.take() {
                    None => number(missing),
                    Some(place) if is_place(&place) => place,
                    Some(place) => Expr::Function(call("greatest", [place, number(least)])),
                });
            }
        }
        Subscript::Index { .. } | Subscript::Slice { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten;

    #[test]
    fn places_are_counted_from_the_first_item() {
        for (sql, expected) in [
            (
                "SELECT a[2], a[-1], a['b'], a[$1], a[b - 1]",
                "SELECT a[2], a[tracewell_place(-1)], a['b'], a[$1], a[tracewell_place(b - 1)]",
            ),
            ("SELECT a[2:], a[:b], a[0:3]", "SELECT a[2:2147483647], a[1:greatest(b, 0)], a[greatest(0, 1):3]"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
    }
}
