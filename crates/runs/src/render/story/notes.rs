//! What a record lacks, in sentences.

use crate::record::{Attribute, Completeness};
use crate::render::{count, duration};

/// The statement in sentences: what is missing first, then what is odd.
pub(super) fn notes(statement: &Completeness) -> Vec<String> {
    let mut notes = Vec::new();
    if statement.complete {
        notes.push("Nothing is known to be missing.".to_owned());
    }
    if statement.root_missing {
        notes.push("The root span has not come.".to_owned());
    }
    for parent in &statement.missing_parents {
        notes.push(format!("The span {} has not come; children of it: {}.", parent.span_id, ids(&parent.children)));
    }
    let lists: [(&str, &[String]); 9] = [
        ("Only the start of these spans has been told", &statement.unfinished_spans),
        ("Spans whose parents form a circle", &statement.circular_spans),
        ("Cut off before they were sent (truncated)", &statement.truncated_spans),
        ("Not the JSON that they were to be (unparsable)", &statement.unparsable_spans),
        ("Texts that have expired", &statement.expired_contents),
        ("Model calls that tell no tokens", &statement.calls_without_usage),
        ("Model calls whose input was not sent", &statement.calls_without_input),
        ("Model calls whose output was not sent", &statement.calls_without_output),
        ("Late spans", statement.late.as_ref().filter(|late| !late.whole_run).map_or(&[], |late| &late.spans)),
    ];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    notes.extend(lists.map(|(what, list)| format!("{what}: {}.", ids(list))));
    if let Some(late) = &statement.late {
        let which = if late.whole_run { "The whole run came late" } else { "Some spans came late" };
        notes.push(format!("{which}: up to {} after the end of the span.", duration(late.most_ns)));
    }
    for mark in &statement.redacted {
        let place = if mark.spans.is_empty() { "a log record".to_owned() } else { ids(&mark.spans) };
        notes.push(format!("Masked before it was sent ({}): {place}.", mark.mark));
    }
    for (number, what) in [
        (statement.dropped_attributes, "attributes"),
        (statement.dropped_events, "events"),
        (statement.dropped_links, "links"),
    ] {
        if number > 0 {
            notes.push(format!("The SDK dropped {} {what}.", count(number as i64)));
        }
    }
    for share in &statement.sampling.kept_share {
        notes.push(format!("Sampling keeps {:.4}% of such traces.", share * 100.0));
    }
    for (what, list) in [
        ("Attributes that could not be read", &statement.unreadable_attributes),
        ("Attributes that fill no column, kept as sent", &statement.unmapped_attributes),
    ] {
        if !list.is_empty() {
            notes.push(format!("{what}: {}.", keys(list)));
        }
    }
    for (flag, spans) in statement.usage_flags.iter().chain(&statement.flags) {
        notes.push(format!("Flagged {flag}: {}.", ids(spans)));
    }
    if !statement.counted_elsewhere.is_empty() {
        let spans: Vec<String> = statement.counted_elsewhere.keys().cloned().collect();
        notes.push(format!("Calls that count in another trace: {}.", ids(&spans)));
    }
    if statement.resent_spans > 0 {
        notes.push(format!("{} spans were sent again and count once.", count(statement.resent_spans as i64)));
    }
    if statement.neighbours_cut.is_some() {
        notes.push(
            "There are more traces at the same time than could be searched for second accounts of these calls."
                .to_owned(),
        );
    }
    if statement.log_records > 0 {
        notes.push(format!("{} log records belong to the run.", count(statement.log_records as i64)));
    }
    notes
}

/// The first of a list of ids, and how many more there are.
fn ids(list: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = list.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if list.len() > SHOWN { format!("{shown} and {} more", count((list.len() - SHOWN) as i64)) } else { shown }
}

fn keys(list: &[Attribute]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = list.iter().take(SHOWN).map(|one| format!("{} ({})", one.key, one.spans)).collect();
    let rest = list.len().saturating_sub(SHOWN);
    if rest > 0 { format!("{} and {rest} more", shown.join(", ")) } else { shown.join(", ") }
}
