//! Functions and operators that PostgreSQL takes for something else than DataFusion does.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, ObjectName, Select, SelectItem, Subscript, TimezoneInfo, Value,
};

use super::patterns;
use crate::zone::{AT_TIME_ZONE, call, literal, value};

/// What a regular expression begins with whose points are of any letter, also of the end of a line.
const ANY_LETTER: &str = "(?s)";

const REGEXPS: [&str; 5] = ["regexp_count", "regexp_instr", "regexp_like", "regexp_match", "regexp_replace"];

/// Functions that go by another name here.
const RENAMED: [(&str, &str); 15] = [
    ("array_remove", "array_remove_all"),
    ("array_replace", "array_replace_all"),
    ("clock_timestamp", "now"),
    ("every", "bool_and"),
    ("gen_random_uuid", "uuid"),
    ("json_array_length", "json_length"),
    ("json_extract_path", "json_get_json"),
    ("json_extract_path_text", "json_as_text"),
    ("jsonb_array_length", "json_length"),
    ("jsonb_extract_path", "json_get_json"),
    ("jsonb_extract_path_text", "json_as_text"),
    ("sign", "signum"),
    ("statement_timestamp", "now"),
    ("transaction_timestamp", "now"),
    ("variance", "var_samp"),
];

/// The arguments of `make_interval`.
const PARTS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

/// Functions that make JSON of values.
const JSON: [&str; 12] = [
    "array_to_json",
    "json_agg",
    "json_build_array",
    "json_build_object",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_object_agg",
    "row_to_json",
    "to_json",
    "to_jsonb",
];

/// What is read as something with a long name, and shown under its own.
const SHOWN: [&str; 6] =
    ["json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg", "localtime", "localtimestamp"];

/// Gives columns the names of their functions, as PostgreSQL does, where no other one has it.
pub(super) fn show(select: &mut Select) {
    let names: Vec<Option<String>> = select.projection.iter().map(shown).collect();
    for (item, name) in select.projection.iter_mut().zip(&names) {
        let (SelectItem::UnnamedExpr(expression @ Expr::Function(_)), Some(name)) = (&*item, name) else { continue };
        let alike = names.iter().flatten().filter(|other| *other == name).count();
        if alike == 1 && SHOWN.contains(&name.as_str()) {
            *item = SelectItem::ExprWithAlias { expr: expression.clone(), alias: Ident::new(name.as_str()) };
        }
    }
}

/// The name that a column would be shown under.
fn shown(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Function(function)) => Some(function.name.to_string().to_ascii_lowercase()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) | SelectItem::ExprWithAlias { alias: name, .. } => {
            Some(name.value.to_ascii_lowercase())
        }
        _ => None,
    }
}

