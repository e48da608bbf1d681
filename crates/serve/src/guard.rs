//! Who may ask over HTTP: whoever knows the password, where there is one, and no web page of others.
//!
//! A browser sends requests to this machine for any page that it shows. The page cannot read the answer, but a query
//! costs as much unread; and a page whose name is made to point to this machine (DNS rebinding) can read it too.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tracewell_requests::credentials::{Credentials, credentials, same};

use crate::sql::{failure, header};

/// Refuses requests that a page of another origin makes.
pub async fn refuse_other_origins(request: Request, next: Next) -> Response {
    match is_foreign(request.headers()) {
        false => next.run(request).await,
        true => failure(StatusCode::FORBIDDEN, "a web page of another origin may not ask this server"),
    }
}

/// The same, and requests for a host that is not this machine: for servers on a loopback address.
pub async fn refuse_other_hosts(request: Request, next: Next) -> Response {
    if !is_loopback(header(request.headers(), HOST)) {
        let message = "this server answers requests for localhost only; to serve others, listen on another address";
        return failure(StatusCode::FORBIDDEN, message);
    }
    refuse_other_origins(request, next).await
}

/// Refuses requests that do not show the password, as that of any user or as a token.
pub async fn ask_password(State(password): State<Arc<str>>, request: Request, next: Next) -> Response {
    let given = credentials(header(request.headers(), AUTHORIZATION));
    if let Some(Credentials::Password(given) | Credentials::Token(given)) = &given
        && same(given, &password)
    {
        return next.run(request).await;
    }
    let message = match given {
        None => {
            "this server asks for a password: send http.password as that of any user (Basic), or as a token (Bearer)"
        }
        Some(_) => "the password is wrong",
    };
    let mut refused = failure(StatusCode::UNAUTHORIZED, message);
    let schemes = HeaderValue::from_static("Basic realm=\"tracewell\", charset=\"UTF-8\", Bearer");
    refused.headers_mut().insert(WWW_AUTHENTICATE, schemes);
    refused
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let origin = header(headers, ORIGIN);
    let site = origin.split_once("://").map_or(origin, |(_, site)| site);
    header(headers, HeaderName::from_static("sec-fetch-site")) == "cross-site"
        || !origin.is_empty() && !site.eq_ignore_ascii_case(header(headers, HOST))
}

/// Whether a `Host` names this machine. HTTP/1.0 and HTTP/2 may send none.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.is_empty()
        || name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(headers: &[(&'static str, &'static str)]) -> bool {
        is_foreign(
            &headers
                .iter()
                .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
                .collect(),
        )
    }

    #[test]
    fn pages_of_others_are_told_from_programs_and_own_pages() {
        assert!(!foreign(&[("host", "127.0.0.1:4320")]));
        assert!(!foreign(&[("host", "localhost:4320"), ("origin", "http://localhost:4320")]));
        assert!(foreign(&[("host", "localhost:4320"), ("origin", "http://evil.example")]));
        assert!(foreign(&[("host", "localhost:4320"), ("origin", "null")]));
        assert!(foreign(&[("host", "localhost:4320"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn hosts_of_this_machine() {
        for host in ["", "localhost", "LOCALHOST:1", "127.0.0.1:4320", "127.9.9.9", "[::1]:4320"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example", "evil.example:4320", "10.0.0.1", "[2001:db8::1]:1", "localhost.evil.example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
