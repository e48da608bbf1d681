//! A verdict without personal data and secrets, for whoever it is shown to.

use std::sync::LazyLock;

use regex::Regex;

use super::Verdict;
use super::verdict::{Change, Finding};
use crate::privacy::{Masker, NUMBERS_AND_LETTER};

impl Verdict {
    /// It with what was said in the trials masked: answers, what scorers and judges quote of them, and the reasons why
    /// something is missing.
    #[must_use]
    pub fn masked(&self, masker: &mut Masker) -> Self {
        let mut verdict = self.clone();
        for finding in &mut verdict.findings {
            mask_finding(finding, masker);
        }
        for change in &mut verdict.changes {
            let place = format!("{}/{}", change.example, change.scorer);
            change.explanation = mask_quoting(&change.explanation, &place, masker);
            mask_difference(change, &place, masker);
        }
        verdict
    }
}

fn mask_finding(finding: &mut Finding, masker: &mut Masker) {
    finding.why = mask_quoting(&finding.why, &finding.about, masker);
    for gap in &mut finding.gaps {
        gap.reason = mask_quoting(&gap.reason, &gap.example, masker);
    }
}

/// A text that quotes others, some of which are cut off. The word at the cut is left out, with numbers before it: the
/// first part of a number or an address is not known for one.
fn mask_quoting(text: &str, place: &str, masker: &mut Masker) -> String {
    static CUT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(&format!("{NUMBERS_AND_LETTER}+…")).expect("a valid pattern"));
    masker.mask(&CUT.replace_all(text, "…"), place)
}

/// Lines that stand together are one text: what is masked may go over several.
fn mask_difference(change: &mut Change, place: &str, masker: &mut Masker) {
    let lines = std::mem::take(&mut change.difference);
    for together in lines.chunk_by(|(one, _), (other, _)| one == other) {
        let texts: Vec<&str> = together.iter().map(|(_, line)| line.as_str()).collect();
        let masked = masker.mask(&texts.join("\n"), place);
        change.difference.extend(masked.split('\n').map(|line| (together[0].0, line.to_owned())));
    }
}
