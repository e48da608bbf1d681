//! The header `authorization`: a password of whatever user, or a token.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

/// What a client shows to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// `Bearer`
    Token(String),
    /// `Basic`, of which the user's name does not matter.
    Password(String),
}

/// Reads the header; `None` when it is neither.
#[must_use]
pub fn credentials(header: &str) -> Option<Credentials> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Token(rest.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // Some drivers leave the padding out.
    let pair = BASE64_STANDARD_NO_PAD.decode(rest.trim().trim_end_matches('=')).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    Some(Credentials::Password(pair.split_once(':')?.1.to_owned()))
}

/// Compares without telling by the time where a difference is.
#[must_use]
pub fn same(given: &str, expected: &str) -> bool {
    let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest(given).as_ref() == digest(expected).as_ref()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    #[test]
    fn passwords_and_tokens_are_read_and_nothing_else() {
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        let password = |text: &str| Some(Credentials::Password(text.into()));
        assert_eq!(credentials(&basic("ada:hunter2")), password("hunter2"));
        assert_eq!(credentials(&basic("ada:hunter:2")), password("hunter:2"));
        assert_eq!(credentials(&basic(":häßlich")), password("häßlich"));
        assert_eq!(credentials(basic("ada:hunter2").trim_end_matches('=')), password("hunter2"));
        assert_eq!(credentials("bearer x"), Some(Credentials::Token("x".into())));
        for wrong in ["", "Bearer", "hunter2", "Basic ???", &basic("hunter2"), "Digest a:b"] {
            assert_eq!(credentials(wrong), None, "{wrong}");
        }
        assert!(same("a", "a") && !same("a", "b") && !same("a", ""));
    }
}
