//! What fails while a query runs because of its values, told apart from what fails because of the machine.

use std::error::Error;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;

use super::SqlErrorKind;

/// Whether a query wanted to spill more than queries may: DataFusion tells it as a failure of the disk.
pub(super) fn has_spilled_too_much(error: &DataFusionError) -> bool {
    error.to_string().contains("max_temp_directory_size")
}

/// Whether what failed is the store or a disk, however deep in the error that is said.
pub(super) fn is_of_storage(error: &DataFusionError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        // Some layers hold the next one without telling of it as their source.
        if let Some(DataFusionError::Shared(inner)) = error.downcast_ref() {
            return is_of_storage(inner);
        }
        if let Some(DataFusionError::External(inner)) = error.downcast_ref() {
            cause = Some(&**inner);
            continue;
        }
        if let Some(ParquetError::External(inner)) = error.downcast_ref() {
            cause = Some(&**inner);
            continue;
        }
        // What DataFusion's reader of Parquet files keeps of it is the text.
        if matches!(error.downcast_ref(), Some(ParquetError::General(told)) if told.contains("Object Store error")) {
            return true;
        }
        let is_arrow = matches!(error.downcast_ref(), Some(ArrowError::IoError(..)));
        if is_arrow || error.is::<object_store::Error>() || error.is::<std::io::Error>() {
            return true;
        }
        cause = match error.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::ObjectStore(_) | DataFusionError::IoError(_)) => return true,
            Some(DataFusionError::ParquetError(inner)) => Some(&**inner),
            Some(DataFusionError::ArrowError(inner, _)) => Some(&**inner),
            Some(DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner)) => Some(&**inner),
            _ => error.source(),
        };
    }
    false
}

/// Words by which DataFusion's plans tell that they failed by themselves, in small letters.
const INTERNAL: [&str; 6] =
    ["panicked", "spilling disabled", "parquetaccessplan", "failed to downcast", "deadlock", "not found in union"];

/// Whether the message is of a failure that no query is to blame for.
pub(super) fn is_internal(message: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    INTERNAL.iter().any(|words| lower.contains(words))
}

/// The mistake behind an error of a kernel; `None` where the query is not to blame.
pub(super) fn kind_of(error: &ArrowError) -> Option<SqlErrorKind> {
    Some(match error {
        ArrowError::DivideByZero => SqlErrorKind::DivisionByZero,
        ArrowError::ArithmeticOverflow(_) => SqlErrorKind::OutOfRange,
        ArrowError::CastError(message) => kind_of_cast(message),
        ArrowError::ParseError(message) | ArrowError::JsonError(message) => match kind_of_text(message) {
            Some(kind) => kind,
            None => SqlErrorKind::InvalidValue,
        },
        ArrowError::ComputeError(message) | ArrowError::InvalidArgumentError(message) => kind_of_message(message),
        ArrowError::NotYetImplemented(_) => SqlErrorKind::Unsupported,
        _ => return None,
    })
}

/// The mistake that the message of a function tells of.
pub(super) fn kind_of_message(message: &str) -> SqlErrorKind {
    kind_of_text(message).unwrap_or(SqlErrorKind::InvalidArgument)
}

/// Whether an error of another library is one of a regular expression.
pub(super) fn is_regex(message: &str) -> bool {
    kind_of_text(message) == Some(SqlErrorKind::InvalidRegex)
}

fn kind_of_cast(message: &str) -> SqlErrorKind {
    match kind_of_text(message) {
        Some(kind) => kind,
        None if message.starts_with("Can't cast value") => SqlErrorKind::OutOfRange,
        None => SqlErrorKind::InvalidValue,
    }
}

/// Words by which the kernels and functions tell of a kind, in small letters.
const WORDS: [(&[&str], SqlErrorKind); 6] = [
    (&["regular expression", "regex parse error", "invalid regex"], SqlErrorKind::InvalidRegex),
    (&["divide by zero", "division by zero"], SqlErrorKind::DivisionByZero),
    (&["more than one row"], SqlErrorKind::SeveralRows),
    (&["unrecognized configuration parameter"], SqlErrorKind::UnknownSetting),
    (
        &["overflow", "out of range", "too large to store", "too small to store", "would exceed", "would be too large"],
        SqlErrorKind::OutOfRange,
    ),
    (
        &[
            "parsing timestamp",
            "parsing date",
            "parsing time",
            "as date",
            "as timestamp",
            "as time",
            "timezone",
            "type interval",
        ],
        SqlErrorKind::InvalidTime,
    ),
];

