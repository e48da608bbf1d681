//! Whether a response was streamed, and how long its first token took.

use tracewell_model::kind::Kind;
use tracewell_model::time::{NANOS_PER_DAY, NANOS_PER_SECOND};
use tracewell_otlp::AnyValue;

use crate::fields::Field;
use crate::fields::facts::Facts;
use crate::input::SpanInput;
use crate::normalized::Normalized;
use crate::value::Scalar;

const NANOS_PER_MILLI: f64 = 1e6;
const NANOS_PER_SEC: f64 = 1e9;

/// Fills `streaming` and `ttft_ns`.
pub(crate) fn fill(span: &SpanInput<'_, '_>, facts: &Facts<'_, '_>, out: &mut Normalized<'_>) {
    let streams = flag(facts, out).or_else(|| {
        let operation = facts.text(Field::AiOperation).filter(|_| out.kind == Kind::Chat)?;
        Some(operation.contains("stream"))
    });
    out.ttft_ns = time_to_first_token(span, facts, streams).filter(|nanos| *nanos >= 0);
    out.streaming = streams.or(out.ttft_ns.is_some().then_some(true)).or_else(|| {
        // Emitters that say so whenever a response is streamed.
        const SCOPES: &[&str] = &[
            "com.anthropic.sdk.",
            "opentelemetry.instrumentation.genai.",
            "opentelemetry.instrumentation.google_genai",
        ];
        let says = SCOPES.iter().any(|scope| span.scope_name.starts_with(scope));
        (says && out.kind.is_model_call()).then_some(false)
    });
}

/// LangChain states how a model was set up, which does not keep it from being streamed.
fn flag(facts: &Facts<'_, '_>, out: &Normalized<'_>) -> Option<bool> {
    let found = facts.get(Field::Streaming)?;
    let set_up = out.framework.as_deref() == Some("langchain") && found.source.ends_with(".stream");
    found.value.bool().filter(|streams| *streams || !set_up)
}

fn time_to_first_token(span: &SpanInput<'_, '_>, facts: &Facts<'_, '_>, streams: Option<bool>) -> Option<i64> {
    let nanos = |number: f64, unit: f64| Some((number * unit).round() as i64);
    if let Some(seconds) = facts.float(Field::TtftSeconds) {
        return nanos(seconds, NANOS_PER_SEC);
    }
    // OpenLIT states the whole latency of a call that was not streamed.
    match facts.get(Field::ServerTtft).map(|found| found.value).filter(|_| streams != Some(false)) {
        Some(Scalar::Any(AnyValue::Int(millis))) => return nanos(millis as f64, NANOS_PER_MILLI),
        Some(seconds) => return nanos(seconds.float()?, NANOS_PER_SEC),
        None => {}
    }
    if let Some(millis) = facts.float(Field::TtftMillis) {
        return nanos(millis, NANOS_PER_MILLI);
    }
    let start = i64::try_from(span.start_unix_nano).ok()?;
    if let Some(first) = facts.text(Field::CompletionStart) {
        return unix_nanos(&first)?.checked_sub(start);
    }
    let first = span.events.iter().find(|event| is_first_token(event.name))?;
    i64::try_from(first.time_unix_nano).ok()?.checked_sub(start)
}

/// Events that mark a token: one for the first (OpenInference, AI SDK), or one each (OpenLLMetry, MLflow, Langtrace).
fn is_first_token(event: &str) -> bool {
    matches!(event, "First Token Stream Event" | "ai.stream.firstChunk" | "mlflow.chunk.item.0" | "stream.output")
        || event.ends_with(".content.completion.chunk")
}

/// `2026-11-21T06:01:40.105603Z`, or with an offset such as `+02:00`, in nanoseconds since 1970.
fn unix_nanos(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let rest = text.get(19..)?;
    let fraction =
        rest.strip_prefix('.').map_or("", |rest| &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()]);
    let nanos: i64 = format!("{:0<9.9}", fraction).parse().ok()?;
    let zone = if fraction.is_empty() { rest } else { &rest[1 + fraction.len()..] };
    let offset = match zone {
        "" | "Z" => 0,
        _ => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let part = |from: usize, to: usize| zone.get(from..to)?.parse::<i64>().ok();
            sign * (part(1, 3)? * 3600 + part(4, 6)? * 60)
        }
    };
    let day = days_since_1970(year, month, day);
    day.checked_mul(NANOS_PER_DAY)?.checked_add((seconds - offset) * NANOS_PER_SECOND + nanos)
}

/// Howard Hinnant's `days_from_civil` (<https://howardhinnant.github.io/date_algorithms.html>).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        assert_eq!(unix_nanos("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_nanos("2026-11-21T06:01:40.105603Z"), Some(1_795_240_900_105_603_000));
        assert_eq!(unix_nanos("2026-11-21T08:01:40.105603+02:00"), Some(1_795_240_900_105_603_000));
        assert_eq!(unix_nanos("2024-02-29T23:59:59.5"), Some(1_709_251_199_500_000_000));
        for broken in ["", "yesterday", "2026-11-21", "2026-11-21T0é:00:00Z"] {
            assert_eq!(unix_nanos(broken), None, "{broken}");
        }
    }
}
