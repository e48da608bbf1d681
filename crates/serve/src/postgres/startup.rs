//! The start of a connection: encryption, cancel requests, who it is.

use std::io;

use bytes::{Buf, Bytes};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::startup::{Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey};

use super::Shared;
use super::cancel::Registration;
use super::failure::Failure;
use super::message::{Message, Opening};
use super::scram::{Exchange, MECHANISM};
use super::settings::Settings;
use super::wire::{Broken, Wire};

/// What is known of a client that was let in.
pub(super) struct Started {
    pub(super) settings: Settings,
    pub(super) registration: Registration,
}

/// Lets a client in; `None` when it wanted something else, or may not.
pub(super) async fn start(wire: &mut Wire, shared: &Shared) -> Result<Option<Started>, Broken> {
    let mut encrypted = false;
    let (minor, parameters) = loop {
        match wire.opening().await? {
            None => return Ok(None),
            Some(Opening::Cancel { process, secret }) => {
                shared.cancels.cancel(process, &secret);
                return Ok(None);
            }
            Some(Opening::Tls) => match shared.tls.as_ref().filter(|_| !encrypted) {
                Some(tls) => {
                    wire.answer(b'S').await?;
                    wire.encrypt(tls).await?;
                    encrypted = true;
                }
                None => wire.answer(b'N').await?,
            },
            Some(Opening::Gss) => wire.answer(b'N').await?,
            Some(Opening::Start { minor, parameters }) => break (minor, parameters),
        }
    };
    if shared.tls.is_some() && !encrypted {
        return refuse(
            wire,
            Failure::new("28000", "this server takes encrypted connections only; use sslmode=require"),
        )
        .await;
    }
    let (settings, unknown) = match read(&parameters) {
        Ok(read) => read,
        Err(failure) => return refuse(wire, failure).await,
    };
    if minor > 0 || !unknown.is_empty() {
        let negotiated = NegotiateProtocolVersion::new(0, unknown);
        wire.put(&PgWireBackendMessage::NegotiateProtocolVersion(negotiated))?;
    }
    if let Some(password) = &shared.password
        && !authenticate(wire, password).await?
    {
        let user = settings.get("session_authorization").unwrap_or_default();
        return refuse(wire, Failure::new("28P01", format!("password authentication failed for user \"{user}\"")))
            .await;
    }
    wire.put(&PgWireBackendMessage::Authentication(Authentication::Ok))?;
    for (name, value) in settings.reported() {
        wire.put(&PgWireBackendMessage::ParameterStatus(ParameterStatus::new(name.into(), value)))?;
    }
    let registration = shared.cancels.register().map_err(|_| io::Error::other("there is no random number"))?;
    let (process, secret) = registration.key();
    let key = BackendKeyData::new(process, SecretKey::Bytes(Bytes::copy_from_slice(&secret)));
    wire.put(&PgWireBackendMessage::BackendKeyData(key))?;
    Ok(Some(Started { settings, registration }))
}

/// Tells a client why it is not let in.
pub(super) async fn refuse(wire: &mut Wire, failure: Failure) -> Result<Option<Started>, Broken> {
    wire.put(&failure.fatal())?;
    wire.flush().await?;
    Ok(None)
}

/// The settings that a client starts with, and options of the protocol that are not known.
fn read(parameters: &[(String, String)]) -> Result<(Settings, Vec<String>), Failure> {
    let find = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let Some(user) = find("user") else {
        return Err(Failure::new("28000", "no user name is given in the startup packet"));
    };
    let mut settings = Settings::new(user);
    let mut unknown = Vec::new();
    for (name, value) in parameters {
        match name.as_str() {
            "user" | "database" => {}
            "replication" if ["false", "off", "no", "0"].contains(&value.as_str()) => {}
            "replication" => return Err(Failure::new("0A000", "replication is not supported")),
            "options" => {
                for (name, value) in options(value) {
                    settings.set(&name, &value, false)?;
                }
            }
            name if name.starts_with("_pq_.") => unknown.push(name.to_owned()),
            name => settings.set(name, value, false)?,
        }
    }
    settings.begin();
    Ok((settings, unknown))
}

/// The settings in `-c name=value --name=value`; a backslash takes the meaning from a space.
fn options(text: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let last = words.len() - 1;
        match character {
            '\\' => words[last].extend(characters.next()),
            character if character.is_whitespace() => words.push(String::new()),
            character => words[last].push(character),
        }
    }
    let settings = words.iter().filter(|word| *word != "-c");
    let settings = settings.filter_map(|word| word.trim_start_matches("-c").trim_start_matches("--").split_once('='));
    settings.map(|(name, value)| (name.replace('-', "_"), value.to_owned())).collect()
}

/// Asks for the password; whether it is right.
async fn authenticate(wire: &mut Wire, password: &str) -> Result<bool, Broken> {
    ask(wire, Authentication::SASL(vec![MECHANISM.into()])).await?;
    let Some(first) = answer(wire).await? else { return Ok(false) };
    let Some(exchange) = initial(first).and_then(|message| Exchange::begin(&message)) else { return Ok(false) };
    ask(wire, Authentication::SASLContinue(exchange.challenge().to_owned().into())).await?;
    let Some(last) = answer(wire).await? else { return Ok(false) };
    let Some(proof) = str::from_utf8(&last).ok().and_then(|last| exchange.finish(last, password)) else {
        return Ok(false);
    };
    wire.put(&PgWireBackendMessage::Authentication(Authentication::SASLFinal(proof.into())))?;
    Ok(true)
}

async fn ask(wire: &mut Wire, question: Authentication) -> io::Result<()> {
    wire.put(&PgWireBackendMessage::Authentication(question))?;
    wire.flush().await
}

async fn answer(wire: &mut Wire) -> Result<Option<Bytes>, Broken> {
    match wire.short_message().await? {
        Some(Message::Password(bytes)) => Ok(Some(bytes)),
        _ => Ok(None),
    }
}

/// The client's first message, behind the name of the mechanism and a length.
fn initial(mut bytes: Bytes) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    if bytes.split_to(end) != MECHANISM {
        return None;
    }
    bytes.advance(1);
    let length = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    (length == bytes.len()).then(|| String::from_utf8(bytes.into()).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_the_options() {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            options("-c statement_timeout=2s -ctimezone=UTC --application-name=a\\ b"),
            [set("statement_timeout", "2s"), set("timezone", "UTC"), set("application_name", "a b")]
        );
    }

    #[test]
    fn a_client_has_a_name_and_may_set_what_is_known() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (settings, unknown) =
            read(&[pair("user", "ada"), pair("TimeZone", "Europe/Berlin"), pair("_pq_.x", "1")]).expect("it is valid");
        assert_eq!(settings.get("timezone").expect("it is known"), "Europe/Berlin");
        assert_eq!(unknown, ["_pq_.x"]);
        assert_eq!(read(&[]).expect_err("it has no name").code, "28000");
        assert_eq!(read(&[pair("user", "ada"), pair("nonsense", "1")]).expect_err("it is unknown").code, "42704");
    }
}
