//! Bloom filters of files, read once and kept: they tell which files have none of the ids that are looked up.
//!
//! The engine asks them as well, but only once it has opened a file and worked out what of it to read.

use std::sync::Arc;

use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::cache::{Cache, CacheValue};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::bloom_filter::Sbbf;

use crate::place::Place;

/// Filters of columns of files, the latest used.
pub(crate) struct Filters(DefaultCache<Place<&'static str>, Kept>);

impl std::fmt::Debug for Filters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filters({} bytes)", self.0.memory_used())
    }
}

impl Filters {
    /// Keeps as many as `bytes` hold.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(DefaultCache::new(bytes))
    }

    /// The filters of `column` in `file`; `open` gives a reader of the file.
    pub(crate) async fn of(
        &self,
        file: &PartitionedFile,
        column: &'static str,
        open: impl FnOnce() -> Result<Box<dyn AsyncFileReader>>,
    ) -> Result<Arc<Filter>> {
        let place = Place { path: file.object_meta.location.clone(), part: column };
        if let Some(Kept(filter)) = self.0.get(&place) {
            return Ok(filter);
        }
        let filter = Arc::new(Filter::read(open()?, column).await?);
        self.0.put(&place, Kept(Arc::clone(&filter)));
        Ok(filter)
    }
}

/// The filters of one column of a file: one per row group, none where the group has none.
pub(crate) struct Filter(Vec<Option<Sbbf>>);

impl Filter {
    async fn read(mut reader: Box<dyn AsyncFileReader>, column: &str) -> Result<Self> {
        let metadata = reader.get_metadata(None).await?;
        let columns = metadata.file_metadata().schema_descr().columns().iter();
        let position = columns.map(|leaf| leaf.path().parts()).position(|path| path == [column]);
        let groups = metadata.num_row_groups();
        let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new())?;
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata);
        let mut filters = Vec::with_capacity(groups);
        for group in 0..groups {
            filters.push(match position {
                Some(position) => builder.get_row_group_column_bloom_filter(group, position).await?,
                None => None,
            });
        }
        Ok(Self(filters))
    }

    /// Whether a row may have one of `values`.
    pub(crate) fn may_hold<'a>(&self, values: impl IntoIterator<Item = &'a ScalarValue>) -> bool {
        values.into_iter().any(|value| match value.try_as_str() {
            Some(Some(text)) => self.0.iter().any(|group| group.as_ref().is_none_or(|filter| filter.check(text))),
            _ => true,
        })
    }

    fn size(&self) -> usize {
        self.0.iter().flatten().map(|filter| filter.num_blocks() * 32).sum()
    }
}

#[derive(Clone)]
struct Kept(Arc<Filter>);

impl CacheValue for Kept {
    fn size(&self) -> usize {
        size_of::<Filter>() + self.0.size()
    }
}