/// Says what PostgreSQL means by an expression. `time_zone` is the session's.
pub(super) fn rewrite(expression: &mut Expr, time_zone: &str) {
    match expression {
        // By its name, it is the function of ours.
        Expr::Extract { field, expr, .. } => {
            let part = text(field.to_string());
            *expression = Expr::Function(call("date_part", [part, expr.as_ref().clone()]));
        }
        Expr::BinaryOp {
            op:
                BinaryOperator::PGRegexMatch
                | BinaryOperator::PGRegexIMatch
                | BinaryOperator::PGRegexNotMatch
                | BinaryOperator::PGRegexNotIMatch,
            right,
            ..
        } => of_any_letter(right),
        // What the expression, or its first group, takes of a text.
        Expr::Substring { expr, substring_from: Some(pattern), substring_for: None, .. }
            if literal(pattern).is_some() =>
        {
            *expression = matched(expr.as_ref().clone(), pattern.as_ref().clone());
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            if JSON.contains(&name.as_str()) {
                keep_json(function);
            }
            match name.as_str() {
                // Of a list without items there is none.
                "array_length" if matches!(&function.args, FunctionArguments::List(list) if list.args.len() == 2) => {
                    let length = call("nullif", [Expr::Function(function.clone()), number("0")]);
                    *expression = cast(Expr::Function(length), DataType::BigInt(None));
                }
                "localtimestamp" if has_no_arguments(function) => *expression = local(time_zone),
                "localtime" if has_no_arguments(function) => *expression = time_of(local(time_zone)),
                "json_agg" | "jsonb_agg" => *expression = gathered(function, "to_json", "tracewell_json_items"),
                "json_object_agg" | "jsonb_object_agg" => {
                    *expression = gathered(function, "tracewell_json_pair", "tracewell_json_pairs");
                }
                "encode" => padded(function),
                "make_interval" => by_position(function),
                "timezone" => {
                    if let Some(time) = in_zone(function) {
                        *expression = time;
                    }
                }
                "to_date" | "to_timestamp" => patterns::rewrite(function),
                "mod" => {
                    if let Some(remainder) = remainder(function) {
                        *expression = remainder;
                    }
                }
                // By the other one, 1000 is a little less than 10 to the power of 3.
                "log" if matches!(&function.args, FunctionArguments::List(list) if list.args.len() == 1) => {
                    function.name = ObjectName::from(vec![Ident::new("log10")]);
                }
                name if REGEXPS.contains(&name) => regexp(function, name == "regexp_replace"),
                name => {
                    if let Some((_, ours)) = RENAMED.iter().find(|(known, _)| *known == name) {
                        function.name = ObjectName::from(vec![Ident::new(*ours)]);
                    }
                }
            }
        }
        _ => {}
    }
}

/// Tells that what is cast to JSON is JSON: to all else it is text.
fn keep_json(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    for argument in list.args.iter_mut().filter_map(value) {
        let mut inner = &*argument;
        while let Expr::Nested(within) = inner {
            inner = within;
        }
        if let Expr::Cast { data_type: DataType::JSON | DataType::JSONB, .. } = inner {
            *argument = Expr::Function(call("tracewell_json", [argument.clone()]));
        }
    }
}

/// `encode(x, 'base64')` with the signs at its end that are there for what is missing of three bytes.
fn padded(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    if let Some(format) = list.args.get_mut(1).and_then(value)
        && literal(format).is_some_and(|format| format.eq_ignore_ascii_case("base64"))
    {
        *format = text("base64pad".to_owned());
    }
}

/// `substring(text, 'pattern')` as `(regexp_match(text, 'pattern'))[1]`.
fn matched(text: Expr, mut pattern: Expr) -> Expr {
    of_any_letter(&mut pattern);
    let parts = Expr::Function(call("regexp_match", [text, pattern]));
    let first = Subscript::Index { index: number("1") };
    let access_chain = vec![AccessExpr::Subscript(first)];
    Expr::CompoundFieldAccess { root: Box::new(Expr::Nested(Box::new(parts))), access_chain }
}

/// `json_agg(x …)` as `whole(array_agg(each(x) …))`, with all that may stand there.
fn gathered(function: &Function, each: &str, whole: &str) -> Expr {
    let mut list = function.clone();
    list.name = ObjectName::from(vec![Ident::new("array_agg")]);
    if let FunctionArguments::List(arguments) = &mut list.args {
        let mut one = call(each, []);
        if let FunctionArguments::List(of_one) = &mut one.args {
            of_one.args = std::mem::take(&mut arguments.args);
        }
        arguments.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(one)))];
    }
    Expr::Function(call(whole, [Expr::Function(list)]))
}

/// `timezone('zone', time)` as `time AT TIME ZONE 'zone'`.
fn in_zone(function: &mut Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &mut function.args else { return None };
    let [zone, time] = list.args.as_mut_slice() else { return None };
    let (zone, time) = (value(zone)?, value(time)?);
    literal(zone)?;
    Some(Expr::Function(call(AT_TIME_ZONE, [time.clone(), zone.clone()])))
}

