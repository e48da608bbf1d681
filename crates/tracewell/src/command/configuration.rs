//! `tracewell config`.

use std::io::Write;

use clap::Args;

use super::Place;
use crate::config::shown;

#[derive(Debug, Args)]
pub(crate) struct Configuration {
    #[command(flatten)]
    place: Place,
}

impl Configuration {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let effective = self.place.load(Vec::new())?;
        let mut out = std::io::stdout().lock();
        let mut section = "";
        for (key, (value, source)) in by_section(&effective.settings) {
            let (of, name) = key.split_once('.').unwrap_or(("", key));
            if of != section {
                writeln!(out, "\n[{of}]")?;
                section = of;
            }
            writeln!(out, "{:<40} # {source}", format!("{name} = {}", shown(key, value)))?;
        }
        Ok(())
    }
}

/// Settings without a section first, as TOML wants them.
fn by_section<V>(settings: &std::collections::BTreeMap<String, V>) -> impl Iterator<Item = (&String, &V)> {
    let top = settings.iter().filter(|(key, _)| !key.contains('.'));
    top.chain(settings.iter().filter(|(key, _)| key.contains('.')))
}
