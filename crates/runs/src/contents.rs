//! Texts by their hash.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::ask::{Ask, RunsError, rows};
use crate::find::Place;
use crate::record::{Message, RunRecord};
use crate::sql::ids;

/// Hashes in one query; its text stays well below what a server takes.
const AT_ONCE: usize = 4_000;

/// Every hash that the record names.
pub(crate) fn named(record: &RunRecord) -> BTreeSet<String> {
    let mut hashes = BTreeSet::new();
    let mut add = |messages: &[Message]| hashes.extend(messages.iter().map(|message| message.hash.clone()));
    add(&record.input);
    add(&record.output);
    for call in &record.calls {
        add(&call.input);
        add(&call.output);
        add(call.system.as_slice());
        add(call.tools.as_slice());
    }
    for span in &record.spans {
        add(&span.input);
        add(&span.output);
        add(&span.payloads);
    }
    hashes.extend(record.tools.iter().flat_map(|tool| [&tool.arguments, &tool.result]).flatten().cloned());
    hashes.extend(record.interventions.iter().flat_map(|one| [&one.before, &one.after]).flatten().cloned());
    hashes.extend(record.retrievals.iter().flat_map(|one| &one.documents).filter_map(|document| document.hash.clone()));
    hashes
}

/// Those of `hashes` that are kept.
pub(crate) async fn texts(
    source: &impl Ask,
    place: &Place,
    hashes: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, RunsError> {
    #[derive(Deserialize)]
    struct Text {
        hash: String,
        content: String,
    }
    let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
    let found = hashes.chunks(AT_ONCE).map(|some| async move {
        let query = format!("SELECT hash, content FROM contents WHERE {}", condition(place, some));
        rows::<Text>(source, &query).await
    });
    let found = futures::future::try_join_all(found).await?;
    Ok(found.into_iter().flatten().map(|text| (text.hash, text.content)).collect())
}

/// The condition that a row of `contents` is one of `hashes`.
pub(crate) fn condition(place: &Place, hashes: &[&str]) -> String {
    format!(
        "{} AND {} AND hash IN ({})",
        place.of_tenant(),
        place.days.beside().condition(),
        ids(hashes.iter().copied())
    )
}
