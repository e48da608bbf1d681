//! Files of OTLP into the tables, around the write-ahead log.
//!
//! A file is read request by request into rows, and every so many bytes the rows are committed under the
//! transaction `(import:<hash of the file>, number of the chunk)`. Importing the same file again finds its
//! transactions in the tables and commits nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracewell_lake::{Lake, LakeError};
use tracewell_model::schema::SPANS;
use tracewell_model::{DEFAULT_TENANT, MAPPING_VERSION};
use tracewell_otlp::Limits;

use crate::encoder::Encoder;
use crate::rows::{Outcome, Receipt, Rows};
use crate::seal::{Generation, seal_once};
use crate::shard::Signal;

/// Rows of a chunk take about this much memory. Part of a chunk's identity, so it never changes.
const CHUNK_BYTES: usize = 64 << 20;
/// A single request larger than this, inflated, is refused.
const REQUEST_BYTES: u64 = 1 << 30;

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What is in it is not OTLP.
    #[error("`{path}`, {place}: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The tables.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Spans and log records read, refused ones apart.
    pub outcome: Outcome,
    /// Chunks committed.
    pub chunks: u64,
    /// Chunks that were in the tables already.
    pub known: u64,
}

/// Imports files into `lake`.
#[derive(Debug)]
pub struct Importer<'l> {
    lake: &'l Lake,
    clock: fn() -> i64,
}

struct Chunk<'l> {
    importer: &'l Importer<'l>,
    app: Arc<str>,
    number: u64,
    rows: Rows,
    encoder: Encoder,
    imported: Imported,
}

impl<'l> Importer<'l> {
    /// Imports into `lake`; `clock` gives nanoseconds since 1970.
    #[must_use]
    pub fn new(lake: &'l Lake, clock: fn() -> i64) -> Self {
        Self { lake, clock }
    }

    /// Imports one file. `progress` is told how many bytes of the file have been read.
    ///
    /// # Errors
    /// When the file cannot be read or is not OTLP; chunks before the damage stay imported.
    pub async fn file(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Imported, ImportError> {
        let read = |source| ImportError::Read { path: path.to_owned(), source };
        let hash = hash_of(path).map_err(read)?;
        let app = format!("import:{}:{MAPPING_VERSION}", hash.to_hex()).into();
        let mut chunk = Chunk {
            importer: self,
            app,
            number: 1,
            rows: Rows::new(Limits::default()),
            encoder: Encoder::start().map_err(read)?,
            imported: Imported::default(),
        };
        let counted = Counted { inner: File::open(path).map_err(read)?, read: 0, progress };
        let mut text = BufReader::with_capacity(1 << 20, inflated(BufReader::new(counted)).map_err(read)?);
        let wrong = |place: String, reason: String| ImportError::Content { path: path.to_owned(), place, reason };
        if starts_with_brace(&mut text).map_err(read)? {
            let mut line = Vec::new();
            let mut number = 0;
            let mut whole = Vec::new();
            loop {
                line.clear();
                let bytes = text.by_ref().take(REQUEST_BYTES).read_until(b'\n', &mut line).map_err(read)?;
                number += 1;
                if bytes == 0 {
                    break;
                }
                // One object a line, or one object over many lines: what is complete tells.
                whole.extend_from_slice(&line);
                match from_json(&whole) {
                    Ok(Some((signal, body))) => {
                        chunk.take(signal, &body).await?;
                        whole.clear();
                    }
                    Ok(None) => {}
                    Err(reason) if whole.len() as u64 >= REQUEST_BYTES => {
                        return Err(wrong(format!("line {number}"), reason));
                    }
                    Err(_) => {}
                }
            }
            if !whole.iter().all(u8::is_ascii_whitespace) {
                let reason = from_json(&whole).err().unwrap_or_else(|| "the text breaks off".into());
                return Err(wrong(format!("line {number}"), reason));
            }
        } else {
            let mut body = Vec::new();
            text.take(REQUEST_BYTES).read_to_end(&mut body).map_err(read)?;
            let signal = signal_of(path, &body).map_err(|reason| wrong("the whole file".into(), reason))?;
            chunk.take(signal, &body).await?;
        }
        chunk.commit().await?;
        Ok(chunk.imported)
    }
}

impl Chunk<'_> {
    async fn take(&mut self, signal: Signal, body: &[u8]) -> Result<(), ImportError> {
        let receipt = Receipt { seq: self.number, received_at: (self.importer.clock)(), tenant: DEFAULT_TENANT };
        let outcome = match signal {
            Signal::Traces => self.rows.traces(body, receipt),
            Signal::Logs => self.rows.logs(body, receipt),
        };
        let outcome =
            outcome.unwrap_or_else(|error| Outcome { rejected: 1, reasons: vec![error.to_string()], accepted: 0 });
        self.imported.outcome.accepted += outcome.accepted;
        self.imported.outcome.rejected += outcome.rejected;
        self.imported.outcome.reasons.extend(outcome.reasons);
        self.imported.outcome.reasons.truncate(5);
        if self.rows.bytes() >= CHUNK_BYTES {
            self.commit().await?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), ImportError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let bytes = self.rows.bytes();
        let generation = Arc::new(Generation { seq: self.number, rows: self.rows.take(), bytes });
        if let Some(spans) = self.importer.lake.table(SPANS.name)
            && spans.watermark(&self.app).await?.is_some_and(|reached| reached >= self.number as i64)
        {
            self.imported.known += 1;
            self.number += 1;
            return Ok(());
        }
        seal_once(self.importer.lake, &self.app, &generation, &self.encoder, self.importer.clock).await?;
        self.imported.chunks += 1;
        self.number += 1;
        Ok(())
    }
}

