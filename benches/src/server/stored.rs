//! What the tables take on disk, by their Delta logs.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tracewell_model::schema::FACT_TABLES;

/// What a folder of tables takes.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Stored {
    /// The fact tables.
    pub(crate) facts: Vec<TableBytes>,
    /// Tables that are derived from them.
    pub(crate) others: Vec<TableBytes>,
}

/// What a table takes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TableBytes {
    pub(crate) table: String,
    /// Files that its newest version names, and their rows and bytes.
    pub(crate) files: usize,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// The folder `_delta_log`.
    pub(crate) log_bytes: u64,
}

impl Stored {
    /// Reads the logs of all tables in `data`.
    pub(crate) fn read(data: &Path) -> anyhow::Result<Self> {
        let mut stored = Self::default();
        for entry in fs::read_dir(data).with_context(|| format!("cannot read {}", data.display()))? {
            let folder = entry?.path();
            let (Some(name), true) =
                (folder.file_name().and_then(|name| name.to_str()), folder.join("_delta_log").is_dir())
            else {
                continue;
            };
            let table = TableBytes::read(name, &folder)?;
            let is_fact = FACT_TABLES.iter().any(|fact| fact.name == name);
            if is_fact { &mut stored.facts } else { &mut stored.others }.push(table);
        }
        stored.facts.sort_by_key(|table| std::cmp::Reverse(table.bytes));
        stored.others.sort_by_key(|table| std::cmp::Reverse(table.bytes));
        Ok(stored)
    }

    /// Rows of a fact table.
    pub(crate) fn rows(&self, name: &str) -> u64 {
        self.facts.iter().find(|table| table.table == name).map_or(0, |table| table.rows)
    }

    /// Parquet bytes of the fact tables.
    pub(crate) fn fact_bytes(&self) -> u64 {
        self.facts.iter().map(|table| table.bytes).sum()
    }

    /// Bytes of the logs of all tables.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.facts.iter().chain(&self.others).map(|table| table.log_bytes).sum()
    }
}

#[derive(Deserialize)]
struct Action {
    add: Option<Add>,
    remove: Option<Remove>,
}

#[derive(Deserialize)]
struct Add {
    path: String,
    size: u64,
    stats: Option<String>,
}

#[derive(Deserialize)]
struct Remove {
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    num_records: u64,
}

impl TableBytes {
    fn read(name: &str, folder: &Path) -> anyhow::Result<Self> {
        let mut log_bytes = 0;
        let mut commits = Vec::new();
        for entry in fs::read_dir(folder.join("_delta_log"))? {
            let entry = entry?;
            if entry.metadata()?.is_file() {
                log_bytes += entry.metadata()?.len();
            }
            if entry.path().extension().is_some_and(|extension| extension == "json") {
                commits.push(entry.path());
            }
        }
        // Commits are named by their number, with leading zeros.
        commits.sort();
        let mut files: HashMap<String, Add> = HashMap::new();
        for commit in commits {
            for line in fs::read_to_string(&commit)?.lines() {
                let action: Action =
                    serde_json::from_str(line).with_context(|| format!("{} is odd", commit.display()))?;
                if let Some(add) = action.add {
                    files.insert(add.path.clone(), add);
                }
                if let Some(remove) = action.remove {
                    files.remove(&remove.path);
                }
            }
        }
        let mut table = Self { table: name.to_owned(), files: files.len(), rows: 0, bytes: 0, log_bytes };
        for add in files.values() {
            table.bytes += add.size;
            let statistics = add.stats.as_deref().context("a file has no statistics")?;
            table.rows += serde_json::from_str::<Statistics>(statistics)?.num_records;
        }
        Ok(table)
    }
}
