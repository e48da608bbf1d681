//! A run as a story: what it was, how it went, what each call was told and answered, and what is not known.

use std::collections::HashSet;

use tracewell_dialects::message_text;

use super::{Bar, Block, count, duration};
use crate::record::{Message, Prompt, RunRecord, Score};

mod facts;
mod notes;

pub(crate) use facts::parameters;
use facts::{call_facts, fact, joined, run_cost, tokens, tokens_of, tool_facts};
use notes::notes;

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
        add("cost", run_cost(record));
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
            self.blocks.push(Block::table(vec!["#", "document", "score", "text"], rows));
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
            if let Some(correction) = &one.correction {
                self.blocks.push(Block::Text("what it should have been".to_owned(), self.shortened(correction)));
            }
        }
    }

    fn scores(&mut self) {
        if self.record.scores.is_empty() {
            return;
        }
        let row = |score: &Score| {
            let value = score.value.map(|value| value.to_string());
            let text = score.text.as_deref().map(|text| self.shortened(text));
            vec![
                joined(&[Some(&score.name), score.superseded_at.as_ref().map(|_| "(superseded)")], " ")
                    .unwrap_or_default(),
                joined(&[value.as_deref(), score.label.as_deref(), text.as_deref()], " ").unwrap_or_default(),
                score.target.clone(),
                joined(&[score.source.as_deref(), score.author.as_deref()], ", ").unwrap_or_default(),
                score.explanation.clone().unwrap_or_default(),
            ]
        };
        let rows = self.record.scores.iter().map(row).collect();
        self.heading(2, "Scores");
        self.blocks.push(Block::table(vec!["name", "score", "of", "by", "why"], rows));
    }

    fn completeness(&mut self) {
        self.heading(2, "Completeness");
        let notes = notes(&self.record.completeness);
        self.blocks.extend(notes.into_iter().map(Block::Note));
    }
}
