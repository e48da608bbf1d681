//! What costs can be broken down by.

use crate::error::ReportError;

/// What costs are broken down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// What people call it.
    pub name: &'static str,
    /// The column of `span_costs`.
    pub(crate) column: &'static str,
}

const DIMENSIONS: [Dimension; 13] = [
    Dimension { name: "team", column: "team" },
    Dimension { name: "prompt", column: "prompt_name" },
    Dimension { name: "prompt_version", column: "prompt_version" },
    Dimension { name: "model", column: "model" },
    Dimension { name: "provider", column: "provider" },
    Dimension { name: "service", column: "service" },
    Dimension { name: "environment", column: "environment" },
    Dimension { name: "release", column: "release" },
    Dimension { name: "agent", column: "agent_name" },
    Dimension { name: "workflow", column: "workflow_name" },
    Dimension { name: "user", column: "user_id" },
    Dimension { name: "session", column: "conversation_id" },
    Dimension { name: "tenant", column: "tenant" },
];

impl Dimension {
    /// The dimensions of those names.
    ///
    /// # Errors
    /// When there is none of a name, or one comes twice.
    pub fn all_named(names: &[impl AsRef<str>]) -> Result<Vec<Self>, ReportError> {
        let mut found: Vec<Self> = Vec::new();
        for name in names {
            let dimension = Self::named(name.as_ref())?;
            if found.contains(&dimension) {
                return Err(ReportError::Asked(format!(
                    "costs cannot be broken down by `{}` twice; name it once",
                    dimension.name
                )));
            }
            found.push(dimension);
        }
        Ok(found)
    }

    /// The dimension of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, ReportError> {
        DIMENSIONS.into_iter().find(|dimension| dimension.name == name).ok_or_else(|| {
            let known = DIMENSIONS.map(|dimension| dimension.name).join(", ");
            ReportError::Asked(format!("costs cannot be broken down by `{name}`; there are {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_dimensions_come_into_sql() {
        assert_eq!(Dimension::named("prompt").expect("it is one").column, "prompt_name");
        let told = Dimension::named("team; DROP").expect_err("it is none").to_string();
        assert!(told.contains("prompt_version"), "{told}");
        let told = Dimension::all_named(&["team", "model", "team"]).expect_err("one comes twice").to_string();
        assert!(told.contains("`team` twice"), "{told}");
    }
}
