//! Errors with the codes that clients of PostgreSQL tell them apart by.

/// What a client is told when something fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The SQLSTATE.
    pub code: &'static str,
    /// What failed.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Which character of the query, from 1.
    pub position: Option<usize>,
}

impl Failure {
    /// A failure without a hint or a place.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, position: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What asks for a change.
    #[must_use]
    pub fn read_only(what: &str) -> Self {
        Self::new("25006", format!("cannot execute {what}: Tracewell answers queries and changes nothing by SQL"))
    }

    /// What the client asked to stop.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new("57014", "canceling statement due to user request")
    }
}
