//! Spans of time as PostgreSQL writes them: `INTERVAL '1 day 02:30:00'` and `INTERVAL '1 month - 1 day'`, of which
//! DataFusion knows neither the clock nor a sign that stands alone.

use datafusion::sql::sqlparser::ast::{DataType, Expr, Interval, Value};

/// Says in words what a span that is written is.
pub(super) fn rewrite(expression: &mut Expr) {
    let text = match expression {
        Expr::Interval(Interval { value, leading_field: None, .. }) => value,
        Expr::Cast { expr, data_type: DataType::Interval { .. }, .. } => expr,
        _ => return,
    };
    if let Expr::Value(written) = text.as_mut()
        && let Value::SingleQuotedString(span) = &mut written.value
        && let Some(said) = said(span)
    {
        *span = said;
    }
}

/// The same with hours, minutes and seconds for a clock, and signs at their numbers; `None` where it has neither.
fn said(span: &str) -> Option<String> {
    let (mut words, mut sign, mut changed) = (Vec::new(), "", false);
    for word in span.split_whitespace() {
        if let "-" | "+" = word {
            (sign, changed) = (word, true);
            continue;
        }
        let signed = format!("{}{word}", std::mem::take(&mut sign));
        let plain = signed.strip_prefix('+').unwrap_or(&signed);
        let clock = clock(plain);
        changed |= clock.is_some() || plain != word;
        words.push(clock.unwrap_or_else(|| plain.to_owned()));
    }
    changed.then(|| words.join(" "))
}

/// `02:30:15.5` as `2 hours 30 minutes 15.5 seconds`; seconds may be left out.
fn clock(word: &str) -> Option<String> {
    let (sign, digits) = word.strip_prefix('-').map_or(("", word), |digits| ("-", digits));
    let parts: Vec<&str> = digits.split(':').collect();
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (hours, minutes, "0"),
        [hours, minutes, seconds] => (hours, minutes, *seconds),
        _ => return None,
    };
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    [hours, minutes, &whole, &fraction]
        .into_iter()
        .all(is_number)
        .then(|| format!("{sign}{hours} hours {sign}{minutes} minutes {sign}{seconds} seconds"))
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten;

    #[test]
    fn a_clock_and_a_sign_alone_are_said_in_words() {
        for (sql, expected) in [
            ("SELECT INTERVAL '1 day 02:30:15.5'", "SELECT INTERVAL '1 day 02 hours 30 minutes 15.5 seconds'"),
            ("SELECT '-1 day -00:05'::INTERVAL", "SELECT '-1 day -00 hours -05 minutes -0 seconds'::INTERVAL"),
            ("SELECT INTERVAL '1 month - 1 day'", "SELECT INTERVAL '1 month -1 day'"),
            ("SELECT INTERVAL '-1 day +2 hours'", "SELECT INTERVAL '-1 day 2 hours'"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for same in ["SELECT INTERVAL '1 day'", "SELECT INTERVAL 'P1D'", "SELECT INTERVAL '1:2:3:4'"] {
            assert_eq!(rewritten(same), same);
        }
    }
}
