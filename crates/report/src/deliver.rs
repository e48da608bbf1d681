//! Where reports and alerts are sent: e-mail, Slack-compatible and plain webhooks.
//!
//! Secrets are read from the environment or a file when something is sent, and stand in no error.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long a destination may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where something is sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Destination {
    /// Files in the object store of the tables, or in a folder of this machine.
    Store {
        /// What it is called.
        name: String,
        /// The folder within the place of the tables.
        folder: String,
    },
    /// E-mail by SMTP.
    Mail {
        /// What it is called.
        name: String,
        /// `host:port`.
        server: String,
        /// How the connection is encrypted.
        #[serde(default)]
        tls: Encryption,
        /// Who logs in, with a password; nobody when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<Secret>,
        /// The sender.
        from: String,
        /// The receivers.
        to: Vec<String>,
    },
    /// A webhook that takes what Slack's do.
    Slack {
        /// What it is called.
        name: String,
        /// Its address, which is a secret.
        url: Secret,
    },
    /// A webhook that takes JSON.
    Webhook {
        /// What it is called.
        name: String,
        /// Its address.
        url: Secret,
        /// What stands behind `Bearer` in the header `Authorization`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Secret>,
    },
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// From the first byte.
    Tls,
    /// After `STARTTLS`, without which nothing is sent.
    #[default]
    Starttls,
    /// Not at all: for a server on this machine.
    None,
}

/// Where a secret is: `{ env = "NAME" }` or `{ file = "PATH" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Secret {
    /// In an environment variable of this name.
    Env(String),
    /// In this file, without the line end.
    File(PathBuf),
}

impl Secret {
    fn read(&self) -> Result<String, DeliveryError> {
        match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| DeliveryError(format!("the environment has no `{name}`")))
            }
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => Err(DeliveryError(format!("cannot read {}: {error}", path.display()))),
            },
        }
    }
}

/// Why something could not be sent. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryError(pub String);

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DeliveryError {}

/// What is sent.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The same for all attempts to send one thing, so that a receiver can tell a repetition.
    pub id: String,
    /// The subject of an e-mail, the first line elsewhere.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
    /// Files of an e-mail: name, media type, content.
    pub files: Vec<(String, &'static str, String)>,
    /// What a webhook gets.
    pub json: Value,
}

impl Destination {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Store { name, .. }
            | Self::Mail { name, .. }
            | Self::Slack { name, .. }
            | Self::Webhook { name, .. } => name,
        }
    }

    /// What is wrong with it, if anything can be told before it is used.
    ///
    /// # Errors
    /// When an address cannot be read.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |error: DeliveryError| format!("destination `{}`: {error}", self.name());
        match self {
            Self::Mail { server, user, password, from, to, .. } => {
                host_and_port(server).map_err(wrong)?;
                if user.is_some() != password.is_some() {
                    return Err(format!(
                        "destination `{}`: `user` needs a `password`, and a `password` a `user`; without both nobody logs in",
                        self.name()
                    ));
                }
                if to.is_empty() {
                    return Err(format!("destination `{}`: `to` is empty", self.name()));
                }
                std::iter::once(from).chain(to).try_for_each(|address| mailbox(address).map(|_| ())).map_err(wrong)
            }
            _ => Ok(()),
        }
    }

    /// Sends `message`. Files in the store are written elsewhere.
    ///
    /// # Errors
    /// When the destination does not take it.
    pub async fn send(&self, client: &reqwest::Client, message: &Message) -> Result<(), DeliveryError> {
        match self {
            Self::Store { .. } => Err(DeliveryError("files are written by whoever has the store".into())),
            Self::Mail { server, tls, user, password, from, to, .. } => {
                let mail = mail(message, from, to)?;
                let login = user.as_ref().zip(password.as_ref());
                let credentials =
                    login.map(|(user, password)| password.read().map(|read| Credentials::new(user.clone(), read)));
                let credentials = credentials.transpose()?;
                let sent = transport(server, *tls, credentials)?.send(mail).await;
                sent.map(|_| ()).map_err(|error| DeliveryError(format!("{server}: {error}")))
            }
            Self::Slack { url, .. } => {
                let body = json!({"text": slack(message)});
                post(client, &url.read()?, None, &message.id, &body).await
            }
            Self::Webhook { url, token, .. } => {
                let token = token.as_ref().map(Secret::read).transpose()?;
                post(client, &url.read()?, token.as_deref(), &message.id, &message.json).await
            }
        }
    }
}

fn host_and_port(server: &str) -> Result<(&str, u16), DeliveryError> {
    let parts = server.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    parts.ok_or_else(|| DeliveryError(format!("`{server}` is no server; write host:port")))
}

fn mailbox(address: &str) -> Result<Mailbox, DeliveryError> {
    address.parse().map_err(|_| DeliveryError(format!("`{address}` is no e-mail address")))
}

