//! `GET /v1/queries` and `GET /v1/queries/NAME?parameter=value`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use tracewell_query::Engine;
use tracewell_query::named::{Catalogue, NamedQuery};
use tracewell_requests::body::Asked;

use crate::refusal::unread;
use crate::sql::{JSON, answer, failure};

/// The named queries of `catalogue` over `engine`.
pub fn queries_router(engine: Arc<Engine>, catalogue: Arc<Catalogue>) -> Router {
    Router::new()
        .route("/v1/queries", get(list))
        .route("/v1/queries/{name}", get(run))
        .with_state(Named { engine, catalogue })
}

#[derive(Clone)]
struct Named {
    engine: Arc<Engine>,
    catalogue: Arc<Catalogue>,
}

async fn list(State(named): State<Named>) -> Response {
    let queries: serde_json::Value = named.catalogue.iter().map(describe).collect();
    ([(CONTENT_TYPE, JSON)], queries.to_string()).into_response()
}

fn describe(query: &NamedQuery) -> serde_json::Value {
    let parameters: serde_json::Value = query
        .parameters
        .iter()
        .map(|parameter| {
            serde_json::json!({
                "name": parameter.name,
                "type": parameter.kind.sql(),
                "default": parameter.default,
                "meaning": parameter.doc,
            })
        })
        .collect();
    serde_json::json!({
        "name": query.name,
        "group": query.group,
        "title": query.title,
        "question": query.question,
        "parameters": parameters,
    })
}

async fn run(
    State(named): State<Named>,
    Path(name): Path<String>,
    values: Result<Query<BTreeMap<String, String>>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let values = match values {
        Ok(Query(values)) => values,
        Err(error) => return unread(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let Some(query) = named.catalogue.get(&name) else {
        return failure(StatusCode::NOT_FOUND, &format!("there is no query `{name}`; /v1/queries lists all"));
    };
    match query.bind(&values) {
        Ok(sql) => answer(&named.engine, Asked::plain(sql), &headers).await,
        Err(error) => failure(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}
