//! What the examples of a dataset have to look like.

use serde_json::json;

use super::Dataset;
use crate::Example;

/// The JSON schema of a dataset's examples; without one, every example fits.
pub struct Schema {
    dataset: String,
    validator: Option<jsonschema::Validator>,
}

impl Dataset {
    /// Its schema, ready to check many examples.
    ///
    /// # Errors
    /// When it is no JSON schema.
    pub fn schema(&self) -> Result<Schema, String> {
        let validator = self.about.get("schema").map(jsonschema::validator_for).transpose();
        let validator = validator.map_err(|error| format!("the schema of `{}` cannot be used: {error}", self.name))?;
        Ok(Schema { dataset: self.name.clone(), validator })
    }
}

impl Schema {
    /// Whether an example fits.
    ///
    /// # Errors
    /// When it does not: why.
    pub fn check(&self, example: &Example) -> Result<(), String> {
        let Some(validator) = &self.validator else { return Ok(()) };
        let wrong = |error| format!("it is not as the schema of `{}` wants: {error}", self.dataset);
        validator.validate(&json!(example)).map_err(wrong)
    }
}
