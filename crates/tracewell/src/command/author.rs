//! Who does something, and why: it stays in the record.

use anyhow::anyhow;
use clap::Args;
use tracewell_regression::dataset::Signed;

/// Who, and why.
#[derive(Clone, Debug, Args)]
pub(crate) struct Author {
    /// Who does this [default: the user of this machine]
    #[arg(long, value_name = "NAME", env = "TRACEWELL_AUTHOR")]
    author: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Author {
    /// The name that goes into the record.
    pub(crate) fn name(&self) -> anyhow::Result<String> {
        Ok(self.signed()?.author)
    }

    /// What goes into the record.
    pub(crate) fn signed(&self) -> anyhow::Result<Signed> {
        let of_machine = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
        let name = self.author.clone().or_else(of_machine).unwrap_or_default();
        Signed::new(&name, self.note.as_deref())
            .map_err(|_| anyhow!("who does this? Name yourself with --author or TRACEWELL_AUTHOR"))
    }
}
