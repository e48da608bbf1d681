//! Plain Parquet scans over a snapshot, pruned by the log's statistics.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt, stream};
use tracewell_model::schema::Table;

use crate::Location;
use crate::filters::Filter;
use crate::reader::KeepingReaders;
use crate::schema::{partition_field, scan_schema, table_schema};
use crate::snapshot::DataFile;

/// Files whose bloom filters are read at the same time.
const FILTERS_AT_ONCE: usize = 16;

/// The store of the files, as sessions of DataFusion know it.
#[derive(Clone, Debug)]
pub struct Store {
    url: ObjectStoreUrl,
    readers: Option<Arc<KeepingReaders>>,
}

impl Store {
    /// The store of `location`, which becomes known to `environment`.
    ///
    /// # Errors
    /// When the location has no place in a URL.
    pub fn known_to(environment: &RuntimeEnv, location: &Location) -> Result<Self> {
        let url = location.url();
        let url = ObjectStoreUrl::parse(format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default()))?;
        environment.register_object_store(url.as_ref(), Arc::clone(location.store()));
        Ok(Self { url, readers: None })
    }

    /// The same; `environment` keeps the footers of its files, and `bytes` of bloom filters and small ranges are kept
    /// beside.
    ///
    /// # Errors
    /// When the location has no place in a URL.
    pub fn kept_by(environment: &RuntimeEnv, location: &Location, bytes: usize) -> Result<Self> {
        let footers = environment.cache_manager.get_file_metadata_cache();
        let readers = Some(Arc::new(KeepingReaders::new(location.store(), footers, bytes)));
        Ok(Self { readers, ..Self::known_to(environment, location)? })
    }

    /// Reads the footer and the bloom filters of a file, so that they are kept when it is asked about.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn warm(&self, table: &Table, file: &DataFile) -> Result<()> {
        let Some(readers) = &self.readers else { return Ok(()) };
        for column in table.columns.iter().filter(|column| column.bloom) {
            readers.filter(opened(file), column.name).await?;
        }
        Ok(())
    }
}

/// What a scan is to read.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// Columns, as positions in [`table_schema`]; all when `None`.
    pub projection: Option<Vec<usize>>,
    /// Rows that do not satisfy this may be left out.
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
    /// No more rows than this are wanted.
    pub limit: Option<usize>,
    /// In how many partitions to read.
    pub partitions: usize,
    /// Evaluate the predicate while decoding: several times faster where it selects few rows, slower where many.
    pub pushdown: bool,
}

/// Those of `files` that may hold rows satisfying `predicate`: by the log's statistics, and for ids by the files'
/// bloom filters.
async fn prune(
    table: &Table,
    files: &[Arc<DataFile>],
    schema: &SchemaRef,
    store: &Store,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
) -> Result<Vec<Arc<DataFile>>> {
    let pruning = predicate.and_then(|predicate| {
        PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(Arc::clone(predicate))
    });
    let Some(pruning) = pruning else { return Ok(files.to_vec()) };
    let left = |known: &Known<'_>| -> Vec<Arc<DataFile>> {
        let Ok(keep) = pruning.prune(known) else { return known.files.to_vec() };
        known.files.iter().zip(keep).filter(|(_, keep)| *keep).map(|(file, _)| Arc::clone(file)).collect()
    };
    let files = left(&Known { files, filters: HashMap::new() });
    let looked_up = pruning.literal_columns();
    let looked_up =
        table.columns.iter().filter(|column| column.bloom && looked_up.iter().any(|name| name == column.name));
    let mut filters = HashMap::new();
    if let Some(readers) = &store.readers {
        for column in looked_up {
            let of_file = |file: &Arc<DataFile>| readers.filter(opened(file), column.name);
            let of_files = stream::iter(files.iter().map(of_file).collect::<Vec<_>>()).buffered(FILTERS_AT_ONCE);
            filters.insert(column.name, of_files.try_collect().await?);
        }
    }
    Ok(if filters.is_empty() { files } else { left(&Known { files: &files, filters }) })
}

/// A Parquet scan over files of a snapshot.
///
/// # Errors
/// When the projection is out of range, or a bloom filter cannot be read.
pub async fn plan(
    table: &Table,
    files: &[Arc<DataFile>],
    store: &Store,
    request: &ScanRequest,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let schema = table_schema(table);
    let files = prune(table, files, &schema, store, request.predicate.as_ref()).await?;
    if files.is_empty() {
        return Ok(None);
    }
    let groups = groups(&files, &schema, request.partitions);
    Ok(Some(data_source(table, store, groups, request)?))
}

