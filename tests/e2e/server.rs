//! A `tracewell serve` of a test's own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tracewell");
/// The media type of requests as SDKs send them.
pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// A running server. It is killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) data: PathBuf,
    pub(crate) grpc: String,
    pub(crate) http: String,
    /// Where SQL is answered.
    pub(crate) api: String,
    /// Where Arrow Flight is spoken, as a URL; empty when it is not.
    pub(crate) flight: String,
    /// Where the PostgreSQL protocol is spoken, as a URL; empty when it is not.
    pub(crate) postgres: String,
}

/// A port of this machine that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    /// Starts a server over `data` and waits until it is ready.
    pub(crate) async fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::start_at(data.to_str().unwrap(), data, arguments, &[]).await
    }

    /// Starts a server over the place `url`, with a log beside `data`, and with this environment.
    pub(crate) async fn start_at(url: &str, data: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let wal = match arguments.iter().position(|argument| *argument == "--wal") {
            Some(at) => PathBuf::from(arguments[at + 1]),
            None => data.join("wal"),
        };
        let endpoint = wal.join("endpoint");
        // One that a killed server left.
        let _ = std::fs::remove_file(&endpoint);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(data.with_extension("log")).unwrap();
        let process = Command::new(BINARY)
            .arg("serve")
            .args(["--data", url])
            .envs(environment.iter().copied())
            .args(if arguments.contains(&"--otlp-grpc") { &[][..] } else { &["--otlp-grpc", "127.0.0.1:0"] })
            .args(["--otlp-http", "localhost:0", "--http", "127.0.0.1:0"])
            .env("TRACEWELL_LISTEN_POSTGRES", "127.0.0.1:0")
            .env("TRACEWELL_LISTEN_FLIGHT", "127.0.0.1:0")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let (grpc, http, api, postgres, flight) = Default::default();
        let mut server = Self { process, data: data.to_owned(), grpc, http, api, postgres, flight };
        let deadline = Instant::now() + Duration::from_secs(60);
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&endpoint) {
                break text;
            }
            server.assert_running(deadline);
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let find = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let address = |name: &str| find(name).unwrap().trim().to_owned();
        (server.grpc, server.http) = (address("otlp_grpc"), address("otlp_http"));
        server.postgres = find("postgres ").unwrap_or_default().to_owned();
        server.flight = find("flight ").unwrap_or_default().to_owned();
        server.api = text.lines().next().unwrap().to_owned();
        while client().get(format!("{}/readyz", server.http)).send().await.is_err() {
            server.assert_running(deadline);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server
    }

    fn assert_running(&mut self, deadline: Instant) {
        if let Some(status) = self.process.try_wait().unwrap() {
            let log = std::fs::read_to_string(self.data.with_extension("log")).unwrap();
            panic!("the server ended with {status}:\n{log}");
        }
        assert!(Instant::now() < deadline, "the server is not ready after a minute");
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert!(self.process.wait().unwrap().success());
    }

    /// How much processor time it has used so far, in ticks of the system's clock.
    pub(crate) fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // The name of the program stands in parentheses and may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// The most memory it has had so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    }

    /// Posts bytes to an OTLP/HTTP path.
    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> reqwest::Result<reqwest::Response> {
        client().post(format!("{}{path}", self.http)).header("content-type", content_type).body(body).send().await
    }

    /// Posts protobuf to an OTLP/HTTP path; it has to be taken.
    pub(crate) async fn takes(&self, path: &str, body: Vec<u8>) {
        assert_eq!(self.post(path, PROTOBUF, body).await.unwrap().status(), 200, "{path}");
    }

    /// Asks this server SQL as a user does; others may be over the same data.
    pub(crate) fn sql(&self, query: &str) -> Vec<Value> {
        rows(Command::new(BINARY).args(["sql", "--format", "json", "--server", &self.api, query]), query)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An HTTP client that talks to this machine only.
pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: std::sync::Once = std::sync::Once::new();
    PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Runs `tracewell sql` over `data`, and gives its rows.
pub(crate) fn sql(data: &Path, query: &str) -> Vec<Value> {
    rows(Command::new(BINARY).args(["sql", "--format", "json", "--data", data.to_str().unwrap(), query]), query)
}

/// The rows that a command prints.
pub(crate) fn rows(command: &mut Command, query: &str) -> Vec<Value> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{query}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
