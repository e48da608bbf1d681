//! What clients are told of failures.

use pgwire::error::ErrorInfo;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};
use tracewell_query::{QueryError, SqlErrorKind};
use tracewell_requests::Failure;

/// Clients refuse longer messages.
const MOST_CHARACTERS: usize = 3000;

/// What was wrong with `sql`, which begins at the character `offset` of what the client sent.
pub(super) fn of_query(error: QueryError, sql: &str, offset: usize) -> Failure {
    match error {
        QueryError::Sql(error) => Failure {
            code: code(error.kind),
            position: error.at.and_then(|at| at.character(sql)).map(|position| position + offset),
            message: match error.kind {
                SqlErrorKind::ReadOnly => Failure::read_only(&error.message).message,
                _ => error.message,
            },
            hint: error.hint,
        },
        QueryError::Timeout(limit) => {
            let message = format!("canceling statement due to statement timeout: it ran longer than {limit:?}");
            Failure::new("57014", message).hint(
                "Narrow the query, for instance by date, or raise statement_timeout, up to query.timeout of the server.",
            )
        }
        QueryError::Memory(message) => Failure::new("53200", message)
            .hint("Narrow the query, or raise query.memory and query.memory_per_query of the server."),
        QueryError::TooLarge(message) => Failure::new("54000", message)
            .hint("Ask for less with a filter, an aggregate or LIMIT, or raise the limit of the server."),
        QueryError::Storage(message) => Failure::new("58030", message)
            .hint("The query is not to blame: ask again, or look at the store and the server's log."),
        other => Failure::new("XX000", other.to_string()),
    }
}

/// As a message that ends a statement.
pub(super) fn error(failure: &Failure) -> PgWireBackendMessage {
    PgWireBackendMessage::ErrorResponse(ErrorResponse::from(info(failure, "ERROR")))
}

/// As a message that ends the connection.
pub(super) fn fatal(failure: &Failure) -> PgWireBackendMessage {
    PgWireBackendMessage::ErrorResponse(ErrorResponse::from(info(failure, "FATAL")))
}

/// As a message beside an answer.
pub(super) fn warning(failure: &Failure) -> PgWireBackendMessage {
    PgWireBackendMessage::NoticeResponse(NoticeResponse::from(info(failure, "WARNING")))
}

fn info(failure: &Failure, severity: &str) -> ErrorInfo {
    let message = failure.message.chars().take(MOST_CHARACTERS).collect();
    let mut info = ErrorInfo::new(severity.to_owned(), failure.code.to_owned(), message);
    info.severity_nonlocalized = Some(severity.to_owned());
    info.hint = failure.hint.as_ref().map(|hint| hint.chars().take(MOST_CHARACTERS).collect());
    info.position = failure.position.map(|position| position.to_string());
    info
}

fn code(kind: SqlErrorKind) -> &'static str {
    match kind {
        SqlErrorKind::Syntax => "42601",
        SqlErrorKind::UnknownTable => "42P01",
        SqlErrorKind::UnknownColumn => "42703",
        SqlErrorKind::AmbiguousColumn => "42702",
        SqlErrorKind::UnknownFunction => "42883",
        SqlErrorKind::ReadOnly => "25006",
        SqlErrorKind::Unsupported => "0A000",
        SqlErrorKind::Parameter => "42P02",
        SqlErrorKind::InvalidValue => "22P02",
        SqlErrorKind::OutOfRange => "22003",
        SqlErrorKind::DivisionByZero => "22012",
        SqlErrorKind::InvalidTime => "22007",
        SqlErrorKind::InvalidRegex => "2201B",
        SqlErrorKind::InvalidArgument => "22023",
        SqlErrorKind::SeveralRows => "21000",
        SqlErrorKind::UnknownSetting => "42704",
        SqlErrorKind::TooComplex => "54001",
        _ => "42000",
    }
}
