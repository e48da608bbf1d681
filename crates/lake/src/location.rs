//! Where the tables live: a folder or a URL, and the store behind it.

use std::collections::HashMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::LakeError;
use crate::durable::DurableLocal;

/// A URL as it may be shown: without the user and password that someone put into it.
#[must_use]
pub fn without_keys(place: &str) -> String {
    let Some((scheme, rest)) = place.split_once("://") else { return place.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        // Azure's URLs have the container there.
        Some((user, _)) if scheme.starts_with("abfs") && !user.contains(':') => place.to_owned(),
        Some((_, host)) => format!("{scheme}://(hidden)@{host}{path}"),
        None => place.to_owned(),
    }
}

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
        let wrong = |reason: String| LakeError::Location { location: without_keys(place), reason };
        let url = if place.contains("://") {
            Url::parse(place).map_err(|error| wrong(error.to_string()))?
        } else {
            let folder = std::path::absolute(place).map_err(|error| wrong(error.to_string()))?;
            Url::from_directory_path(folder).map_err(|()| wrong("it is not a path of this system".into()))?
        };
        let names_container = url.scheme().starts_with("abfs");
        if url.password().is_some() || (!url.username().is_empty() && !names_container) {
            return Err(wrong(
                "keys do not belong into a URL; set them in the environment (AWS_*, GOOGLE_*, AZURE_*) or in [storage]"
                    .into(),
            ));
        }
        if url.scheme() == "file" {
            let folder = url.to_file_path().map_err(|()| wrong("it is not a path of this system".into()))?;
            let root = Path::from_absolute_path(&folder).map_err(|error| wrong(error.to_string()))?;
            return Ok(Self { url, store: Arc::new(DurableLocal::new()), root });
        }
        let environment = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
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

    /// What delta-rs is to take for the store and for the URL of a table's folder in it.
    ///
    /// It makes URLs of the paths that a store lists without escaping `%` in them. Where the place has one in its name,
    /// it sees a store that begins at the place.
    #[must_use]
    pub(crate) fn for_delta(&self, table: &str) -> (Arc<dyn ObjectStore>, Url) {
        let mut url = self.url.clone();
        if !self.root.as_ref().contains('%') {
            url.set_path(&format!("{}/{table}/", url.path().trim_end_matches('/')));
            return (Arc::clone(&self.store), url);
        }
        if url.scheme() == "file" {
            // It would look for the folder itself. Each place needs a name of its own.
            let name = blake3::hash(url.as_str().as_bytes()).to_hex();
            url = Url::parse(&format!("memory://{name}")).expect("a hash is a host's name");
        }
        url.set_path(&format!("/{table}/"));
        (Arc::new(PrefixStore::new(Arc::clone(&self.store), self.root.clone())), url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_a_url_are_refused_and_never_shown() {
        for place in
            ["s3://AKIA:secret@bucket/x", "s3://AKIA@bucket", "https://u:secret@host:9/x", "s3://a:b@secret@x:y"]
        {
            assert!(!without_keys(place).contains("AKIA") && !without_keys(place).contains("secret"), "{place}");
            let error = Location::parse(place, &HashMap::new()).unwrap_err().to_string();
            assert!(!error.contains("AKIA") && !error.contains("secret"), "{error}");
        }
        assert_eq!(without_keys("s3://AKIA:secret@bucket/x@y"), "s3://(hidden)@bucket/x@y");
        for place in ["s3://bucket/x@y", "./folder@home", "abfss://container@account.dfs.core.windows.net/x"] {
            assert_eq!(without_keys(place), place);
        }
    }
}
