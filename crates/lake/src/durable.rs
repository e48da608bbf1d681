//! A local object store whose writes survive a power cut.
//!
//! `object_store`'s local file system neither syncs a file nor its folder (0.13), so a file it reports as written
//! can be empty after a crash, and a Delta commit can be torn. [`DurableLocal`] writes by itself (temporary file,
//! `fsync`, link or rename, `fsync` of the folder) and leaves reading to the original.

use std::fmt;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use tempfile::NamedTempFile;

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
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            let told = format!("cannot create the folder `{}`: {error}", folder.display());
            return Err(std::io::Error::new(error.kind(), told));
        }
        _ => {}
    }
    File::open(parent)?.sync_all()
}

/// The folder of a file.
fn folder_of(target: &FilePath) -> std::io::Result<&FilePath> {
    target.parent().ok_or_else(|| std::io::Error::other("the path has no folder"))
}

/// A file beside `target` under a name of its own, which goes away unless it is put in its place.
fn begin(target: &FilePath) -> std::io::Result<NamedTempFile> {
    let folder = folder_of(target)?;
    create_folder(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tracewell-").suffix("#");
    // As any other program makes files: who else may read them is for the umask to say.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Puts a whole file in the place of `target`; fails with `AlreadyExists` when `create` and something is there.
fn finish(temporary: NamedTempFile, target: &FilePath, create: bool) -> std::io::Result<()> {
    temporary.as_file().sync_all()?;
    if create {
        temporary.persist_noclobber(target).map_err(|error| error.error)?;
    } else {
        temporary.persist(target).map_err(|error| error.error)?;
    }
    File::open(folder_of(target)?)?.sync_all()
}

/// Writes `payload` to `target`; fails with `AlreadyExists` when `create` and something is there.
fn put_durably(target: &FilePath, payload: &PutPayload, create: bool) -> std::io::Result<()> {
    let mut temporary = begin(target)?;
    for bytes in payload {
        temporary.write_all(bytes)?;
    }
    finish(temporary, target, create)
}

/// A file that comes in parts: large checkpoints do.
#[derive(Debug)]
struct DurableUpload {
    target: PathBuf,
    /// Gone once it is complete or given up.
    temporary: Option<NamedTempFile>,
    /// Where the next part goes.
    end: u64,
}

/// Writes a part of a file.
fn write_part(mut file: File, at: u64, payload: &PutPayload) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    payload.iter().try_for_each(|bytes| file.write_all(bytes))
}

fn over() -> object_store::Error {
    generic(std::io::Error::other("the upload is over"))
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let at = self.end;
        self.end += payload.content_length() as u64;
        // A handle of its own: parts may be written side by side.
        let file = self.temporary.as_ref().map(NamedTempFile::reopen);
        async move {
            let file = file.ok_or_else(over)?.map_err(generic)?;
            let written = tokio::task::spawn_blocking(move || write_part(file, at, &payload)).await;
            written.map_err(generic)?.map_err(generic)
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (temporary, target) = (self.temporary.take().ok_or_else(over)?, self.target.clone());
        let finished = tokio::task::spawn_blocking(move || finish(temporary, &target, false)).await;
        finished.map_err(generic)?.map_err(generic)?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        self.temporary = None;
        Ok(())
    }
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
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let target: PathBuf = self.inner.path_to_filesystem(location)?;
        let begun = target.clone();
        let begun = tokio::task::spawn_blocking(move || begin(&begun)).await;
        let temporary = Some(begun.map_err(generic)?.map_err(generic)?);
        Ok(Box::new(DurableUpload { target, temporary, end: 0 }))
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

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    /// The names of the files in a folder.
    fn names(folder: &FilePath) -> Vec<String> {
        let names = std::fs::read_dir(folder).expect("the folder is there");
        names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[tokio::test]
    async fn a_file_that_comes_in_parts_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = folder.path().join("log/large");
        let path = Path::from_absolute_path(&target).expect("a path");
        let store = DurableLocal::new();
        for complete in [false, true] {
            let mut upload = store.put_multipart(&path).await.expect("it begins");
            let (first, second) = (upload.put_part("one, ".into()), upload.put_part("two".into()));
            // In any order, as several connections would.
            second.await.expect("it is written");
            first.await.expect("it is written");
            // Under the name that is synced before it goes; the local store's own, `large#1`, never is.
            let unfinished = names(&folder.path().join("log"));
            assert!(matches!(&unfinished[..], [one] if one.starts_with(".tracewell-")), "{unfinished:?}");
            if complete {
                upload.complete().await.expect("it is put in its place");
                assert!(upload.complete().await.is_err(), "once");
            } else {
                upload.abort().await.expect("it is given up");
            }
            assert_eq!(names(&folder.path().join("log")), ["large"][..usize::from(complete)]);
        }
        assert_eq!(std::fs::read_to_string(target).expect("it is there"), "one, two");
    }
}
