//! The start of a connection: encryption, cancel requests, who it is.

use std::io;

use bytes::Bytes;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::startup::{Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey};
use tracewell_requests::Failure;
use tracewell_requests::postgres::message::{Message, Opening};
use tracewell_requests::postgres::scram::{Exchange, MECHANISM, initial};
use tracewell_requests::postgres::settings::Settings;
use tracewell_requests::postgres::startup::read;

use super::Shared;
use super::cancel::Registration;
use super::failure::fatal;
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

/// Reads what a client says first, which is going to be refused.
pub(super) async fn hear(wire: &mut Wire) -> Result<(), Broken> {
    while let Some(Opening::Tls | Opening::Gss) = wire.opening().await? {
        wire.answer(b'N').await?;
    }
    Ok(())
}

/// Tells a client why it is not let in.
pub(super) async fn refuse(wire: &mut Wire, failure: Failure) -> Result<Option<Started>, Broken> {
    wire.put(&fatal(&failure))?;
    wire.flush().await?;
    Ok(None)
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
