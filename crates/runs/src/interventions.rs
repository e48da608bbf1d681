//! What people did in a run: spans and log records of kind `human`, decisions about tools, and corrections.

use crate::moment::rfc3339;
use crate::record::{Intervention, Message, ModelCall, RunRecord, Score, ToolCall};
use crate::rows::{LogRow, SpanRow};

/// All of them but corrections.
pub(crate) fn interventions(spans: &[SpanRow], logs: &[LogRow], tools: &[ToolCall], start: i64) -> Vec<Intervention> {
    let mut found: Vec<Intervention> = spans.iter().filter(|span| span.kind == "human").map(of_span).collect();
    // What a user typed is the input of a run, and no intervention.
    let decided = logs.iter().filter(|log| log.kind.as_deref() == Some("human") && log.decision.is_some());
    found.extend(decided.map(of_log));
    for tool in tools.iter().filter(|tool| tool.decision.is_some()) {
        let told = |other: &Intervention| {
            (other.tool_call_id.is_some() && other.tool_call_id == tool.tool_call_id)
                || other.span_id.as_ref() == Some(&tool.span_id)
        };
        if !found.iter().any(told) {
            found.push(of_tool(tool, start));
        }
    }
    found.retain(|one| !is_rule(one));
    for one in &mut found {
        let about = |tool: &&ToolCall| {
            (tool.tool_call_id.is_some() && tool.tool_call_id == one.tool_call_id)
                || one.span_id.as_ref() == Some(&tool.span_id)
        };
        let Some(tool) = tools.iter().find(about) else { continue };
        // What ran is what was decided on; where somebody changed it, what came of that.
        let side = if one.action.as_deref() == Some("edit") { &mut one.after } else { &mut one.before };
        *side = side.take().or_else(|| tool.arguments.clone());
    }
    found
}

/// Whether a setting or a hook decided, and no person.
fn is_rule(one: &Intervention) -> bool {
    let word = |text: &Option<String>| text.as_deref().unwrap_or_default().to_ascii_lowercase();
    matches!(word(&one.source).as_str(), "config" | "hook") || word(&one.decision).starts_with("auto")
}

/// Puts what the model had asked for before what was done about it, where nothing else tells: the output that names the
/// tool call. The texts of `record` are known.
pub(crate) fn asked(record: &mut RunRecord) {
    let outputs = || record.calls.iter().flat_map(|call| &call.output);
    let names = |id: &str, message: &&Message| record.text(&message.hash).is_some_and(|text| text.contains(id));
    let mut asked = Vec::new();
    for (place, one) in record.interventions.iter().enumerate() {
        if let (None, Some(id)) = (&one.before, &one.tool_call_id)
            && let Some(message) = outputs().find(|message| names(id, message))
        {
            asked.push((place, message.hash.clone()));
        }
    }
    for (place, hash) in asked {
        record.interventions[place].before = Some(hash);
    }
}

/// What people corrected in `record`, whose outputs are known.
pub(crate) fn corrections(record: &RunRecord) -> Vec<Intervention> {
    let scores = record.scores.iter().filter(|score| is_correction(score));
    scores.map(|score| of_score(score, corrected(record, score))).collect()
}

/// The hash of the output that a correction is about.
fn corrected(record: &RunRecord, score: &Score) -> Option<String> {
    let is_call = |call: &&ModelCall| match (&score.span_id, &score.response_id) {
        (Some(span), _) => call.span_id == *span || call.duplicates.iter().any(|other| other.span_id == *span),
        (None, response) => response.is_some() && call.response_id == *response,
    };
    let of_call = || record.calls.iter().find(is_call).map(|call| &call.output);
    let of_span =
        || record.spans.iter().find(|span| Some(&span.span_id) == score.span_id.as_ref()).map(|span| &span.output);
    let of_run = || (score.target == "run").then_some(&record.output);
    let output: &Vec<Message> = of_call().or_else(of_span).or_else(of_run)?;
    output.last().map(|message| message.hash.clone())
}

/// The action behind a decision as sent.
fn action(decision: &str) -> Option<&'static str> {
    let word = decision.to_ascii_lowercase();
    let begins = |with: &[&str]| with.iter().any(|with| word.starts_with(with));
    match () {
        () if begins(&["accept", "approve", "allow", "confirm"]) => Some("approve"),
        () if begins(&["modif", "edit", "change"]) => Some("edit"),
        () if begins(&["reject", "den", "declin", "cancel", "abort"]) => Some("reject"),
        () if begins(&["take_over", "takeover", "takes_over", "handoff"]) => Some("take_over"),
        () => None,
    }
}

