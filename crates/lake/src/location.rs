//! Where the tables live: a folder or a URL, and the store behind it.

use std::collections::HashMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

use crate::LakeError;
use crate::durable::DurableLocal;

/// The place of the tables: the store, and the path in it under which each table has its folder.
#[derive(Clone, Debug)]
pub struct Location {
    url: Url,
    store: Arc<dyn ObjectStore>,
    root: Path,
}

impl Location {
    /// Understands a folder, or a URL with `file://`, `s3://`, `gs://`, `az://` and their usual variants.
    ///
    /// Credentials and endpoints come from `options` (keys as `object_store` names them) over the environment
    /// (`AWS_*`, `AZURE_*`, `GOOGLE_*`).
    ///
    /// # Errors
    /// When the place cannot be understood, or its store cannot be set up.
    pub fn parse(place: &str, options: &HashMap<String, String>) -> Result<Self, LakeError> {
        let wrong = |reason: String| LakeError::Location { location: place.to_owned(), reason };
        let url = if place.contains("://") {
            Url::parse(place).map_err(|error| wrong(error.to_string()))?
        } else {
            let folder = std::path::absolute(place).map_err(|error| wrong(error.to_string()))?;
            Url::from_directory_path(folder).map_err(|()| wrong("it is not a path of this system".into()))?
        };
        if url.scheme() == "file" {
            let folder = url.to_file_path().map_err(|()| wrong("it is not a path of this system".into()))?;
            let root = Path::from_absolute_path(&folder).map_err(|error| wrong(error.to_string()))?;
            return Ok(Self { url, store: Arc::new(DurableLocal::new()), root });
        }
        let environment = std::env::vars()
            .filter(|(key, _)| ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| key.starts_with(prefix)))
            .map(|(key, value)| (key.to_lowercase(), value));
        let all = environment.chain(options.iter().map(|(key, value)| (key.to_lowercase(), value.clone())));
        let (store, root) = object_store::parse_url_opts(&url, all).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { url, store: Arc::from(store), root })
    }

    /// The same place behind another store: how faults are injected.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn ObjectStore>) -> Self {
        self.store = store;
        self
    }

    /// The place as a URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The folder, when the place is on this machine.
    #[must_use]
    pub fn folder(&self) -> Option<std::path::PathBuf> {
        (self.url.scheme() == "file").then(|| self.url.to_file_path().ok()).flatten()
    }

    /// The store, with `/` at its root.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The path of a table's folder in the store.
    #[must_use]
    pub fn table_path(&self, table: &str) -> Path {
        self.root.clone().join(table)
    }

    /// The URL of a table's folder.
    #[must_use]
    pub fn table_url(&self, table: &str) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}/{table}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}
