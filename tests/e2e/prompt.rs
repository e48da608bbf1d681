//! The prompt of `tracewell sql`, at a terminal.

use std::process::Command;

use crate::readers::{python, run, script};
use crate::server::{BINARY, Server};
use crate::spans::{request, span};

#[tokio::test(flavor = "multi_thread")]
async fn the_prompt_completes_goes_on_over_lines_and_remembers() {
    let Some(python) = python("the_prompt_completes_goes_on_over_lines_and_remembers") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h"]).await;
    server.takes("/v1/traces", request(vec![span(1, 1, "one")])).await;
    let typed = run(Command::new(python).arg(script("repl.py")).arg(BINARY).arg(&data).arg(folder.path()));
    assert!(typed.contains("answer"), "{typed}");
}
