//! `tracewell sql`.

use std::io::IsTerminal;

use clap::Args;

use super::source::{Asked, TimeZone};
use crate::output::{self, Format, Shown};

#[derive(Debug, Args)]
pub(crate) struct Sql {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    zone: TimeZone,
    #[command(flatten)]
    shown: Shown,
    /// The query. Without it: a prompt, or what comes on standard input.
    #[arg(allow_hyphen_values = true)]
    query: Option<String>,
}

impl Sql {
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        self.asked.within(&self.zone);
        let format = self.shown.format();
        match &self.query {
            Some(query) => self.answer(query, format).await,
            None if std::io::stdin().is_terminal() => {
                crate::repl::read(async |statement| {
                    if let Err(error) = self.answer(statement, format).await {
                        eprintln!("tracewell: {}", output::told(&error));
                    }
                })
                .await
            }
            None => self.answer(&std::io::read_to_string(std::io::stdin())?, format).await,
        }
    }

    async fn answer(&self, query: &str, format: Format) -> anyhow::Result<()> {
        // Each time anew: between two statements a server may have started or stopped.
        let (schema, rows) = self.asked.open().await?.sql(query).await?;
        output::write(&mut std::io::stdout().lock(), format, &schema, &rows)
    }
}
