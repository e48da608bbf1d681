//! What can be asked: the tables and views with their columns and what these mean.

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use tracewell_model::schema::{Table, asked_tables};

use crate::views::{VIEWS, View};

/// A table or a view.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Its columns as queries see them.
    pub schema: SchemaRef,
    source: Source,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Table(&'static Table),
    View(&'static View),
}

impl Relation {
    /// Its name in SQL.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.source {
            Source::Table(table) => table.name,
            Source::View(view) => view.name,
        }
    }

    /// What one row is.
    #[must_use]
    pub fn doc(&self) -> &'static str {
        match self.source {
            Source::Table(table) => table.doc,
            Source::View(view) => view.doc,
        }
    }

    /// What a column means.
    #[must_use]
    pub fn column_doc(&self, column: &str) -> Option<&'static str> {
        match self.source {
            Source::Table(table) => table.columns.iter().find(|known| known.name == column).map(|known| known.doc),
            Source::View(view) => view.column_doc(column),
        }
    }

    /// The SQL of a view.
    #[must_use]
    pub fn definition(&self) -> Option<&'static str> {
        match self.source {
            Source::Table(_) => None,
            Source::View(view) => Some(view.sql),
        }
    }
}

/// All of them, as `context` has them: tables, then views.
pub(crate) async fn all(context: &SessionContext) -> Result<Vec<Relation>> {
    let tables = asked_tables().map(Source::Table);
    let mut relations = Vec::new();
    for source in tables.chain(VIEWS.iter().map(Source::View)) {
        let name = match source {
            Source::Table(table) => table.name,
            Source::View(view) => view.name,
        };
        relations.push(Relation { schema: context.table_provider(name).await?.schema(), source });
    }
    Ok(relations)
}
