//! All tables of one location.

use std::collections::HashMap;
use std::sync::Arc;

use tracewell_model::schema::Table;

use crate::{FactTable, LakeError, Location};

/// All tables of one location.
#[derive(Clone, Debug)]
pub struct Lake {
    location: Location,
    tables: Arc<HashMap<&'static str, Arc<FactTable>>>,
}

impl Lake {
    /// Opens `tables`, creating those that are not there when `create` is set. A table that is not there and not
    /// created is left out.
    ///
    /// # Errors
    /// When the store fails, or a stored table is not one of ours.
    pub async fn open(location: Location, tables: &[&'static Table], create: bool) -> Result<Self, LakeError> {
        let mut opened = HashMap::new();
        for table in tables {
            if let Some(open) = FactTable::open(&location, table, create).await? {
                opened.insert(table.name, Arc::new(open));
            }
        }
        Ok(Self { location, tables: Arc::new(opened) })
    }

    /// Where the tables are.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The table of that name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Arc<FactTable>> {
        self.tables.get(name)
    }

    /// Every table.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<FactTable>> {
        self.tables.values()
    }
}
