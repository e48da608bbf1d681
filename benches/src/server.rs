//! The server under measurement: started, watched, stopped.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

mod client;
mod process;
mod stored;

pub(crate) use client::{Client, Sent};
pub(crate) use process::{GroupCpu, Used, Watch};
pub(crate) use stored::{Stored, TableBytes};

/// The `tracewell` binary beside this one.
///
/// # Errors
/// When there is none.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let binary = own.with_file_name("tracewell");
    if !binary.is_file() {
        let profile = if cfg!(debug_assertions) { "" } else { "--release " };
        bail!("there is no `{}`; build it first: cargo build {profile}-p tracewell", binary.display());
    }
    Ok(binary)
}

/// A running `tracewell serve`. It is killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
    grpc: SocketAddr,
    http: SocketAddr,
}

fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?)
}

impl Server {
    /// Starts a server over the empty `folder` and waits until it is ready.
    pub(crate) fn start(binary: &Path, folder: &Path, shards: Option<usize>) -> anyhow::Result<Self> {
        let (grpc, http, api) = (free_port()?, free_port()?, free_port()?);
        std::fs::create_dir_all(folder)?;
        let log = File::create(folder.join("server.log"))?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("--data").arg(folder.join("data"));
        command.args(["--otlp-grpc", &grpc.to_string(), "--otlp-http", &http.to_string(), "--http", &api.to_string()]);
        if let Some(shards) = shards {
            command.args(["--shards", &shards.to_string()]);
        }
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut server = Self { process, folder: folder.to_owned(), grpc, http };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_ready(self.http) {
            if let Some(status) = self.process.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.log());
            }
            if Instant::now() > deadline {
                bail!("the server is not ready after a minute:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Where it receives OTLP over gRPC.
    pub(crate) fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// Watches what it uses from now on.
    pub(crate) fn watch(&self) -> anyhow::Result<Watch> {
        Watch::start(self.process.id())
    }

    /// Asks it to stop, and waits until all is committed and it is gone.
    pub(crate) fn stop(mut self, watch: Watch) -> anyhow::Result<Used> {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().context("cannot run `kill`")?;
        if !sent.success() {
            bail!("cannot stop the server");
        }
        let used = watch.until_the_end()?;
        let status = self.process.wait()?;
        if !status.success() {
            bail!("the server ended with {status}:\n{}", self.log());
        }
        Ok(used)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Runs `tracewell compact` or `settle` over the tables of a stopped server; `false` when this Tracewell cannot.
pub(crate) fn tend(binary: &Path, folder: &Path, command: &str) -> anyhow::Result<bool> {
    let quiet =
        |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let known = quiet(Command::new(binary).args([command, "--help"])).context("cannot run tracewell")?;
    if !known.status.success() {
        return Ok(false);
    }
    let done = quiet(Command::new(binary).args([command, "--data"]).arg(folder.join("data")))?;
    if !done.status.success() {
        bail!("tracewell {command} failed: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(true)
}
