//! Views of what was sent and received: texts, messages, documents, and what tools were given and gave.

use super::View;
use super::calls::DECISION;
use crate::unasked::RUN_FACTS;

const TOOL: [(&str, &str); 7] = [
    DECISION[0],
    DECISION[1],
    ("trace_id", "Trace id; NULL where only a log record without a trace tells of it."),
    ("span_id", "The span, or the id of the log record, that stands for it."),
    ("input_hash", "Hash of the arguments in `contents`."),
    ("output_hash", "Hash of the result in `contents`."),
    ("duplicate_spans", "How many other spans and log records of the execution were merged in."),
];

/// What rows have of the run that they are of.
const OF_RUN: [(&str, &str); 5] = [
    ("conversation_id", "Session, thread or conversation that the row names itself, else that of its run."),
    ("user_id", "End user, found likewise."),
    ("team", "The team or tenant that the application claims, found likewise."),
    ("workflow_name", "Workflow of the run."),
    ("workflow_version", "Its version."),
];

pub(super) const TEXTS: View = View {
    name: "texts",
    doc: "One row is one text that was sent or received: a message, a payload of a tool, a document.",
    sql: include_str!("../../../../queries/views/texts.sql"),
    columns: &[
        ("hash", "First 128 bits of the BLAKE3 hash of the exact bytes, as 32 hexadecimal digits."),
        ("content", "The bytes, exactly as sent."),
    ],
    uses: &[],
    derived: None,
    reach: None,
};

pub(super) const TOOL_EXECUTIONS: View = View {
    name: "tool_executions",
    doc: "One row is one execution of a tool, without the texts of its arguments and its result.",
    sql: include_str!("../../../../queries/views/tool_executions.sql"),
    columns: &[
        TOOL[0],
        TOOL[1],
        TOOL[2],
        TOOL[3],
        TOOL[4],
        TOOL[5],
        TOOL[6],
        ("input_date", "Under which date of `contents` the arguments are."),
        ("output_date", "Under which date of `contents` the result is."),
    ],
    uses: &["span_records"],
    derived: None,
    reach: Some(1),
};

pub(super) const TOOL_CALLS: View = View {
    name: "tool_calls",
    doc: "One row is one execution of a tool, with its arguments and its result.",
    sql: include_str!("../../../../queries/views/tool_calls.sql"),
    columns: &[
        TOOL[0],
        TOOL[1],
        TOOL[2],
        TOOL[3],
        TOOL[4],
        TOOL[5],
        TOOL[6],
        ("arguments", "The arguments as sent."),
        ("result", "The result as sent."),
        OF_RUN[0],
        OF_RUN[1],
        OF_RUN[2],
        OF_RUN[3],
        OF_RUN[4],
    ],
    uses: &["texts", "span_records", "tool_executions", "trace_parts", RUN_FACTS],
    derived: None,
    reach: Some(1),
};

pub(super) const RETRIEVALS: View = View {
    name: "retrievals",
    doc: "One row is one document that a retrieval found or a reranking kept.",
    sql: include_str!("../../../../queries/views/retrievals.sql"),
    columns: &[
        ("position", "From 1, in the order of the answer; NULL when nothing was found."),
        ("hash", "Hash of the document in `contents`."),
        ("document_id", "Id of the document, where it states one."),
        ("score", "Score of the document, where it states one."),
        ("text", "Text of the document, where it is an object of a known form."),
        ("content", "The document as sent."),
        OF_RUN[0],
        OF_RUN[1],
        OF_RUN[2],
        OF_RUN[3],
        OF_RUN[4],
    ],
    uses: &["texts", "trace_parts", RUN_FACTS],
    derived: None,
    reach: Some(1),
};

pub(super) const MESSAGES: View = View {
    name: "messages",
    doc: "One row is one message that went into or came out of a model call, an agent or a step around them.",
    sql: include_str!("../../../../queries/views/messages.sql"),
    columns: &[
        ("direction", "input, output or system."),
        ("position", "From 1 within span and direction."),
        ("role", "Role of the speaker, as sent."),
        ("hash", "Hash of the message in `contents`."),
        ("bytes", "Length in bytes."),
        ("source", "The attribute, event or body that held it."),
        ("form", "How it was cut out of there."),
        ("content", "The message as sent; NULL once it has expired."),
        ("conversation_id", "Session, thread or conversation of the span, else of its model call, else of the run."),
        ("user_id", "End user, found likewise."),
        ("team", "The team or tenant that the application claims, found likewise."),
        ("prompt_name", "Prompt name of the span, else of its model call."),
        ("prompt_version", "Its version, found likewise."),
    ],
    uses: &["texts", "llm_calls", "trace_parts", RUN_FACTS],
    derived: None,
    reach: Some(1),
};
