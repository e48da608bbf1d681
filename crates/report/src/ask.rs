//! Questions to the tables, each kept with its answer: what a report shows can be asked again.

use std::future::Future;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{NoAnswer, ReportError};

/// A row of an answer by the names of its columns. Decimals are text, so that they stay exact; NULL is absent.
pub type Row = Map<String, Value>;

/// Answers SQL with exact rows: an engine in this process, or a server elsewhere.
pub trait RowSource: Sync {
    /// All rows of the answer, or why there is none.
    fn rows(&self, sql: &str) -> impl Future<Output = Result<Vec<Row>, NoAnswer>> + Send;
}

/// A query that was asked, as it can be pasted, and what it answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// From 1, as the page refers to it.
    pub number: usize,
    /// What it is to find out.
    pub title: String,
    /// The SQL, with all values in it.
    pub sql: String,
    /// The answer.
    pub rows: Vec<Row>,
}

/// Asks, and keeps what was asked.
pub(crate) struct Questions<'a, A> {
    source: &'a A,
    asked: Vec<Query>,
}

/// The rows of one answer, and the number of the query that gave them.
pub(crate) struct Answer<T> {
    pub(crate) number: usize,
    pub(crate) rows: Vec<T>,
}

impl<'a, A: RowSource> Questions<'a, A> {
    pub(crate) fn new(source: &'a A) -> Self {
        Self { source, asked: Vec::new() }
    }

    pub(crate) async fn ask<T: DeserializeOwned>(
        &mut self,
        title: &str,
        sql: String,
    ) -> Result<Answer<T>, ReportError> {
        let query = || title.to_owned();
        let rows = self.source.rows(&sql).await.map_err(|reason| ReportError::Query { query: query(), reason })?;
        let typed = rows.iter().map(T::deserialize).collect::<Result<Vec<T>, _>>();
        let typed = typed.map_err(|error| ReportError::Answer { query: query(), reason: error.to_string() })?;
        let number = self.asked.len() + 1;
        self.asked.push(Query { number, title: query(), sql, rows });
        Ok(Answer { number, rows: typed })
    }

    pub(crate) fn into_queries(self) -> Vec<Query> {
        self.asked
    }
}

impl<T> Answer<T> {
    /// The only row, as of a query without `GROUP BY`.
    pub(crate) fn one(self, title: &str) -> Result<T, ReportError> {
        let wrong = || ReportError::Answer { query: title.to_owned(), reason: "it has no row".into() };
        self.rows.into_iter().next().ok_or_else(wrong)
    }
}
