//! Reading files of a table again: footers, bloom filters and small ranges, such as single pages, are kept in memory.
//!
//! A file never changes once it is in a table, so what was read of it stays true.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::cache::{Cache, CacheValue};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::file::metadata::ParquetMetaData;

use crate::filters::{Filter, Filters};
use crate::place::Place;

/// What needs more bytes at a time is read again each time: a scan would push everything else out.
const SMALL: u64 = 256 * 1024;

/// Readers that share what they have read.
#[derive(Debug)]
pub(crate) struct KeepingReaders {
    files: CachedParquetFileReaderFactory,
    filters: Filters,
    ranges: Arc<Ranges>,
}

impl KeepingReaders {
    /// Readers of `store` that keep footers in `footers`, and `bytes` of the rest.
    pub(crate) fn new(store: &Arc<dyn ObjectStore>, footers: Arc<FileMetadataCache>, bytes: usize) -> Self {
        let files = CachedParquetFileReaderFactory::new(Arc::clone(store), footers);
        let ranges = Arc::new(Ranges(DefaultCache::new(bytes / 2)));
        Self { files, filters: Filters::new(bytes / 2), ranges }
    }

    /// The bloom filters of `column` in `file`.
    pub(crate) async fn filter(&self, file: PartitionedFile, column: &'static str) -> Result<Arc<Filter>> {
        let open = || -> Result<Box<dyn AsyncFileReader>> {
            Ok(self.files.create_reader(0, file.clone(), None, &ExecutionPlanMetricsSet::new())?)
        };
        self.filters.of(&file, column, open).await
    }
}

impl ParquetFileReaderFactory for KeepingReaders {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let path = file.object_meta.location.clone();
        let reader = self.files.create_reader(partition, file, metadata_size_hint, metrics)?;
        Ok(Box::new(KeepingReader { path, reader, ranges: Arc::clone(&self.ranges) }))
    }
}

struct KeepingReader {
    path: Path,
    reader: Box<dyn AsyncFileReader + Send>,
    ranges: Arc<Ranges>,
}

impl AsyncFileReader for KeepingReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            let mut read = self.get_byte_ranges(vec![range]).await?;
            Ok(read.pop().unwrap_or_default())
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move {
            if ranges.iter().map(|range| range.end - range.start).sum::<u64>() > SMALL {
                return self.reader.get_byte_ranges(ranges).await;
            }
            let mut found: Vec<Option<Bytes>> = ranges.iter().map(|range| self.ranges.get(&self.path, range)).collect();
            let missing: Vec<_> = ranges
                .iter()
                .zip(&found)
                .filter(|(_, found)| found.is_none())
                .map(|(range, _)| range.clone())
                .collect();
            if !missing.is_empty() {
                let read = self.reader.get_byte_ranges(missing.clone()).await?;
                for (range, bytes) in missing.into_iter().zip(&read) {
                    self.ranges.keep(&self.path, range, bytes);
                }
                let mut read = read.into_iter();
                found.iter_mut().filter(|found| found.is_none()).for_each(|found| *found = read.next());
            }
            Ok(found.into_iter().flatten().collect())
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        self.reader.get_metadata(options)
    }
}

/// Small ranges of files, the latest used.
struct Ranges(DefaultCache<Place<Range<u64>>, Kept>);

impl std::fmt::Debug for Ranges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ranges({} bytes)", self.0.memory_used())
    }
}

impl Ranges {
    fn get(&self, path: &Path, range: &Range<u64>) -> Option<Bytes> {
        self.0.get(&Place { path: path.clone(), part: range.clone() }).map(|kept| kept.0)
    }

    fn keep(&self, path: &Path, range: Range<u64>, bytes: &Bytes) {
        // What was read together may be a part of something larger.
        let kept = Kept(Bytes::copy_from_slice(bytes));
        self.0.put(&Place { path: path.clone(), part: range }, kept);
    }
}

#[derive(Clone)]
struct Kept(Bytes);

impl CacheValue for Kept {
    fn size(&self) -> usize {
        size_of::<Self>() + self.0.len()
    }
}
