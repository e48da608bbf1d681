//! Forms of SQL that PostgreSQL knows and DataFusion does not, in terms of those it knows.
//!
//! No translation changes what a query means: what cannot be said otherwise is left for the planner to refuse.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Query, SelectItem, SetExpr, Value, VisitMut, VisitorMut,
};
use datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, CurrentUserVariableToSessionUserFunctionCall, FixArrayLiteral,
    FixVersionColumnName, PrependUnqualifiedPgTableName, RewritePgCatalogOperator, SqlStatementRewriteRule,
    StripCallableQualifier, StripCollate,
};

/// Translates a statement.
pub(super) fn rewrite(statement: &mut Statement) {
    match statement {
        Statement::Explain(explain) => rewrite(explain.statement.as_mut()),
        Statement::Statement(statement) => {
            apply(statement, &[&PrependUnqualifiedPgTableName]);
            let _ = statement.visit(&mut Ours);
            apply(
                statement,
                &[
                    &StripCallableQualifier,
                    &FixArrayLiteral,
                    &CurrentUserVariableToSessionUserFunctionCall,
                    &StripCollate,
                    &RewritePgCatalogOperator,
                    &AliasDuplicatedProjectionRewrite,
                    &FixVersionColumnName,
                ],
            );
        }
        _ => {}
    }
}

/// Applies rules, which take a statement and give it back.
fn apply(statement: &mut ast::Statement, rules: &[&dyn SqlStatementRewriteRule]) {
    for rule in rules {
        let nothing = ast::Statement::Commit { chain: false, end: false, modifier: None };
        *statement = rule.rewrite(std::mem::replace(statement, nothing));
    }
}

struct Ours;

impl VisitorMut for Ours {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        match expression {
            Expr::Cast { expr, data_type, .. } => {
                if let Some(looked_up) = reg_cast(expr, data_type) {
                    *expression = looked_up;
                }
            }
            Expr::Subquery(query) => at_most_one_row(query),
            Expr::Function(function) if is_array_of_catalog(function) => *expression = no_items(),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// `'spans'::regclass` as a function that looks the name up, and `oid::regclass::text` as one that looks the number up.
fn reg_cast(operand: &Expr, data_type: &DataType) -> Option<Expr> {
    let is_text = matches!(data_type, DataType::Text | DataType::Varchar(_))
        || data_type.to_string().to_ascii_lowercase() == "pg_catalog.text";
    if let Expr::Cast { expr: inner, data_type: through, .. } = operand
        && is_text
        && reg_type(through) == Some("regclass")
    {
        return Some(call("tracewell_regclass_name", inner.as_ref().clone()));
    }
    let function = match reg_type(data_type)? {
        "regclass" => "to_regclass",
        "regnamespace" => "to_regnamespace",
        "regtype" => "to_regtype",
        _ => "to_regproc",
    };
    let Expr::Value(value) = operand else { return None };
    matches!(value.value, Value::SingleQuotedString(_) | Value::Placeholder(_)).then(|| call(function, operand.clone()))
}

/// `array(SELECT …)` of options of tables and of roles of policies, as psql asks: there are none of either here.
fn is_array_of_catalog(function: &Function) -> bool {
    let FunctionArguments::Subquery(query) = &function.args else { return false };
    let query = query.to_string();
    function.name.to_string().eq_ignore_ascii_case("array")
        && query.contains("pg_catalog.")
        && (query.contains("reloptions") || query.contains("polroles"))
}

/// `ARRAY[]::TEXT[]`
fn no_items() -> Expr {
    Expr::Cast {
        kind: ast::CastKind::DoubleColon,
        expr: Box::new(Expr::Array(ast::Array { elem: Vec::new(), named: true })),
        data_type: DataType::Array(ast::ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None)),
        array: false,
        format: None,
    }
}

fn reg_type(data_type: &DataType) -> Option<&'static str> {
    let name = data_type.to_string().to_ascii_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    ["regclass", "regnamespace", "regtype", "regproc"].into_iter().find(|known| *known == name)
}

fn call(name: &str, argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// A subquery over the catalogue that stands for a value, as an aggregate: DataFusion plans a correlated one only so.
/// Of the one row that PostgreSQL allows, the aggregate is the value.
fn at_most_one_row(query: &mut Query) {
    let of_catalog = query.to_string().contains("pg_catalog.");
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let plain = matches!(&select.group_by, ast::GroupByExpr::Expressions(by, _) if by.is_empty())
        && select.having.is_none()
        && select.distinct.is_none()
        && !select.from.is_empty();
    if !of_catalog || !plain {
        return;
    }
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return;
    };
    if has_aggregate(value) {
        return;
    }
    let taken = std::mem::replace(value, Expr::Value(Value::Null.into()));
    *value = call("max", taken);
    query.order_by = None;
    query.limit_clause = None;
}

fn has_aggregate(expression: &Expr) -> bool {
    const AGGREGATES: [&str; 9] =
        ["count", "max", "min", "sum", "avg", "string_agg", "array_agg", "bool_and", "bool_or"];
    let mut found = false;
    let _ = ast::visit_expressions(expression, |inner: &Expr| {
        if let Expr::Function(function) = inner {
            let name = function.name.to_string().to_ascii_lowercase();
            found |= AGGREGATES.contains(&name.as_str());
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    fn rewritten(sql: &str) -> String {
        let mut statements = DFParser::parse_sql_with_dialect(sql, &ast_dialect()).expect("it is SQL");
        let mut statement = statements.pop_front().expect("it is a statement");
        rewrite(&mut statement);
        statement.to_string()
    }

    fn ast_dialect() -> datafusion::sql::sqlparser::dialect::PostgreSqlDialect {
        datafusion::sql::sqlparser::dialect::PostgreSqlDialect {}
    }

    #[test]
    fn names_are_looked_up_where_they_are_cast_to_numbers() {
        assert_eq!(rewritten("SELECT 'public.spans'::regclass"), "SELECT to_regclass('public.spans')");
        assert_eq!(rewritten("SELECT $1::pg_catalog.regclass::oid"), "SELECT to_regclass($1)::oid");
        assert_eq!(rewritten("SELECT oid::regclass::text FROM t"), "SELECT tracewell_regclass_name(oid) FROM t");
        assert_eq!(rewritten("SELECT '1'::int4"), "SELECT '1'::INT4");
    }

    #[test]
    fn a_value_from_the_catalogue_is_an_aggregate_and_one_from_elsewhere_stays() {
        let of_catalog = "SELECT (SELECT d.x FROM pg_catalog.pg_attrdef AS d WHERE d.adnum = a.n) FROM a";
        let expected = "SELECT (SELECT max(d.x) FROM pg_catalog.pg_attrdef AS d WHERE d.adnum = a.n) FROM a";
        assert_eq!(rewritten(of_catalog), expected);
        let ours = "SELECT (SELECT name FROM spans LIMIT 1)";
        assert_eq!(rewritten(ours), ours);
    }
}
