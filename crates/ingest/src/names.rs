//! Positions of the columns, checked against the schema when this is compiled.

use tracewell_model::schema::Table;

/// The position of a column; a name that the table does not have stops the build.
const fn position(table: &Table, name: &str) -> usize {
    let mut at = 0;
    while at < table.columns.len() {
        if same(table.columns[at].name.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("the table has no such column")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

macro_rules! positions {
    ($module:ident, $table:ident: $($constant:ident = $name:literal),+ $(,)?) => {
        pub(crate) mod $module {
            use tracewell_model::schema::$table;
            $(pub(crate) const $constant: usize = super::position(&$table, $name);)+
        }
    };
}

positions! { spans, SPANS:
    TRACE_ID = "trace_id",
    SPAN_ID = "span_id",
    PARENT_SPAN_ID = "parent_span_id",
    TRACE_STATE = "trace_state",
    TRACE_FLAGS = "trace_flags",
    NAME = "name",
    SPAN_KIND = "span_kind",
    KIND = "kind",
    DIALECT = "dialect",
    SCOPE_NAME = "scope_name",
    SCOPE_VERSION = "scope_version",
    SCOPE_ATTRIBUTES = "scope_attributes",
    SCHEMA_URL = "schema_url",
    SERVICE = "service",
    SERVICE_VERSION = "service_version",
    ENVIRONMENT = "environment",
    RELEASE = "release",
    TENANT = "tenant",
    TEAM = "team",
    START_TIME = "start_time",
    END_TIME = "end_time",
    START_UNIX_NANO = "start_unix_nano",
    DURATION_NS = "duration_ns",
    STATUS = "status",
    STATUS_MESSAGE = "status_message",
    ERROR_TYPE = "error_type",
    ERROR_CLASS = "error_class",
    OPERATION = "operation",
    FRAMEWORK = "framework",
    PROVIDER = "provider",
    REQUEST_MODEL = "request_model",
    RESPONSE_MODEL = "response_model",
    RESPONSE_ID = "response_id",
    SERVICE_TIER = "service_tier",
    AGENT_NAME = "agent_name",
    WORKFLOW_NAME = "workflow_name",
    WORKFLOW_VERSION = "workflow_version",
    PROMPT_NAME = "prompt_name",
    PROMPT_VERSION = "prompt_version",
    PROMPT_LABEL = "prompt_label",
    PROMPT_HASH = "prompt_hash",
    PROMPT_SHAPE = "prompt_shape",
    PROMPT_VARIABLES = "prompt_variables",
    CONVERSATION_ID = "conversation_id",
    USER_ID = "user_id",
    TEMPERATURE = "temperature",
    TOP_P = "top_p",
    MAX_TOKENS = "max_tokens",
    SEED = "seed",
    REQUEST_PARAMS = "request_params",
    STREAMING = "streaming",
    TTFT_NS = "ttft_ns",
    FINISH_REASONS = "finish_reasons",
    INPUT_TOKENS = "input_tokens",
    OUTPUT_TOKENS = "output_tokens",
    CACHE_READ_TOKENS = "cache_read_tokens",
    CACHE_WRITE_TOKENS = "cache_write_tokens",
    CACHE_WRITE_5M_TOKENS = "cache_write_5m_tokens",
    CACHE_WRITE_1H_TOKENS = "cache_write_1h_tokens",
    REASONING_TOKENS = "reasoning_tokens",
    AUDIO_INPUT_TOKENS = "audio_input_tokens",
    AUDIO_OUTPUT_TOKENS = "audio_output_tokens",
    IMAGE_INPUT_TOKENS = "image_input_tokens",
    USAGE_REPORTED = "usage_reported",
    USAGE_FLAGS = "usage_flags",
    INPUT_SEMANTICS = "input_semantics",
    REPORTED_COST_USD = "reported_cost_usd",
    TOOL_NAME = "tool_name",
    TOOL_CALL_ID = "tool_call_id",
    TOOL_TYPE = "tool_type",
    RETRIEVAL_QUERY = "retrieval_query",
    TAGS = "tags",
    METADATA = "metadata",
    CONTENT_HASH = "content_hash",
    ROUTING_HASH = "routing_hash",
    POLICY_HASH = "policy_hash",
    INPUT_PREVIEW = "input_preview",
    OUTPUT_PREVIEW = "output_preview",
    INPUT_REFS = "input_refs",
    OUTPUT_REFS = "output_refs",
    SYSTEM_REF = "system_ref",
    TOOLS_REF = "tools_ref",
    PAYLOAD_REFS = "payload_refs",
    ATTRIBUTES = "attributes",
    ATTRIBUTE_TYPES = "attribute_types",
    RESOURCE_ATTRIBUTES = "resource_attributes",
    EVENTS = "events",
    LINKS = "links",
    DROPPED_ATTRIBUTES = "dropped_attributes",
    DROPPED_EVENTS = "dropped_events",
    DROPPED_LINKS = "dropped_links",
    FLAGS = "flags",
    RECEIVED_AT = "received_at",
    SEQ = "seq",
    MAPPING_VERSION = "mapping_version",
}

positions! { logs, LOGS:
    TRACE_ID = "trace_id",
    SPAN_ID = "span_id",
    TIME = "time",
    TIME_UNIX_NANO = "time_unix_nano",
    SENT_UNIX_NANO = "sent_unix_nano",
    OBSERVED_UNIX_NANO = "observed_unix_nano",
    POSITION = "position",
    EVENT_NAME = "event_name",
    SEVERITY = "severity",
    SEVERITY_NUMBER = "severity_number",
    SCOPE_NAME = "scope_name",
    SCOPE_VERSION = "scope_version",
    SCOPE_ATTRIBUTES = "scope_attributes",
    SCHEMA_URL = "schema_url",
    SERVICE = "service",
    ENVIRONMENT = "environment",
    TENANT = "tenant",
    CONVERSATION_ID = "conversation_id",
    USER_ID = "user_id",
    REQUEST_ID = "request_id",
    PROMPT_ID = "prompt_id",
    RECORD_ID = "record_id",
    KIND = "kind",
    DIALECT = "dialect",
    OPERATION = "operation",
    SERVICE_VERSION = "service_version",
    TEAM = "team",
    AGENT_NAME = "agent_name",
    PROVIDER = "provider",
    REQUEST_MODEL = "request_model",
    RESPONSE_MODEL = "response_model",
    RESPONSE_ID = "response_id",
    DURATION_NS = "duration_ns",
    STATUS = "status",
    STATUS_MESSAGE = "status_message",
    ERROR_TYPE = "error_type",
    ERROR_CLASS = "error_class",
    FINISH_REASONS = "finish_reasons",
    INPUT_TOKENS = "input_tokens",
    OUTPUT_TOKENS = "output_tokens",
    CACHE_READ_TOKENS = "cache_read_tokens",
    CACHE_WRITE_TOKENS = "cache_write_tokens",
    REASONING_TOKENS = "reasoning_tokens",
    USAGE_REPORTED = "usage_reported",
    USAGE_FLAGS = "usage_flags",
    INPUT_SEMANTICS = "input_semantics",
    REPORTED_COST_USD = "reported_cost_usd",
    TOOL_NAME = "tool_name",
    TOOL_CALL_ID = "tool_call_id",
    TOOL_TYPE = "tool_type",
    DECISION = "decision",
    DECISION_SOURCE = "decision_source",
    BODY = "body",
    BODY_TYPE = "body_type",
    INPUT_REFS = "input_refs",
    OUTPUT_REFS = "output_refs",
    SYSTEM_REF = "system_ref",
    TOOLS_REF = "tools_ref",
    ATTRIBUTES = "attributes",
    ATTRIBUTE_TYPES = "attribute_types",
    RESOURCE_ATTRIBUTES = "resource_attributes",
    DROPPED_ATTRIBUTES = "dropped_attributes",
    TRACE_FLAGS = "trace_flags",
    FLAGS = "flags",
    RECEIVED_AT = "received_at",
    SEQ = "seq",
    MAPPING_VERSION = "mapping_version",
}

positions! { contents, CONTENTS:
    HASH = "hash",
    TENANT = "tenant",
    ROLE = "role",
    BYTES = "bytes",
    CONTENT = "content",
    RECEIVED_AT = "received_at",
    SEQ = "seq",
}

positions! { scores, SCORES:
    TIME = "time",
    TIME_UNIX_NANO = "time_unix_nano",
    TENANT = "tenant",
    TARGET = "target",
    TRACE_ID = "trace_id",
    SPAN_ID = "span_id",
    RESPONSE_ID = "response_id",
    SESSION_ID = "session_id",
    DOCUMENT_ID = "document_id",
    NAME = "name",
    DATA_TYPE = "data_type",
    VALUE = "value",
    LABEL = "label",
    TEXT = "text",
    EXPLANATION = "explanation",
    SOURCE = "source",
    AUTHOR = "author",
    METADATA = "metadata",
    SERVICE = "service",
    RECEIVED_AT = "received_at",
    SEQ = "seq",
}
