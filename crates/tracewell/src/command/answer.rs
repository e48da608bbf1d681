//! What an output should have been, as it is written on the command line and in sheets.

use tracewell_regression::{Answer, ToolCall};

/// Reads tool calls: a list of objects with `name` and `arguments`, in JSON; nothing for none.
pub(super) fn calls_of(text: &str) -> Result<Vec<ToolCall>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let wrong =
        |error| format!("these are no tool calls, such as [{{\"name\": \"find\", \"arguments\": {{}}}}]: {error}");
    serde_json::from_str(text).map_err(wrong)
}

/// What the output should have been, by its text and its calls. `None` where neither is given.
pub(super) fn expected(text: Option<String>, calls: Option<&str>) -> Result<Option<Answer>, String> {
    let tool_calls = calls.map(calls_of).transpose()?.unwrap_or_default();
    Ok((text.is_some() || !tool_calls.is_empty()).then_some(Answer { text, tool_calls }))
}