fn hash_of(path: &Path) -> std::io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize())
}

struct Counted<'p> {
    inner: File,
    read: u64,
    progress: &'p mut dyn FnMut(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read += read as u64;
        (self.progress)(self.read);
        Ok(read)
    }
}

/// Looks at the first bytes and inflates what is gzip or zstd.
fn inflated<'r>(mut reader: impl BufRead + 'r) -> std::io::Result<Box<dyn Read + 'r>> {
    let head = reader.fill_buf()?;
    Ok(match head {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(reader)?),
        _ => Box::new(reader),
    })
}

/// JSON begins with `{`, and so does no export in protobuf: that would be field 15 of a message with three.
fn starts_with_brace(reader: &mut impl BufRead) -> std::io::Result<bool> {
    let head = reader.fill_buf()?;
    Ok(head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{'))
}

/// `None` for an object that is neither traces nor logs, such as metrics.
fn from_json(json: &[u8]) -> Result<Option<(Signal, Vec<u8>)>, String> {
    let has = |key: &[u8]| json.windows(key.len()).any(|window| window == key);
    if has(b"\"resourceLogs\"") && !has(b"\"resourceSpans\"") {
        return tracewell_otlp::json::logs_json_to_protobuf(json)
            .map(|body| Some((Signal::Logs, body)))
            .map_err(|error| error.to_string());
    }
    let body = tracewell_otlp::json::traces_json_to_protobuf(json).map_err(|error| error.to_string())?;
    Ok(has(b"\"resourceSpans\"").then_some((Signal::Traces, body)))
}

/// Traces and logs look alike from outside; the name of the file tells, or else what can be read.
fn signal_of(path: &Path, body: &[u8]) -> Result<Signal, String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    tracewell_otlp::index_traces(body)
        .map_err(|error| format!("it is not an OTLP export in protobuf or JSON: {error}"))?;
    if name.contains(".logs.") {
        return Ok(Signal::Logs);
    }
    let mut decoder = tracewell_otlp::Decoder::new(Limits::default());
    let index = tracewell_otlp::index_traces(body).map_err(|error| error.to_string())?;
    let readable = index.spans().first().is_none_or(|span| decoder.decode_span(span.bytes(body)).is_ok());
    Ok(if readable { Signal::Traces } else { Signal::Logs })
}
