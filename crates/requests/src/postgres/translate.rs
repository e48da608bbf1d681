//! Forms of SQL that PostgreSQL knows and DataFusion does not, in terms of those it knows.
//!
//! No translation changes what a query means: what cannot be said otherwise is left for the planner to refuse.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    self, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Query, SelectItem, SetExpr, Statement, Value, VisitMut, VisitorMut,
};

use super::absent;

/// Translates a statement whose names of the catalogue have their schema.
pub fn translate(statement: &mut Statement) {
    absent::answer(statement);
    let _ = statement.visit(&mut Ours);
}

struct Ours;

impl VisitorMut for Ours {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        name_apart(query.body.as_mut());
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        // `'now'::regproc::oid`: the number, where the name by itself would do elsewhere.
        if let Expr::Cast { expr, data_type, .. } = expression
            && let Expr::Cast { expr: name, data_type: through, .. } = expr.as_ref()
            && matches!(name.as_ref(), Expr::Value(_))
            && reg_type(through) == Some("regproc")
            && ["oid", "pg_catalog.oid"].contains(&data_type.to_string().to_ascii_lowercase().as_str())
        {
            *expression = call("to_regproc", name.as_ref().clone());
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        match expression {
            Expr::Cast { expr, data_type, .. } => {
                if let Some(looked_up) = reg_cast(expr, data_type) {
                    *expression = looked_up;
                }
            }
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                if let Some(Value::SingleQuotedString(escape)) = escape_char.as_ref().map(|escape| &escape.value)
                    && escape != "\\"
                {
                    let arguments =
                        vec![pattern.as_ref().clone(), Expr::Value(Value::SingleQuotedString(escape.clone()).into())];
                    **pattern = call_of("tracewell_like_pattern", arguments);
                    *escape_char = None;
                }
            }
            // Grafana takes the path apart, with an index into a list by a row of another table.
            Expr::InSubquery { expr, subquery, negated } if subquery.to_string().contains("'search_path'") => {
                let list = vec![Expr::Value(Value::SingleQuotedString("public".into()).into())];
                *expression = Expr::InList { expr: expr.clone(), list, negated: *negated };
            }
            Expr::Subquery(query) if is_always_null(query) => *expression = Expr::Value(Value::Null.into()),
            Expr::Subquery(query) => at_most_one_row(query),
            Expr::Function(function) if is_array_of_nothing(function) => *expression = no_items(),
            Expr::Function(function) if is_privileges(function) => *expression = Expr::Value(Value::Null.into()),
            Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("generate_subscripts") => {
                if let Some(subscripts) = subscripts(function) {
                    *expression = subscripts;
                }
            }
            // The columns of keys, of which there are none: `(information_schema._pg_expandarray(i.indkey)).n`.
            Expr::Function(function) if function.name.to_string().ends_with("_pg_expandarray") => {
                *expression = no_number();
            }
            Expr::CompoundFieldAccess { root, access_chain } if is_of_key(root, access_chain) => {
                *expression = no_number();
            }
            // Clients count by them, and counting takes 64 bits here.
            Expr::Function(function) if is_bound_of_array(function) => {
                *expression = cast(expression.clone(), DataType::BigInt(None));
            }
            Expr::Function(function) => {
                if let Some(array) = array_of_catalog(function) {
                    *expression = array;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// `'spans'::regclass` as a function that looks the name up, and `oid::regclass::text` as one that looks the number up.
fn reg_cast(operand: &Expr, data_type: &DataType) -> Option<Expr> {
    let is_text = matches!(data_type, DataType::Text | DataType::Varchar(_))
        || data_type.to_string().eq_ignore_ascii_case("pg_catalog.text");
    if let Expr::Cast { expr: inner, data_type: through, .. } = operand
        && is_text
        && reg_type(through) == Some("regclass")
    {
        return Some(call("tracewell_regclass_name", inner.as_ref().clone()));
    }
    if let Expr::Value(value) = operand
        && let Value::SingleQuotedString(name) = &value.value
        && reg_type(data_type) == Some("regproc")
    {
        // The columns of `pg_type` that name functions are text here.
        let name = name.trim_start_matches("pg_catalog.").to_owned();
        return Some(Expr::Value(Value::SingleQuotedString(name).into()));
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

/// Gives columns of the same name different ones, as DataFusion needs, and shows the numbers of tables as names.
fn name_apart(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            let mut seen = HashSet::new();
            for (position, item) in select.projection.iter_mut().enumerate() {
                let SelectItem::UnnamedExpr(value) = item else { continue };
                let name = value.to_string().to_ascii_lowercase();
                if let Expr::Cast { expr, data_type, .. } = value
                    && reg_type(data_type) == Some("regclass")
                {
                    *value = call("tracewell_regclass_name", expr.as_ref().clone());
                }
                if !seen.insert(name) {
                    let alias = Ident::with_quote('"', format!("column{}", position + 1));
                    let expr = value.clone();
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            name_apart(left);
            name_apart(right);
        }
        _ => {}
    }
}

/// Defaults, sequences and collations of columns, and columns of publications: ours have none.
fn is_always_null(query: &Query) -> bool {
    const OF: [&str; 4] =
        ["pg_catalog.pg_attrdef", "pg_catalog.pg_collation", "pg_catalog.pg_publication_rel", "pg_catalog.pg_sequence"];
    let text = query.to_string();
    OF.iter().any(|table| text.contains(table)) || (text.contains("prattrs") && text.contains("pg_catalog."))
}

/// `array(SELECT …)` of options of tables and of roles of policies, as psql asks: there are none of either here.
fn is_array_of_nothing(function: &Function) -> bool {
    let FunctionArguments::Subquery(query) = &function.args else { return false };
    let query = query.to_string();
    function.name.to_string().eq_ignore_ascii_case("array")
        && query.contains("pg_catalog.")
        && (query.contains("reloptions") || query.contains("polroles"))
}

/// `array_to_string(t.typacl, …)`: there are no privileges.
fn is_privileges(function: &Function) -> bool {
    let FunctionArguments::List(arguments) = &function.args else { return false };
    let of_privileges = |argument: &FunctionArg| {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(column)) = argument else { return false };
        let name = match column {
            Expr::CompoundIdentifier(path) => path.last(),
            Expr::Identifier(name) => Some(name),
            _ => None,
        };
        name.is_some_and(|name| name.value.ends_with("acl"))
    };
    function.name.to_string().ends_with("array_to_string") && arguments.args.first().is_some_and(of_privileges)
}

/// `array(SELECT …)` over the catalogue as an aggregate.
fn array_of_catalog(function: &Function) -> Option<Expr> {
    let FunctionArguments::Subquery(query) = &function.args else { return None };
    if !function.name.to_string().eq_ignore_ascii_case("array") || !query.to_string().contains("pg_catalog.") {
        return None;
    }
    let mut query = query.clone();
    query.order_by = None;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return None;
    };
    let taken = std::mem::replace(value, Expr::Value(Value::Null.into()));
    *value = call("array_agg", taken);
    Some(Expr::Subquery(query))
}

/// `(…).n` or `(…).x`
fn is_of_key(root: &Expr, path: &[ast::AccessExpr]) -> bool {
    let [ast::AccessExpr::Dot(Expr::Identifier(member))] = path else { return false };
    matches!(root, Expr::Nested(_)) && ["n", "x"].contains(&member.value.as_str())
}

fn no_number() -> Expr {
    cast(Expr::Value(Value::Null.into()), DataType::BigInt(None))
}

fn is_bound_of_array(function: &Function) -> bool {
    let name = function.name.to_string().to_ascii_lowercase();
    ["array_upper", "array_lower"].contains(&name.trim_start_matches("pg_catalog."))
}

/// `generate_subscripts(list, 1)` as `unnest(range(1, array_length(list) + 1))`.
fn subscripts(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(arguments) = &function.args else { return None };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(list))) = arguments.args.first() else { return None };
    let number = |number: &str| Expr::Value(Value::Number(number.to_owned(), false).into());
    let end = Expr::BinaryOp {
        left: Box::new(cast(call("array_length", list.clone()), DataType::BigInt(None))),
        op: ast::BinaryOperator::Plus,
        right: Box::new(number("1")),
    };
    Some(call("unnest", call_of("range", vec![number("1"), end])))
}

/// `ARRAY[]::TEXT[]`
fn no_items() -> Expr {
    let list = DataType::Array(ast::ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None));
    cast(Expr::Array(ast::Array { elem: Vec::new(), named: true }), list)
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: ast::CastKind::DoubleColon, expr: Box::new(expr), data_type, array: false, format: None }
}

fn reg_type(data_type: &DataType) -> Option<&'static str> {
    let name = data_type.to_string().to_ascii_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    ["regclass", "regnamespace", "regtype", "regproc"].into_iter().find(|known| *known == name)
}

fn call(name: &str, argument: Expr) -> Expr {
    call_of(name, vec![argument])
}

fn call_of(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect(),
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
