//! What keeps other people's web pages away from a server that asks for no password.
//!
//! A browser sends requests to this machine for any page that it shows. The page cannot read the answer, but a query
//! costs as much unread; and a page whose name is made to point to this machine (DNS rebinding) can read it too.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, StatusCode};

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
