//! Why cost changed, as a picture and a table.

use std::collections::BTreeMap;

use tracewell_pricing::Amount;

use crate::dimension::Dimension;
use crate::figures::{Both, Totals};
use crate::groups::Grouped;
use crate::money::{dollars, minus, signed};
use crate::page::{Cell, Chart, Data, Item, Step, Table, head, number};
use crate::split::{Group, Split, split};
use crate::words::{exact, more_money, tone};

/// What the change is split by.
pub(crate) const PROMPT_AND_MODEL: [Dimension; 2] =
    [Dimension { name: "prompt", column: "prompt_name" }, Dimension { name: "model", column: "model" }];

/// The change split by prompt, model and tier of prices, of groups that `dimensions` tell apart, the first two among
/// them.
pub(crate) fn split_by_prompt_and_model(groups: &[Grouped], dimensions: &[Dimension]) -> Option<Split> {
    let places = PROMPT_AND_MODEL.map(|needed| dimensions.iter().position(|dimension| *dimension == needed));
    let mut sums = BTreeMap::<_, Vec<Group>>::new();
    for group in groups {
        let names = places.map(|place| place.and_then(|place| group.names[place].as_deref()));
        for (tier, sides) in &group.tiers {
            sums.entry((names, tier)).or_default().push(*sides);
        }
    }
    split(&sums.into_values().map(|groups| groups.into_iter().sum()).collect::<Vec<_>>())
}

/// What each thing added to the change.
pub(crate) fn why(totals: &Both<Totals>, parts: Option<Split>, query: usize) -> Vec<Item> {
    let Some(before) = totals.before.cost_usd else {
        return vec![Item::Note("There is no priced call in the period before, so nothing to compare with.".into())];
    };
    let (Some(parts), Some(now)) = (parts, totals.now.cost_usd) else {
        return vec![Item::Note("There is no priced call in this period, so nothing to compare.".into())];
    };
    let said = [
        ("volume", "Volume", "more or fewer calls"),
        ("mix", "Mix", "a shift among prompts, models and tiers"),
        ("length", "Token length", "longer or shorter input and output"),
        ("caching", "Caching", "more or less of the input from the cache"),
        ("price", "Price", "other rates for the same tokens"),
    ];
    let change = minus(now, before);
    let end =
        |label: &str, amount: Amount| Step { label: label.into(), value: amount, text: dollars(amount), whole: true };
    let mut steps = vec![end("Before", before)];
    let mut rows = Vec::new();
    for ((_, part), (_, label, meaning)) in parts.parts().into_iter().zip(said) {
        steps.push(Step { label: label.into(), value: part, text: signed(part), whole: false });
        let cell = Cell { tone: tone(part), ..Cell::number(Some(exact(part)), |_| signed(part)) };
        rows.push(vec![Cell::text(label), Cell::text(meaning), cell]);
    }
    steps.push(end("Now", now));
    rows.push(vec![Cell::text("Change"), Cell::text("the sum of the above"), more_money(Some(now), Some(before))]);
    let largest = parts.parts().into_iter().max_by_key(|(_, part)| part.units().unsigned_abs());
    let largest = largest.and_then(|(name, part)| said.iter().find(|one| one.0 == name).map(|one| (one.1, part)));
    let description = format!(
        "From {} to {}, a change of {}; the largest part is {}.",
        dollars(before),
        dollars(now),
        signed(change),
        largest.map_or_else(|| "none".into(), |(label, part)| format!("{label} with {}", signed(part)))
    );
    let queries = vec![query];
    vec![
        Item::Chart(Chart { title: "From the period before to this one".into(), description, data: Data::Bridge(steps), queries: queries.clone() }),
        Item::Table(Table {
            caption: "The change, split".into(),
            heads: vec![head("part"), head("what it is"), number("change")],
            rows,
            queries,
        }),
        Item::Note(
            "Each part replaces one thing of before by that of now, in this order; they add up exactly. Groups are prompts on models, each tier of prices (flex, batch, long contexts) by itself.".into(),
        ),
    ]
}

