//! How far the reviewers of a queue agree.

use std::collections::BTreeSet;

use super::{Item, Question, QuestionKind, Queue, Said};
use crate::statistics::{cohen_kappa, fleiss_kappa, interval_alpha};

impl Queue {
    /// How far reviewers agree beyond chance on the outcome: Cohen's kappa of two people, Fleiss' of more. `None` where that
    /// cannot be told.
    #[must_use]
    pub fn agreement(&self) -> Option<f64> {
        self.kappa(|said| Some(said.outcome))
    }

    /// How far reviewers agree beyond chance on the answer to a question: kappa as for the outcome, or of numbers
    /// Krippendorff's alpha. `None` where that cannot be told, as of texts.
    #[must_use]
    pub fn agreement_on(&self, question: &Question) -> Option<f64> {
        let given = |said: &Said| said.answers.get(&question.name).cloned();
        match question.kind {
            QuestionKind::Text => None,
            QuestionKind::YesNo | QuestionKind::Choice => self.kappa(|said| Some(given(said)?.to_string())),
            QuestionKind::Number => {
                let items = self.judged(|said| given(said)?.as_f64());
                let numbers = items.into_iter().map(|item| item.into_iter().map(|(_, number)| number).collect());
                interval_alpha(&numbers.collect::<Vec<Vec<f64>>>())
            }
        }
    }

    fn kappa<L: Ord + Clone>(&self, label: impl Fn(&Said) -> Option<L>) -> Option<f64> {
        let items = self.judged(label);
        let reviewers: BTreeSet<&str> = items.iter().flatten().map(|(reviewer, _)| *reviewer).collect();
        if reviewers.len() == 2 {
            let pair = |item: &Vec<(&str, L)>| (item[0].1.clone(), item[1].1.clone());
            return cohen_kappa(&items.iter().map(pair).collect::<Vec<_>>());
        }
        let labels: BTreeSet<&L> = items.iter().flatten().map(|(_, label)| label).collect();
        let count = |item: &Vec<(&str, L)>, of: &L| item.iter().filter(|(_, label)| label == of).count() as u64;
        let counts = items.iter().map(|item| labels.iter().map(|of| count(item, of)).collect());
        fleiss_kappa(&counts.collect::<Vec<Vec<u64>>>())
    }

    /// Of each item that enough have judged, what the first of them gave, in the order of their names. Who judged it later
    /// was asked because these did not agree, and is not counted; items for which one of them gave nothing are not, either.
    fn judged<T>(&self, of: impl Fn(&Said) -> Option<T>) -> Vec<Vec<(&str, T)>> {
        let enough = |item: &&Item| self.reviewers >= 2 && item.said.len() >= self.reviewers;
        let items = self.items.values().filter(enough);
        let given = items.map(|item| first(item, self.reviewers).into_iter().map(|(who, said)| Some((who, of(said)?))));
        given.filter_map(Iterator::collect).collect()
    }
}

/// Who judged an item first and what they said, by their names.
fn first(item: &Item, count: usize) -> Vec<(&str, &Said)> {
    let mut said: Vec<(&str, &Said)> = item.said.iter().map(|(who, said)| (who.as_str(), said)).collect();
    said.sort_by_key(|(_, said)| said.entry);
    said.truncate(count);
    said.sort_by_key(|(reviewer, _)| *reviewer);
    said
}
