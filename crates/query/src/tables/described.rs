//! What tables, views and their columns mean: in `information_schema`, and by `DESCRIBE`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast;

use tracewell_model::schema::asked_tables;

use crate::contexts::{CATALOG, SCHEMA};
use crate::tables::published::type_name;
use crate::tables::relation::{self, Relation};
use crate::views::VIEWS;

/// Gives the tables of `information_schema` in `context` a column `description`.
pub(crate) async fn register(context: &SessionContext) -> Result<()> {
    let relations = relation::all(context).await?;
    let state = context.state();
    let inner = InformationSchemaProvider::new(Arc::clone(state.catalog_list()))
        .with_table_functions(state.table_functions().clone());
    let described = Described { inner, tables: tables(&relations)?, columns: columns(&relations)? };
    // DataFusion's own comes before what is registered.
    context.state_ref().write().config_mut().options_mut().catalog.information_schema = false;
    if let Some(catalog) = context.catalog(CATALOG) {
        catalog.register_schema("information_schema", Arc::new(described))?;
    }
    Ok(())
}

/// `DESCRIBE name` as a query, if it is that and there is such a table or view.
pub(crate) fn describe(statement: &ast::Statement) -> Option<String> {
    let ast::Statement::ExplainTable { table_name, .. } = statement else { return None };
    let name = &table_name.0.last()?.as_ident()?.value;
    let tables = asked_tables().map(|table| table.name);
    let known = tables.chain(VIEWS.iter().map(|view| view.name)).find(|known| known.eq_ignore_ascii_case(name))?;
    Some(format!(
        "SELECT column_name, data_type, is_nullable, description FROM information_schema.columns \
         WHERE table_schema = '{SCHEMA}' AND table_name = '{known}' ORDER BY ordinal_position"
    ))
}

#[derive(Debug)]
struct Described {
    inner: InformationSchemaProvider,
    tables: Arc<MemTable>,
    columns: Arc<MemTable>,
}

#[async_trait]
impl SchemaProvider for Described {
    fn table_names(&self) -> Vec<String> {
        self.inner.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match name {
            "tables" => Ok(Some(Arc::clone(&self.tables) as _)),
            "columns" => Ok(Some(Arc::clone(&self.columns) as _)),
            other => self.inner.table(other).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.inner.table_exist(name)
    }
}

fn tables(relations: &[Relation]) -> Result<Arc<MemTable>> {
    let kind = |relation: &Relation| if relation.definition().is_some() { "VIEW" } else { "BASE TABLE" };
    table(vec![
        ("table_catalog", texts(relations, |_| Some(CATALOG))),
        ("table_schema", texts(relations, |_| Some(SCHEMA))),
        ("table_name", texts(relations, |relation| Some(relation.name()))),
        ("table_type", texts(relations, |relation| Some(kind(relation)))),
        ("description", texts(relations, |relation| Some(relation.doc()))),
    ])
}

fn columns(relations: &[Relation]) -> Result<Arc<MemTable>> {
    let rows: Vec<(&Relation, usize)> = relations
        .iter()
        .flat_map(|relation| (0..relation.schema.fields().len()).map(move |at| (relation, at)))
        .collect();
    let number = |(_, at): &(&Relation, usize)| i64::try_from(at + 1).ok();
    let nullable =
        |(relation, at): &(&Relation, usize)| if relation.schema.field(*at).is_nullable() { "YES" } else { "NO" };
    table(vec![
        ("table_catalog", texts(&rows, |_| Some(CATALOG))),
        ("table_schema", texts(&rows, |_| Some(SCHEMA))),
        ("table_name", texts(&rows, |(relation, _)| Some(relation.name()))),
        ("column_name", texts(&rows, |(relation, at)| Some(relation.schema.field(*at).name().clone()))),
        ("ordinal_position", Arc::new(rows.iter().map(number).collect::<Int64Array>())),
        ("column_default", texts(&rows, |_| None::<&str>)),
        ("is_nullable", texts(&rows, |row| Some(nullable(row)))),
        ("data_type", texts(&rows, |(relation, at)| Some(type_name(relation.schema.field(*at).data_type())))),
        ("description", texts(&rows, |(relation, at)| relation.column_doc(relation.schema.field(*at).name()))),
    ])
}

fn texts<R, T: AsRef<str>>(rows: &[R], value: impl Fn(&R) -> Option<T>) -> ArrayRef {
    Arc::new(rows.iter().map(value).collect::<StringArray>())
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Result<Arc<MemTable>> {
    let nullable = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(nullable)?;
    Ok(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))
}
