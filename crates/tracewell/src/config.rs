//! One configuration: defaults, then a TOML file, then the environment, then flags.
//!
//! Every setting has one name, `section.key`. In the environment it is `TRACEWELL_SECTION_KEY`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

mod size;
mod span;

pub(crate) use size::ByteSize;
pub(crate) use span::TimeSpan;

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Folder or URL of the tables.
    pub(crate) data: String,
    /// Folder of the write-ahead log; within local data when empty.
    pub(crate) wal: PathBuf,
    pub(crate) listen: Listen,
    pub(crate) ingest: IngestSettings,
    pub(crate) query: QuerySettings,
    pub(crate) maintenance: MaintenanceSettings,
    /// Options of the object store by `object_store`'s names, such as `aws_endpoint`.
    pub(crate) storage: BTreeMap<String, String>,
}

/// Where the server listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listen {
    pub(crate) otlp_grpc: SocketAddr,
    pub(crate) otlp_http: SocketAddr,
    /// SQL, health and metrics. Port 0: any free one.
    pub(crate) http: SocketAddr,
}

/// How requests are taken in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IngestSettings {
    /// Independent write-ahead logs, each with a thread; 0: one per core.
    pub(crate) shards: usize,
    /// Commit at least this often.
    pub(crate) commit_interval: TimeSpan,
    /// A shard commits when its rows take this much memory.
    pub(crate) commit_bytes: ByteSize,
    /// Rows not yet committed, of all shards.
    pub(crate) memory: ByteSize,
    /// The write-ahead log on disk, of all shards.
    pub(crate) wal_size: ByteSize,
    /// One request, inflated.
    pub(crate) request_size: ByteSize,
    /// All requests between their first byte and their answer.
    pub(crate) in_flight: ByteSize,
}

/// What queries may take.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QuerySettings {
    /// Memory of all queries; beyond it they spill to disk.
    pub(crate) memory: ByteSize,
    /// A query that runs longer is stopped.
    pub(crate) timeout: TimeSpan,
    /// Queries that run at the same time.
    pub(crate) concurrent: usize,
    /// Threads that queries run on; 0: one per core.
    pub(crate) threads: usize,
    /// A folder of named queries beside our own.
    pub(crate) folder: PathBuf,
}

/// How the tables are kept small and sorted, and how long rows stay.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MaintenanceSettings {
    /// Whether the server does it by itself.
    pub(crate) enabled: bool,
    /// Between two looks at the tables.
    pub(crate) interval: TimeSpan,
    /// Compacted files are about this large.
    pub(crate) file_size: ByteSize,
    /// Memory of one merge.
    pub(crate) memory: ByteSize,
    /// Files that leave a table stay in the store for so long.
    pub(crate) retain: TimeSpan,
    /// A date is settled when it is over and nothing has come for it for so long.
    pub(crate) settle_after: TimeSpan,
    /// How long rows stay, those worked out from spans as long as spans; 0s: for ever.
    pub(crate) keep_spans: TimeSpan,
    pub(crate) keep_logs: TimeSpan,
    pub(crate) keep_contents: TimeSpan,
    pub(crate) keep_scores: TimeSpan,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "./tracewell-data".into(),
            wal: PathBuf::new(),
            listen: Listen::default(),
            ingest: IngestSettings::default(),
            query: QuerySettings::default(),
            maintenance: MaintenanceSettings::default(),
            storage: BTreeMap::new(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self { otlp_grpc: local(4317), otlp_http: local(4318), http: local(4320) }
    }
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            shards: 0,
            commit_interval: TimeSpan::seconds(5),
            commit_bytes: ByteSize::mib(64),
            memory: ByteSize::mib(512),
            wal_size: ByteSize::mib(16 << 10),
            request_size: ByteSize::mib(64),
            in_flight: ByteSize::mib(256),
        }
    }
}

impl Default for QuerySettings {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(1024),
            timeout: TimeSpan::seconds(300),
            concurrent: 16,
            threads: 0,
            folder: PathBuf::new(),
        }
    }
}

impl Default for MaintenanceSettings {
    fn default() -> Self {
        let for_ever = TimeSpan::seconds(0);
        Self {
            enabled: true,
            interval: TimeSpan::seconds(60),
            file_size: ByteSize::mib(128),
            memory: ByteSize::mib(256),
            retain: TimeSpan::seconds(7 * 24 * 3600),
            settle_after: TimeSpan::seconds(300),
            keep_spans: for_ever,
            keep_logs: for_ever,
            keep_contents: for_ever,
            keep_scores: for_ever,
        }
    }
}

/// Where a setting's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A flag's value for a setting.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// The configuration in force, and where each value comes from.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    pub(crate) config: Config,
    /// `section.key` to value and source, every setting once.
    pub(crate) settings: BTreeMap<String, (Value, Source)>,
}

impl Effective {
    /// Where the value of `key` comes from.
    pub(crate) fn source(&self, key: &str) -> &Source {
        self.settings.get(key).map_or(&Source::Default, |(_, source)| source)
    }
}

