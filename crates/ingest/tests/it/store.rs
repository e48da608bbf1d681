//! A store that fails, delays, or does what it was asked and says it failed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

/// Faults at every put and some gets, by a seeded sequence, until [`FaultyStore::heal`].
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    random: AtomicU64,
    healed: AtomicBool,
    /// Every put fails.
    down: AtomicBool,
    /// The next put panics.
    panics: AtomicBool,
    /// The next put happens, and its answer is lost.
    loses: AtomicBool,
    /// Puts below this path always fail.
    refused: Option<&'static str>,
    pub(crate) faults: AtomicU64,
}

enum Fault {
    None,
    /// Nothing happens.
    Before,
    /// It happens, and the answer is lost.
    After,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            random: AtomicU64::new(seed),
            healed: AtomicBool::new(false),
            down: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            loses: AtomicBool::new(false),
            refused: None,
            faults: AtomicU64::new(0),
        })
    }

    /// Takes everything but puts below `path`.
    pub(crate) fn refusing(inner: Arc<dyn ObjectStore>, path: &'static str) -> Arc<Self> {
        let (random, faults) = (AtomicU64::new(0), AtomicU64::new(0));
        let (healed, down) = (AtomicBool::new(true), AtomicBool::new(false));
        let (panics, loses) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { inner, random, healed, down, panics, loses, refused: Some(path), faults })
    }

    /// Takes no put until [`FaultyStore::heal`], and what was put before can be read.
    pub(crate) fn down(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        let (random, faults) = (AtomicU64::new(0), AtomicU64::new(0));
        let (healed, down) = (AtomicBool::new(true), AtomicBool::new(true));
        let (panics, loses) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { inner, random, healed, down, panics, loses, refused: None, faults })
    }

    /// Panics at the next put.
    pub(crate) fn panic_once(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    /// Loses the answer to the next put.
    pub(crate) fn lose_once(&self) {
        self.loses.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.healed.store(true, Ordering::SeqCst);
        self.down.store(false, Ordering::SeqCst);
    }

    /// A number below `n`, by a linear congruential sequence.
    fn draw(&self, n: u64) -> u64 {
        let step = |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let state = self.random.update(Ordering::SeqCst, Ordering::SeqCst, step);
        (step(state) >> 33) % n
    }

    async fn fault(&self, often: u64) -> Fault {
        if self.healed.load(Ordering::SeqCst) {
            return Fault::None;
        }
        tokio::time::sleep(Duration::from_millis(self.draw(4))).await;
        let fault = match self.draw(often) {
            0 => Fault::Before,
            1 => Fault::After,
            _ => return Fault::None,
        };
        self.faults.fetch_add(1, Ordering::SeqCst);
        fault
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "503 injected".into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "injected");
        let refused = self.refused.is_some_and(|path| location.as_ref().contains(path));
        if refused || self.down.load(Ordering::SeqCst) {
            return Err(broken());
        }
        let fault = if self.loses.swap(false, Ordering::SeqCst) { Fault::After } else { self.fault(12).await };
        match fault {
            Fault::None => self.inner.put_opts(location, payload, options).await,
            Fault::Before => Err(broken()),
            Fault::After => {
                self.inner.put_opts(location, payload, options).await?;
                Err(broken())
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.fault(2_000).await {
            Fault::None => self.inner.get_opts(location, options).await,
            _ => Err(broken()),
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
