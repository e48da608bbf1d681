//! A local object store whose writes survive a power cut.
//!
//! `object_store`'s local file system neither syncs a file nor its folder (0.13), so a file it reports as written
//! can be empty after a crash, and a Delta commit can be torn. [`DurableLocal`] writes by itself (temporary file,
//! `fsync`, link or rename, `fsync` of the folder) and leaves reading to the original.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

const STORE: &str = "local";

/// A [`LocalFileSystem`] whose puts are durable when they return.
#[derive(Debug)]
pub struct DurableLocal {
    inner: Arc<LocalFileSystem>,
}

impl DurableLocal {
    /// A store over the whole file system.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Arc::new(LocalFileSystem::new()) }
    }
}

impl Default for DurableLocal {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "durable {}", self.inner)
    }
}

fn generic(source: impl std::error::Error + Send + Sync + 'static) -> object_store::Error {
    object_store::Error::Generic { store: STORE, source: Box::new(source) }
}

/// Creates `folder` and its parents, and syncs each parent that got a new entry.
fn create_folder(folder: &FilePath) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    create_folder(parent)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent)?.sync_all()
}

/// Writes `payload` to `target`; fails with `AlreadyExists` when `create` and something is there.
fn put_durably(target: &FilePath, payload: &PutPayload, create: bool) -> std::io::Result<()> {
    let folder = target.parent().ok_or_else(|| std::io::Error::other("the path has no folder"))?;
    create_folder(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tracewell-").suffix("#");
    // As any other program makes files: who else may read them is for the umask to say.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder)?;
    for bytes in payload {
        temporary.write_all(bytes)?;
    }
    temporary.as_file().sync_all()?;
    if create {
        temporary.persist_noclobber(target).map_err(|error| error.error)?;
    } else {
        temporary.persist(target).map_err(|error| error.error)?;
    }
    File::open(folder)?.sync_all()
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => return self.inner.put_opts(location, payload, options).await,
        };
        let target: PathBuf = self.inner.path_to_filesystem(location)?;
        let path = location.clone();
        tokio::task::spawn_blocking(move || put_durably(&target, &payload, create)).await.map_err(generic)?.map_err(
            |error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    object_store::Error::AlreadyExists { path: path.to_string(), source: Box::new(error) }
                }
                _ => generic(error),
            },
        )?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    /// In order, as every store but a local one lists by itself.
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let listing = self.inner.list_with_offset(prefix, offset).try_collect::<Vec<_>>();
        let sorted = listing.map_ok(|mut files| {
            files.sort_by(|a, b| a.location.cmp(&b.location));
            futures::stream::iter(files.into_iter().map(Ok))
        });
        sorted.try_flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
