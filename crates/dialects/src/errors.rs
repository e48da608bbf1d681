//! What went wrong: the type as sent, and the class it belongs to.

use std::borrow::Cow;

use tracewell_model::kind::{ErrorClass, Kind};

use crate::fields::Field;
use crate::fields::facts::Facts;
use crate::input::SpanInput;
use crate::normalized::Normalized;
use crate::value::Scalar;

const STATUS_ERROR: i32 = 2;

/// Whether the span says that it failed.
pub(crate) fn failed(span: &SpanInput<'_, '_>, facts: &Facts<'_, '_>) -> bool {
    let says = |field, word: &str| facts.text(field).is_some_and(|text| text.eq_ignore_ascii_case(word));
    span.status_code == STATUS_ERROR
        || facts.has(Field::ErrorType)
        || says(Field::ErrorLevel, "error")
        || says(Field::Success, "false")
        || says(Field::Success, "error")
}

/// Fills `error_type` and `error_class` of a span that failed.
pub(crate) fn fill<'a>(span: &SpanInput<'_, 'a>, facts: &Facts<'_, 'a>, out: &mut Normalized<'a>) {
    if !failed(span, facts) {
        return;
    }
    let exception = span.events.iter().rev().find(|event| event.name == "exception");
    let of_exception = |key: &str| {
        let attribute = exception?.attributes.iter().find(|attribute| attribute.key == key)?;
        Some(Scalar::Any(attribute.value)).filter(|value| !value.is_empty()).map(|value| value.text())
    };
    let stated = facts.text(Field::ErrorType);
    let vague = stated.as_deref().is_none_or(|stated| stated == "_OTHER");
    let exact =
        if vague { of_exception("exception.type").or_else(|| type_of_message(span.status_message)) } else { None };
    let error_type = exact.or(stated);

    let messages =
        [facts.text(Field::ErrorMessage), of_exception("exception.message"), Some(Cow::Borrowed(span.status_message))];
    let messages: Vec<&str> = messages.iter().flatten().map(AsRef::as_ref).collect();
    let name = error_type.as_deref().unwrap_or_default();
    let status = facts.int(Field::HttpStatus).filter(|status| *status >= 400).or_else(|| name.parse().ok());
    out.error_class = Some(class(name, status, &messages, out.kind));
    out.error_type = error_type;
}

/// The class of an exception that names no HTTP status of its own.
pub(crate) fn class_of_exception(name: &str, message: &str) -> ErrorClass {
    class(name, name.parse().ok(), &[message], Kind::Other)
}

/// `RateLimitError` of the status message `RateLimitError: …`, as OpenInference writes it.
fn type_of_message(message: &str) -> Option<Cow<'_, str>> {
    let (name, _) = message.split_once(": ")?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    (is_name && (name.ends_with("Error") || name.ends_with("Exception"))).then_some(Cow::Borrowed(name))
}

/// By the name of the error, else by the HTTP status, else by the words of the messages.
fn class(name: &str, status: Option<i64>, messages: &[&str], kind: Kind) -> ErrorClass {
    let in_message = || messages.iter().find_map(|message| status_in(message));
    by_name(name)
        .or_else(|| status.and_then(by_status))
        .or_else(|| in_message().and_then(by_status))
        .or_else(|| messages.iter().find_map(|message| by_words(message)))
        .unwrap_or(if kind == Kind::Tool { ErrorClass::Tool } else { ErrorClass::Other })
}

/// Parts of class names and API codes, compared without case, dots and underscores. The first that fits wins.
const NAMES: &[(&str, ErrorClass)] = &[
    ("ratelimit", ErrorClass::RateLimit),
    ("resourceexhausted", ErrorClass::RateLimit),
    ("toomanyrequests", ErrorClass::RateLimit),
    ("throttl", ErrorClass::RateLimit),
    ("quota", ErrorClass::RateLimit),
    ("timeout", ErrorClass::Timeout),
    ("timedout", ErrorClass::Timeout),
    ("deadlineexceeded", ErrorClass::Timeout),
    ("authentication", ErrorClass::Auth),
    ("permission", ErrorClass::Auth),
    ("unauthorized", ErrorClass::Auth),
    ("unauthenticated", ErrorClass::Auth),
    ("forbidden", ErrorClass::Auth),
    ("accessdenied", ErrorClass::Auth),
    ("contentfilter", ErrorClass::ContentFilter),
    ("contentpolicy", ErrorClass::ContentFilter),
    ("guardrail", ErrorClass::ContentFilter),
    ("tripwire", ErrorClass::ContentFilter),
    ("refusal", ErrorClass::ContentFilter),
    ("cancel", ErrorClass::Cancelled),
    ("abort", ErrorClass::Cancelled),
    ("interrupt", ErrorClass::Cancelled),
    ("toolerror", ErrorClass::Tool),
    ("toolexception", ErrorClass::Tool),
    ("toolexecution", ErrorClass::Tool),
    ("jsondecode", ErrorClass::Parse),
    ("outputparser", ErrorClass::Parse),
    ("parseerror", ErrorClass::Parse),
    ("parsingerror", ErrorClass::Parse),
    ("validationerror", ErrorClass::Parse),
    ("typevalidation", ErrorClass::Parse),
    ("badrequest", ErrorClass::BadRequest),
    ("invalidrequest", ErrorClass::BadRequest),
    ("invalidargument", ErrorClass::BadRequest),
    ("contextwindow", ErrorClass::BadRequest),
    ("contextlength", ErrorClass::BadRequest),
    ("notfound", ErrorClass::BadRequest),
    ("unprocessable", ErrorClass::BadRequest),
    ("internalserver", ErrorClass::Server),
    ("servererror", ErrorClass::Server),
    ("serviceunavailable", ErrorClass::Server),
    ("overloaded", ErrorClass::Server),
    ("badgateway", ErrorClass::Server),
    ("connectionerror", ErrorClass::Server),
    ("connecterror", ErrorClass::Server),
];

