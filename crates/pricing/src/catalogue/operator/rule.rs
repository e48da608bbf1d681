//! One entry of a file as a rule.

use std::collections::BTreeMap;

use super::{Entry, Refusal, refusal};
use crate::catalogue::{ContextTier, Rule};
use crate::matching::Match;
use crate::names;
use crate::time::{Period, UnixNanos, moment_text, read_moment};
use crate::unit::{Rate, Role, Unit};
use crate::usage::Kind;

/// A rule as its entry alone says it, with one size of the input.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) rule: Rule,
    /// The file names the rule itself.
    pub(super) named: bool,
    /// A gap before it is meant.
    pub(super) gap: bool,
}

/// The rule of an entry, or all that is wrong with it.
pub(super) fn draft(entry: &Entry) -> Result<Draft, Vec<Refusal>> {
    let mut reader = Reader { entry, refusals: Vec::new() };
    let draft = reader.draft();
    if reader.refusals.is_empty() { Ok(draft) } else { Err(reader.refusals) }
}

struct Reader<'e> {
    entry: &'e Entry,
    refusals: Vec<Refusal>,
}

impl Reader<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.entry.values.get(key).map(|(value, _)| value.as_str())
    }

    fn refuse(&mut self, key: &str, reason: impl Into<String>) {
        let line = self.entry.values.get(key).map_or(self.entry.line, |(_, line)| *line);
        self.refusals.push(refusal(self.entry, line, reason));
    }

    /// What `read` makes of the key's text, else nothing and a refusal that says what is expected.
    fn read<T>(&mut self, key: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(key)?.to_owned();
        let value = read(&text);
        if value.is_none() {
            self.refuse(key, format!("`{key}` is `{text}`, not {expected}"));
        }
        value
    }

    fn draft(&mut self) -> Draft {
        let batch = self.read("batch", "true, false or \"*\"", |text| match text {
            "true" => Some(Some(true)),
            "false" => Some(Some(false)),
            "*" => Some(None),
            _ => None,
        });
        let gap = self.read("gap", "true or false", |text| text.parse().ok()).unwrap_or(false);
        let over = self.read("over", "a count of tokens", |text| text.parse().ok().filter(|over| *over >= 0));
        let currency = self.read("currency", "a currency's code such as USD", |text| {
            let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
            is_code.then(|| text.to_owned())
        });
        let period = self.period();
        let rates = self.rates();
        let model = self.text("model").map(str::to_lowercase);
        if model.is_none() {
            self.refuse("model", "no `model`");
        }
        let model = model.unwrap_or_default();
        let service_tier = self.service_tier();
        let owned = |key| self.text(key).map(str::to_owned);
        let mut rule = Rule {
            id: String::new(),
            provider: self.text("provider").filter(|provider| *provider != "*").map(str::to_lowercase),
            matches: if model.contains('*') { Match::Glob(model.clone()) } else { Match::Equals(model.clone()) },
            model,
            tenant: owned("tenant"),
            environment: owned("environment"),
            service_tier,
            batch: batch.unwrap_or(Some(false)),
            condition: None,
            period,
            currency: currency.unwrap_or_else(|| "USD".to_owned()),
            tiers: vec![ContextTier { over: over.unwrap_or(0), rates }],
        };
        rule.id = owned("id").unwrap_or_else(|| id(&rule));
        Draft { file: self.entry.file.clone(), line: self.entry.line, named: self.text("id").is_some(), rule, gap }
    }

    fn period(&mut self) -> Period {
        let expected = "a date, nor a date and time with its offset";
        let from: Option<UnixNanos> = self.read("from", expected, read_moment);
        let to = self.read("to", expected, read_moment);
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            self.refuse("to", "`to` is not after `from`");
        }
        Period { from, to, hours: Vec::new() }
    }

    fn service_tier(&mut self) -> Option<String> {
        let tier = self.text("service_tier").filter(|tier| !names::is_standard_tier(tier)).map(str::to_lowercase);
        if tier.as_deref() == Some("batch") {
            self.refuse("service_tier", "batches are not a service tier here: say `batch = true`");
        }
        tier
    }

    fn rates(&mut self) -> BTreeMap<Unit, Rate> {
        let per = self.read("unit", "\"1M\", \"1K\" or \"1\"", |text| match text {
            "1M" => Some(1_000_000),
            "1K" => Some(1_000),
            "1" => Some(1),
            _ => None,
        });
        let per = per.unwrap_or(1_000_000);
        let mut rates = BTreeMap::new();
        let keys: Vec<String> = self.entry.values.keys().cloned().collect();
        for key in keys.iter().filter(|key| !OTHER_KEYS.contains(&key.as_str())) {
            let unit = Unit::named(key).filter(|unit| matches!(unit.role(), Role::Counted(_) | Role::Overlap));
            let Some(unit) = unit else {
                self.refuse(key, format!("unknown key `{key}`"));
                continue;
            };
            let per = if unit == Unit::of(Kind::Requests) { 1 } else { per };
            match self.text(key).map(|price| Rate::read(price, per)) {
                Some(Ok(rate)) => drop(rates.insert(unit, rate)),
                Some(Err(why)) => self.refuse(key, format!("`{key}`: {why}")),
                None => {}
            }
        }
        if rates.is_empty() && self.refusals.is_empty() {
            self.refuse("model", "no price");
        }
        for kind in Kind::ALL.into_iter().filter(|kind| rates.contains_key(&Unit::of(*kind))) {
            if let Some(parent) = kind.parent().filter(|parent| !rates.contains_key(&Unit::of(*parent))) {
                let (part, whole) = (kind.name(), parent.name());
                self.refuse(part, format!("a price for `{part}` and none for `{whole}`, of which they are a part"));
            }
        }
        rates
    }
}

/// Keys that are not prices.
const OTHER_KEYS: [&str; 13] = [
    "batch",
    "currency",
    "environment",
    "from",
    "gap",
    "id",
    "model",
    "over",
    "provider",
    "service_tier",
    "tenant",
    "to",
    "unit",
];

/// A name by what the rule is for, so that it stays when lines move.
fn id(rule: &Rule) -> String {
    let mut id = format!("{}/{}", rule.provider.as_deref().unwrap_or("*"), rule.model);
    for (key, value) in [("tenant", &rule.tenant), ("environment", &rule.environment)] {
        if let Some(value) = value {
            id += &format!(";{key}={value}");
        }
    }
    if let Some(tier) = &rule.service_tier {
        id += &format!("+{tier}");
    }
    id += match rule.batch {
        Some(true) => "+batch",
        Some(false) => "",
        None => "+any batch",
    };
    if let Some(from) = rule.period.from {
        id += &format!("@{}", moment_text(from));
    }
    id
}
