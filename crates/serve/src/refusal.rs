//! Refusals in the one form that programs are told of: JSON with `error`, also where the router itself refuses.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, StatusCode};

use crate::sql::{JSON, failure, header};

/// What the router says is never longer.
const LONGEST: usize = 64 << 10;

/// Gives the router's own refusals a body: of paths that there are not, methods that a path does not take, and
/// parameters that cannot be read.
pub async fn refuse_as_json(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = next.run(request).await;
    if !answer.status().is_client_error() || header(answer.headers(), CONTENT_TYPE) == JSON {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let said = to_bytes(body, LONGEST).await.unwrap_or_default();
    let mut refused = failure(head.status, &told(head.status, &method, &path, &String::from_utf8_lossy(&said)));
    if let Some(allowed) = head.headers.remove(ALLOW) {
        refused.headers_mut().insert(ALLOW, allowed);
    }
    refused
}

fn told(status: StatusCode, method: &Method, path: &str, said: &str) -> String {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            format!("`{path}` does not take {method}; the header `allow` says what it does")
        }
        _ if said.is_empty() => format!("there is no `{path}`; /v1/openapi.json describes all there is"),
        _ => plain(said),
    }
}

/// A request whose parameters or body cannot be read, in the words of `said` without those of the code that reads them.
pub(crate) fn unread(status: StatusCode, said: &str) -> Response {
    failure(status, &plain(said))
}

fn plain(said: &str) -> String {
    let cut = [
        ("Failed to deserialize query string: ", ""),
        ("Failed to deserialize the JSON body into the target type: ", "the body: "),
        ("Failed to parse the request body as JSON: ", "the body is no JSON: "),
    ];
    match cut.iter().find_map(|(words, instead)| said.strip_prefix(words).map(|rest| (instead, rest))) {
        Some((instead, rest)) => format!("{instead}{rest}"),
        None if said.starts_with("Expected request with `Content-Type") => {
            "the body has to be JSON, with the header `content-type: application/json`".to_owned()
        }
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_what_is_wrong_in_plain_words() {
        let told = |status, said| told(status, &Method::DELETE, "/v1/runs", said);
        assert_eq!(told(StatusCode::NOT_FOUND, ""), "there is no `/v1/runs`; /v1/openapi.json describes all there is");
        assert!(told(StatusCode::METHOD_NOT_ALLOWED, "").starts_with("`/v1/runs` does not take DELETE"));
        let unknown = "Failed to deserialize query string: nope: unknown field `nope`";
        assert_eq!(told(StatusCode::BAD_REQUEST, unknown), "nope: unknown field `nope`");
        let lacking = "Failed to deserialize the JSON body into the target type: missing field `author`";
        assert_eq!(plain(lacking), "the body: missing field `author`");
        assert!(plain("Expected request with `Content-Type: application/json`").contains("content-type"));
        assert_eq!(plain("another"), "another");
    }
}