/// What a group's change is mostly due to, in a word.
pub(crate) fn driver(group: &Grouped) -> Option<&'static str> {
    let Group { before, now } = group.sides();
    if before.calls == 0 {
        return Some(if group.unpriced[0] { "without a price before" } else { "new" });
    }
    if now.calls == 0 {
        return Some(if group.unpriced[1] { "without a price now" } else { "gone" });
    }
    let parts = split(&group.tiers.iter().map(|(_, sides)| *sides).collect::<Vec<_>>())?;
    let (name, part) = parts.parts().into_iter().max_by_key(|(_, part)| part.units().unsigned_abs())?;
    // Of one prompt on one model only tiers can shift.
    let said = if name == "mix" { "price tier" } else { name };
    (part != Amount::ZERO).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::Tier;
    use crate::split::Side;

    const BY_USER: [Dimension; 3] =
        [Dimension { name: "user", column: "user_id" }, PROMPT_AND_MODEL[0], PROMPT_AND_MODEL[1]];

    const STANDARD: Tier = [const { None }; 2];

    /// Calls of a user of one prompt on one model, a dollar each.
    fn group(user: &str, before: i64, now: i64) -> Grouped {
        let side = |calls: i64| Side {
            calls,
            cost: crate::money::times("1".parse().expect("an amount"), calls, 1).expect("it is small"),
            ..Side::default()
        };
        Grouped {
            names: [user, "greet", "gpt-4.1"].map(|name| Some(name.to_owned())).to_vec(),
            tiers: vec![(STANDARD, Group { before: side(before), now: side(now) })],
            unpriced: [false; 2],
            new_releases: Vec::new(),
            new_versions: Vec::new(),
        }
    }

    /// Ann made 4 calls and left, bob makes 10 where nobody of that name was: of users it would be mix, of prompts and
    /// models it is 6 calls more.
    #[test]
    fn users_who_come_and_go_are_volume_and_not_mix() {
        let split = split_by_prompt_and_model(&[group("ann", 4, 0), group("bob", 0, 10)], &BY_USER);
        assert_eq!(split, Some(Split { volume: "6".parse().expect("an amount"), ..Split::default() }));
    }

    /// 4 calls at the standard rate; of as many now 3 are at that for long contexts, which was the same before.
    #[test]
    fn calls_of_a_dearer_tier_are_no_change_of_prices() {
        let side = |calls: i64, cost: &str| Side { calls, cost: cost.parse().expect("an amount"), ..Side::default() };
        let long: Tier = [Some("\"standard\"".to_owned()), Some("200000".to_owned())];
        let standard = Group { before: side(4, "4"), now: side(1, "1") };
        let dearer = Group { before: Side::default(), now: side(3, "6") };
        let moved = Grouped { tiers: vec![(STANDARD, standard), (long, dearer)], ..group("ann", 0, 0) };
        assert_eq!(driver(&moved), Some("price tier"));
        let split = split_by_prompt_and_model(&[moved], &BY_USER);
        assert_eq!(split, Some(Split { mix: "3".parse().expect("an amount"), ..Split::default() }));
    }

    #[test]
    fn the_period_without_priced_calls_is_the_one_that_is_told() {
        let some = || Totals { cost_usd: "4".parse().ok(), ..Totals::default() };
        let said = |before, now| match why(&Both { query: 1, now, before }, Some(Split::default()), 1).as_slice() {
            [Item::Note(text)] => text.clone(),
            other => panic!("{other:?}"),
        };
        assert!(said(Totals::default(), some()).contains("no priced call in the period before"));
        assert!(said(some(), Totals::default()).contains("no priced call in this period"));
    }

    #[test]
    fn calls_that_lost_their_price_are_not_gone() {
        let group = |before, now, unpriced| Grouped { unpriced, ..group("ann", before, now) };
        let told = [(4, 0), (0, 4)]
            .map(|(before, now)| [[false; 2], [true; 2]].map(|unpriced| driver(&group(before, now, unpriced))));
        let said = [["gone", "without a price now"], ["new", "without a price before"]];
        assert_eq!(told, said.map(|said| said.map(Some)));
        assert_eq!(driver(&group(4, 5, [true; 2])), Some("volume"));
        let four: Option<Amount> = "4".parse().ok();
        assert_eq!(group(4, 0, [false, true]).costs(), [four, None]);
        assert_eq!(group(0, 4, [true; 2]).costs(), [None, four]);
        assert_eq!(group(4, 0, [true, false]).costs(), [four, Some(Amount::ZERO)]);
    }
}
