//! `tracewell query`.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::bail;
use arrow::array::RecordBatch;
use clap::Args;
use tracewell_query::named::{Catalogue, NamedQuery};

use super::source::{Asked, TimeZone};
use crate::output::{self, Shown};

#[derive(Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    zone: TimeZone,
    /// Value of a parameter; may be given several times
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Print the SQL with its values instead of running it
    #[arg(long, conflicts_with = "describe")]
    sql: bool,
    /// Print the question that it answers, and its parameters
    #[arg(long)]
    describe: bool,
    #[command(flatten)]
    shown: Shown,
    /// The query. Without it: a list of all.
    name: Option<String>,
}

pub(super) fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.to_owned())),
        None => Err("give it as NAME=VALUE".into()),
    }
}

impl Query {
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        self.asked.within(&self.zone);
        let catalogue = catalogue(&self.asked.config()?.query.folder)?;
        let format = self.shown.format();
        let Some(name) = &self.name else { return output::print(format, &list(&catalogue)?) };
        let Some(query) = catalogue.get(name) else { bail!("{}", unknown(&catalogue, name)) };
        if self.describe {
            return output::print(format, &describe(query)?);
        }
        let sql = query.bind(&self.parameters.iter().cloned().collect::<BTreeMap<_, _>>())?;
        if self.sql {
            return Ok(writeln!(std::io::stdout(), "{}", sql.trim_end())?);
        }
        let rows = self.asked.open().await?.sql(&sql).await?;
        output::print_or_say(format, &rows, &nothing(query, &self.parameters))
    }
}

/// The named queries of the binary and of the operator's folder.
pub(super) fn catalogue(folder: &std::path::Path) -> anyhow::Result<Catalogue> {
    let mut catalogue = Catalogue::built_in();
    if !folder.as_os_str().is_empty() {
        catalogue.add_folder(folder)?;
    }
    Ok(catalogue)
}

fn unknown(catalogue: &Catalogue, name: &str) -> String {
    let near = catalogue
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(&a.name, name).total_cmp(&strsim::jaro_winkler(&b.name, name)));
    let hint = near.map(|near| format!("; did you mean `{}`?", near.name)).unwrap_or_else(|| ";".into());
    format!("there is no query `{name}`{hint} `tracewell query` lists all")
}

/// What is said where there are no rows: since when was looked, where the caller did not say it.
fn nothing(query: &NamedQuery, given: &[(String, String)]) -> String {
    let since = query.parameters.iter().find(|parameter| parameter.name == "since");
    let since = since.filter(|_| given.iter().all(|(name, _)| name != "since"));
    let usual =
        since.and_then(|since| since.default.as_deref()?.strip_prefix("now() - INTERVAL '")?.strip_suffix('\''));
    match usual {
        Some(usual) => format!("nothing fits in the last {usual}; -p since=30d looks further back"),
        None => "nothing fits".to_owned(),
    }
}

fn list(catalogue: &Catalogue) -> anyhow::Result<RecordBatch> {
    let mut queries: Vec<&NamedQuery> = catalogue.iter().collect();
    queries.sort_by_key(|query| (&query.group, &query.name));
    output::table(&["group", "name", "question"], queries, |query| {
        [Some(query.group.clone()), Some(query.name.clone()), Some(query.question.clone())]
    })
}

fn describe(query: &NamedQuery) -> anyhow::Result<RecordBatch> {
    eprintln!("{}: {}", query.title, query.question);
    output::table(&["parameter", "type", "default", "meaning"], query.parameters.iter(), |parameter| {
        let (kind, default) = (parameter.kind.sql().to_owned(), parameter.default.clone());
        [Some(parameter.name.clone()), Some(kind), default, Some(parameter.doc.clone())]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_answer_says_how_far_back_was_looked() {
        let catalogue = Catalogue::built_in();
        let query = catalogue.get("find_messages").unwrap();
        let given = |name: &str| vec![("words".to_owned(), "x".to_owned()), (name.to_owned(), "1d".to_owned())];
        assert_eq!(nothing(query, &given("role")), "nothing fits in the last 7 days; -p since=30d looks further back");
        assert_eq!(nothing(query, &given("since")), "nothing fits");
    }
}
