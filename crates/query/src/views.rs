//! The views: SQL over the tables, planned when a query mentions them.

use datafusion::common::Result;
use datafusion::datasource::ViewTable;
use datafusion::prelude::SessionContext;

/// One view.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Its name in SQL.
    pub name: &'static str,
    /// What one row is.
    pub doc: &'static str,
    /// Its definition.
    pub sql: &'static str,
    /// Other views it reads; they stand before it in [`VIEWS`].
    uses: &'static [&'static str],
}

/// All views. A view stands behind those it uses.
pub const VIEWS: &[View] = &[
    View {
        name: "call_spans",
        doc: "One row is one span that has a part in a model call: the call itself, a duplicate of it, or a wrapper around calls.",
        sql: include_str!("../../../queries/views/call_spans.sql"),
        uses: &[],
    },
    View {
        name: "merged_calls",
        doc: "One row is one model call that several rows of `spans` tell of, merged.",
        sql: include_str!("../../../queries/views/merged_calls.sql"),
        uses: &["call_spans"],
    },
    View {
        name: "llm_calls",
        doc: "One row is one real model call, its duplicates merged.",
        sql: include_str!("../../../queries/views/llm_calls.sql"),
        uses: &["call_spans", "merged_calls"],
    },
    View {
        name: "traces",
        doc: "One row is one trace with its root, its calls and its tokens.",
        sql: include_str!("../../../queries/views/traces.sql"),
        uses: &["call_spans", "merged_calls", "llm_calls"],
    },
    View {
        name: "tool_calls",
        doc: "One row is one execution of a tool.",
        sql: include_str!("../../../queries/views/tool_calls.sql"),
        uses: &[],
    },
    View {
        name: "retrievals",
        doc: "One row is one document that a retrieval found or a reranking kept.",
        sql: include_str!("../../../queries/views/retrievals.sql"),
        uses: &[],
    },
    View {
        name: "messages",
        doc: "One row is one message that went into or came out of a model call, an agent or a step around them.",
        sql: include_str!("../../../queries/views/messages.sql"),
        uses: &[],
    },
    View {
        name: "mapping_coverage",
        doc: "One row is one attribute key as one version of an instrumentation sends it, and whether it is understood.",
        sql: include_str!("../../../queries/views/mapping_coverage.sql"),
        uses: &[],
    },
];

/// Plans the views that `sql` mentions, and those that they use. Lists of all tables get all of them.
///
/// # Errors
/// When a view cannot be planned.
pub(crate) async fn register(context: &SessionContext, sql: &str) -> Result<()> {
    for view in mentioned(sql) {
        let plan = context.state().create_logical_plan(view.sql).await?;
        context.register_table(view.name, std::sync::Arc::new(ViewTable::new(plan, Some(view.sql.to_owned()))))?;
    }
    Ok(())
}

/// The views that `sql` may need, in an order in which they can be planned.
fn mentioned(sql: &str) -> Vec<&'static View> {
    let lower = sql.to_ascii_lowercase();
    let lists_all = lower.contains("information_schema") || lower.trim_start().starts_with("show");
    let mut wanted: Vec<&str> = Vec::new();
    for view in VIEWS.iter().rev() {
        if lists_all || wanted.contains(&view.name) || lower.contains(view.name) {
            wanted.push(view.name);
            wanted.extend(view.uses);
        }
    }
    VIEWS.iter().filter(|view| wanted.contains(&view.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_views_that_are_mentioned_are_planned_and_those_they_use_come_first() {
        let names = |sql| mentioned(sql).iter().map(|view| view.name).collect::<Vec<_>>();
        assert_eq!(names("SELECT 1"), [""; 0]);
        assert_eq!(names("SELECT * FROM LLM_Calls"), ["call_spans", "merged_calls", "llm_calls"]);
        assert_eq!(names("SELECT * FROM traces JOIN messages USING (trace_id)"), ["call_spans", "merged_calls", "llm_calls", "traces", "messages"]);
        assert_eq!(names(" SHOW TABLES").len(), VIEWS.len());
    }

    #[test]
    fn every_view_uses_only_views_before_it_and_says_what_a_row_is() {
        for (position, view) in VIEWS.iter().enumerate() {
            assert!(view.sql.starts_with("-- One row is one "), "{}", view.name);
            for other in &VIEWS[position..] {
                assert!(!view.sql.contains(&format!("FROM {}\n", other.name)), "{} uses {}", view.name, other.name);
                assert!(!view.uses.contains(&other.name));
            }
        }
    }
}
