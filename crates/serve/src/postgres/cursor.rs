//! Rows on their way to a client, a part at a time.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::StreamExt;
use tracewell_query::Rows;
use tracewell_requests::postgres::message::Format;

use super::client::{Client, Stop, internal, of_rows};
use super::rows::Encoded;

/// Rows that are brought into the form of the protocol at once.
const AT_ONCE: usize = 256;
/// They are sent when they take so many bytes.
const BYTES: usize = 64 << 10;

/// The rest of a query's rows.
#[derive(Debug)]
pub(super) struct Cursor {
    schema: SchemaRef,
    /// What was taken from the query and not sent.
    batch: Option<RecordBatch>,
    rows: Option<Rows>,
}

/// What was sent.
pub(super) struct Delivered {
    pub(super) rows: usize,
    /// Whether there is no more.
    pub(super) ended: bool,
}

impl Cursor {
    pub(super) fn new(rows: Rows) -> Self {
        Self { schema: rows.schema(), batch: None, rows: Some(rows) }
    }

    /// Rows that are there already.
    pub(super) fn of(batch: RecordBatch) -> Self {
        Self { schema: batch.schema(), batch: Some(batch), rows: None }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// Sends at most `limit` rows.
    pub(super) async fn deliver(
        &mut self,
        to: &mut Client,
        formats: &[Format],
        limit: usize,
    ) -> Result<Delivered, Stop> {
        let mut sent = 0;
        while sent < limit {
            let Some(batch) = self.batch(to).await? else { return Ok(Delivered { rows: sent, ended: true }) };
            let written = write(&batch, limit - sent, formats, to)?;
            sent += written;
            self.keep(batch, written);
            to.drain().await?;
        }
        Ok(Delivered { rows: sent, ended: false })
    }

    /// Passes over at most `limit` rows.
    pub(super) async fn skip(&mut self, to: &mut Client, limit: usize) -> Result<Delivered, Stop> {
        let mut passed = 0;
        while passed < limit {
            let Some(batch) = self.batch(to).await? else { return Ok(Delivered { rows: passed, ended: true }) };
            let rows = batch.num_rows().min(limit - passed);
            passed += rows;
            self.keep(batch, rows);
        }
        Ok(Delivered { rows: passed, ended: false })
    }

    /// The next rows, at least one.
    async fn batch(&mut self, to: &mut Client) -> Result<Option<RecordBatch>, Stop> {
        loop {
            if let Some(batch) = self.batch.take().filter(|batch| batch.num_rows() > 0) {
                return Ok(Some(batch));
            }
            let Some(rows) = &mut self.rows else { return Ok(None) };
            match to.attend(rows.next()).await? {
                Some(batch) => self.batch = Some(batch.map_err(of_rows)?),
                None => self.rows = None,
            }
        }
    }

    fn keep(&mut self, batch: RecordBatch, from: usize) {
        let rest = batch.num_rows() - from;
        self.batch = (rest > 0).then(|| batch.slice(from, rest));
    }
}

/// Writes at most `limit` rows, and no more than are sent at once; how many.
fn write(batch: &RecordBatch, limit: usize, formats: &[Format], to: &mut Client) -> Result<usize, Stop> {
    let part = batch.slice(0, batch.num_rows().min(limit).min(AT_ONCE));
    let encoded = Encoded::new(&part, formats).map_err(internal)?;
    let mut writer = encoded.writer().map_err(internal)?;
    let out = to.wire.output();
    let mut written = 0;
    while written < encoded.rows() && (written == 0 || out.len() < BYTES) {
        writer.write(written, out);
        written += 1;
    }
    Ok(written)
}