fn by_name(name: &str) -> Option<ErrorClass> {
    let bare: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    NAMES.iter().find(|(part, _)| bare.contains(part)).map(|(_, class)| *class)
}

fn by_status(status: i64) -> Option<ErrorClass> {
    Some(match status {
        429 => ErrorClass::RateLimit,
        408 | 504 => ErrorClass::Timeout,
        401 | 403 => ErrorClass::Auth,
        499 => ErrorClass::Cancelled,
        400..=498 => ErrorClass::BadRequest,
        500..=599 => ErrorClass::Server,
        _ => return None,
    })
}

/// The number after `Error code: ` or `status_code: `, as the clients of OpenAI, Anthropic and Pydantic AI write it.
fn status_in(message: &str) -> Option<i64> {
    let after = |label: &str| message.split(label).nth(1)?.get(..3)?.parse().ok();
    after("Error code: ").or_else(|| after("status_code: ")).or_else(|| after("status code: "))
}

fn by_words(message: &str) -> Option<ErrorClass> {
    const WORDS: &[(&str, ErrorClass)] = &[
        ("rate limit", ErrorClass::RateLimit),
        ("timed out", ErrorClass::Timeout),
        ("tripwire", ErrorClass::ContentFilter),
        ("content filter", ErrorClass::ContentFilter),
        ("content management policy", ErrorClass::ContentFilter),
        ("api key", ErrorClass::Auth),
        ("server had an error", ErrorClass::Server),
        ("internal server error", ErrorClass::Server),
        ("overloaded", ErrorClass::Server),
    ];
    // Only the start: a stack trace or an echoed prompt may follow.
    let start: String = message.chars().take(300).map(|letter| letter.to_ascii_lowercase()).collect();
    WORDS.iter().find(|(words, _)| start.contains(words)).map(|(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_follows_from_name_then_status_then_words() {
        for (name, status, message, expected) in [
            ("openai.RateLimitError", None, "", ErrorClass::RateLimit),
            ("<class 'openai.RateLimitError'>", None, "", ErrorClass::RateLimit),
            ("google.adk.models.google_llm._ResourceExhaustedError", None, "", ErrorClass::RateLimit),
            ("api_error", Some(500), "", ErrorClass::Server),
            ("api_error", None, "Error code: 500 - {'type': 'error'}", ErrorClass::Server),
            ("ChatClientException", None, "service failed: Error code: 429 - Rate limit", ErrorClass::RateLimit),
            ("pydantic_ai.exceptions.ModelHTTPError", None, "status_code: 401, model_name: x", ErrorClass::Auth),
            ("AI_APICallError", None, "Rate limit reached for mock-model (fixture).", ErrorClass::RateLimit),
            ("429", Some(429), "", ErrorClass::RateLimit),
            ("tool_error", None, "", ErrorClass::Tool),
            ("asyncio.CancelledError", None, "", ErrorClass::Cancelled),
            ("openai.APITimeoutError", None, "", ErrorClass::Timeout),
            ("json.decoder.JSONDecodeError", None, "", ErrorClass::Parse),
            ("", None, "Guardrail tripwire triggered: {'guardrail': 'x'}", ErrorClass::ContentFilter),
            ("_OTHER", None, "", ErrorClass::Other),
        ] {
            assert_eq!(class(name, status, &[message], Kind::Chat), expected, "{name} {message}");
        }
        assert_eq!(class("ValueError", None, &["unknown sku"], Kind::Tool), ErrorClass::Tool);
    }

    #[test]
    fn a_status_message_may_name_the_type() {
        assert_eq!(type_of_message("RateLimitError: Error code: 429").as_deref(), Some("RateLimitError"));
        assert_eq!(type_of_message("Error code: 429 - {'error': 1}"), None);
        assert_eq!(type_of_message("it broke: badly"), None);
    }
}
