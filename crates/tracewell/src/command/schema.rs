//! `tracewell schema`: the published schema as a page.

use std::fmt::Write;

use clap::Args;
use tracewell_model::schema::{DERIVED_TABLES, FACT_TABLES, KEPT_TABLES, PRICES, SCHEMA_VERSION};
use tracewell_query::{VIEWS, published};

use super::say;

#[derive(Debug, Args)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut page = format!(
            "# The tables and views, schema version {SCHEMA_VERSION}\n\n\
             Printed by `tracewell schema`. Delta Lake tables, partitioned by `date`; any Delta reader opens them. Views\n\
             are SQL over them, in [`views`](views), and stand below the tables.\n\
             NULL always means \"not known\" or \"not sent\".\n"
        );
        for table in FACT_TABLES.iter().rev().chain(DERIVED_TABLES).chain(KEPT_TABLES).chain(&[&PRICES]) {
            writeln!(page, "\n## `{}`\n\n{}\nSorted by {}.\n", table.name, table.doc, table.sort.join(", "))?;
            head(&mut page)?;
            for column in table.columns {
                let null = if column.nullable { "" } else { ", never NULL" };
                row(&mut page, column.name, &format!("{}{null}", column.kind.sql()), column.doc)?;
            }
        }
        for view in VIEWS {
            writeln!(page, "\n## View `{}`\n\n{}\n", view.name, view.doc)?;
            head(&mut page)?;
            for column in published::columns(view).await?.fields() {
                let doc = view.column_doc(column.name()).unwrap_or_default();
                row(&mut page, column.name(), &published::type_name(column.data_type()), doc)?;
            }
        }
        say!("{}", page.trim_end());
        Ok(())
    }
}

fn head(page: &mut String) -> std::fmt::Result {
    writeln!(page, "| column | type | meaning |\n| --- | --- | --- |")
}

fn row(page: &mut String, name: &str, kind: &str, doc: &str) -> std::fmt::Result {
    writeln!(page, "| `{name}` | {kind} | {} |", doc.replace('|', "\\|"))
}
