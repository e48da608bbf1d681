//! Starts what a client of `POST /v1/sql` asks.

use std::sync::Arc;

use tracewell_query::{Engine, Parameter, QueryError, Rows, Settings};
use tracewell_requests::body::Asked;

/// Why a query was not started.
pub(crate) enum Refused {
    /// What is asked makes no sense.
    Wrong(String),
    Query(QueryError),
}

impl From<QueryError> for Refused {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

/// Starts the query.
pub(crate) async fn run(mut asked: Asked, engine: &Arc<Engine>) -> Result<Rows, Refused> {
    let session = engine.session(settings(&asked).map_err(Refused::Wrong)?);
    let values = asked.values();
    if values.is_empty() {
        return Ok(session.sql(&asked.sql).await?);
    }
    let hints = values.types().map(|(name, data_type)| Parameter { name: name.to_owned(), data_type });
    let prepared = session.prepare(&asked.sql, &hints.collect::<Vec<_>>()).await?;
    let wanted = prepared.parameters();
    if let Some(unknown) = values.names().find(|name| wanted.iter().all(|parameter| parameter.name != *name)) {
        let names: Vec<String> = wanted.iter().map(|parameter| format!("${}", parameter.name)).collect();
        let names = if names.is_empty() { "none".into() } else { names.join(", ") };
        return Err(Refused::Wrong(format!("the query has no parameter `${unknown}`; it has {names}")));
    }
    let values = wanted.iter().map(|parameter| values.value(&parameter.name, &parameter.data_type));
    let values = values.collect::<Result<_, _>>().map_err(Refused::Wrong)?;
    Ok(session.run(&prepared, values).await?)
}

fn settings(asked: &Asked) -> Result<Settings, String> {
    let mut settings = Settings { prices: asked.prices.clone(), timeout: asked.timeout()?, ..Settings::default() };
    if let Some(zone) = asked.time_zone()? {
        zone.clone_into(&mut settings.time_zone);
    }
    Ok(settings)
}
