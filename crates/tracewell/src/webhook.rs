//! Who is told of a rollback.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::FutureExt;
use serde_json::Value;
use tracewell_serve::Tell;

/// Posts `event` to a webhook.
///
/// # Errors
/// When it cannot be reached within half a minute, or refuses.
pub(crate) async fn tell(url: &str, event: &Value) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let shown = tracewell_lake::without_keys(url);
    let what = || format!("the rollback is recorded, and the webhook {shown} was not told");
    let answer = client.post(url).json(event).send().await.map_err(reqwest::Error::without_url).with_context(what)?;
    ensure!(answer.status().is_success(), "{}: it answered {}", what(), answer.status());
    Ok(())
}

/// What tells the webhook of that URL; nothing where it is empty.
pub(crate) fn teller(url: &str) -> Option<Tell> {
    let url: Arc<str> = Some(url).filter(|url| !url.is_empty())?.into();
    Some(Arc::new(move |event: Value| {
        let url = Arc::clone(&url);
        async move { tell(&url, &event).await.map_err(|error| format!("{error:#}")) }.boxed()
    }))
}
