//! Snapshots of prices, so that what they gave can be asked again after they changed.
//!
//! The prices that were in force together are one Parquet file of [`PriceRow`]s in the folder `price-books` beside the
//! tables, written once. Its name says when they came into force, their version, and the versions of the catalogues in
//! them: `20261121T090000Z.<prices>.<catalogue>….parquet`.

use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::{LineDelimitedWriter, ReaderBuilder};
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tracewell_lake::Location;
use tracewell_pricing::{Catalogue, PriceRow};

use crate::error::{QueryError, SqlErrorKind};
use crate::prices::Prices;

const FOLDER: &str = "price-books";

/// The form of the time in a name.
pub(super) const TIME: &str = "%Y%m%dT%H%M%SZ";

/// The columns of a snapshot that are not text.
const COUNTS: [&str; 5] = ["ordinal", "valid_from", "valid_to", "context_over", "per"];
const TEXTS: [&str; 18] = [
    "catalogue",
    "version",
    "source",
    "provider",
    "provider_match",
    "provider_model_match",
    "provider_fallbacks",
    "rule",
    "model",
    "model_match",
    "tenant",
    "environment",
    "service_tier",
    "condition",
    "hours",
    "currency",
    "unit",
    "price",
];

/// Keeps `prices` beside the tables, unless they are there.
///
/// # Errors
/// When the store fails.
pub async fn record(location: &Location, prices: &Prices, now: i64) -> Result<(), QueryError> {
    if find(location, prices.version()).await?.is_some() {
        return Ok(());
    }
    let versions: Vec<&str> = prices.pricer().catalogues().map(Catalogue::version).collect();
    let time = DateTime::from_timestamp_nanos(now).format(TIME);
    let name = format!("{time}.{}.{}.parquet", prices.version(), versions.join("."));
    let path = location.table_path(FOLDER).join(name);
    location.store().put(&path, encode(prices)?.into()).await.map_err(failed)?;
    Ok(())
}

/// The prices of this version, or the last ones with a catalogue of this version.
///
/// # Errors
/// When there are none, they are damaged, or the store fails.
pub(crate) async fn read(location: &Location, version: &str) -> Result<Prices, QueryError> {
    Ok(Prices::new(catalogues(location, version).await?))
}

/// The catalogues of the prices of this version, or the one catalogue of this version.
///
/// # Errors
/// When there are none, they are damaged, or the store fails.
pub async fn kept(location: &Location, version: &str) -> Result<Vec<Arc<Catalogue>>, QueryError> {
    let all = catalogues(location, version).await?;
    let one = all.iter().find(|catalogue| catalogue.version() == version).cloned();
    Ok(one.map_or(all, |one| vec![one]))
}

async fn catalogues(location: &Location, version: &str) -> Result<Vec<Arc<Catalogue>>, QueryError> {
    let Some(path) = find(location, version).await? else {
        let message = format!("there were no prices of version `{version}`; `tracewell prices versions` lists all");
        return Err(QueryError::wrong(SqlErrorKind::Parameter, message));
    };
    let mut rows = Vec::new();
    for batch in batches(location, &path).await? {
        rows.extend(decode(&batch)?);
    }
    let of_one = |a: &PriceRow, b: &PriceRow| (&a.catalogue, &a.version) == (&b.catalogue, &b.version);
    let catalogue = |rows: &[PriceRow]| Catalogue::from_rows(rows.to_vec()).map(Arc::new).map_err(failed);
    rows.chunk_by(of_one).map(catalogue).collect()
}

async fn batches(location: &Location, path: &Path) -> Result<Vec<RecordBatch>, QueryError> {
    let bytes = location.store().get(path).await.map_err(failed)?.bytes().await.map_err(failed)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?.build().map_err(failed)?;
    reader.collect::<Result<Vec<_>, _>>().map_err(failed)
}

/// Every snapshot with its rows, the first ones first.
pub(super) async fn all(location: &Location) -> Result<Vec<(Recorded, Vec<RecordBatch>)>, DataFusionError> {
    let outside = |error: QueryError| DataFusionError::External(Box::new(error));
    let mut paths = files(location).await.map_err(outside)?;
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        if let Some(book) = read_name(&path) {
            all.push((book, batches(location, &path).await.map_err(outside)?));
        }
    }
    Ok(all)
}

/// Prices that were in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// When they came into force: `20261121T090000Z`.
    pub since: String,
    /// Their version.
    pub version: String,
    /// The versions of the catalogues in them.
    pub catalogues: Vec<String>,
}

/// All prices that were kept, the first ones first.
///
/// # Errors
/// When the store fails.
pub async fn recorded(location: &Location) -> Result<Vec<Recorded>, QueryError> {
    let mut all: Vec<Recorded> = files(location).await?.iter().filter_map(read_name).collect();
    all.sort();
    Ok(all)
}

async fn files(location: &Location) -> Result<Vec<Path>, QueryError> {
    let folder = location.table_path(FOLDER);
    location.store().list(Some(&folder)).map_ok(|file| file.location).try_collect().await.map_err(failed)
}

fn read_name(path: &Path) -> Option<Recorded> {
    let mut parts = path.filename()?.strip_suffix(".parquet")?.split('.').map(str::to_owned);
    Some(Recorded { since: parts.next()?, version: parts.next()?, catalogues: parts.collect() })
}

async fn find(location: &Location, version: &str) -> Result<Option<Path>, QueryError> {
    let is_in = |kept: &Recorded| kept.version == version || kept.catalogues.iter().any(|one| one == version);
    let named = |path: &Path| read_name(path).as_ref().is_some_and(is_in);
    Ok(files(location).await?.into_iter().filter(named).max())
}

fn failed(error: impl std::fmt::Display) -> QueryError {
    QueryError::Failed(format!("the prices of before: {error}"))
}

fn schema() -> SchemaRef {
    let texts = TEXTS.iter().map(|name| Field::new(*name, DataType::Utf8, true));
    let counts = COUNTS.iter().map(|name| Field::new(*name, DataType::Int64, true));
    Arc::new(Schema::new(texts.chain(counts).chain([Field::new("batch", DataType::Boolean, true)]).collect::<Vec<_>>()))
}

fn encode(prices: &Prices) -> Result<Vec<u8>, QueryError> {
    let rows: Vec<PriceRow> = prices.pricer().catalogues().flat_map(Catalogue::rows).collect();
    let mut decoder = ReaderBuilder::new(schema()).with_batch_size(rows.len().max(1)).build_decoder()?;
    decoder.serialize(&rows)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema(), Some(properties)).map_err(failed)?;
    if let Some(batch) = decoder.flush()? {
        writer.write(&batch).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

fn decode(batch: &RecordBatch) -> Result<Vec<PriceRow>, QueryError> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    let lines = writer.into_inner();
    let rows = serde_json::Deserializer::from_slice(&lines).into_iter();
    rows.collect::<Result<_, _>>().map_err(|error| ArrowError::JsonError(error.to_string()).into())
}