/// `mod(a, b)` as `(a) % (b)`.
fn remainder(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(left)), FunctionArg::Unnamed(FunctionArgExpr::Expr(right))] =
        list.args.as_slice()
    else {
        return None;
    };
    let [left, right] = [left, right].map(|side| Box::new(Expr::Nested(Box::new(side.clone()))));
    Some(Expr::BinaryOp { left, op: BinaryOperator::Modulo, right })
}

fn text(text: String) -> Expr {
    Expr::Value(Value::SingleQuotedString(text).into())
}

fn has_no_arguments(function: &Function) -> bool {
    match &function.args {
        FunctionArguments::None => true,
        FunctionArguments::List(list) => list.args.is_empty(),
        FunctionArguments::Subquery(_) => false,
    }
}

/// What the clocks of the zone show.
fn local(time_zone: &str) -> Expr {
    Expr::Function(call(AT_TIME_ZONE, [Expr::Function(call("now", [])), text(time_zone.to_owned())]))
}

fn time_of(time: Expr) -> Expr {
    cast(time, DataType::Time(None, TimezoneInfo::None))
}

fn cast(value: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(value), data_type, array: false, format: None }
}

pub(super) fn number(number: &str) -> Expr {
    Expr::Value(Value::Number(number.into(), false).into())
}

fn regexp(function: &mut Function, replaces: bool) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    if let Some(pattern) = list.args.get_mut(1).and_then(value) {
        of_any_letter(pattern);
    }
    if let Some(Expr::Value(by)) = list.args.get_mut(2).filter(|_| replaces).and_then(value)
        && let Value::SingleQuotedString(by) | Value::EscapedStringLiteral(by) = &mut by.value
    {
        *by = replacement(by);
    }
}

/// What matches are replaced by, as the library writes it: PostgreSQL's groups have a backslash, and `\&` is all.
fn replacement(by: &str) -> String {
    let (mut read, mut letters) = (String::new(), by.chars().peekable());
    while let Some(letter) = letters.next() {
        let escaped = letters.next_if(|next| letter == '\\' && matches!(next, '1'..='9' | '&' | '\\'));
        match (letter, escaped) {
            ('$', _) => read.push_str("$$"),
            (_, Some('&')) => read.push_str("${0}"),
            (_, Some(digit @ '1'..='9')) => read.extend(['$', '{', digit, '}']),
            _ => {
                read.push(letter);
                // To the library this would be a group too; a group without a name is nothing.
                if letter == '\\' && letters.peek().is_some_and(char::is_ascii_digit) {
                    read.push_str("${}");
                }
            }
        }
    }
    read
}

fn of_any_letter(pattern: &mut Expr) {
    let Expr::Value(known) = pattern else { return };
    match &mut known.value {
        Value::SingleQuotedString(regexp) | Value::EscapedStringLiteral(regexp) if !regexp.starts_with(ANY_LETTER) => {
            regexp.insert_str(0, ANY_LETTER);
        }
        Value::Placeholder(_) => {
            let (left, right) = (Box::new(text(ANY_LETTER.to_owned())), Box::new(pattern.clone()));
            *pattern = Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right };
        }
        _ => {}
    }
}

