//! Who does something, and why: it stays in the record.

use anyhow::{Context, Error};
use clap::Args;
use tracewell_regression::dataset::Signed;

/// Who.
#[derive(Clone, Debug, Args)]
pub(crate) struct Who {
    /// Who does this [default: the user of this machine]
    #[arg(long, value_name = "NAME", env = "TRACEWELL_AUTHOR")]
    author: Option<String>,
}

/// Who, and why.
#[derive(Clone, Debug, Args)]
pub(crate) struct Author {
    #[command(flatten)]
    who: Who,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Who {
    /// The name, as far as it is known; containers often have no user's.
    pub(crate) fn name(&self) -> Option<String> {
        let of_machine = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
        self.author.clone().or_else(of_machine).filter(|name| !name.trim().is_empty())
    }

    /// The name, where it goes into a record that has to say who.
    pub(crate) fn known(&self) -> anyhow::Result<String> {
        self.name().context("who does this? Name yourself with --author or TRACEWELL_AUTHOR")
    }
}

impl Author {
    /// The name that goes into the record.
    pub(crate) fn name(&self) -> anyhow::Result<String> {
        Ok(self.signed()?.author)
    }

    /// What goes into the record.
    pub(crate) fn signed(&self) -> anyhow::Result<Signed> {
        Signed::new(&self.who.known()?, self.note.as_deref()).map_err(Error::msg)
    }
}
