//! `tracewell schema`: the published schema as a page.

use std::io::Write;

use clap::Args;
use tracewell_model::schema::{DERIVED_TABLES, FACT_TABLES, KEPT_TABLES, PRICES, SCHEMA_VERSION};

#[derive(Debug, Args)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "# The tables, schema version {SCHEMA_VERSION}\n")?;
        writeln!(
            out,
            "Printed by `tracewell schema`. Delta Lake tables, partitioned by `date`; any Delta reader opens them.\n\
             NULL always means \"not known\" or \"not sent\"."
        )?;
        for table in FACT_TABLES.iter().rev().chain(DERIVED_TABLES).chain(KEPT_TABLES).chain(&[&PRICES]) {
            writeln!(out, "\n## `{}`\n\n{}\nSorted by {}.\n", table.name, table.doc, table.sort.join(", "))?;
            writeln!(out, "| column | type | meaning |\n| --- | --- | --- |")?;
            for column in table.columns {
                let null = if column.nullable { "" } else { ", never NULL" };
                writeln!(
                    out,
                    "| `{}` | {}{null} | {} |",
                    column.name,
                    column.kind.sql(),
                    column.doc.replace('|', "\\|")
                )?;
            }
        }
        Ok(())
    }
}
