//! E-mail by servers that want encryption and a login.

use std::path::Path;
use std::process::{Child, Command, Output};

use serde_json::{Value, json};

use super::receiver::listening;
use super::{Receiver, known};
use crate::readers;
use crate::server::{BINARY, free_port};

/// A server that wants STARTTLS, and one that is encrypted from the first byte.
struct Servers {
    process: Child,
    starttls: u16,
    tls: u16,
}

impl Servers {
    fn start(python: &str, folder: &Path) -> Self {
        let (starttls, tls) = (free_port(), free_port());
        let arguments = [folder.to_str().unwrap(), &starttls.to_string(), &tls.to_string()];
        let (process, line) = listening(python, "receive_mail.py", &arguments);
        assert_eq!(line, "listening\n");
        Self { process, starttls, tls }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn received(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
    files.sort();
    files.into_iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
}

/// An alert is sent at once, so that is what is sent here.
fn send(data: &Path, folder: &Path, destinations: &[(&str, u16, &str)], roots: Option<&Path>) -> Output {
    let names: Vec<&str> = destinations.iter().map(|(name, ..)| *name).collect();
    let rule = format!(
        "[[alerts.rules]]\nname = 'x'\nmeasure = 'sql'\nsql = 'SELECT 2 AS value'\nthreshold = 1.0\ndeliver = {names:?}\n"
    );
    let destinations = destinations.iter().map(|(name, port, more)| {
        format!(
            "[[report.destinations]]\nkind = 'mail'\nname = '{name}'\nserver = '127.0.0.1:{port}'\n\
             from = 'reports@tracewell.example'\nto = ['{name}@example.com']\n{more}\n"
        )
    });
    let config = folder.join("mail.toml");
    std::fs::write(&config, rule + &destinations.collect::<String>()).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["alerts", "check", "--data", data.to_str().unwrap(), "--config", config.to_str().unwrap()]);
    command.env("TEST_PASSWORD", "s3cr3t").env("TEST_WRONG", "n0t-it").env_remove("SSL_CERT_FILE");
    if let Some(roots) = roots {
        command.env("SSL_CERT_FILE", roots);
    }
    command.output().unwrap()
}

#[test]
fn mail_is_encrypted_and_its_sender_logged_in_or_it_is_not_sent() {
    let Some(python) = readers::python("mail_is_encrypted_and_its_sender_logged_in_or_it_is_not_sent") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let folder = folder.path();
    let mails = folder.join("mails");
    std::fs::create_dir(&mails).unwrap();
    let servers = Servers::start(&python, &mails);
    let plain = Receiver::start(&python, folder);
    let login = "user = 'tracewell'\npassword = { env = 'TEST_PASSWORD' }";
    let tls = format!("tls = 'tls'\n{login}");

    // Nobody vouches for the certificate.
    let untrusted = [("unknown-starttls", servers.starttls, login), ("unknown-tls", servers.tls, &*tls)];
    let output = send(&data, folder, &untrusted, None);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for (name, ..) in untrusted {
        assert!(told.contains(&format!("cannot be sent to `{name}`")), "{told}");
    }
    assert!(!output.status.success() && received(&mails).is_empty(), "{told}");

    let all = [
        ("good-starttls", servers.starttls, login),
        ("good-tls", servers.tls, &*tls),
        ("wrong", servers.starttls, "user = 'tracewell'\npassword = { env = 'TEST_WRONG' }"),
        ("nobody", servers.tls, "tls = 'tls'"),
        ("unencrypted", plain.mail, ""),
    ];
    let output = send(&data, folder, &all, Some(&mails.join("roots.pem")));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for (name, is_sent) in
        [("good-starttls", true), ("good-tls", true), ("wrong", false), ("nobody", false), ("unencrypted", false)]
    {
        assert_eq!(!told.contains(&format!("cannot be sent to `{name}`")), is_sent, "{name}: {told}");
    }
    assert!(!told.contains("s3cr3t") && !told.contains("n0t-it"), "{told}");
    let mail = |by: &str| json!({"by": by, "user": "tracewell", "to": [format!("good-{by}@example.com")], "subject": "Alert x: 2.0000, above 1"});
    assert_eq!(received(&mails), [mail("starttls"), mail("tls")]);
    assert!(plain.received().is_empty(), "it offers no STARTTLS");
}
