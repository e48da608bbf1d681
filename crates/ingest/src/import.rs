//! Files of OTLP into the tables, around the write-ahead log.
//!
//! A file is read request by request into rows, and every so many bytes of requests the rows are committed under the
//! transaction `(import:<hash of the file>, number of the chunk)`. Importing the same file again, by this version or a
//! later one, finds its transactions in the tables and commits nothing. A request that cannot be read costs no other.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracewell_dialects::TEAM_KEYS;
use tracewell_lake::{Lake, LakeError};
use tracewell_model::DEFAULT_TENANT;
use tracewell_model::schema::SPANS;
use tracewell_otlp::json::{Converted, Unreadable};
use tracewell_otlp::{Carried, Limits};

use self::json::{Kept, is_request, requests_of};
use self::text::{Found, Objects};
use crate::encoder::Encoder;
use crate::generation::Generation;
use crate::pace::Pace;
use crate::rows::{Outcome, Receipt, Rows};
use crate::seal::Sealer;
use crate::signal::Signal;

mod json;
mod text;

/// The requests of a chunk have at least this many bytes, which no rule of reading changes. Part of a chunk's identity,
/// so it never changes.
const CHUNK_BYTES: usize = 32 << 20;
/// A request in protobuf larger than this, inflated, is refused.
const REQUEST_BYTES: u64 = 1 << 30;
/// Of more requests that cannot be read than these only the number is told.
const COMPLAINTS: usize = 20;

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
    #[error("`{path}`, {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
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
    /// Requests that could not be read.
    pub unreadable: u64,
    /// Where they stand and what is wrong with them, for the first few.
    pub complaints: Vec<String>,
    /// Metric data points, which are not kept.
    pub metric_points: u64,
}

/// Imports files into `lake`.
#[derive(Debug)]
pub struct Importer<'l> {
    lake: &'l Lake,
    clock: fn() -> i64,
    strict: bool,
    team_keys: Vec<String>,
}

struct Chunk<'l> {
    importer: &'l Importer<'l>,
    app: Arc<str>,
    number: u64,
    /// Of the requests since the last chunk.
    bytes: usize,
    rows: Rows,
    encoder: Encoder,
    imported: Imported,
}

impl<'l> Importer<'l> {
    /// Imports into `lake`; `clock` gives nanoseconds since 1970.
    #[must_use]
    pub fn new(lake: &'l Lake, clock: fn() -> i64) -> Self {
        Self { lake, clock, strict: false, team_keys: TEAM_KEYS.iter().map(|key| (*key).to_owned()).collect() }
    }

    /// Takes these for the keys by which applications name their team, in place of [`TEAM_KEYS`].
    #[must_use]
    pub fn team_keys(mut self, team_keys: &[String]) -> Self {
        team_keys.clone_into(&mut self.team_keys);
        self
    }

    /// Refuses a file whole, before anything of it is committed, when one of its requests cannot be read.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Imports one file. `progress` is told how many bytes of the file have been read.
    ///
    /// # Errors
    /// When the file cannot be read or is not OTLP. Requests that cannot be read are counted, and no error unless
    /// [`strict`](Self::strict).
    pub async fn file(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Imported, ImportError> {
        let read = |source| ImportError::Read { path: path.to_owned(), source };
        if self.strict {
            check(path)?;
        }
        let hash = hash_of(path).map_err(read)?;
        let app = format!("import:{}", hash.to_hex()).into();
        let mut chunk = Chunk {
            importer: self,
            app,
            number: 1,
            bytes: 0,
            rows: Rows::new(Limits::default()).with_team_keys(&self.team_keys),
            encoder: Encoder::start().map_err(read)?,
            imported: Imported::default(),
        };
        let mut text = open(path, progress).map_err(read)?;
        if is_json(&mut text).map_err(read)? {
            let mut objects = Objects::new(text);
            while let Some(found) = objects.next(is_request).map_err(read)? {
                match requests_in(found) {
                    Ok(kept) => chunk.take_all(kept).await?,
                    Err(complaint) => chunk.complain(complaint),
                }
            }
        } else {
            let kept = binary(path, text)?;
            chunk.take_all(kept).await?;
        }
        chunk.commit().await?;
        Ok(chunk.imported)
    }
}

/// The requests of an object, or its line and what is wrong with it.
fn requests_in(found: Found) -> Result<Vec<Kept>, String> {
    let line = found.line;
    let text = found.text.map_err(|reason| format!("line {line}: {reason}"))?;
    requests_of(&text).map_err(|wrong| format!("line {}: {}", line + wrong.line, wrong.reason))
}

/// Reads a file through; the first request that cannot be read is the error.
fn check(path: &Path) -> Result<(), ImportError> {
    let read = |source| ImportError::Read { path: path.to_owned(), source };
    let nobody = &mut |_| {};
    let mut text = open(path, nobody).map_err(read)?;
    if !is_json(&mut text).map_err(read)? {
        return binary(path, text).map(drop);
    }
    let mut objects = Objects::new(text);
    while let Some(found) = objects.next(is_request).map_err(read)? {
        if let Err(reason) = requests_in(found) {
            let reason = format!("{reason}; nothing of the file is imported");
            return Err(ImportError::Content { path: path.to_owned(), reason });
        }
    }
    Ok(())
}

/// The request that a whole file is, in protobuf.
fn binary(path: &Path, text: impl Read) -> Result<Vec<Kept>, ImportError> {
    let wrong = |reason| ImportError::Content { path: path.to_owned(), reason };
    let mut body = Vec::new();
    text.take(REQUEST_BYTES)
        .read_to_end(&mut body)
        .map_err(|source| ImportError::Read { path: path.to_owned(), source })?;
    let carried = tracewell_otlp::carried(&body)
        .map_err(|error| wrong(format!("it is not an OTLP export in protobuf or JSON: {error}")))?;
    let kept = |signal, body| Kept::Rows(signal, Converted { body, ..Converted::default() });
    Ok(vec![match carried {
        Some(Carried::Logs) => kept(Signal::Logs, body),
        Some(Carried::Metrics) => {
            let points = tracewell_otlp::count_metric_points(&body).map_err(|error| wrong(error.to_string()))?;
            Kept::Points(points)
        }
        Some(Carried::Traces) | None => kept(Signal::Traces, body),
    }])
}

impl Chunk<'_> {
    async fn take_all(&mut self, kept: Vec<Kept>) -> Result<(), ImportError> {
        for kept in kept {
            match kept {
                Kept::Rows(signal, Converted { body, unreadable }) => self.take(signal, &body, &unreadable).await?,
                Kept::Points(points) => self.imported.metric_points += points,
            }
        }
        Ok(())
    }

