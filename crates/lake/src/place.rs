//! What is kept of a file is found again by its place.

use std::fmt::Debug;
use std::hash::Hash;

use datafusion::common::TableReference;
use datafusion::execution::cache::CacheKey;
use object_store::path::Path;

/// A part of a file that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place<P> {
    pub(crate) path: Path,
    pub(crate) part: P,
}

impl<P: Clone + Debug + Eq + Hash + Send + Sync + 'static> CacheKey for Place<P> {
    fn size(&self) -> usize {
        size_of::<Self>() + self.path.as_ref().len()
    }

    fn table_ref(&self) -> Option<&TableReference> {
        None
    }
}
