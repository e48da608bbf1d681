//! A client: its bytes, and whether it still wants what is done for it.

use std::io;

use tokio_util::sync::CancellationToken;
use tracewell_query::QueryError;
use tracewell_requests::Failure;

use super::failure::of_query;
use super::wire::Wire;

/// A client that was let in.
pub(super) struct Client {
    pub(super) wire: Wire,
    /// Stops the work that is being done.
    pub(super) token: CancellationToken,
}

/// Why a message was not answered to the end.
pub(super) enum Stop {
    /// The client is told.
    Failed(Failure),
    /// There is no client any more.
    Gone(io::Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl Client {
    /// Waits for work to be done, as long as the client is there and wants it.
    pub(super) async fn attend<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            done = work => Ok(done),
            () = self.token.cancelled() => Err(Failure::cancelled().into()),
            () = self.wire.gone() => Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
        }
    }

    /// Sends what is written if it is much, unless the client wants no more of it.
    pub(super) async fn drain(&mut self) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(Failure::cancelled().into()),
            drained = self.wire.drain() => Ok(drained?),
        }
    }
}

pub(super) fn internal(error: impl std::fmt::Display) -> Stop {
    Failure::new("XX000", error.to_string()).into()
}

pub(super) fn of_rows(error: QueryError) -> Stop {
    of_query(error, "", 0).into()
}