    fn complain(&mut self, complaint: String) {
        self.imported.unreadable += 1;
        if self.imported.complaints.len() < COMPLAINTS {
            self.imported.complaints.push(complaint);
        }
    }

    async fn take(&mut self, signal: Signal, body: &[u8], unreadable: &[Unreadable]) -> Result<(), ImportError> {
        let receipt = Receipt { seq: self.number, received_at: (self.importer.clock)(), tenant: DEFAULT_TENANT };
        let outcome = match signal {
            Signal::Traces => self.rows.traces(body, receipt),
            Signal::Logs => self.rows.logs(body, receipt),
        };
        let mut outcome = outcome.unwrap_or_else(|error| Outcome {
            rejected: 1,
            reasons: vec![error.to_string()],
            ..Outcome::default()
        });
        outcome.explain(unreadable);
        self.imported.outcome.accepted += outcome.accepted;
        self.imported.outcome.rejected += outcome.rejected;
        self.imported.outcome.reasons.extend(outcome.reasons);
        self.imported.outcome.reasons.truncate(5);
        self.bytes += body.len();
        if self.bytes >= CHUNK_BYTES {
            self.commit().await?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), ImportError> {
        let number = self.number;
        self.number += 1;
        self.bytes = 0;
        if self.rows.is_empty() {
            return Ok(());
        }
        let bytes = self.rows.bytes();
        let generation = Generation { seq: number, rows: self.rows.take(), bytes };
        if let Some(spans) = self.importer.lake.table(SPANS.name)
            && spans.watermark(&self.app).await?.is_some_and(|reached| reached >= number as i64)
        {
            self.imported.known += 1;
            // Another version may have read it, and cut other pieces out of it.
            self.rows.forget_all_contents();
            return Ok(());
        }
        let Importer { lake, clock, .. } = *self.importer;
        let (app, encoder) = (Arc::clone(&self.app), self.encoder.clone());
        let sealer = Sealer { lake: lake.clone(), app, encoder, pace: Arc::new(Pace::new(0)), clock };
        sealer.seal_once(&generation).await?;
        self.imported.chunks += 1;
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

fn open<'p>(path: &Path, progress: &'p mut dyn FnMut(u64)) -> std::io::Result<BufReader<Box<dyn Read + 'p>>> {
    let counted = Counted { inner: File::open(path)?, read: 0, progress };
    Ok(BufReader::with_capacity(1 << 20, inflated(BufReader::new(counted))?))
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

/// JSON begins with `{` or `[`, and so does no export in protobuf: that would be field 15 or 11 of a message with
/// three. The mark of byte order that Windows puts before a text is passed over: in protobuf it is no tag.
fn is_json(reader: &mut impl BufRead) -> std::io::Result<bool> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if reader.fill_buf()?.starts_with(MARK) {
        reader.consume(MARK.len());
    }
    let head = reader.fill_buf()?;
    Ok(matches!(head.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'[')))
}
