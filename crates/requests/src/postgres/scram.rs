//! Passwords by SCRAM-SHA-256 (RFC 5802, RFC 7677): neither side sends the password.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Buf, Bytes};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

/// The name of the mechanism.
pub const MECHANISM: &str = "SCRAM-SHA-256";

const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("it is not zero");

/// An exchange after the client's first message.
pub struct Exchange {
    header: String,
    client_first: String,
    server_first: String,
    nonce: String,
    salt: [u8; 16],
}

impl Exchange {
    /// Answers the client's first message; `None` when it is none.
    #[must_use]
    pub fn begin(message: &str) -> Option<Self> {
        let mut random = [0; 18];
        let mut salt = [0; 16];
        let source = SystemRandom::new();
        source.fill(&mut random).and_then(|()| source.fill(&mut salt)).ok()?;
        Self::with(message, &BASE64_STANDARD.encode(random), salt)
    }

    fn with(message: &str, random: &str, salt: [u8; 16]) -> Option<Self> {
        // "n": no channel binding; "y": the client would, but knows that this server does not.
        let header = ["n,,", "y,,"].into_iter().find(|header| message.starts_with(header))?;
        let client_first = &message[header.len()..];
        let nonce =
            client_first.split(',').find_map(|field| field.strip_prefix("r=")).filter(|nonce| !nonce.is_empty())?;
        let nonce = format!("{nonce}{random}");
        let server_first = format!("r={nonce},s={},i={ITERATIONS}", BASE64_STANDARD.encode(salt));
        Some(Self { header: header.to_owned(), client_first: client_first.to_owned(), server_first, nonce, salt })
    }

    /// What is sent after the client's first message.
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.server_first
    }

    /// What is sent after the client's last message; `None` when the password is wrong.
    #[must_use]
    pub fn finish(&self, message: &str, password: &str) -> Option<String> {
        let (unsigned, proof) = message.rsplit_once(",p=")?;
        let mut fields = unsigned.split(',');
        if fields.next()?.strip_prefix("c=")? != BASE64_STANDARD.encode(&self.header) {
            return None;
        }
        if fields.next()?.strip_prefix("r=")? != self.nonce {
            return None;
        }
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &self.salt, password.as_bytes(), &mut salted);
        let signed = format!("{},{},{unsigned}", self.client_first, self.server_first);
        let client_key = mac(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let signature = mac(stored_key.as_ref(), signed.as_bytes());
        let proof = BASE64_STANDARD.decode(proof).ok()?;
        // What the proof says the client's key is. Its hash is compared, which tells nothing by the time it takes.
        let claimed: Vec<u8> = proof.iter().zip(signature.as_ref()).map(|(proof, sign)| proof ^ sign).collect();
        if digest::digest(&digest::SHA256, &claimed).as_ref() != stored_key.as_ref() {
            return None;
        }
        let server_key = mac(&salted, b"Server Key");
        Some(format!("v={}", BASE64_STANDARD.encode(mac(server_key.as_ref(), signed.as_bytes()))))
    }
}

/// The client's first message, behind the name of the mechanism and a length.
#[must_use]
pub fn initial(mut bytes: Bytes) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    if bytes.split_to(end) != MECHANISM {
        return None;
    }
    bytes.advance(1);
    let length = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    (length == bytes.len()).then(|| String::from_utf8(bytes.into()).ok())?
}

fn mac(key: &[u8], data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_example_of_the_standard_is_accepted_and_any_other_password_is_not() {
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("it is base64");
        let exchange = Exchange::with(
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            salt.try_into().expect("it has 16 bytes"),
        )
        .expect("it is a first message");
        assert_eq!(
            exchange.challenge(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let answer = exchange.finish(last, "pencil");
        assert_eq!(answer.as_deref(), Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert_eq!(exchange.finish(last, "pencils"), None);
        assert_eq!(exchange.finish(&last.replace("biws", "eSws"), "pencil"), None);
        assert!(Exchange::with("p=tls-unique,,n=,r=x", "y", [0; 16]).is_none());
    }
}