fn kind_of_text(message: &str) -> Option<SqlErrorKind> {
    let lower = message.to_ascii_lowercase();
    let told = WORDS.iter().find(|(words, _)| words.iter().any(|word| lower.contains(word)));
    told.map(|(_, kind)| *kind)
}

/// What would be right, where the message leaves it open.
pub(super) fn hint(message: &str) -> Option<String> {
    let told = HINTS.iter().find(|(words, _)| words.iter().any(|words| message.contains(words)));
    told.map(|(_, hint)| (*hint).to_owned())
}

const HINTS: [(&[&str], &str); 9] = [
    (
        // Local times between the hours of a change of the clocks.
        &["error computing timezone offset", "Cannot cast timezone to different timezone"],
        "where the clocks change, a local time is there twice or not at all; write its offset, as in \
         '2026-03-29 02:30:00+01:00'",
    ),
    (&["': error parsing time"], "a time of day has its minutes, as in '2026-03-29 02:30'"),
    (
        &["table function 'unnest'"],
        "a list has a row for each of its items by `SELECT span_id, unnest(finish_reasons) FROM llm_calls`",
    ),
    (
        &["function 'regexp_split_to_"],
        "`string_to_array(regexp_replace(x, 'expression', '|', 'g'), '|')` takes a text apart, `unnest` of it has rows",
    ),
    (&["function 'to_number'"], "`replace(x, ',', '')::numeric` is the number that a text is"),
    (
        &["function 'jsonb_each", "function 'json_each", "function 'jsonb_to_record", "function 'json_to_record"],
        "`jsonb_object_keys(x)` has a row for each key, `x -> key` is its value",
    ),
    (
        &["function 'date_diff'", "function 'datediff'", "function 'dateadd'", "function 'date_add'"],
        "`end_time - start_time` is the time between, `start_time + INTERVAL '3 days'` is three days later",
    ),
    (&["function 'arg_max'", "function 'argmax'"], "`max_by(x, y)` is the x of the largest y"),
    (&["function 'arg_min'", "function 'argmin'"], "`min_by(x, y)` is the x of the least y"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_fails_at_is_no_mistake() {
        let store = || object_store::Error::NotFound { path: "spans/a.parquet".into(), source: "gone".into() };
        let of_parquet = ParquetError::External(Box::new(store()));
        let shared = DataFusionError::Shared(std::sync::Arc::new(DataFusionError::from(store())));
        let told = [
            DataFusionError::from(store()),
            DataFusionError::from(of_parquet).context("while a file was read"),
            DataFusionError::External(Box::new(store())),
            DataFusionError::from(ArrowError::IoError("disk".into(), std::io::Error::other("gone"))),
            shared,
        ];
        assert!(told.iter().all(is_of_storage));
        let corrupt = DataFusionError::from(ParquetError::General("Corrupt footer".into()));
        assert!(!is_of_storage(&corrupt));
        assert!(!is_of_storage(&DataFusionError::Execution("step must not be 0".into())));
        assert!(is_internal("Serialization task panicked or was cancelled"));
        assert!(!is_internal("step must not be 0"));
    }

    #[test]
    fn mistakes_in_values_are_told_apart() {
        let cast = |message: &str| kind_of(&ArrowError::CastError(message.into()));
        assert_eq!(cast("Cannot cast string 'x' to value of Int64 type"), Some(SqlErrorKind::InvalidValue));
        assert_eq!(cast("Can't cast value 300 to type Int8"), Some(SqlErrorKind::OutOfRange));
        let time = ArrowError::ParseError("Error parsing timestamp from 'soon': error parsing date".into());
        assert_eq!(kind_of(&time), Some(SqlErrorKind::InvalidTime));
        assert_eq!(kind_of(&ArrowError::IoError("disk".into(), std::io::Error::other("gone"))), None);
        assert_eq!(kind_of_message("Regular expression did not compile: ("), SqlErrorKind::InvalidRegex);
        assert_eq!(kind_of_message("step must not be 0"), SqlErrorKind::InvalidArgument);
        let minutes = hint("Error parsing timestamp from '2026-11-18 09': error parsing time").unwrap();
        assert!(minutes.contains("has its minutes"), "{minutes}");
        assert_eq!(hint(&time.to_string()), None);
        let number = hint("Invalid function 'to_number'.\nDid you mean 'to_time'?").unwrap();
        assert!(number.contains("::numeric"), "{number}");
    }
}
