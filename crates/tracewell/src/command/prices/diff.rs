//! `tracewell prices diff`.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use tracewell_pricing::catalogue::{Rule, diff};
use tracewell_pricing::{Catalogue, Source};
use tracewell_query::prices::kept;

use super::{described, rates};
use crate::command::Place;
use crate::output::{self, Shown};
use crate::prices;

#[derive(Debug, Args)]
pub(super) struct Diff {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
    /// The earlier prices
    before: String,
    /// The later prices
    after: String,
}

/// Change, rule, what, before, after.
type Difference = [Option<String>; 5];

impl Diff {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (before, after) = (self.catalogues(&self.before).await?, self.catalogues(&self.after).await?);
        let rows: Vec<Difference> = match (&before[..], &after[..]) {
            ([before], [after]) => changes(before, after),
            _ => [Source::Operator, Source::Litellm, Source::Catalogue]
                .into_iter()
                .flat_map(|source| {
                    let [before, after] = [&before, &after]
                        .map(|all| all.iter().filter(|catalogue| catalogue.source() == source).collect::<Vec<_>>());
                    of_source(&before, &after)
                })
                .collect(),
        };
        let rows = output::table(&["change", "rule", "what", "before", "after"], rows, |row| row)?;
        output::print(self.shown.format(), &rows)
    }

    /// The prices of a file, those built in, or those of a version that was in force.
    async fn catalogues(&self, name: &str) -> anyhow::Result<Vec<Arc<Catalogue>>> {
        let is_version = name.bytes().all(|byte| byte.is_ascii_hexdigit()) && !Path::new(name).exists();
        if !is_version {
            return Ok(vec![prices::named(name)?]);
        }
        Ok(kept(&self.place.load(Vec::new())?.config.location()?, name).await?)
    }
}

/// What catalogues of one source have other than others; one that has none beside it is all removed or all added.
fn of_source(before: &[&Arc<Catalogue>], after: &[&Arc<Catalogue>]) -> Vec<Difference> {
    let pairs = (0..before.len().max(after.len())).map(|place| (before.get(place), after.get(place)));
    let differences = pairs.flat_map(|pair| match pair {
        (Some(before), Some(after)) => changes(before, after),
        (Some(before), None) => before.rules().iter().map(|rule| whole(rule, true)).collect(),
        (None, Some(after)) => after.rules().iter().map(|rule| whole(rule, false)).collect(),
        (None, None) => Vec::new(),
    });
    differences.collect()
}

fn whole(rule: &Rule, was: bool) -> Difference {
    let all = Some(rates(rule));
    let (before, after) = if was { (all, None) } else { (None, all) };
    let change = if was { "removed" } else { "added" };
    [Some(change.to_owned()), Some(rule.id.clone()), None, before, after]
}

fn changes(before: &Catalogue, after: &Catalogue) -> Vec<Difference> {
    let found = diff(before, after);
    let mut rows: Vec<Difference> = Vec::new();
    rows.extend(found.added.iter().map(|rule| whole(rule, false)));
    rows.extend(found.removed.iter().map(|rule| whole(rule, true)));
    for change in &found.changed {
        let id = || Some(change.after.id.clone());
        let changed = || Some("changed".to_owned());
        rows.extend(change.rates.iter().map(|(over, unit, before, after)| {
            let what = if *over > 0 { format!("{} over {over}", unit.name()) } else { unit.name().to_owned() };
            [changed(), id(), Some(what), before.map(|rate| rate.to_string()), after.map(|rate| rate.to_string())]
        }));
        if described(change.before) != described(change.after) || change.rates.is_empty() {
            let said = |rule| Some(described(rule).into_iter().flatten().collect::<Vec<_>>().join(", "));
            rows.push([changed(), id(), Some("what it is for".to_owned()), said(change.before), said(change.after)]);
        }
    }
    rows.extend(found.providers.iter().map(|provider| {
        [Some("provider".to_owned()), Some((*provider).to_owned()), Some("names or fallbacks".to_owned()), None, None]
    }));
    rows
}
