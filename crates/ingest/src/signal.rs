//! The kinds of requests.

/// What kind of request a record holds. The numbers are stored in the write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Signal {
    /// `ExportTraceServiceRequest`.
    Traces = 1,
    /// `ExportLogsServiceRequest`.
    Logs = 2,
}

impl Signal {
    /// The signal stored as `kind`.
    pub(crate) fn from_kind(kind: u8) -> Option<Self> {
        match kind {
            1 => Some(Self::Traces),
            2 => Some(Self::Logs),
            _ => None,
        }
    }

    /// How a file ends that holds such a request.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Traces => "traces.pb",
            Self::Logs => "logs.pb",
        }
    }
}
