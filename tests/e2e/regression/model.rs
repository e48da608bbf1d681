//! A model server of a test's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::CASES;

/// A model server: OpenAI's chat completions and Anthropic's messages. It knows the right answers, and gives wrong ones
/// where the instructions ask for them.
#[derive(Default)]
pub(super) struct Model {
    /// What was answered, by the key that tells calls apart.
    pub(super) answered: HashMap<String, u32>,
    /// Bodies of requests that were answered.
    pub(super) asked: Vec<Value>,
    /// Each call is refused this often before it is answered.
    pub(super) refusals: u32,
    pub(super) refused: HashMap<String, u32>,
    /// After so many answers none comes any more.
    pub(super) silent_after: Option<usize>,
}

pub(super) type Shared = Arc<Mutex<Model>>;

pub(super) async fn start(model: Model) -> (String, Shared) {
    let shared = Arc::new(Mutex::new(model));
    let routes = axum::Router::new()
        .route("/v1/chat/completions", axum::routing::post(complete))
        .route("/v1/messages", axum::routing::post(complete))
        .with_state(Arc::clone(&shared));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (format!("http://{address}"), shared)
}

async fn complete(State(model): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    // Other tools do not tell calls apart.
    let key = headers.get("idempotency-key").map_or_else(|| body.to_string(), |key| key.to_str().unwrap().to_owned());
    let silent = {
        let mut model = model.lock().unwrap();
        let most = model.refusals;
        let refused = model.refused.entry(key.clone()).or_default();
        if *refused < most {
            *refused += 1;
            let busy = json!({"error": {"message": "too many requests"}});
            return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0.01")], Json(busy)).into_response();
        }
        model.silent_after.is_some_and(|most| model.asked.len() >= most)
    };
    if silent {
        std::future::pending::<()>().await;
    }
    let mut model = model.lock().unwrap();
    *model.answered.entry(key).or_default() += 1;
    model.asked.push(body.clone());
    let text = body.to_string();
    let (id, _, right) = CASES.iter().find(|(_, asked, _)| text.contains(asked)).unwrap();
    let wrong = text.contains("Be terse.") && *id == "b";
    let judgement = judgement(&body).map(|judgement| judgement.to_string());
    let said = judgement.clone().unwrap_or_else(|| {
        let right: &str = if wrong { "No." } else { right };
        // It writes to whom it was told of.
        if text.contains("[EMAIL_1]") { format!("{right} I wrote to [EMAIL_1].") } else { right.to_owned() }
    });
    // Anthropic's has its key elsewhere.
    if headers.contains_key("anthropic-version") {
        assert_eq!(headers["x-api-key"], "secret");
        let content = match &judgement {
            Some(said) => json!({"type": "tool_use", "id": "t", "name": body["tools"][0]["name"],
                "input": serde_json::from_str::<Value>(said).unwrap()}),
            None => json!({"type": "text", "text": said}),
        };
        return Json(json!({"id": "msg_1", "type": "message", "model": body["model"], "stop_reason": "end_turn",
            "content": [content], "usage": {"input_tokens": 900, "cache_read_input_tokens": 100,
            "output_tokens": 100}}))
        .into_response();
    }
    assert_eq!(headers["authorization"], "Bearer secret");
    let message = json!({"role": "assistant", "content": said});
    let model = format!("{}-2025-04-14", body["model"].as_str().unwrap());
    Json(json!({"id": "chatcmpl-1", "object": "chat.completion", "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}))
    .into_response()
}

/// What a request that asks for a judgement is answered: 1 where the answer is the expected one.
fn judgement(body: &Value) -> Option<Value> {
    let openai = body["response_format"]["json_schema"]["name"] == "judgement";
    let anthropic = body["tools"][0]["input_schema"]["properties"]["score"].is_object();
    let case = match (openai, anthropic) {
        (true, _) => &body["messages"][1]["content"],
        (_, true) => &body["messages"][0]["content"][0]["text"],
        _ => return None,
    };
    let case: Value = serde_json::from_str(case.as_str().unwrap()).unwrap();
    let is_right = case["answer"] == case["expected"];
    let (why, score) = if is_right { ("as expected", 1.0) } else { ("not as expected", 0.25) };
    Some(json!({"explanation": why, "score": score}))
}
