//! Object stores: servers that speak S3 and Azure Blob, on this machine, and go away.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use crate::readers::{python, run, script};
use crate::server::{BINARY, PROTOBUF, Server, free_port, rows};
use crate::skipped::skipped;
use crate::spans::{request, span, text};

/// A store that is stopped when the test is over.
struct Store {
    process: Child,
    command: Command,
    port: u16,
    /// Whether it keeps what it has when it ends.
    keeps: bool,
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Store {
    async fn start(mut command: Command, port: u16, keeps: bool) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let store = Self { process, command, port, keeps };
        store.listens().await;
        store
    }

    async fn listens(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < deadline, "the store is not there after a minute");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An outage: it refuses connections, or, where it would forget everything, answers nothing.
    fn goes_away(&mut self) {
        if self.keeps {
            self.process.kill().unwrap();
            self.process.wait().unwrap();
        } else {
            self.signal("STOP");
        }
    }

    async fn comes_back(&mut self) {
        if self.keeps {
            self.process = self.command.spawn().unwrap();
            self.listens().await;
        } else {
            self.signal("CONT");
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_live_on_s3() {
    let Some(python) = python("tables_live_on_s3") else { return };
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut server = Command::new(&python);
    server.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    let mut store = Store::start(server, port, false).await;
    run(Command::new(&python).arg(script("bucket.py")).args(["s3", &endpoint]));
    let environment = [
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ];
    serve_kill_and_read("s3://traces/lake", &environment, &mut store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_live_on_azure() {
    let Some(python) = python("tables_live_on_azure") else { return };
    let Ok(azurite) = std::env::var("TRACEWELL_AZURITE") else {
        skipped("tables_live_on_azure", "set TRACEWELL_AZURITE to azurite-blob of npm's azurite (.ci/run installs it)");
        return;
    };
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let folder = tempfile::tempdir().unwrap();
    let mut server = Command::new(azurite);
    server.args(["--skipApiVersionCheck", "--silent", "--blobPort", &port.to_string(), "--location"]);
    server.arg(folder.path());
    let mut store = Store::start(server, port, true).await;
    run(Command::new(&python).arg(script("bucket.py")).args(["azure", &endpoint]));
    let environment = [("AZURE_STORAGE_USE_EMULATOR", "true"), ("AZURITE_BLOB_STORAGE_URL", endpoint.as_str())];
    serve_kill_and_read("az://traces/lake", &environment, &mut store).await;
}

/// Model calls, each in a trace and with a message of its own.
fn calls(ids: std::ops::RangeInclusive<u64>) -> Vec<Span> {
    let call = |id: u64| {
        let message = format!(r#"[{{"role":"user","parts":[{{"type":"text","content":"message {id}"}}]}}]"#);
        let mut call = span(u128::from(id), id, "chat m");
        call.attributes = vec![text("gen_ai.operation.name", "chat"), text("gen_ai.input.messages", &message)];
        call
    };
    ids.map(call).collect()
}

/// Spans before and after a kill and an outage are all there once, for the server and for a reader without one.
async fn serve_kill_and_read(url: &str, environment: &[(&str, &str)], store: &mut Store) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let wal = folder.path().join("wal");
    let wal = wal.to_str().unwrap();
    let arguments = ["--wal", wal, "--commit-interval", "100ms"];
    let mut sent = 0_u64;
    for _ in 0..3 {
        let server = Server::start_at(url, &data, &arguments, environment).await;
        for _ in 0..10 {
            let body = request(calls(sent + 1..=sent + 4));
            sent += 4;
            server.takes("/v1/traces", body).await;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        server.kill();
    }
    // Exports are acknowledged without the store, however many commits are due; and the server may die without it.
    for dies in [false, true] {
        let server = Server::start_at(url, &data, &arguments, environment).await;
        store.goes_away();
        for _ in 0..20 {
            let body = request(calls(sent + 1..=sent + 4));
            sent += 4;
            let answer = server.post("/v1/traces", PROTOBUF, body);
            let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("an answer, not a wait");
            assert_eq!(answer.unwrap().status(), 200);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if dies {
            server.kill();
            store.comes_back().await;
        } else {
            store.comes_back().await;
            server.stop();
        }
    }
    Server::start_at(url, &data, &arguments, environment).await.stop();
    let query = "SELECT (SELECT count(*) FROM spans) AS stored, (SELECT count(DISTINCT span_id) FROM spans) AS different,
                        (SELECT count(DISTINCT hash) FROM contents) AS contents, (SELECT count(*) FROM llm_calls) AS calls";
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        rows(
            command
                .args(["sql", "--format", "json", "--data", url, query])
                .args(arguments)
                .envs(environment.iter().copied()),
            query,
        )
    };
    let wanted = [json!({ "stored": sent, "different": sent, "contents": sent, "calls": sent })];
    assert_eq!(ask(&["--wal", wal]), wanted);
    // After an orderly stop the tables alone hold everything; that there may be more is said.
    assert_eq!(ask(&[]), wanted);
    let mut blind = Command::new(BINARY);
    let said = blind.args(["sql", "--data", url, query]).envs(environment.iter().copied()).output().unwrap().stderr;
    assert!(String::from_utf8_lossy(&said).contains("rows that are not committed yet are not seen"), "{said:?}");
    // And hold it still when they are compacted and settled, and the old files are gone.
    let tracewell = |arguments: &[&str]| {
        run(Command::new(BINARY).args(arguments).args(["--data", url]).envs(environment.iter().copied()))
    };
    for arguments in [&["compact"][..], &["settle"], &["checkpoint"], &["vacuum", "--retain", "0s"]] {
        tracewell(arguments);
        assert_eq!(ask(&[]), wanted);
    }
    // A span of days ago goes, those of today stay.
    let mut old = span(u128::from(sent + 1), sent + 1, "old");
    old.start_time_unix_nano -= 3 * 86_400 * 1_000_000_000;
    old.end_time_unix_nano = old.start_time_unix_nano + 1;
    let server = Server::start_at(url, &data, &arguments, environment).await;
    server.takes("/v1/traces", request(vec![old])).await;
    server.stop();
    assert_eq!(ask(&[])[0]["stored"], sent + 1);
    let told = tracewell(&["expire", "--spans", "1ms"]);
    assert!(told.contains("with 1 row of"), "{told}");
    assert_eq!(ask(&[]), wanted);
}
