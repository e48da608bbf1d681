//! One configuration: defaults, then a TOML file, then the environment, then flags.
//!
//! Every setting has one name, `section.key`. In the environment it is `TRACEWELL_SECTION_KEY`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Value;

mod address;
mod alert;
mod capture;
mod evaluate;
mod limits;
mod load;
mod places;
mod report;
mod size;
mod span;
mod storage;

pub(crate) use address::{Address, Listening};
pub(crate) use alert::{AlertSettings, Rule};
pub(crate) use capture::{CaptureSchedule, CaptureSettings};
pub(crate) use evaluate::EvaluateSettings;
pub(crate) use load::load;
pub(crate) use report::ReportSettings;
pub(crate) use size::ByteSize;
pub(crate) use span::{TimeSpan, written};
pub(crate) use storage::shown;

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
    pub(crate) postgres: PostgresSettings,
    pub(crate) flight: FlightSettings,
    pub(crate) http: HttpSettings,
    pub(crate) query: QuerySettings,
    pub(crate) prices: PriceSettings,
    pub(crate) maintenance: MaintenanceSettings,
    pub(crate) evaluate: EvaluateSettings,
    pub(crate) capture: CaptureSettings,
    pub(crate) release: ReleaseSettings,
    pub(crate) report: ReportSettings,
    pub(crate) alerts: AlertSettings,
    /// Options of the object store by `object_store`'s names, such as `aws_endpoint`.
    pub(crate) storage: BTreeMap<String, String>,
}

/// Where the server listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listen {
    pub(crate) otlp_grpc: Address,
    pub(crate) otlp_http: Address,
    /// Whether prompts and releases are recorded by gRPC also where other machines reach `otlp_grpc`.
    pub(crate) grpc_records: bool,
    /// SQL, health and metrics. Port 0: any free one.
    pub(crate) http: Address,
    /// SQL by the PostgreSQL protocol; `off`: nowhere.
    pub(crate) postgres: Listening,
    /// SQL by Arrow Flight; `off`: nowhere.
    pub(crate) flight: Listening,
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
    /// Keys by which applications name their team, in metadata of a span or on the resource; the preferred one first.
    pub(crate) team_keys: Vec<String>,
    /// Origins of web pages that may send over HTTP, such as `https://app.example`; `*`: all.
    pub(crate) origins: Vec<String>,
}

/// Who may speak the PostgreSQL protocol, and how.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PostgresSettings {
    /// Everybody's password; none is asked for when it is empty, which only an address of this machine may have.
    pub(crate) password: String,
    /// Files in PEM. With them only encrypted connections are taken.
    pub(crate) tls_certificate: PathBuf,
    pub(crate) tls_key: PathBuf,
    /// Connections at the same time; 0: as half of the files that the process may open, 2,000 at most.
    pub(crate) connections: usize,
}

/// Who may speak Arrow Flight SQL.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FlightSettings {
    /// Everybody's password; none is asked for when it is empty, which only an address of this machine may have.
    pub(crate) password: String,
}

/// Who may ask over HTTP.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpSettings {
    /// Everybody's password, for all but health and metrics; none is asked for when it is empty.
    pub(crate) password: String,
}

/// What follows a step of a release.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReleaseSettings {
    /// A URL that gets a POST of JSON after each rollback; nobody is told when it is empty.
    pub(crate) webhook: String,
}

/// What queries may take.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QuerySettings {
    /// Memory of all queries.
    pub(crate) memory: ByteSize,
    /// Memory of one query, beyond which it spills to disk; 0B: three quarters of `memory`.
    pub(crate) memory_per_query: ByteSize,
    /// The folder that queries spill to; the system's folder for temporary files when it is empty.
    pub(crate) spill: PathBuf,
    /// What all queries may spill together.
    pub(crate) spill_size: ByteSize,
    /// A query that runs longer is stopped.
    pub(crate) timeout: TimeSpan,
    /// Queries that run at the same time.
    pub(crate) concurrent: usize,
    /// Beside those, queries that have run for more than two seconds.
    pub(crate) long: usize,
    /// Rows of one answer.
    pub(crate) rows: u64,
    /// The rows of one answer in memory.
    pub(crate) bytes: ByteSize,
    /// Threads that queries run on; 0: one per core.
    pub(crate) threads: usize,
    /// A folder of named queries beside our own.
    pub(crate) folder: PathBuf,
}

/// Where prices come from that are not built in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PriceSettings {
    /// Price files of the operator, TOML or CSV.
    pub(crate) files: Vec<PathBuf>,
    /// Where `tracewell prices import` puts files, which are read too; `price-lists` within local data when empty.
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
            postgres: PostgresSettings::default(),
            flight: FlightSettings::default(),
            http: HttpSettings::default(),
            query: QuerySettings::default(),
            prices: PriceSettings::default(),
            maintenance: MaintenanceSettings::default(),
            evaluate: EvaluateSettings::default(),
            capture: CaptureSettings::default(),
            release: ReleaseSettings::default(),
            report: ReportSettings::default(),
            alerts: AlertSettings::default(),
            storage: BTreeMap::new(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        let local = |port| Address::local(port);
        let (postgres, flight) = (Listening::At(local(5432)), Listening::At(local(4321)));
        Self {
            otlp_grpc: local(4317),
            otlp_http: local(4318),
            grpc_records: false,
            http: local(4320),
            postgres,
            flight,
        }
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
            team_keys: tracewell_ingest::TEAM_KEYS.iter().map(|key| (*key).to_owned()).collect(),
            origins: Vec::new(),
        }
    }
}

impl Default for QuerySettings {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(2048),
            memory_per_query: ByteSize::mib(0),
            spill: PathBuf::new(),
            spill_size: ByteSize::mib(64 << 10),
            timeout: TimeSpan::seconds(300),
            concurrent: 16,
            long: 4,
            rows: 50_000_000,
            bytes: ByteSize::mib(16 << 10),
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
            memory: ByteSize::mib(512),
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
