//! One call, tried until it is answered or there is no use.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracewell_regression::candidate::{Endpoint, Request, wire};

/// The first wait before a call is tried again; each one after is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Calls an endpoint.
pub(crate) struct Caller {
    client: reqwest::Client,
    pub(crate) kind: wire::Kind,
    url: String,
    headers: HeaderMap,
    retries: u32,
}

/// What came of a call.
pub(crate) struct Outcome {
    /// Of the try that was answered, in nanoseconds since 1970.
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) response: wire::Response,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// It was stopped before it was answered.
    #[error("stopped")]
    Stopped,
    /// The endpoint does not want this request, or not now.
    #[error("the endpoint answered {status}: {said}")]
    Refused { status: StatusCode, said: String },
    /// There was no answer in the time that it may take.
    #[error("no answer: {0}")]
    Late(String),
    /// The endpoint was not reached, or was gone before it had answered.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// What came back is no answer.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl Failed {
    /// Whether other requests would fare no better.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if matches!(status.as_u16(), 401..=404))
    }

    fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status.as_u16(), 408 | 409 | 429) || status.is_server_error(),
            Self::Late(_) | Self::Unreachable(_) => true,
            Self::Stopped | Self::Unreadable(_) => false,
        }
    }

    /// What the error is called, as OpenTelemetry's `error.type` wants it.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Refused { status, .. } => status.as_u16().to_string(),
            Self::Late(_) => "timeout".to_owned(),
            Self::Unreachable(_) => "connection".to_owned(),
            Self::Stopped => "cancelled".to_owned(),
            Self::Unreadable(_) => "invalid_response".to_owned(),
        }
    }
}

impl Caller {
    pub(crate) fn new(endpoint: &Endpoint, timeout: Duration, retries: u32) -> anyhow::Result<Self> {
        let name = endpoint.key.as_deref().unwrap_or(endpoint.kind.usual_key());
        let key = std::env::var(name).ok().filter(|key| !key.is_empty());
        // An endpoint of one's own may want no key.
        if key.is_none() && (endpoint.key.is_some() || endpoint.url.is_none()) {
            bail!("the endpoint wants a key; put it into the variable {name} of the environment");
        }
        let mut headers = HeaderMap::new();
        for (name, value) in endpoint.kind.headers(key.as_deref()) {
            let mut value = HeaderValue::from_str(&value).context("the key holds what no header can")?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        let client = reqwest::Client::builder().timeout(timeout).build().context("cannot set up the HTTP client")?;
        Ok(Self { client, kind: endpoint.kind, url: endpoint.kind.url(endpoint.url.as_deref()), headers, retries })
    }

    /// Calls, again and again where that is worth it. `idempotency` tells tries of one call from other calls.
    pub(crate) async fn call(
        &self,
        request: &Request,
        idempotency: &str,
        stopped: &CancellationToken,
    ) -> Result<Outcome, Failed> {
        let body = self.kind.body(request);
        let mut tries = 0;
        loop {
            let (start, outcome) = (crate::clock::now(), self.try_once(&body, idempotency).await);
            let (failed, asked) = match outcome {
                Ok(response) => return Ok(Outcome { start, end: crate::clock::now(), response }),
                Err(failed) => failed,
            };
            if !failed.is_worth_another_try() || tries >= self.retries {
                return Err(failed);
            }
            let wait = asked.unwrap_or(FIRST_WAIT * 2_u32.saturating_pow(tries)).min(LONGEST_WAIT);
            tries += 1;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopped.cancelled() => return Err(Failed::Stopped),
            }
        }
    }

    /// One try; a failure comes with how long the endpoint asks to wait.
    async fn try_once(&self, body: &Value, idempotency: &str) -> Result<wire::Response, (Failed, Option<Duration>)> {
        let request = self.client.post(&self.url).headers(self.headers.clone()).header("idempotency-key", idempotency);
        let silent = |error: reqwest::Error| {
            let kind = if error.is_timeout() { Failed::Late } else { Failed::Unreachable };
            // With what is behind it: "error sending request" alone tells neither a timeout nor a wrong port.
            (kind(format!("{:#}", anyhow::Error::new(error.without_url()))), None)
        };
        let answer = request.json(body).send().await.map_err(silent)?;
        let status = answer.status();
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
        let asked = asked.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let text = answer.text().await.map_err(silent)?;
        let read = serde_json::from_str::<Value>(&text);
        if !status.is_success() {
            let said = read.ok().and_then(|body| body["error"]["message"].as_str().map(str::to_owned)).unwrap_or(text);
            return Err((Failed::Refused { status, said: said.chars().take(500).collect() }, asked));
        }
        let unreadable = |reason: String| (Failed::Unreadable(reason), None);
        let body = read.map_err(|error| unreadable(error.to_string()))?;
        self.kind.read(&body).map_err(unreadable)
    }
}