fn of_span(span: &SpanRow) -> Intervention {
    let said = |names: &[&str]| {
        let value = |name: &str| {
            let fits = |key: &str| key == name || key.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
            span.said.iter().find(|(key, _)| fits(key)).and_then(|(_, value)| value.clone())
        };
        names.iter().find_map(|name| value(name)).filter(|value| !value.is_empty())
    };
    let decision = said(&["decision", "action"]);
    let hash = |refs: &Option<Vec<crate::rows::Ref>>| refs.as_ref()?.first().map(|first| first.hash.clone());
    Intervention {
        time: rfc3339(span.end().div_euclid(1_000)),
        action: decision.as_deref().and_then(action).map(str::to_owned),
        decision,
        actor: said(&["actor", "reviewer", "approver"]).or_else(|| span.user_id.clone()),
        source: said(&["source", "decision_source"]),
        span_id: Some(span.span_id.clone()),
        tool_name: span.tool_name.clone(),
        tool_call_id: span.tool_call_id.clone(),
        before: hash(&span.input_refs),
        after: hash(&span.output_refs),
        correction: None,
        comment: said(&["comment", "feedback", "reason"]),
    }
}

fn of_log(log: &LogRow) -> Intervention {
    Intervention {
        time: rfc3339(log.time_unix_nano.div_euclid(1_000)),
        action: log.decision.as_deref().and_then(action).map(str::to_owned),
        decision: log.decision.clone(),
        actor: log.user_id.clone(),
        source: log.decision_source.clone(),
        span_id: log.span_id.clone(),
        tool_name: log.tool_name.clone(),
        tool_call_id: log.tool_call_id.clone(),
        ..Intervention::default()
    }
}

/// Where only the execution tells of it, it was decided by the time of its start.
fn of_tool(tool: &ToolCall, start: i64) -> Intervention {
    Intervention {
        time: rfc3339(start.saturating_add(tool.offset_ns).div_euclid(1_000)),
        action: tool.decision.as_deref().and_then(action).map(str::to_owned),
        decision: tool.decision.clone(),
        source: tool.decision_source.clone(),
        span_id: Some(tool.span_id.clone()),
        tool_name: tool.tool_name.clone(),
        tool_call_id: tool.tool_call_id.clone(),
        ..Intervention::default()
    }
}

/// Whether a person says what should have been. A score of before schema 0.4 tells it by its name alone.
fn is_correction(score: &Score) -> bool {
    let is_said =
        score.data_type.as_deref() == Some("correction") || score.name.to_ascii_lowercase().starts_with("correction");
    is_said && matches!(score.source.as_deref(), Some("human" | "user"))
}

fn of_score(score: &Score, before: Option<String>) -> Intervention {
    Intervention {
        time: score.time.clone(),
        action: Some("edit".to_owned()),
        decision: Some(score.name.clone()),
        actor: score.author.clone(),
        source: score.source.clone(),
        span_id: score.span_id.clone(),
        before,
        correction: score.text.clone(),
        comment: score.explanation.clone().or_else(|| score.label.clone()),
        ..Intervention::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn decisions_are_read_as_what_was_done() {
        for (decision, action) in [
            ("accept", Some("approve")),
            ("denied", Some("reject")),
            ("user_reject", None),
            ("modify", Some("edit")),
            ("take_over", Some("take_over")),
            ("notify", None),
        ] {
            assert_eq!(super::action(decision), action, "{decision}");
        }
    }

    fn tool(decision: &str, source: Option<&str>) -> ToolCall {
        ToolCall {
            span_id: "t".to_owned(),
            decision: Some(decision.to_owned()),
            decision_source: source.map(str::to_owned),
            arguments: Some("ran".to_owned()),
            ..ToolCall::default()
        }
    }

    fn told(found: &[Intervention]) -> Value {
        found.iter().map(|one| json!([one.action, one.before, one.after])).collect()
    }

    #[test]
    fn what_a_setting_or_a_hook_decides_is_no_doing_of_a_person() {
        for (decision, source, wanted) in [
            ("accept", Some("config"), json!([])),
            ("approved", Some("Config"), json!([])),
            ("reject", Some("hook"), json!([])),
            ("auto_accept", None, json!([])),
            ("accept", Some("user_permanent"), json!([["approve", "ran", null]])),
            ("reject", None, json!([["reject", "ran", null]])),
            // What ran is what somebody made of it.
            ("modify", None, json!([["edit", null, "ran"]])),
        ] {
            let found = interventions(&[], &[], &[tool(decision, source)], 0);
            assert_eq!(told(&found), wanted, "{decision} {source:?}");
        }
    }

    #[test]
    fn a_span_of_a_person_tells_what_was_there_and_what_came_of_it() {
        let span = json!({
            "span_id": "s", "kind": "human", "start_unix_nano": 0, "duration_ns": 2_000_000, "received": 0,
            "input_refs": [{"hash": "asked"}], "output_refs": [{"hash": "did"}],
            "said": {"shop.review.decision": "takeover", "shop.review.actor": "ada", "shop.review.comment": "I do it."},
        });
        let span: SpanRow = serde_json::from_value(span).unwrap();
        let found = interventions(std::slice::from_ref(&span), &[], &[], 0);
        assert_eq!(told(&found), json!([["take_over", "asked", "did"]]));
        assert_eq!([found[0].actor.as_deref(), found[0].comment.as_deref()], [Some("ada"), Some("I do it.")]);
        assert_eq!(found[0].time, "1970-01-01T00:00:00.002000Z");
    }
}
