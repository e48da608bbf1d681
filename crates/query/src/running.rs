//! A query while it runs: whose turn it is, how long it may work, and how much it may answer.
//!
//! A query begins among the quick ones. One that has worked for [`QUICK`] gives its place up and goes on among the few
//! long ones, so that however many long ones are asked, short ones find a place at once. What works for a reader that
//! is busy with the rows it has holds no place, and its time stands still.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::QueryError;
use crate::limits::Limits;
use crate::plans::compact::compact;

/// A query that works longer is a long one.
const QUICK: Duration = Duration::from_secs(2);

/// Places for queries.
#[derive(Debug)]
pub(crate) struct Places {
    quick: Semaphore,
    long: Semaphore,
}

impl Places {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { quick: Semaphore::new(limits.concurrent), long: Semaphore::new(limits.long) }
    }
}

/// One query at work.
pub(crate) struct Running<'a> {
    places: &'a Places,
    limits: &'a Limits,
    pool: Arc<dyn MemoryPool>,
    held: Option<SemaphorePermit<'a>>,
    long: bool,
    clock: Clock,
    /// Of what the clock tells: the time without a place.
    waited: Duration,
    rows: u64,
    bytes: u64,
}

impl<'a> Running<'a> {
    /// Waits for a place.
    pub(crate) async fn begin(
        places: &'a Places,
        limits: &'a Limits,
        pool: Arc<dyn MemoryPool>,
        clock: Clock,
    ) -> Result<Self, QueryError> {
        let mut running =
            Self { places, limits, pool, held: None, long: false, clock, waited: Duration::ZERO, rows: 0, bytes: 0 };
        running.clock.goes_on();
        running.take_place().await?;
        Ok(running)
    }

    async fn take_place(&mut self) -> Result<(), QueryError> {
        let places = if self.long { &self.places.long } else { &self.places.quick };
        let since = Instant::now();
        self.held = Some(places.acquire().await.map_err(|_| stopping())?);
        self.waited += since.elapsed();
        Ok(())
    }

    /// Sends rows to a reader.
    pub(crate) async fn send(
        mut self,
        mut rows: SendableRecordBatchStream,
        batches: &mpsc::Sender<Result<Sent, QueryError>>,
    ) -> Result<(), QueryError> {
        let mut before = 0;
        while let Some(batch) = self.at_work(rows.next()).await?.transpose()? {
            let batch = compact(batch);
            let bytes = batch.get_array_memory_size();
            self.count(batch.num_rows(), bytes)?;
            match batches.try_send(Ok(Sent::Rows { batch, _waiting: None })) {
                Ok(()) => {}
                Err(TrySendError::Full(Ok(Sent::Rows { batch, .. }))) => {
                    let waiting = Some(self.reserve(before + bytes)?);
                    self.held = None;
                    self.clock.stands_still();
                    if batches.send(Ok(Sent::Rows { batch, _waiting: waiting })).await.is_err() {
                        break;
                    }
                    self.clock.goes_on();
                    self.take_place().await?;
                }
                Err(_) => break,
            }
            before = bytes;
        }
        Ok(())
    }

    /// What `work` gives; on the way a query may become a long one.
    pub(crate) async fn at_work<T>(&mut self, work: impl Future<Output = T>) -> Result<T, QueryError> {
        let mut work = pin!(work);
        if !self.long {
            let left = QUICK.saturating_sub(self.clock.worked().saturating_sub(self.waited));
            if let Ok(done) = tokio::time::timeout(left, &mut work).await {
                return Ok(done);
            }
            self.long = true;
            self.held = None;
            self.take_place().await?;
        }
        Ok(work.await)
    }

    fn count(&mut self, rows: usize, bytes: usize) -> Result<(), QueryError> {
        self.rows += rows as u64;
        self.bytes += bytes as u64;
        let (rows, bytes) = (self.limits.rows, self.limits.bytes);
        if self.rows > rows {
            return Err(QueryError::TooLarge(format!("the answer has more than {rows} rows, the limit query.rows")));
        }
        if self.bytes > bytes {
            return Err(QueryError::TooLarge(format!("the answer has more than {bytes} bytes, the limit query.bytes")));
        }
        Ok(())
    }

    /// Memory for rows that wait for their reader.
    fn reserve(&self, bytes: usize) -> Result<MemoryReservation, QueryError> {
        let reservation = MemoryConsumer::new("rows that wait for their reader").register(&self.pool);
        reservation.try_grow(bytes)?;
        Ok(reservation)
    }
}

pub(crate) fn stopping() -> QueryError {
    QueryError::Failed("the query was stopped".into())
}

/// The time that a query has worked, against what it may.
pub(crate) struct Clock {
    most: Duration,
    worked: Duration,
    since: Option<Instant>,
    /// When it is over, while it goes.
    over: watch::Sender<Option<tokio::time::Instant>>,
}

impl Clock {
    /// A clock that stands, and what `stop`s the query when its time is over or it is cancelled.
    ///
    /// It is told on the caller's runtime: all threads of queries may be busy within a function.
    pub(crate) fn new(most: Duration, cancel: &CancellationToken, stop: &CancellationToken) -> Self {
        let (over, told) = watch::channel(None);
        tokio::spawn(tell(told, cancel.clone(), stop.clone()));
        Self { most, worked: Duration::ZERO, since: None, over }
    }

    fn goes_on(&mut self) {
        let now = Instant::now();
        self.since = Some(now);
        let left = self.most.saturating_sub(self.worked);
        self.over.send_replace(now.checked_add(left).map(tokio::time::Instant::from_std));
    }

    fn stands_still(&mut self) {
        self.worked = self.worked();
        self.since = None;
        self.over.send_replace(None);
    }

    fn worked(&self) -> Duration {
        self.worked + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

async fn tell(
    mut told: watch::Receiver<Option<tokio::time::Instant>>,
    cancel: CancellationToken,
    stop: CancellationToken,
) {
    loop {
        let at = *told.borrow_and_update();
        let over = async {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => return stop.cancel(),
            () = cancel.cancelled() => return stop.cancel(),
            changed = told.changed() => if changed.is_err() { return },
        }
    }
}

/// The rows of a running query.
#[derive(Debug)]
pub struct Rows {
    pub(crate) schema: SchemaRef,
    receiver: mpsc::Receiver<Result<Sent, QueryError>>,
    ended: bool,
    _guard: DropGuard,
}

/// What a running query sends.
#[derive(Debug)]
pub(crate) enum Sent {
    /// Rows, and the memory that is theirs where they had to wait.
    Rows { batch: RecordBatch, _waiting: Option<MemoryReservation> },
    /// That was the last of them.
    All,
}

impl Rows {
    pub(crate) fn new(receiver: mpsc::Receiver<Result<Sent, QueryError>>, guard: DropGuard) -> Self {
        Self { schema: SchemaRef::new(Schema::empty()), receiver, ended: false, _guard: guard }
    }

    /// The schema of the rows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.receiver.poll_recv(context));
        let next = match next {
            Some(Ok(Sent::Rows { batch, .. })) => Some(Ok(batch)),
            Some(Ok(Sent::All)) => {
                self.ended = true;
                None
            }
            Some(Err(error)) => {
                self.ended = true;
                Some(Err(error))
            }
            // Whoever sent the rows is gone without a word: these are not all of them.
            None if !std::mem::replace(&mut self.ended, true) => Some(Err(stopping())),
            None => None,
        };
        Poll::Ready(next)
    }
}
