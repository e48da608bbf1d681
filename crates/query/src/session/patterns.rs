//! `to_date(text, 'DD.MM.YYYY')` and `to_timestamp(text, 'YYYY-MM-DD HH24:MI')`: to DataFusion patterns are those of
//! `strftime`.

use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArguments, Value};

use crate::zone::value;

/// The longer ones first.
const PARTS: [(&str, &str); 18] = [
    ("MONTH", "%B"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("YYYY", "%Y"),
    ("DAY", "%A"),
    ("DDD", "%j"),
    ("MON", "%b"),
    ("AM", "%p"),
    ("DD", "%d"),
    ("DY", "%a"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("MM", "%m"),
    ("MS", "%3f"),
    ("PM", "%p"),
    ("SS", "%S"),
    ("US", "%6f"),
    ("YY", "%y"),
];

/// Writes the pattern of a function as `strftime` has it.
pub(super) fn rewrite(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    let [_, pattern] = list.args.as_mut_slice() else { return };
    if let Some(Expr::Value(pattern)) = value(pattern)
        && let Value::SingleQuotedString(pattern) = &mut pattern.value
        && let Some(read) = strftime(pattern)
    {
        *pattern = read;
    }
}

/// `None` for one that is of `strftime` already, and for one that has no such form.
fn strftime(pattern: &str) -> Option<String> {
    let (mut written, mut rest) = (String::new(), pattern);
    while let Some(letter) = rest.chars().next() {
        let starts = |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        if let Some((part, ours)) = PARTS.iter().find(|(part, _)| starts(part)) {
            written.push_str(ours);
            rest = &rest[part.len()..];
        } else if starts("FM") {
            rest = &rest[2..];
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (text, behind) = quoted.split_once('"')?;
            written.push_str(&text.replace('%', "%%"));
            rest = behind;
        } else if letter == '%' || letter.is_alphanumeric() {
            return None;
        } else {
            written.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    // A time that is not read whole would be midnight, in silence.
    let has = |part: &str| written.contains(part);
    let has_hour = has("%H") || has("%I") && has("%p");
    let has_fraction = has("%3f") || has("%6f");
    let is_whole = has_hour && has("%M") && (has("%S") || !has_fraction);
    let has_time = has_fraction || ["%H", "%I", "%p", "%M", "%S"].into_iter().any(has);
    (is_whole || !has_time).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten;

    #[test]
    fn patterns_of_postgresql_are_those_of_strftime() {
        for (pattern, expected) in [
            ("YYYY-MM-DD HH24:MI:SS.MS", "%Y-%m-%d %H:%M:%S.%3f"),
            ("FMDD. Month YY, hh12:mi am", "%d. %B %y, %I:%M %p"),
            ("YYYY-MM-DD\"T\"HH24:MI", "%Y-%m-%dT%H:%M"),
            ("%Y-%m", "%Y-%m"),
            ("YYYY-IW", "YYYY-IW"),
            ("YYYY-MM-DD HH24", "YYYY-MM-DD HH24"),
            ("YYYY-MM-DD HH:MI", "YYYY-MM-DD HH:MI"),
            ("HH24:MI.MS", "HH24:MI.MS"),
        ] {
            let sql = format!("SELECT to_timestamp(a, '{pattern}'), to_date(a, b)");
            assert_eq!(rewritten(&sql), format!("SELECT to_timestamp(a, '{expected}'), to_date(a, b)"));
        }
    }
}
