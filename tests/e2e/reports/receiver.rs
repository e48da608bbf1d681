//! What reports and alerts are sent to.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::readers;
use crate::server::free_port;

/// A script that listens, and the line by which it says so.
pub(super) fn listening(python: &str, script: &str, arguments: &[&str]) -> (Child, String) {
    let mut process = Command::new(python)
        .arg(readers::script(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (process, line)
}

/// A mail server and a web server, and the folder of what they got.
pub(crate) struct Receiver {
    process: Child,
    folder: PathBuf,
    pub(super) mail: u16,
    pub(crate) web: u16,
}

impl Receiver {
    pub(crate) fn start(python: &str, folder: &Path) -> Self {
        let folder = folder.join("received");
        std::fs::create_dir_all(&folder).unwrap();
        let mail = free_port();
        let arguments = [folder.to_str().unwrap(), &mail.to_string()];
        let (process, line) = listening(python, "receive_reports.py", &arguments);
        Self { process, folder, mail, web: line.trim().parse().unwrap() }
    }

    pub(crate) fn received(&self) -> Vec<Value> {
        let files = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
        files.map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