fn mail(message: &Message, from: &str, to: &[String]) -> Result<Mail, DeliveryError> {
    let host = from.rsplit_once('@').map_or("tracewell", |(_, host)| host.trim_end_matches('>'));
    let mut mail = Mail::builder()
        .from(mailbox(from)?)
        .subject(&message.subject)
        .message_id(Some(format!("<{}@{host}>", message.id)));
    for address in to {
        mail = mail.to(mailbox(address)?);
    }
    let mut parts = MultiPart::mixed().singlepart(SinglePart::plain(message.text.clone()));
    for (name, media, content) in &message.files {
        let media = ContentType::parse(media).map_err(|error| DeliveryError(format!("{media}: {error}")))?;
        parts = parts.singlepart(Attachment::new(name.clone()).body(content.clone(), media));
    }
    mail.multipart(parts).map_err(|error| DeliveryError(format!("the e-mail cannot be written: {error}")))
}

fn transport(
    server: &str,
    tls: Encryption,
    credentials: Option<Credentials>,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, DeliveryError> {
    let (host, port) = host_and_port(server)?;
    let builder = match tls {
        Encryption::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(host),
        Encryption::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host),
        Encryption::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)),
    };
    let builder = builder.map_err(|error| DeliveryError(format!("{server}: {error}")))?;
    let builder = builder.port(port).timeout(Some(PATIENCE));
    Ok(credentials.into_iter().fold(builder, |builder, credentials| builder.credentials(credentials)).build())
}

/// The text as Slack's markup, in which nothing that was sent to us is markup.
fn slack(message: &Message) -> String {
    let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("*{}*\n{}", plain(&message.subject).replace('*', "∗"), plain(&message.text))
}

async fn post(
    client: &reqwest::Client,
    url: &str,
    token: Option<&str>,
    id: &str,
    body: &Value,
) -> Result<(), DeliveryError> {
    let mut request = client.post(url).header("idempotency-key", id).timeout(PATIENCE).json(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    // The address may be a secret.
    let answer = request
        .send()
        .await
        .map_err(|error| DeliveryError(format!("it cannot be reached: {}", causes(&error.without_url()))))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(DeliveryError(format!("it answered {status}"))),
    }
}

/// An error with what caused it: that a request was not sent says nothing of why.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("error sending request")]
    struct Unsent(#[source] std::io::Error);

    #[test]
    fn why_something_was_not_sent_is_told() {
        let error = Unsent(std::io::Error::other("Connection refused"));
        assert_eq!(causes(&error), "error sending request: Connection refused");
    }

    fn read(text: &str) -> Result<Destination, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn destinations_are_read_and_mistakes_are_told() {
        let mail = |more: &str| {
            read(&format!(
                r#"{{"kind": "mail", "name": "leads", "server": "localhost:25", "from": "a@b.example", "to": ["c@d.example"]{more}}}"#
            ))
        };
        assert_eq!(mail("").expect("it is right").check(), Ok(()));
        assert!(mail(r#", "tsl": "none""#).is_err());
        for (half, told) in [
            (r#", "user": "u""#, "`user` needs a `password`"),
            (r#", "password": {"env": "P"}"#, "a `password` a `user`"),
        ] {
            let error = mail(half).expect("it can be read").check().expect_err("nobody would be logged in");
            assert!(error.contains(told), "{error}");
        }
        assert_eq!(mail(r#", "user": "u", "password": {"env": "P"}"#).expect("it is right").check(), Ok(()));
        let wrong =
            read(r#"{"kind": "mail", "name": "leads", "server": "localhost", "from": "a@b.example", "to": []}"#)
                .expect("it can be read");
        assert_eq!(
            wrong.check().expect_err("no port"),
            "destination `leads`: `localhost` is no server; write host:port"
        );
        assert!(
            read(r#"{"kind": "slack", "name": "s", "url": "https://hooks.example/secret"}"#).is_err(),
            "a secret stands in no configuration"
        );
        assert!(read(r#"{"kind": "slack", "name": "s", "url": {"env": "HOOK"}}"#).is_ok());
    }

    #[test]
    fn what_was_sent_to_us_is_no_markup() {
        let message =
            Message { subject: "<!channel> *x*".into(), text: "a & b <http://x|y>".into(), ..Message::default() };
        assert_eq!(slack(&message), "*&lt;!channel&gt; ∗x∗*\na &amp; b &lt;http://x|y&gt;");
    }

    #[test]
    fn a_subject_cannot_add_headers() {
        let message = Message { id: "x".into(), subject: "a\r\nBcc: evil@example.com".into(), ..Message::default() };
        let mail = mail(&message, "A <a@b.example>", &["c@d.example".into()]).expect("it can be written");
        let text = String::from_utf8_lossy(&mail.formatted()).into_owned();
        assert!(!text.contains("\nBcc:"), "{text}");
        assert!(text.contains("Message-ID: <x@b.example>"), "{text}");
    }
}
