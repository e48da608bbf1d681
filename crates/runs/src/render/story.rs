//! A run as a story: what it was, how it went, what each call was told and answered, and what is not known.

use std::collections::HashSet;

use tracewell_dialects::message_text;

use super::units::{count, duration};
use super::{Bar, Block};
use crate::record::{Attribute, Completeness, Message, ModelCall, Prompt, RunRecord, Score, Tokens, ToolCall};

/// How much of a run is told.
#[derive(Clone, Copy, Debug)]
pub struct Detail {
    /// Characters of a text at most.
    pub text: usize,
    /// Spans of the waterfall, model calls, executions of tools and retrievals at most, of each.
    pub items: usize,
}

impl Detail {
    /// All of it.
    pub const ALL: Self = Self { text: usize::MAX, items: usize::MAX };
    /// What fits on a few screens.
    pub const SHORT: Self = Self { text: 1_200, items: 60 };
}

/// Tells `record`.
#[must_use]
pub fn story(record: &RunRecord, detail: Detail) -> Vec<Block> {
    let mut story = Story { record, detail, blocks: Vec::new(), told: HashSet::new() };
    story.head();
    story.waterfall();
    story.prompts();
    story.messages("Input", &record.input);
    story.calls();
    story.tools();
    story.retrievals();
    story.interventions();
    story.scores();
    story.messages("Output", &record.output);
    story.completeness();
    story.blocks
}

struct Story<'a> {
    record: &'a RunRecord,
    detail: Detail,
    blocks: Vec<Block>,
    /// Hashes whose text stands further up.
    told: HashSet<&'a str>,
}

