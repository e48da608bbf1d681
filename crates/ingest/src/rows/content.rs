//! Contents as rows of `contents`, and the references to them.

use tracewell_dialects::{Normalized, Piece, content_hash};
use tracewell_model::id::ContentHash;

use super::Receipt;
use super::cells::some_text;
use crate::columns::{Columns, Reference};
use crate::names::{contents as c, logs as l, spans as s};
use crate::seen::Seen;

/// Which columns hold the references of a table.
pub(super) struct RefColumns {
    input: usize,
    output: usize,
    system: usize,
    tools: usize,
    payloads: Option<usize>,
}

pub(super) const SPAN_REFS: RefColumns = RefColumns {
    input: s::INPUT_REFS,
    output: s::OUTPUT_REFS,
    system: s::SYSTEM_REF,
    tools: s::TOOLS_REF,
    payloads: Some(s::PAYLOAD_REFS),
};

pub(super) const LOG_REFS: RefColumns = RefColumns {
    input: l::INPUT_REFS,
    output: l::OUTPUT_REFS,
    system: l::SYSTEM_REF,
    tools: l::TOOLS_REF,
    payloads: None,
};

/// Stores the contents of a span or record and refers to them.
pub(super) fn contents_of(to: &mut Columns, n: &Normalized<'_>, contents: &mut Contents<'_>, columns: &RefColumns) {
    let lists = [(Some(columns.input), &n.input), (Some(columns.output), &n.output), (columns.payloads, &n.payloads)];
    for (column, pieces) in lists {
        if let (Some(column), false) = (column, pieces.is_empty()) {
            let hashes: Vec<_> = pieces.iter().map(|piece| contents.store(piece).hex()).collect();
            let references = pieces.iter().zip(&hashes).map(|(piece, hash)| reference(piece, hash.as_str()));
            to.references(column, references);
        }
    }
    for (column, piece) in [(columns.system, &n.system), (columns.tools, &n.tools)] {
        if let Some(piece) = piece {
            let hash = contents.store(piece).hex();
            to.reference(column, reference(piece, hash.as_str()));
        }
    }
}

fn reference<'t>(piece: &'t Piece<'_>, hash: &'t str) -> Reference<'t> {
    Reference {
        hash,
        role: piece.role.as_deref(),
        bytes: piece.bytes.len() as i64,
        source: &piece.source,
        form: piece.form.as_str(),
    }
}

/// The `contents` of one day.
pub(super) struct Contents<'r> {
    pub(super) columns: &'r mut Columns,
    pub(super) seen: Seen<'r>,
    pub(super) receipt: Receipt<'r>,
}

impl Contents<'_> {
    /// Stores a content unless the day holds it.
    fn store(&mut self, piece: &Piece<'_>) -> ContentHash {
        let hash = piece.hash.unwrap_or_else(|| content_hash(piece.bytes.as_bytes()));
        if self.seen.insert(hash) {
            let to = &mut *self.columns;
            to.text(c::HASH, hash.hex().as_str());
            to.text(c::TENANT, self.receipt.tenant);
            some_text(to, c::ROLE, piece.role.as_deref());
            to.int(c::BYTES, piece.bytes.len() as i64);
            to.text(c::CONTENT, &piece.bytes);
            to.int(c::RECEIVED_AT, self.receipt.received_at / 1_000);
            to.int(c::SEQ, self.receipt.seq as i64);
            to.end_row();
        }
        hash
    }
}