/// `make_interval(days => 3)` as `make_interval(0, 0, 0, 3)`.
fn by_position(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    let mut parts: Vec<Option<Expr>> = vec![None; PARTS.len()];
    for (position, argument) in list.args.iter().enumerate() {
        let (name, given) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(given)) => (None, given),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(given), .. }
            | FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(given), .. } => {
                (Some(name), given)
            }
            _ => return,
        };
        let position = match name {
            Some(name) => PARTS.iter().position(|part| part.eq_ignore_ascii_case(&name.value)),
            None => Some(position),
        };
        match position.and_then(|position| parts.get_mut(position)) {
            Some(part) if part.is_none() => *part = Some(given.clone()),
            // What is not known, or given twice, is told of by the planner.
            _ => return,
        }
    }
    let last = parts.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let given = parts.into_iter().take(last).map(|part| part.unwrap_or_else(|| number("0")));
    list.args = given.map(|part| FunctionArg::Unnamed(FunctionArgExpr::Expr(part))).collect();
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten;

    #[test]
    fn expressions_mean_what_postgresql_means_by_them() {
        for (sql, expected) in [
            ("SELECT EXTRACT(SECOND FROM a)", "SELECT date_part('SECOND', a)"),
            ("SELECT localtimestamp", "SELECT tracewell_at_time_zone(now(), 'Europe/Berlin') AS localtimestamp"),
            ("SELECT 1 < localtime", "SELECT 1 < CAST(tracewell_at_time_zone(now(), 'Europe/Berlin') AS TIME)"),
            (
                "SELECT array_remove(a, 1), array_replace(a, 1, 2)",
                "SELECT array_remove_all(a, 1), array_replace_all(a, 1, 2)",
            ),
            ("SELECT every(a), mod(a, b + 1)", "SELECT bool_and(a), (a) % (b + 1)"),
            (
                "SELECT json_agg(a ORDER BY b) FILTER (WHERE c)",
                "SELECT tracewell_json_items(array_agg(to_json(a) ORDER BY b) FILTER (WHERE c)) AS json_agg",
            ),
            (
                "SELECT jsonb_object_agg(a, b), jsonb_agg(a), b AS jsonb_agg",
                "SELECT tracewell_json_pairs(array_agg(tracewell_json_pair(a, b))) AS jsonb_object_agg, \
                 tracewell_json_items(array_agg(to_json(a))), b AS jsonb_agg",
            ),
            (
                "SELECT to_json(a::JSONB), to_json(a::TEXT)",
                "SELECT to_json(tracewell_json(a::JSONB)), to_json(a::TEXT)",
            ),
            ("SELECT array_length(a, 1)", "SELECT CAST(nullif(array_length(a, 1), 0) AS BIGINT)"),
            ("SELECT log(a), log(2, a)", "SELECT log10(a), log(2, a)"),
            (
                "SELECT timezone('Asia/Tokyo', a), timezone(b, a)",
                "SELECT tracewell_at_time_zone(a, 'Asia/Tokyo'), timezone(b, a)",
            ),
            ("SELECT encode(a, 'base64'), encode(a, 'hex')", "SELECT encode(a, 'base64pad'), encode(a, 'hex')"),
            ("SELECT localtimestamp(0)", "SELECT localtimestamp(0) AS localtimestamp"),
            ("SELECT make_interval(days => 3)", "SELECT make_interval(0, 0, 0, 3)"),
            ("SELECT make_interval(1, secs => b)", "SELECT make_interval(1, 0, 0, 0, 0, 0, b)"),
            ("SELECT a ~ 'x.y', a !~* $1", "SELECT a ~ '(?s)x.y', a !~* '(?s)' || $1"),
            ("SELECT substring(a from 'b(.)')", "SELECT (regexp_match(a, '(?s)b(.)'))[1]"),
            ("SELECT regexp_like(a, '.', 'i')", "SELECT regexp_like(a, '(?s).', 'i')"),
            (
                "SELECT regexp_replace(a, '(b)', '$1\\10\\&\\x\\\\')",
                "SELECT regexp_replace(a, '(?s)(b)', '$$1${1}0${0}\\x\\')",
            ),
            ("SELECT regexp_replace(a, 'b', '\\0\\\\1')", "SELECT regexp_replace(a, '(?s)b', '\\${}0\\${}1')"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for same in [
            "SELECT a ~ b",
            "SELECT SUBSTRING(a FROM 2)",
            "SELECT make_interval(ages => 3)",
            "SELECT replace(a, '$', 'x')",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
