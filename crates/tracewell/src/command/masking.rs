//! What is masked before it leaves the tables for a file or a page.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;
use tracewell_regression::Example;
use tracewell_regression::privacy::{Masker, Policy};

/// How personal data and secrets are masked.
#[derive(Clone, Debug, Args)]
struct How {
    /// What is masked and what is let through, in TOML
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Write what was masked, and where, to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Whether and how what leaves for others is masked.
#[derive(Clone, Debug, Args)]
pub(super) struct Masking {
    #[command(flatten)]
    how: How,
    /// Mask nothing
    #[arg(long, conflicts_with = "policy")]
    unmasked: bool,
}

/// Whether and how what is sent to a model is masked.
#[derive(Clone, Debug, Args)]
pub(super) struct MaskSent {
    /// Mask personal data and secrets in what is sent; a replay puts them back into what is answered
    #[arg(long)]
    mask: bool,
    #[command(flatten)]
    how: How,
}

impl How {
    fn policy(&self) -> anyhow::Result<Policy> {
        let policy = self.policy.as_ref().map(|path| -> anyhow::Result<Policy> {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            toml::from_str(&text).with_context(|| format!("`{}` is no policy", path.display()))
        });
        Ok(policy.transpose()?.unwrap_or_default())
    }

    fn masker(&self) -> anyhow::Result<Masker> {
        let policy = self.policy()?;
        let masker = Masker::new(&policy)?;
        let Some(name) = &policy.key else { return Ok(masker) };
        let key = std::env::var(name).ok().filter(|key| !key.is_empty());
        let key = key.with_context(|| format!("the policy's key is in the variable `{name}`, which is not set"))?;
        Ok(masker.keyed(&key))
    }

    fn told(&self, masker: Option<&Masker>) -> anyhow::Result<String> {
        let report = masker.map(Masker::report).cloned().unwrap_or_default();
        if let Some(path) = &self.report {
            let text = serde_json::to_string_pretty(&report)? + "\n";
            std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        let counts: Vec<String> = report.counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        Ok(match (masker.is_some(), counts.is_empty()) {
            (false, _) => "nothing was masked, as asked".to_owned(),
            (true, true) => "nothing had to be masked".to_owned(),
            (true, false) => format!("masked: {}", counts.join(", ")),
        })
    }
}

impl Masking {
    /// What masks; `None` where nothing is to be masked.
    pub(super) fn masker(&self) -> anyhow::Result<Option<Masker>> {
        if self.unmasked { Ok(None) } else { self.how.masker().map(Some) }
    }

    /// Writes the report where one is wanted, and says in words what was masked.
    pub(super) fn told(&self, masker: Option<&Masker>) -> anyhow::Result<String> {
        self.how.told(masker)
    }
}

impl MaskSent {
    /// By which policy; `None` where nothing is to be masked.
    pub(super) fn policy(&self) -> anyhow::Result<Option<Policy>> {
        let How { policy, report } = &self.how;
        ensure!(self.mask || policy.is_none() && report.is_none(), "--policy and --report go with --mask");
        if self.mask { self.how.policy().map(Some) } else { Ok(None) }
    }

    /// What masks; `None` where nothing is to be masked.
    pub(super) fn masker(&self) -> anyhow::Result<Option<Masker>> {
        self.policy()?.map(|_| self.how.masker()).transpose()
    }

    /// Writes the report where one is wanted, and says in words what was masked.
    pub(super) fn told(&self, masker: &Masker) -> anyhow::Result<String> {
        self.how.told(Some(masker))
    }
}

/// Masks an example but for its ids and hashes, by which it is found again; ids that are given have to say nothing.
pub(super) fn mask(masker: &mut Masker, example: Example) -> serde_json::Result<Example> {
    let Example { id, source, .. } = example.clone();
    let mut value = serde_json::to_value(Example { source: None, ..example })?;
    if let Some(members) = value.as_object_mut() {
        members.remove("id");
    }
    masker.mask_json(&mut value, &id);
    value["id"] = Value::from(id);
    Ok(Example { source, ..serde_json::from_value(value)? })
}
