//! What a resource says once for all its spans.

use tracewell_otlp::KeyValue;

use crate::input::ResourceFacts;

/// Keys by which applications name the team or tenant they work for. No convention names any.
pub const TEAM_KEYS: &[&str] = &["tenant", "tenant.id", "tenant_id", "team", "team.id", "team.name", "team_id"];

impl<'a> ResourceFacts<'a> {
    /// Reads `resource`, with [`TEAM_KEYS`].
    #[must_use]
    pub fn of(resource: &[KeyValue<'a>]) -> Self {
        Self::with_team_keys(resource, TEAM_KEYS)
    }

    /// Reads `resource`; the first of `team_keys` that it states names the team.
    #[must_use]
    pub fn with_team_keys(resource: &[KeyValue<'a>], team_keys: &[impl AsRef<str>]) -> Self {
        let text = |key: &str| {
            let stated = resource.iter().rev().find(|attribute| attribute.key == key)?;
            stated.value.as_str().filter(|text| !text.is_empty())
        };
        let first = |keys: &[&str]| keys.iter().find_map(|key| text(key));
        Self {
            service: text("service.name"),
            service_version: text("service.version"),
            environment: first(&[
                "langfuse.environment",
                "deployment.environment.name",
                "deployment.environment",
                "gen_ai.environment",
            ]),
            release: text("langfuse.release"),
            team: team_keys.iter().find_map(|key| text(key.as_ref())),
            sdk: text("telemetry.sdk.name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tracewell_otlp::AnyValue;

    use super::*;

    #[test]
    fn the_keys_of_the_team_are_a_choice() {
        let text = |key, value| KeyValue { key, value: AnyValue::Str(value) };
        let resource = [
            text("service.name", "shop"),
            text("deployment.environment", "staging"),
            text("cost-centre", "42"),
            text("tenant.id", "acme"),
            text("service.name", "seed-shop"),
        ];
        let facts = ResourceFacts::of(&resource);
        assert_eq!((facts.service, facts.environment, facts.team), (Some("seed-shop"), Some("staging"), Some("acme")));
        assert_eq!(ResourceFacts::with_team_keys(&resource, &["cost-centre"]).team, Some("42"));
    }
}
