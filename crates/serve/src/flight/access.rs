//! Who may ask: everybody, or whoever has logged in with the password.

use std::pin::Pin;

use arrow_flight::HandshakeResponse;
use futures::{Stream, StreamExt};
use ring::rand::{SecureRandom, SystemRandom};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Response, Status};
use tracewell_requests::credentials::{Credentials, credentials, same};

use super::FlightStartError;

type Answers = Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>;

/// The password, and the token that whoever knows it is given until the server ends.
pub(super) struct Access {
    password: Option<String>,
    token: String,
}

impl Access {
    pub(super) fn new(password: Option<String>) -> Result<Self, FlightStartError> {
        let mut token = [0; 32];
        SystemRandom::new().fill(&mut token).map_err(|_| FlightStartError::Random)?;
        Ok(Self { password, token: hex::encode(token) })
    }

    /// Whether a request comes from who may ask. A password with each request is as good as the token.
    pub(super) fn check(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let Some(password) = &self.password else { return Ok(()) };
        let given = metadata.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let right = match credentials(given) {
            Some(Credentials::Token(token)) => same(&token, &self.token),
            Some(Credentials::Password(given)) => same(&given, password),
            None => return Err(Status::unauthenticated("log in with a password: any user name, and flight.password")),
        };
        if right { Ok(()) } else { Err(Status::unauthenticated("the password or the token is wrong")) }
    }

    /// The token, for who was let in by the password.
    pub(super) fn token(&self) -> Result<Response<Answers>, Status> {
        let answer = HandshakeResponse { protocol_version: 0, payload: self.token.clone().into() };
        let mut response = Response::new(futures::stream::iter([Ok(answer)]).boxed() as Answers);
        let bearer = MetadataValue::try_from(format!("Bearer {}", self.token)).map_err(super::reply::internal)?;
        response.metadata_mut().insert("authorization", bearer);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn asked(authorization: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", authorization.parse().expect("it is printable"));
        metadata
    }

    #[test]
    fn only_who_knows_the_password_may_ask() {
        let open = Access::new(None).expect("there are random numbers");
        assert!(open.check(&MetadataMap::new()).is_ok());
        let closed = Access::new(Some("hunter2".into())).expect("there are random numbers");
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        assert!(closed.check(&asked(&basic("ada:hunter2"))).is_ok());
        assert!(closed.check(&asked(basic("ada:hunter2").trim_end_matches('='))).is_ok());
        assert!(closed.check(&asked(&format!("Bearer {}", closed.token))).is_ok());
        for wrong in [&basic("ada:hunter"), &basic("hunter2"), "Bearer x", "Basic ???", "hunter2"] {
            assert!(closed.check(&asked(wrong)).is_err(), "{wrong}");
        }
        assert!(closed.check(&MetadataMap::new()).is_err());
    }
}
