//! Datasets.

use serde::Deserialize;
use tracewell_regression::dataset::{At, Dataset, Edit, Pin, Revision, Signed, check_name};
use tracewell_runs::{Ask, rows};

use crate::ledger::MOST_TRIES;
use crate::{Ledger, LedgerError};
use tracewell_runs::sql::quoted;

const TABLE: &str = "examples";

const COLUMNS: &str =
    "dataset, version, change, author, note, example, revision, messages, tools, documents, parameters,
    output, expected, reason, trace_id, span_id, content_hash, split, tags, metadata";

/// SQL that lists all datasets.
pub const LIST: &str = "SELECT dataset, max(version) AS version,
        count(*) FILTER (WHERE example <> '' AND change <> 'archive' AND last = 1) AS examples,
        count(*) FILTER (WHERE example <> '' AND change <> 'archive' AND last = 1 AND expected IS NOT NULL)
            AS with_expected,
        min(recorded_at) AS created_at, max(recorded_at) AS changed_at, last_value(author ORDER BY version) AS changed_by
    FROM (
        SELECT *, row_number() OVER (PARTITION BY dataset, example ORDER BY version DESC) AS last FROM examples
    ) AS revisions
    GROUP BY dataset ORDER BY dataset";

/// SQL that lists every change to a dataset, the latest first.
#[must_use]
pub fn log(name: &str) -> String {
    format!(
        "SELECT version, max(recorded_at) AS recorded_at, max(author) AS author,
            count(*) FILTER (WHERE change = 'create') AS created, count(*) FILTER (WHERE change = 'patch') AS patched,
            count(*) FILTER (WHERE change = 'archive') AS archived,
            count(*) FILTER (WHERE change = 'restore') AS restored, max(note) AS note
        FROM examples WHERE dataset = {} GROUP BY version ORDER BY version DESC",
        quoted(name)
    )
}

/// A dataset at a version; empty, as version 0, where there is none of that name.
///
/// # Errors
/// When a query fails or a version is asked for that is not there.
pub async fn at(source: &impl Ask, pin: &Pin) -> Result<Dataset, LedgerError> {
    let until = match pin.at {
        At::Latest => String::new(),
        At::Version(version) => format!(" AND version <= {version}"),
        At::Day(day) => format!(" AND date <= DATE '{day}'"),
    };
    let query = format!("SELECT {COLUMNS} FROM examples WHERE dataset = {}{until}", quoted(&pin.dataset));
    let dataset = Dataset::read(&pin.dataset, rows::<Revision>(source, &query).await?);
    let dataset = dataset.map_err(LedgerError::unreadable)?;
    match pin.at {
        At::Version(version) if (1..version).contains(&dataset.version) => {
            Err(LedgerError::NotFound(format!("there is no `{pin}`; the latest version is {}", dataset.version)))
        }
        At::Day(day) if dataset.version == 0 => {
            Err(LedgerError::NotFound(format!("there was no dataset `{}` on {day}", pin.dataset)))
        }
        _ => Ok(dataset),
    }
}

/// A dataset at a version, which has to be there.
///
/// # Errors
/// When it is not, or a query fails.
pub async fn existing(source: &impl Ask, pin: &Pin) -> Result<Dataset, LedgerError> {
    let dataset = at(source, pin).await?;
    if dataset.version == 0 {
        #[derive(Deserialize)]
        struct Named {
            dataset: String,
        }
        let known: Vec<Named> = rows(source, "SELECT DISTINCT dataset FROM examples ORDER BY dataset").await?;
        let known: Vec<String> = known.into_iter().map(|one| format!("`{}`", one.dataset)).collect();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        return Err(LedgerError::NotFound(format!("there is no dataset `{}`; there is {known}", pin.dataset)));
    }
    Ok(dataset)
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The version it made; the one that was there where it changes nothing.
    pub version: i64,
    /// The rows it added.
    pub rows: Vec<Revision>,
}

impl<A: Ask> Ledger<A> {
    /// Changes a dataset: `edits` is asked again whenever somebody else was first.
    ///
    /// # Errors
    /// When an edit cannot be done, or the tables cannot be read or written.
    pub async fn change(
        &self,
        name: &str,
        signed: &Signed,
        edits: impl FnMut(&Dataset) -> Result<Vec<Edit>, LedgerError>,
    ) -> Result<Changed, LedgerError> {
        let changed = self.try_change(name, signed, false, edits).await?;
        changed.ok_or_else(|| LedgerError::unreadable("a change that may be repeated was taken for done"))
    }

    /// As [`change`](Self::change), unless a change signed alike was made before: then `None`.
    ///
    /// # Errors
    /// As there.
    pub async fn change_once(
        &self,
        name: &str,
        signed: &Signed,
        edits: impl FnMut(&Dataset) -> Result<Vec<Edit>, LedgerError>,
    ) -> Result<Option<Changed>, LedgerError> {
        self.try_change(name, signed, true, edits).await
    }

    async fn try_change(
        &self,
        name: &str,
        signed: &Signed,
        once: bool,
        mut edits: impl FnMut(&Dataset) -> Result<Vec<Edit>, LedgerError>,
    ) -> Result<Option<Changed>, LedgerError> {
        check_name(name).map_err(LedgerError::refused)?;
        for _ in 0..MOST_TRIES {
            let dataset = at(&self.source, &Pin { dataset: name.to_owned(), at: At::Latest }).await?;
            // After the dataset was read: what is signed alike in between takes the next version away.
            if once && self.was_changed(name, signed).await? {
                return Ok(None);
            }
            let rows = dataset.next(&edits(&dataset)?, signed).map_err(LedgerError::refused)?;
            let version = dataset.version + 1;
            if rows.is_empty() {
                return Ok(Some(Changed { version: dataset.version, rows }));
            }
            if self.append(TABLE, &rows, format!("dataset:{name}"), version).await? {
                return Ok(Some(Changed { version, rows }));
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }

    async fn was_changed(&self, name: &str, signed: &Signed) -> Result<bool, LedgerError> {
        #[derive(Deserialize)]
        struct Row {
            changes: i64,
        }
        let query = format!(
            "SELECT count(*) AS changes FROM examples WHERE dataset = {} AND author = {} AND note = {}",
            quoted(name),
            quoted(&signed.author),
            quoted(signed.note.as_deref().unwrap_or_default())
        );
        Ok(rows::<Row>(&self.source, &query).await?.iter().any(|row| row.changes > 0))
    }
}
