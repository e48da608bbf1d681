//! Rules of the same calls against one another: sizes of the input put together, gaps and overlaps refused.

use std::collections::{BTreeMap, btree_map};

use super::Refusal;
use super::rule::Draft;
use crate::catalogue::Rule;
use crate::time::{UnixNanos, moment_text};

/// The calls that a rule is for.
type Key = [Option<String>; 6];

fn key(rule: &Rule) -> Key {
    let batch = rule.batch.map(|batch| batch.to_string());
    let (tenant, environment, tier) = (rule.tenant.clone(), rule.environment.clone(), rule.service_tier.clone());
    [rule.provider.clone(), Some(rule.model.clone()), tenant, environment, tier, batch]
}

/// The rules of all drafts; what cannot stand beside another is refused.
pub(super) fn rules(drafts: Vec<Draft>, refusals: &mut Vec<Refusal>) -> Vec<Rule> {
    let mut groups: BTreeMap<Key, Vec<Draft>> = BTreeMap::new();
    for draft in drafts {
        groups.entry(key(&draft.rule)).or_default().push(draft);
    }
    let mut taken: Vec<Draft> = Vec::new();
    for group in groups.into_values() {
        let mut checked = with_sizes(group, refusals);
        checked.sort_by_key(|draft| draft.rule.period.from.unwrap_or(UnixNanos::MIN));
        in_succession(&mut checked, refusals);
        taken.extend(checked);
    }
    // As in the files, where what comes later goes first among equals.
    taken.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    let mut names = BTreeMap::new();
    for draft in &taken {
        match names.entry(draft.rule.id.as_str()) {
            btree_map::Entry::Vacant(entry) => drop(entry.insert(draft)),
            btree_map::Entry::Occupied(entry) if draft.named || entry.get().named => {
                refuse(refusals, draft, format!("the id `{}` is that of {}", draft.rule.id, place(entry.get())));
            }
            btree_map::Entry::Occupied(_) => {}
        }
    }
    taken.into_iter().map(|draft| draft.rule).collect()
}

fn refuse(refusals: &mut Vec<Refusal>, draft: &Draft, reason: String) {
    refusals.push(Refusal { file: draft.file.clone(), line: draft.line, reason });
}

fn place(draft: &Draft) -> String {
    format!("{}:{}", draft.file, draft.line)
}

/// Adds the rates for larger inputs to the rule of the same dates.
fn with_sizes(group: Vec<Draft>, refusals: &mut Vec<Refusal>) -> Vec<Draft> {
    let (mut base, mut larger): (Vec<Draft>, Vec<Draft>) =
        group.into_iter().partition(|draft| draft.rule.tiers.iter().all(|tier| tier.over == 0));
    larger.sort_by_key(|draft| draft.rule.tiers[0].over);
    for mut draft in larger {
        let Some(rule) = base.iter_mut().find(|base| base.rule.period == draft.rule.period) else {
            refuse(refusals, &draft, "no price of the same calls and dates without `over`".to_owned());
            continue;
        };
        let tier = draft.rule.tiers.remove(0);
        let lacking = rule.rule.tiers[0].rates.keys().find(|unit| !tier.rates.contains_key(*unit));
        if let Some(unit) = lacking {
            let reason = format!("lacks `{}`, which {} has for smaller inputs", unit.name(), place(rule));
            refuse(refusals, &draft, reason);
        } else if draft.rule.currency != rule.rule.currency {
            refuse(refusals, &draft, format!("another currency than {}", place(rule)));
        } else if rule.rule.tiers.iter().any(|other| other.over == tier.over) {
            refuse(refusals, &draft, format!("overlaps: a second price over {} tokens", tier.over));
        } else {
            rule.rule.tiers.push(tier);
        }
    }
    base
}

/// Ends a price where the next one begins, and refuses where they overlap or leave a gap.
fn in_succession(drafts: &mut [Draft], refusals: &mut Vec<Refusal>) {
    for later in 1..drafts.len() {
        let (before, after) = drafts.split_at_mut(later);
        let (before, after) = (&mut before[later - 1], &after[0]);
        let begins = after.rule.period.from;
        let begins_text = begins.map_or("always before".to_owned(), moment_text);
        match (before.rule.period.to, begins) {
            (_, begins) if begins == before.rule.period.from => {
                refuse(refusals, after, format!("overlaps with {}, which also begins {begins_text}", place(before)));
            }
            (None, begins) => before.rule.period.to = begins,
            (Some(ends), Some(begins)) if ends > begins => {
                let reason = format!("overlaps with {}, which holds until {}", place(before), moment_text(ends));
                refuse(refusals, after, reason);
            }
            (Some(ends), Some(begins)) if ends < begins && !after.gap => {
                let ends = moment_text(ends);
                let reason = format!(
                    "leaves a gap: {} ends {ends} and this begins {begins_text}; say `gap = true` if that is meant",
                    place(before)
                );
                refuse(refusals, after, reason);
            }
            _ => {}
        }
    }
}
