//! What tells functions within a batch that nobody waits for their result any more.

use std::any::Any;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::{Result, exec_err};
use datafusion::prelude::SessionContext;
use tokio_util::sync::CancellationToken;

/// It travels with the options of a query, which functions get to see.
#[derive(Clone, Debug)]
struct Stop(CancellationToken);

impl ConfigExtension for Stop {
    const PREFIX: &'static str = "tracewell_stop";
}

impl ExtensionOptions for Stop {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        exec_err!("there is no setting `{key}`")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// Lets `stop` reach the functions of a query.
pub(crate) fn watch(context: &SessionContext, stop: &CancellationToken) {
    let state = context.state_ref();
    state.write().config_mut().options_mut().extensions.insert(Stop(stop.clone()));
}

/// Fails when the query is to stop.
pub(crate) fn check(options: &ConfigOptions) -> Result<()> {
    match options.extensions.get::<Stop>() {
        Some(Stop(stop)) if stop.is_cancelled() => exec_err!("the query was stopped"),
        _ => Ok(()),
    }
}
