//! SQL by Arrow Flight, asked by the real ADBC driver.

use std::process::Command;

use crate::postgres::{QUESTION, answer, filled, printed};
use crate::readers::{python, run, script};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn adbc_agrees_with_and_without_a_password() {
    let Some(python) = python("adbc_agrees_with_and_without_a_password") else { return };
    for password in ["", "hunter2"] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let environment = [("TRACEWELL_FLIGHT_PASSWORD", password)];
        let server = Server::start_at(data.to_str().unwrap(), &data, &[], &environment).await;
        filled(&server).await;
        let ask = |password: &str| {
            Command::new(&python).arg(script("flight.py")).args([&server.flight, password, QUESTION]).output().unwrap()
        };
        let output = run(Command::new(&python).arg(script("flight.py")).args([&server.flight, password, QUESTION]));
        assert_eq!(printed(&output), answer());
        if !password.is_empty() {
            for wrong in ["", "hunter3"] {
                let refused = ask(wrong);
                let told = String::from_utf8_lossy(&refused.stderr).into_owned();
                assert!(!refused.status.success() && told.contains("password"), "{told}");
            }
        }
        server.stop();
    }
}