fn data_source(
    table: &Table,
    store: &Store,
    groups: Vec<FileGroup>,
    request: &ScanRequest,
) -> Result<Arc<dyn ExecutionPlan>> {
    let table_schema =
        TableSchema::builder(scan_schema(table)).with_table_partition_cols(vec![partition_field(table)]).build();
    let mut source = ParquetSource::new(table_schema).with_pushdown_filters(request.pushdown);
    if let Some(readers) = &store.readers {
        source = source.with_parquet_file_reader_factory(Arc::clone(readers) as _);
    }
    if let Some(predicate) = &request.predicate {
        source = source.with_predicate(Arc::clone(predicate));
    }
    let config = FileScanConfigBuilder::new(store.url.clone(), Arc::new(source))
        .with_file_groups(groups)
        .with_projection_indices(request.projection.clone())?
        .with_limit(request.limit)
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

/// The rows of `files` with the columns `projection` (positions in [`table_schema`]): a partition per file when
/// `apart`, else one partition that reads file after file.
///
/// # Errors
/// When the projection is out of range.
pub fn files(
    table: &Table,
    files: &[Arc<DataFile>],
    store: &Store,
    projection: Vec<usize>,
    apart: bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    let request =
        ScanRequest { projection: Some(projection), predicate: None, limit: None, partitions: 1, pushdown: false };
    let schema = table_schema(table);
    let one = |file: &Arc<DataFile>| partitioned(file, &schema);
    let groups = if apart {
        files.iter().map(|file| FileGroup::new(vec![one(file)])).collect()
    } else {
        vec![FileGroup::new(files.iter().map(one).collect())]
    };
    data_source(table, store, groups, &request)
}

/// A file as readers open it.
fn opened(file: &DataFile) -> PartitionedFile {
    let mut opened = PartitionedFile::new(file.path.to_string(), file.size);
    opened.object_meta.location = file.path.clone();
    opened
}

/// The same as scans take it: with its partition and what is known of its columns.
fn partitioned(file: &DataFile, schema: &Schema) -> PartitionedFile {
    let mut partitioned = opened(file);
    partitioned.partition_values = vec![ScalarValue::Date32(Some(file.day.0))];
    partitioned.with_statistics(Arc::new(file.statistics(schema)))
}

/// Deals the files out, largest first, so that each partition has about the same bytes.
fn groups(files: &[Arc<DataFile>], schema: &SchemaRef, partitions: usize) -> Vec<FileGroup> {
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort_by_key(|file| std::cmp::Reverse(file.size));
    let mut dealt: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); partitions.clamp(1, files.len())];
    for file in sorted {
        let least = dealt.iter_mut().min_by_key(|(bytes, _)| *bytes).expect("there is at least one partition");
        least.0 += file.size;
        least.1.push(partitioned(file, schema));
    }
    dealt.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
}

/// What is known of files without reading their rows.
struct Known<'a> {
    files: &'a [Arc<DataFile>],
    /// By column, those of each file.
    filters: HashMap<&'static str, Vec<Arc<Filter>>>,
}

impl Known<'_> {
    /// One side of the log's statistics, file by file.
    fn collect(&self, column: &Column, side: impl Fn(&(ScalarValue, ScalarValue)) -> &ScalarValue) -> Option<ArrayRef> {
        if column.name == "date" {
            return ScalarValue::iter_to_array(self.files.iter().map(|file| ScalarValue::Date32(Some(file.day.0))))
                .ok();
        }
        let null = self.files.iter().find_map(|file| file.bounds.get(&column.name))?;
        let null = ScalarValue::try_from(&side(null).data_type()).ok()?;
        let values = self
            .files
            .iter()
            .map(|file| file.bounds.get(&column.name).map_or_else(|| null.clone(), |both| side(both).clone()));
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for Known<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.collect(column, |(low, _)| low)
    }
    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.collect(column, |(_, high)| high)
    }
    fn num_containers(&self) -> usize {
        self.files.len()
    }
    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }
    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|file| file.rows).collect::<UInt64Array>()))
    }
    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let filters = self.filters.get(column.name.as_str())?;
        // A filter can only say that there is none.
        Some(filters.iter().map(|filter| (!filter.may_hold(values)).then_some(false)).collect())
    }
}