type Facts = Vec<(&'static str, String)>;

fn fact(facts: &mut Facts, name: &'static str, value: Option<String>) {
    facts.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
}

/// Those that are there, with `between` between them.
fn joined(parts: &[Option<&str>], between: &str) -> Option<String> {
    let parts: Vec<&str> = parts.iter().flatten().copied().collect();
    (!parts.is_empty()).then(|| parts.join(between))
}

impl<'a> Story<'a> {
    fn heading(&mut self, level: u8, text: impl Into<String>) {
        self.blocks.push(Block::Heading(level, text.into()));
    }

    fn head(&mut self) {
        let record = self.record;
        self.heading(1, record.name.clone().unwrap_or_else(|| "a run whose root is missing".to_owned()));
        let mut facts = vec![("run", record.trace_id.clone())];
        let mut add = |name, value: Option<String>| fact(&mut facts, name, value);
        add("started", Some(record.start_time.clone()));
        add("took", Some(duration(record.duration_ns)));
        add("status", Some(record.status.clone().unwrap_or_else(|| "not told".to_owned())));
        add("service", joined(&[record.service.as_deref(), record.service_version.as_deref()], " "));
        add("environment", record.environment.clone());
        add("release", record.release.clone());
        add("team", record.team.clone());
        add("user", record.user_id.clone());
        add("session", record.conversation_id.clone());
        add("workflow", joined(&[record.workflow_name.as_deref(), record.workflow_version.as_deref()], " "));
        add("tags", Some(record.tags.join(", ")));
        add("tokens", Some(tokens(&record.tokens)));
        let numbers = [
            (record.spans.len(), "span", "spans"),
            (record.calls.len(), "model call", "model calls"),
            (record.tools.len(), "tool call", "tool calls"),
            (record.retrievals.len(), "retrieval", "retrievals"),
        ];
        let numbers = numbers.iter().filter(|(number, ..)| *number > 0);
        let numbers = numbers
            .map(|(number, one, many)| format!("{} {}", count(*number as i64), if *number == 1 { one } else { many }));
        add("holds", Some(numbers.collect::<Vec<_>>().join(", ")));
        let complete =
            if record.completeness.complete { "nothing is known to be missing" } else { "not complete, see the end" };
        add("record", Some(complete.to_owned()));
        for (key, value) in &record.metadata {
            add("metadata", Some(format!("{key} = {value}")));
        }
        self.blocks.push(Block::Facts(facts));
    }

    fn waterfall(&mut self) {
        let whole = self.record.duration_ns.max(1) as f64;
        let shown = self.record.spans.iter().take(self.detail.items);
        let bars = shown.map(|span| {
            let tokens = tokens_of(span.input_tokens, span.output_tokens);
            let parts =
                [span.model.as_deref().or(span.tool_name.as_deref()), tokens.as_deref(), span.error_class.as_deref()];
            Bar {
                depth: span.depth,
                name: span.name.clone(),
                kind: span.kind.clone(),
                note: joined(&parts, " ").unwrap_or_default(),
                from: span.offset_ns as f64 / whole,
                share: span.duration_ns.unwrap_or_default() as f64 / whole,
                duration_ns: span.duration_ns,
                failed: span.status.as_deref() == Some("error"),
            }
        });
        let bars = bars.collect();
        self.heading(2, "Spans");
        self.blocks.push(Block::Waterfall(bars));
        self.cut(self.record.spans.len(), "spans");
    }

    /// Says how many of `all` are not shown.
    fn cut(&mut self, all: usize, what: &str) {
        if all > self.detail.items {
            let rest = count((all - self.detail.items) as i64);
            self.blocks.push(Block::Note(format!("{rest} more {what} are in the whole record (--full)")));
        }
    }

    /// The text behind a hash; the second time only that it stands above.
    fn text(&mut self, label: &str, hash: &'a str) {
        let short = &hash[..hash.floor_char_boundary(8)];
        let Some(content) = self.record.text(hash) else {
            return self.blocks.push(Block::Note(format!("{label} ({short}): the text has expired")));
        };
        if !self.told.insert(hash) {
            return self.blocks.push(Block::Note(format!("{label} ({short}): as above")));
        }
        let text = message_text(content).unwrap_or_else(|| content.to_owned());
        self.blocks.push(Block::Text(format!("{label} ({short})"), self.shortened(&text)));
    }

    fn shortened(&self, text: &str) -> String {
        match text.char_indices().nth(self.detail.text) {
            None => text.to_owned(),
            Some((end, _)) => {
                let rest = text[end..].chars().count();
                format!("{} … {} more characters (--full)", &text[..end], count(rest as i64))
            }
        }
    }

    /// Messages; those that stand above are only counted.
    fn said(&mut self, what: &str, messages: &'a [Message]) {
        let known = messages.iter().filter(|message| self.told.contains(message.hash.as_str())).count();
        if known > 0 {
            let plural = if known == 1 { "message" } else { "messages" };
            self.blocks.push(Block::Note(format!("{what}: {known} {plural} as above")));
        }
        for message in messages {
            if !self.told.contains(message.hash.as_str()) {
                let label = message.role.as_deref().unwrap_or(what);
                self.text(&if label == what { label.to_owned() } else { format!("{what}, {label}") }, &message.hash);
            }
        }
    }

    fn messages(&mut self, heading: &str, messages: &'a [Message]) {
        if messages.is_empty() {
            return;
        }
        self.heading(2, heading);
        // The ends of a run are shown even where they stand above.
        for message in messages.iter().filter(|message| message.role.as_deref() != Some("system")) {
            self.told.remove(message.hash.as_str());
            self.text(message.role.as_deref().unwrap_or("text"), &message.hash);
        }
    }

    fn prompts(&mut self) {
        let record = self.record;
        if record.prompts.is_empty() {
            return;
        }
        self.heading(2, "Prompts");
        for Prompt { name, version, label, hash, template, instructions, variables, calls, .. } in &record.prompts {
            let mut facts = Vec::new();
            let mut add = |name, value: Option<String>| fact(&mut facts, name, value);
            add("prompt", Some(name.clone().unwrap_or_else(|| "not named".to_owned())));
            add("version", version.clone());
            add("label", label.clone());
            add("text hash", hash.clone());
            add("used by", Some(format!("{} of {} model calls", calls.len(), record.calls.len())));
            for (name, value) in variables {
                add("variable", Some(format!("{name} = {value}")));
            }
            self.blocks.push(Block::Facts(facts));
            if let Some(template) = template {
                let text = self.shortened(template);
                self.blocks.push(Block::Text("template".to_owned(), text));
            }
            for hash in instructions {
                self.text("instructions", hash);
            }
        }
    }

    fn calls(&mut self) {
        let record = self.record;
        if record.calls.is_empty() {
            return;
        }
        self.heading(2, "Model calls");
        for (place, call) in record.calls.iter().take(self.detail.items).enumerate() {
            let model = call.model().unwrap_or("a model that is not named");
            self.heading(3, format!("{}. {} {model}", place + 1, call.kind));
            self.blocks.push(Block::Facts(call_facts(call)));
            if let Some(system) = &call.system {
                self.said("instructions", std::slice::from_ref(system));
            }
            if let Some(tools) = &call.tools {
                self.said("tools offered", std::slice::from_ref(tools));
            }
            self.said("input", &call.input);
            self.said("output", &call.output);
        }
        self.cut(record.calls.len(), "model calls");
    }

    fn tools(&mut self) {
        let record = self.record;
        if record.tools.is_empty() {
            return;
        }
        self.heading(2, "Tool calls");
        for (place, tool) in record.tools.iter().take(self.detail.items).enumerate() {
            self.heading(3, format!("{}. {}", place + 1, tool.tool_name.as_deref().unwrap_or(&tool.name)));
            self.blocks.push(Block::Facts(tool_facts(tool)));
            if let Some(arguments) = &tool.arguments {
                self.text("arguments", arguments);
            }
            if let Some(result) = &tool.result {
                self.text("result", result);
            }
        }
        self.cut(record.tools.len(), "tool calls");
    }

    fn retrievals(&mut self) {
        let record = self.record;
        if record.retrievals.is_empty() {
            return;
        }
        self.heading(2, "Retrievals");
        for (place, one) in record.retrievals.iter().take(self.detail.items).enumerate() {
            let query = one.query.as_deref().unwrap_or("no query was told");
            self.heading(3, format!("{}. {}: {query}", place + 1, one.kind));
            if one.documents.is_empty() {
                self.blocks.push(Block::Note("no documents".to_owned()));
                continue;
            }
            let rows = one.documents.iter().map(|document| {
                let hash = document.hash.as_deref().unwrap_or_default();
                let text = document.text.as_deref().or_else(|| record.text(hash)).unwrap_or("expired");
                vec![
                    document.position.map(|position| position.to_string()).unwrap_or_default(),
                    document.id.clone().unwrap_or_default(),
                    document.score.map(|score| score.to_string()).unwrap_or_default(),
                    self.shortened(text),
                ]
            });
            let rows = rows.collect();
            self.blocks.push(Block::Table(vec!["#", "document", "score", "text"], rows));
        }
        self.cut(record.retrievals.len(), "retrievals");
    }

    fn interventions(&mut self) {
        let record = self.record;
        if record.interventions.is_empty() {
            return;
        }
        self.heading(2, "People");
        for one in &record.interventions {
            let mut facts = Vec::new();
            let mut add = |name, value: Option<String>| fact(&mut facts, name, value);
            add("time", Some(one.time.clone()));
            let done =
                one.action.as_deref().or(one.decision.as_deref()).unwrap_or("asked; what was decided is not told");
            add("did", Some(done.to_owned()));
            add("as sent", one.decision.clone().filter(|decision| decision != done));
            add("who", one.actor.clone());
            add("decided by", one.source.clone());
            add("about", joined(&[one.tool_name.as_deref(), one.tool_call_id.as_deref()], " "));
            add("comment", one.comment.clone());
            self.blocks.push(Block::Facts(facts));
            for (label, hash) in [("before", &one.before), ("after", &one.after)] {
                if let Some(hash) = hash {
                    self.text(label, hash);
                }
            }
        }
    }

    fn scores(&mut self) {
        if self.record.scores.is_empty() {
            return;
        }
        let row = |score: &Score| {
            let value = score.value.map(|value| value.to_string());
            vec![
                score.name.clone(),
                joined(&[value.as_deref(), score.label.as_deref()], " ").unwrap_or_default(),
                score.target.clone(),
                joined(&[score.source.as_deref(), score.author.as_deref()], ", ").unwrap_or_default(),
                score.explanation.clone().unwrap_or_default(),
            ]
        };
        let rows = self.record.scores.iter().map(row).collect();
        self.heading(2, "Scores");
        self.blocks.push(Block::Table(vec!["name", "score", "of", "by", "why"], rows));
    }

    fn completeness(&mut self) {
        self.heading(2, "Completeness");
        let notes = notes(&self.record.completeness);
        self.blocks.extend(notes.into_iter().map(Block::Note));
    }
}

fn tokens(tokens: &Tokens) -> String {
    let mut text = tokens_of(tokens.input_tokens, tokens.output_tokens).unwrap_or_else(|| "not told".to_owned());
    for (number, what) in [
        (tokens.cache_read_tokens, "read from cache"),
        (tokens.cache_write_tokens, "written to cache"),
        (tokens.reasoning_tokens, "reasoning"),
    ] {
        if let Some(number) = number {
            text += &format!(", {} {what}", count(number));
        }
    }
    if tokens.calls_without_usage > 0 {
        text += &format!("; {} calls tell none", tokens.calls_without_usage);
    }
    text
}

fn tokens_of(input: Option<i64>, output: Option<i64>) -> Option<String> {
    let input = input.map(|number| format!("{} in", count(number)));
    let output = output.map(|number| format!("{} out", count(number)));
    joined(&[input.as_deref(), output.as_deref()], ", ")
}

fn call_facts(call: &ModelCall) -> Facts {
    let mut facts = Vec::new();
    let mut add = |name, value: Option<String>| fact(&mut facts, name, value);
    let asked =
        call.request_model.clone().filter(|asked| call.response_model.as_ref().is_some_and(|other| other != asked));
    add("asked for", asked);
    add("provider", joined(&[call.provider.as_deref(), call.service_tier.as_deref()], ", tier "));
    add("agent", call.agent_name.clone());
    let timing =
        [call.duration_ns.map(duration), call.ttft_ns.map(|ttft| format!("first token after {}", duration(ttft)))];
    add("took", joined(&timing.each_ref().map(Option::as_deref), ", "));
    add("started", Some(format!("after {}", duration(call.offset_ns))));
    let reported = Tokens {
        input_tokens: call.input_tokens,
        output_tokens: call.output_tokens,
        cache_read_tokens: call.cache_read_tokens,
        cache_write_tokens: call.cache_write_tokens,
        reasoning_tokens: call.reasoning_tokens,
        calls_without_usage: 0,
    };
    add("tokens", Some(tokens(&reported)));
    add("reported cost", call.reported_cost_usd.as_ref().map(|cost| format!("{cost} USD")));
    add("parameters", Some(parameters(call)));
    add("finished", Some(call.finish_reasons.join(", ")));
    add(
        "prompt",
        joined(&[call.prompt_name.as_deref(), call.prompt_version.as_deref(), call.prompt_label.as_deref()], " "),
    );
    add("error", error(&call.error_class, &call.error_type, &call.status_message));
    let hashes = [("content", &call.content_hash), ("routing", &call.routing_hash), ("policy", &call.policy_hash)];
    let hashes = hashes.iter().filter_map(|(name, hash)| Some(format!("{name} {}", hash.as_ref()?.get(..8)?)));
    add("fingerprints", Some(hashes.collect::<Vec<_>>().join(", ")));
    add(
        "merged in",
        match call.duplicates.len() {
            0 => None,
            1 => Some("1 other span of the same call".to_owned()),
            many => Some(format!("{many} other spans of the same call")),
        },
    );
    add("odd", Some(call.usage_flags.join(", ")));
    facts
}

/// What was asked of the model beside its messages.
pub(crate) fn parameters(call: &ModelCall) -> String {
    let numbers = [
        ("temperature", call.temperature.map(|value| value.to_string())),
        ("top_p", call.top_p.map(|value| value.to_string())),
        ("max_tokens", call.max_tokens.map(|value| value.to_string())),
        ("seed", call.seed.map(|value| value.to_string())),
        ("stream", call.streaming.map(|value| value.to_string())),
    ];
    let numbers = numbers.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    let others = call.request_params.iter().map(|(name, value)| format!("{name} {value}"));
    numbers.chain(others).collect::<Vec<_>>().join(", ")
}

fn error(class: &Option<String>, kind: &Option<String>, message: &Option<String>) -> Option<String> {
    joined(&[class.as_deref(), kind.as_deref(), message.as_deref()], ": ")
}

fn tool_facts(tool: &ToolCall) -> Facts {
    let mut facts = Vec::new();
    let mut add = |name, value: Option<String>| fact(&mut facts, name, value);
    add("call", tool.tool_call_id.clone());
    add("type", tool.tool_type.clone());
    add("agent", tool.agent_name.clone());
    add("took", tool.duration_ns.map(duration));
    add("started", Some(format!("after {}", duration(tool.offset_ns))));
    add("status", tool.status.clone());
    add("error", error(&tool.error_class, &tool.error_type, &tool.status_message));
    add("decided", joined(&[tool.decision.as_deref(), tool.decision_source.as_deref()], ", by "));
    add(
        "merged in",
        (tool.duplicate_spans > 0).then(|| format!("{} other spans of the same execution", tool.duplicate_spans)),
    );
    facts
}

/// The statement in sentences: what is missing first, then what is odd.
fn notes(statement: &Completeness) -> Vec<String> {
    let mut notes = Vec::new();
    if statement.complete {
        notes.push("Nothing is known to be missing.".to_owned());
    }
    if statement.root_missing {
        notes.push("The root span has not come.".to_owned());
    }
    for parent in &statement.missing_parents {
        notes.push(format!("The span {} has not come; children of it: {}.", parent.span_id, ids(&parent.children)));
    }
    let lists: [(&str, &[String]); 9] = [
        ("Only the start of these spans has been told", &statement.unfinished_spans),
        ("Spans whose parents form a circle", &statement.circular_spans),
        ("Cut off before they were sent (truncated)", &statement.truncated_spans),
        ("Not the JSON that they were to be (unparsable)", &statement.unparsable_spans),
        ("Texts that have expired", &statement.expired_contents),
        ("Model calls that tell no tokens", &statement.calls_without_usage),
        ("Model calls whose input was not sent", &statement.calls_without_input),
        ("Model calls whose output was not sent", &statement.calls_without_output),
        ("Late spans", statement.late.as_ref().filter(|late| !late.whole_run).map_or(&[], |late| &late.spans)),
    ];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    notes.extend(lists.map(|(what, list)| format!("{what}: {}.", ids(list))));
    if let Some(late) = &statement.late {
        let which = if late.whole_run { "The whole run came late" } else { "Some spans came late" };
        notes.push(format!("{which}: up to {} after the end of the span.", duration(late.most_ns)));
    }
    for mark in &statement.redacted {
        notes.push(format!("Masked before it was sent ({}): {}.", mark.mark, ids(&mark.spans)));
    }
    for (number, what) in [
        (statement.dropped_attributes, "attributes"),
        (statement.dropped_events, "events"),
        (statement.dropped_links, "links"),
    ] {
        if number > 0 {
            notes.push(format!("The SDK dropped {} {what}.", count(number as i64)));
        }
    }
    for share in &statement.sampling.kept_share {
        notes.push(format!("Sampling keeps {:.4}% of such traces.", share * 100.0));
    }
    for (what, list) in [
        ("Attributes that could not be read", &statement.unreadable_attributes),
        ("Attributes that fill no column, kept as sent", &statement.unmapped_attributes),
    ] {
        if !list.is_empty() {
            notes.push(format!("{what}: {}.", keys(list)));
        }
    }
    for (flag, spans) in statement.usage_flags.iter().chain(&statement.flags) {
        notes.push(format!("Flagged {flag}: {}.", ids(spans)));
    }
    if !statement.counted_elsewhere.is_empty() {
        let spans: Vec<String> = statement.counted_elsewhere.keys().cloned().collect();
        notes.push(format!("Calls that count in another trace: {}.", ids(&spans)));
    }
    if statement.resent_spans > 0 {
        notes.push(format!("{} spans were sent again and count once.", count(statement.resent_spans as i64)));
    }
    if statement.neighbours_cut.is_some() {
        notes.push(
            "There are more traces at the same time than could be searched for second accounts of these calls."
                .to_owned(),
        );
    }
    if statement.log_records > 0 {
        notes.push(format!("{} log records belong to the run.", count(statement.log_records as i64)));
    }
    notes
}

/// The first of a list of ids, and how many more there are.
fn ids(list: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = list.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if list.len() > SHOWN { format!("{shown} and {} more", count((list.len() - SHOWN) as i64)) } else { shown }
}

fn keys(list: &[Attribute]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = list.iter().take(SHOWN).map(|one| format!("{} ({})", one.key, one.spans)).collect();
    let rest = list.len().saturating_sub(SHOWN);
    if rest > 0 { format!("{} and {rest} more", shown.join(", ")) } else { shown.join(", ") }
}
