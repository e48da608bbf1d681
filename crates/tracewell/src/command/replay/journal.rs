//! What was answered, kept before anything else is done with it: a file of OTLP/JSON, an export a line.
//!
//! An answer that was paid for is on this machine's disk before it is sent on. A replay that was stopped anywhere begins
//! by sending what its journal holds and the tables do not. Without a server the whole file is imported at the end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use serde_json::Value;
use tracewell_ingest::Importer;
use tracewell_lake::{Lake, Location};
use tracewell_ledger::trials::attributes;
use tracewell_model::schema::TABLES;

use super::Known;
use crate::command::paid::{Kept, lock};
use crate::command::source::send;
use crate::config::Config;

pub(super) struct Journal {
    file: Mutex<Kept>,
    /// What was answered before.
    before: BTreeMap<Known, Vec<u8>>,
    known: HashSet<Known>,
    server: Option<String>,
    added: Mutex<bool>,
}

impl Journal {
    /// Opens the journal of a replay.
    pub(super) fn open(config: &Config, location: &Location, id: &str, server: Option<String>) -> anyhow::Result<Self> {
        let (file, text) = Kept::open(config, location, &format!("{id}.jsonl"))?;
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let before: BTreeMap<Known, Vec<u8>> =
            lines.filter_map(|line| Some((answered(line)?, line.to_vec()))).collect();
        let known = before.keys().cloned().collect();
        Ok(Self { file: Mutex::new(file), before, known, server, added: Mutex::new(false) })
    }

    /// What was answered before.
    pub(super) fn known(&self) -> &HashSet<Known> {
        &self.known
    }

    /// Gives what was answered before and is not in the tables to them.
    pub(super) async fn send_again(&mut self, in_tables: &HashSet<Known>, location: &Location) -> anyhow::Result<()> {
        let before = std::mem::take(&mut self.before);
        let missing: Vec<Vec<u8>> =
            before.into_iter().filter(|(key, _)| !in_tables.contains(key)).map(|(_, line)| line).collect();
        match &self.server {
            Some(server) => {
                for line in missing {
                    send(server, "/v1/traces", line).await?;
                }
            }
            None if missing.is_empty() => {}
            None => self.import(location).await?,
        }
        Ok(())
    }

    /// Keeps what came of a call, and sends it on.
    pub(super) async fn add(&self, span: &Value, is_answered: bool) -> anyhow::Result<()> {
        let line = span.to_string();
        lock(&self.file).add(&line, is_answered)?;
        *lock(&self.added) = true;
        match &self.server {
            Some(server) => send(server, "/v1/traces", line.into_bytes()).await,
            None => Ok(()),
        }
    }

    /// Without a server, puts what came back into the tables.
    pub(super) async fn close(&self, location: &Location) -> anyhow::Result<()> {
        if self.server.is_some() || !*lock(&self.added) {
            return Ok(());
        }
        self.import(location).await
    }

    /// Puts the whole file into the tables; what they hold already is not put in twice.
    async fn import(&self, location: &Location) -> anyhow::Result<()> {
        let lake = Lake::open(location.clone(), TABLES, true).await?;
        let path = lock(&self.file).path().to_owned();
        Importer::new(&lake, crate::clock::now).file(&path, &mut |_| {}).await?;
        Ok(())
    }
}

/// The key of a line with an answer; none where the call failed.
fn answered(line: &[u8]) -> Option<Known> {
    let export: Value = serde_json::from_slice(line).ok()?;
    let span = &export["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    if span["status"]["code"].is_number() {
        return None;
    }
    let find = |key: &str| {
        let attribute = span["attributes"].as_array()?.iter().find(|attribute| attribute["key"] == key)?;
        let value = &attribute["value"];
        value["stringValue"].as_str().or(value["intValue"].as_str()).map(str::to_owned)
    };
    let number = |key: &str| find(key)?.parse().ok();
    Some((find(attributes::EXAMPLE)?, number(attributes::REVISION)?, number(attributes::REPETITION)?))
}
