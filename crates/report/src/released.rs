//! Which releases went live while figures changed, by the ledger.

use serde::Deserialize;

use crate::ask::{Questions, RowSource};
use crate::dimension::Dimension;
use crate::error::ReportError;
use crate::request::Request;
use crate::sql::moment;

#[derive(Clone, Debug, Deserialize)]
struct Release {
    prompt: String,
    environment: String,
    version: String,
    live_on: String,
}

/// The releases that went live in the period or in the one before, the newest first.
#[derive(Debug)]
pub(crate) struct Releases {
    pub(crate) query: usize,
    rows: Vec<Release>,
}

impl Releases {
    pub(crate) async fn ask<A: RowSource>(
        questions: &mut Questions<'_, A>,
        request: &Request,
    ) -> Result<Self, ReportError> {
        let sql = format!(
            "SELECT
    prompt, environment, version,
    CAST(CAST(live_from AT TIME ZONE '{zone}' AS date) AS text) AS live_on
FROM live_releases
WHERE live_from >= {since} AND live_from < {until}
ORDER BY live_from DESC, prompt, environment",
            zone = request.period.zone().name(),
            since = moment(request.before().since),
            until = moment(request.window().until),
        );
        let answer = questions.ask("Releases that went live in this period or the one before", sql).await?;
        Ok(Self { query: answer.number, rows: answer.rows })
    }

    /// The newest release of the prompt that `names` has, in its environment where it has one; in words.
    pub(crate) fn of(&self, dimensions: &[Dimension], names: &[Option<String>]) -> Option<String> {
        let named = |wanted: &str| {
            let place = dimensions.iter().position(|dimension| dimension.name == wanted)?;
            names.get(place)?.as_deref()
        };
        let (prompt, environment) = (named("prompt")?, named("environment"));
        let is_of = |release: &&Release| {
            release.prompt == prompt && environment.is_none_or(|environment| release.environment == environment)
        };
        let mut found = self.rows.iter().filter(is_of);
        let Release { version, environment, live_on, .. } = found.next()?;
        let more = match found.count() {
            0 => String::new(),
            count => format!(", and {count} before it"),
        };
        Some(format!("release {version} live in {environment} since {live_on}{more}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_of_the_prompt_is_named() {
        let release = |prompt: &str, environment: &str, version: &str, live_on: &str| {
            let [prompt, environment, version, live_on] = [prompt, environment, version, live_on].map(str::to_owned);
            Release { prompt, environment, version, live_on }
        };
        let rows = vec![
            release("refunds", "staging", "14", "2026-11-19"),
            release("refunds", "production", "13", "2026-11-18"),
            release("other", "production", "2", "2026-11-17"),
        ];
        let releases = Releases { query: 1, rows };
        let dimensions = ["model", "prompt", "environment"].map(|name| Dimension::named(name).expect("it is one"));
        let told = |prompt: Option<&str>, environment: Option<&str>| {
            releases.of(&dimensions, &[Some("m".into()), prompt.map(str::to_owned), environment.map(str::to_owned)])
        };
        assert_eq!(
            told(Some("refunds"), Some("production")).as_deref(),
            Some("release 13 live in production since 2026-11-18")
        );
        assert_eq!(
            told(Some("refunds"), None).as_deref(),
            Some("release 14 live in staging since 2026-11-19, and 1 before it")
        );
        assert_eq!(
            [told(None, None), told(Some("nobody"), None), told(Some("other"), Some("staging"))],
            [const { None }; 3]
        );
    }
}
