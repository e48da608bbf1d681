//! A normalizer that has read other spans before answers as a new one does.

use super::Normalizer;
use super::truth::for_each_span;
use crate::fixtures;
use crate::normalized::{Normalized, content_hash};

#[test]
fn what_was_read_before_changes_no_answer() {
    let mut experienced = Normalizer::new();
    // Twice, so that everything comes again.
    for name in [fixtures::names(), fixtures::names()].concat() {
        for_each_span(&name, |span, _| {
            let [mut out, mut expected] = [Normalized::default(), Normalized::default()];
            experienced.span(span, &mut out);
            Normalizer::new().span(span, &mut expected);
            assert_eq!(format!("{out:?}"), format!("{expected:?}"), "{name}");
            let pieces = out.input.iter().chain(&out.output).chain(&out.payloads).chain(&out.system).chain(&out.tools);
            for piece in pieces.filter(|piece| piece.hash.is_some()) {
                assert_eq!(piece.hash, Some(content_hash(piece.bytes.as_bytes())), "{name}");
            }
        });
    }
}
