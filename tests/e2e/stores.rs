//! Object stores: servers that speak S3 and Azure Blob, on this machine.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::readers::{python, run, script};
use crate::server::{BINARY, Server, free_port, rows};
use crate::spans::{request, span};

/// A store that is stopped when the test is over.
struct Store(Child);

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Store {
    async fn start(command: &mut Command, port: u16) -> Self {
        let store = Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < deadline, "the store is not there after a minute");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        store
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_live_on_s3() {
    let Some(python) = python("tables_live_on_s3") else { return };
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let _store = Store::start(
        Command::new(&python).args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]),
        port,
    )
    .await;
    run(Command::new(&python).arg(script("bucket.py")).args(["s3", &endpoint]));
    let environment = [
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ];
    serve_kill_and_read("s3://traces/lake", &environment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_live_on_azure() {
    let Some(python) = python("tables_live_on_azure") else { return };
    let Ok(azurite) = std::env::var("TRACEWELL_AZURITE") else {
        println!(
            "SKIPPED tables_live_on_azure: set TRACEWELL_AZURITE to azurite-blob of npm's azurite (.ci/run installs it)"
        );
        return;
    };
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let arguments = ["--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--blobPort", &port.to_string()];
    let _store = Store::start(Command::new(azurite).args(arguments), port).await;
    run(Command::new(&python).arg(script("bucket.py")).args(["azure", &endpoint]));
    let environment = [("AZURE_STORAGE_USE_EMULATOR", "true"), ("AZURITE_BLOB_STORAGE_URL", endpoint.as_str())];
    serve_kill_and_read("az://traces/lake", &environment).await;
}

/// Spans before and after a kill are all there once, for the server and for a reader without one.
async fn serve_kill_and_read(url: &str, environment: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let wal = folder.path().join("wal");
    let wal = wal.to_str().unwrap();
    let arguments = ["--wal", wal, "--commit-interval", "100ms"];
    let mut sent = 0_u64;
    for _ in 0..3 {
        let server = Server::start_at(url, &data, &arguments, environment).await;
        for _ in 0..10 {
            sent += 1;
            let body = request(vec![span(7, sent, "stored far away")]);
            assert_eq!(server.post("/v1/traces", "application/x-protobuf", body).await.unwrap().status(), 200);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        server.kill();
    }
    Server::start_at(url, &data, &arguments, environment).await.stop();
    let query = "SELECT count(*) AS stored, count(DISTINCT span_id) AS different FROM spans";
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
    let wanted = [json!({ "stored": sent, "different": sent })];
    assert_eq!(ask(&["--wal", wal]), wanted);
    // After an orderly stop the tables alone hold everything; that there may be more is said.
    assert_eq!(ask(&[]), wanted);
    let mut blind = Command::new(BINARY);
    let said = blind.args(["sql", "--data", url, query]).envs(environment.iter().copied()).output().unwrap().stderr;
    assert!(String::from_utf8_lossy(&said).contains("rows that are not committed yet are not seen"), "{said:?}");
    // And hold it still when they are compacted and the old files are gone.
    for arguments in [["compact", "--table", "spans"], ["vacuum", "--retain", "0s"]] {
        run(Command::new(BINARY).args(arguments).args(["--data", url]).envs(environment.iter().copied()));
        assert_eq!(ask(&[]), wanted);
    }
}