/// Puts the configuration together.
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
    flags: &[Flag],
) -> anyhow::Result<Effective> {
    let defaults = Table::try_from(Config::default()).expect("the defaults are valid TOML");
    let mut settings = BTreeMap::new();
    leaves(&defaults, "", &mut |key, value| {
        settings.insert(key, (value.clone(), Source::Default));
    });
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let table: Table = text.parse().with_context(|| format!("`{}` is not TOML", path.display()))?;
        let mut unknown = None;
        leaves(&table, "", &mut |key, value| {
            if is_known(&settings, &key) {
                settings.insert(key, (value.clone(), Source::File(path.to_owned())));
            } else {
                unknown.get_or_insert(key);
            }
        });
        if let Some(key) = unknown {
            let hint =
                nearest(&key, settings.keys()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            bail!("`{}`: there is no setting `{key}`{hint} `tracewell config` lists all", path.display());
        }
    }
    let keys: Vec<String> = settings.keys().cloned().collect();
    for key in keys {
        let name = format!("TRACEWELL_{}", key.replace('.', "_").to_uppercase());
        if let Some(text) = environment(&name) {
            let value = parse_like(&settings[&key].0, &text).with_context(|| format!("{name}=`{text}` is wrong"))?;
            settings.insert(key, (value, Source::Environment(name)));
        }
    }
    for flag in flags {
        let like = &settings.get(flag.key).expect("flags set settings that exist").0;
        let value =
            parse_like(like, &flag.value).with_context(|| format!("{} `{}` is wrong", flag.name, flag.value))?;
        settings.insert(flag.key.to_owned(), (value, Source::Flag(flag.name)));
    }
    let mut table = Table::new();
    for (key, (value, _)) in &settings {
        set(&mut table, key, value.clone());
    }
    let config: Config = table
        .try_into()
        .map_err(|error: toml::de::Error| anyhow::anyhow!("the configuration is wrong: {}", error.message()))?;
    Ok(Effective { config, settings })
}

/// `storage.*` is open; everything else is listed.
fn is_known(settings: &BTreeMap<String, (Value, Source)>, key: &str) -> bool {
    settings.contains_key(key) || key.starts_with("storage.")
}

fn leaves(table: &Table, prefix: &str, found: &mut impl FnMut(String, &Value)) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => leaves(inner, &key, found),
            value => found(key, value),
        }
    }
}

fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            if let Value::Table(inner) = table.entry(section).or_insert_with(|| Value::Table(Table::new())) {
                set(inner, rest, value);
            }
        }
    }
}

/// Text to a value of the same type as `like`.
fn parse_like(like: &Value, text: &str) -> anyhow::Result<Value> {
    Ok(match like {
        Value::Integer(_) => Value::Integer(text.parse().context("a whole number is needed")?),
        Value::Boolean(_) => Value::Boolean(text.parse().context("true or false is needed")?),
        _ => Value::String(text.to_owned()),
    })
}

/// The known key nearest to a misspelt one, if it is near at all.
fn nearest<'k>(wrong: &str, known: impl Iterator<Item = &'k String>) -> Option<&'k str> {
    known
        .map(|key| {
            let last = key.rsplit('.').next().unwrap_or(key);
            let distance = strsim::damerau_levenshtein(wrong, key);
            (distance.min(strsim::damerau_levenshtein(wrong, last)), key.as_str())
        })
        .min()
        .filter(|(distance, _)| *distance <= 1 + wrong.len() / 3)
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("it can be written");
        file
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let file =
            file("data = 'a'\n[ingest]\nshards = 1\ncommit_interval = '250ms'\n[listen]\nhttp = '127.0.0.1:1'\n");
        let environment = |name: &str| match name {
            "TRACEWELL_INGEST_SHARDS" => Some("2".to_owned()),
            "TRACEWELL_LISTEN_HTTP" => Some("127.0.0.1:2".to_owned()),
            _ => None,
        };
        let flags = [Flag { key: "listen.http", name: "--http", value: "127.0.0.1:3".into() }];
        let effective = load(Some(file.path()), environment, &flags).expect("it is valid");
        assert_eq!(effective.config.data, "a");
        assert_eq!(effective.config.ingest.shards, 2);
        assert_eq!(effective.config.ingest.commit_interval.get(), std::time::Duration::from_millis(250));
        assert_eq!(effective.config.listen.http.port(), 3);
        assert_eq!(effective.config.listen.otlp_grpc.port(), 4317);
        assert_eq!(effective.source("data"), &Source::File(file.path().to_owned()));
        assert_eq!(effective.source("ingest.shards"), &Source::Environment("TRACEWELL_INGEST_SHARDS".into()));
        assert_eq!(effective.source("listen.http"), &Source::Flag("--http"));
        assert_eq!(effective.source("query.timeout"), &Source::Default);
    }

    #[test]
    fn a_misspelt_key_is_an_error_that_names_the_right_one() {
        let file = file("[ingest]\nshard = 1\n");
        let error = load(Some(file.path()), none, &[]).expect_err("there is no such key").to_string();
        assert!(error.contains("`ingest.shard`") && error.contains("`ingest.shards`"), "{error}");
    }

    #[test]
    fn a_wrong_value_says_where_it_comes_from() {
        let environment = |name: &str| (name == "TRACEWELL_QUERY_CONCURRENT").then(|| "many".to_owned());
        let error = format!("{:#}", load(None, environment, &[]).expect_err("`many` is no number"));
        assert!(error.contains("TRACEWELL_QUERY_CONCURRENT") && error.contains("whole number"), "{error}");
    }
}
