//! Errors with the codes that clients tell them apart by.

use pgwire::error::ErrorInfo;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};
use tracewell_query::{QueryError, SqlErrorKind};

/// Clients refuse longer messages.
const MOST_CHARACTERS: usize = 3000;

/// What a client is told when something fails.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) message: String,
    hint: Option<String>,
    /// Which character of the query, from 1.
    position: Option<usize>,
}

impl Failure {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, position: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What asks for a change.
    pub(super) fn read_only(what: &str) -> Self {
        Self::new("25006", format!("cannot execute {what}: Tracewell answers queries and changes nothing by SQL"))
    }

    /// What the client asked to stop.
    pub(super) fn cancelled() -> Self {
        Self::new("57014", "canceling statement due to user request")
    }

    /// What was wrong with `sql`, which begins at the character `offset` of what the client sent.
    pub(super) fn of_query(error: QueryError, sql: &str, offset: usize) -> Self {
        match error {
            QueryError::Sql(error) => Self {
                code: code(error.kind),
                position: error.at.and_then(|at| at.character(sql)).map(|position| position + offset),
                message: match error.kind {
                    SqlErrorKind::ReadOnly => Self::read_only(&error.message).message,
                    _ => error.message,
                },
                hint: error.hint,
            },
            QueryError::Timeout(limit) => {
                let message = format!("canceling statement due to statement timeout: it ran longer than {limit:?}");
                Self::new("57014", message).hint(
                    "Narrow the query, for instance by date, or raise statement_timeout, up to query.timeout of the server.",
                )
            }
            QueryError::Memory(message) => {
                Self::new("53200", message).hint("Narrow the query, or raise query.memory of the server.")
            }
            QueryError::TooLarge(message) => Self::new("54000", message)
                .hint("Ask for less with a filter, an aggregate or LIMIT, or raise the limit of the server."),
            other => Self::new("XX000", other.to_string()),
        }
    }

    /// As a message that ends a statement.
    pub(super) fn error(&self) -> PgWireBackendMessage {
        PgWireBackendMessage::ErrorResponse(ErrorResponse::from(self.info("ERROR")))
    }

    /// As a message that ends the connection.
    pub(super) fn fatal(&self) -> PgWireBackendMessage {
        PgWireBackendMessage::ErrorResponse(ErrorResponse::from(self.info("FATAL")))
    }

    /// As a message beside an answer.
    pub(super) fn warning(&self) -> PgWireBackendMessage {
        PgWireBackendMessage::NoticeResponse(NoticeResponse::from(self.info("WARNING")))
    }

    fn info(&self, severity: &str) -> ErrorInfo {
        let message = self.message.chars().take(MOST_CHARACTERS).collect();
        let mut info = ErrorInfo::new(severity.to_owned(), self.code.to_owned(), message);
        info.severity_nonlocalized = Some(severity.to_owned());
        info.hint = self.hint.as_ref().map(|hint| hint.chars().take(MOST_CHARACTERS).collect());
        info.position = self.position.map(|position| position.to_string());
        info
    }
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
