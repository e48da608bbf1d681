//! What differs between two catalogues.

use std::collections::BTreeMap;

use crate::catalogue::{Catalogue, Rule};
use crate::unit::{Rate, Unit};

/// What one catalogue has other than another, by rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff<'a> {
    /// Rules that only the later one has.
    pub added: Vec<&'a Rule>,
    /// Rules that only the earlier one has.
    pub removed: Vec<&'a Rule>,
    /// Rules that both have and that differ.
    pub changed: Vec<Change<'a>>,
    /// Ids of providers that only one has, or whose other names or fallbacks differ.
    pub providers: Vec<&'a str>,
}

/// A rule that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'a> {
    /// As it was.
    pub before: &'a Rule,
    /// As it is.
    pub after: &'a Rule,
    /// Rates that differ, by size of the input and unit; none is "has no such rate".
    pub rates: Vec<(i64, Unit, Option<Rate>, Option<Rate>)>,
}

impl Diff<'_> {
    /// Whether there is no difference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty() && self.providers.is_empty()
    }
}

/// What `after` has other than `before`.
#[must_use]
pub fn diff<'a>(before: &'a Catalogue, after: &'a Catalogue) -> Diff<'a> {
    let index = |catalogue: &'a Catalogue| -> BTreeMap<&'a str, &'a Rule> {
        catalogue.rules().iter().map(|rule| (rule.id.as_str(), rule)).collect()
    };
    let (old, new) = (index(before), index(after));
    let only = |mine: &BTreeMap<&'a str, &'a Rule>, other: &BTreeMap<&'a str, &'a Rule>| {
        mine.iter().filter(|(id, _)| !other.contains_key(*id)).map(|(_, rule)| *rule).collect()
    };
    let changed = old.iter().filter_map(|(id, before)| {
        let after = new.get(id).filter(|after| after != &before)?;
        Some(Change { before, after, rates: rates(before, after) })
    });
    let (added, removed) = (only(&new, &old), only(&old, &new));
    Diff { added, removed, changed: changed.collect(), providers: providers(before, after) }
}

fn providers<'a>(before: &'a Catalogue, after: &'a Catalogue) -> Vec<&'a str> {
    let only = |mine: &'a Catalogue, other: &'a Catalogue| {
        mine.providers().iter().filter(|one| !other.providers().contains(one)).map(|one| one.id.as_str())
    };
    let mut ids: Vec<_> = only(before, after).chain(only(after, before)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn rates(before: &Rule, after: &Rule) -> Vec<(i64, Unit, Option<Rate>, Option<Rate>)> {
    let index = |rule: &Rule| -> BTreeMap<(i64, Unit), Rate> {
        let tiers = rule.tiers.iter();
        tiers.flat_map(|tier| tier.rates.iter().map(|(unit, rate)| ((tier.over, *unit), *rate))).collect()
    };
    let (old, new) = (index(before), index(after));
    let mut keys: Vec<_> = old.keys().chain(new.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .map(|(over, unit)| (over, unit, old.get(&(over, unit)).copied(), new.get(&(over, unit)).copied()))
        .filter(|(_, _, before, after)| before != after)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::genai_prices;

    fn catalogue(models: &str) -> Catalogue {
        genai_prices("test", &format!(r#"[{{"id":"p","models":[{models}]}}]"#)).expect("reads")
    }

    fn model(id: &str, prices: &str) -> String {
        format!(r#"{{"id":"{id}","match":{{"equals":"{id}"}},"prices":{{{prices}}}}}"#)
    }

    #[test]
    fn rules_are_compared_by_their_names() {
        let old = [
            model("gone", r#""input_mtok":1"#),
            model("same", r#""input_mtok":1"#),
            model("m", r#""input_mtok":2,"output_mtok":4"#),
        ];
        let new = [
            model("same", r#""input_mtok":1.0"#),
            model("m", r#""input_mtok":2.5,"requests_kcount":1"#),
            model("new", ""),
        ];
        let (old, new) = (catalogue(&old.join(",")), catalogue(&new.join(",")));
        let found = diff(&old, &new);
        let ids = |rules: &[&Rule]| rules.iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
        assert_eq!((ids(&found.added), ids(&found.removed)), (vec!["p/new".to_owned()], vec!["p/gone".to_owned()]));
        let [change] = &found.changed[..] else { panic!("one change: {found:?}") };
        let shown: Vec<String> = change
            .rates
            .iter()
            .map(|(over, unit, old, new)| {
                let show = |rate: &Option<Rate>| rate.map_or("none".to_owned(), |rate| rate.to_string());
                format!(">{over} {unit:?}: {} -> {}", show(old), show(new))
            })
            .collect();
        assert_eq!(
            shown,
            [
                ">0 input_tokens: 2 per million -> 2.5 per million",
                ">0 output_tokens: 4 per million -> none",
                ">0 requests: none -> 1 per thousand",
            ]
        );
        assert!(diff(&old, &old).is_empty());
    }

    #[test]
    fn another_way_to_know_a_provider_is_a_difference() {
        let provider =
            |rest: &str| genai_prices("test", &format!(r#"[{{"id":"p",{rest}"models":[]}}]"#)).expect("reads");
        let (old, new) = (provider(""), provider(r#""provider_match":{"contains":"p"},"#));
        assert_eq!(diff(&old, &new).providers, ["p"]);
        assert!(!diff(&old, &new).is_empty());
    }
}
