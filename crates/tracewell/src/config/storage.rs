//! Options of the object store: which there are, and which may be shown.

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;
use toml::Value;
use tracewell_lake::without_keys;

/// Options that tell no secret, without the store's prefix; every other is hidden.
const HARMLESS: [&str; 22] = [
    "region",
    "default_region",
    "endpoint",
    "endpoint_url",
    "endpoint_url_s3",
    "bucket",
    "bucket_name",
    "base_url",
    "virtual_hosted_style_request",
    "conditional_put",
    "skip_signature",
    "unsigned_payload",
    "server_side_encryption",
    "storage_account_name",
    "account_name",
    "container_name",
    "storage_use_emulator",
    "use_emulator",
    "allow_http",
    "connect_timeout",
    "timeout",
    "user_agent",
];

/// What a misspelt option may have been.
pub(super) const COMMON: [&str; 18] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_region",
    "aws_endpoint",
    "aws_allow_http",
    "aws_virtual_hosted_style_request",
    "azure_storage_account_name",
    "azure_storage_account_key",
    "azure_storage_sas_key",
    "azure_storage_endpoint",
    "azure_storage_use_emulator",
    "azure_client_id",
    "azure_client_secret",
    "azure_tenant_id",
    "google_service_account",
    "google_service_account_key",
    "allow_http",
];

/// Whether a store knows an option of this name in small letters.
pub(super) fn is_known(name: &str) -> bool {
    name.parse::<AmazonS3ConfigKey>().is_ok()
        || name.parse::<AzureConfigKey>().is_ok()
        || name.parse::<GoogleConfigKey>().is_ok()
}

fn is_secret(key: &str) -> bool {
    ["password", "webhook"].iter().any(|ending| key.ends_with(ending))
}

/// A setting's value as it may be printed.
pub(crate) fn shown(key: &str, value: &Value) -> Value {
    let harmless = |option: &str| {
        let bare =
            ["aws_", "azure_", "google_"].iter().find_map(|prefix| option.strip_prefix(prefix)).unwrap_or(option);
        HARMLESS.contains(&bare)
    };
    match (key.strip_prefix("storage."), value) {
        (Some(option), _) if !harmless(option) => Value::String("(hidden)".into()),
        // The path of a webhook is often its key.
        (None, Value::String(text)) if is_secret(key) && !text.is_empty() => Value::String("(hidden)".into()),
        (_, Value::String(text)) => Value::String(without_keys(text)),
        (_, value) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let text = |text: &str| Value::String(text.into());
        assert_eq!(shown("postgres.password", &text("hunter2")), text("(hidden)"));
        assert_eq!(shown("flight.password", &text("hunter2")), text("(hidden)"));
        assert_eq!(shown("http.password", &text("hunter2")), text("(hidden)"));
        assert_eq!(shown("release.webhook", &text("https://hooks.example/T0/hunter2")), text("(hidden)"));
        assert_eq!(shown("postgres.password", &text("")), text(""));
        assert_eq!(shown("storage.aws_secret_access_key", &text("hunter2")), text("(hidden)"));
        assert_eq!(shown("storage.aws_region", &text("eu-central-1")), text("eu-central-1"));
    }
}
