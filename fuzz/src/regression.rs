//! Files of people: examples of any tool, and the declaration of a gate.

use tracewell_regression::Example;
use tracewell_regression::exchange::{Format, Imported, Source, export, import};
use tracewell_regression::gate::Gate;
use tracewell_regression::privacy::{Masker, Policy};

/// A byte for the format, then a file of examples.
pub(crate) fn check_exchange(data: &[u8]) {
    let Some((first, file)) = data.split_first() else { return };
    let source = [Source::Jsonl, Source::Csv, Source::Promptfoo][usize::from(first % 3)];
    let imported = import(source, file, false).expect("only strict refuses");
    assert_eq!(import(source, file, true).is_ok(), imported.wrong.is_empty());
    // YAML ends a line at either.
    let lines = file.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    assert!(imported.wrong.iter().all(|wrong| (1..=lines).contains(&wrong.line)), "{:?}", imported.wrong);

    // What was read can be written, and is read again.
    let examples = |imported: Imported| {
        imported.entries.iter().filter_map(|entry| entry.onto(None).ok()).collect::<Vec<Example>>()
    };
    let read = examples(imported);
    let written = export(Format::Jsonl, "", &read);
    assert_eq!(written.skipped, []);
    let again = import(Source::Jsonl, written.text.as_bytes(), true).expect("our own lines are right");
    let ids = |examples: &[Example]| -> Vec<(String, u32, usize)> {
        examples.iter().map(|example| (example.id.clone(), example.revision, example.messages.len())).collect()
    };
    assert_eq!(ids(&examples(again)), ids(&read));
    for format in [Format::Csv, Format::PromptfooYaml, Format::Inspect, Format::Langfuse, Format::OpenaiFineTuning] {
        let _ = export(format, "dataset", &read);
    }

    // What is masked is masked, and nothing of a placeholder is.
    let mut masker = Masker::new(&Policy::default()).expect("no patterns, none wrong");
    let masked = masker.mask(&String::from_utf8_lossy(file), "");
    assert_eq!(masker.mask(&masked, ""), masked);
}

pub(crate) fn exchange_seeds() -> Vec<Vec<u8>> {
    let jsonl = br#"{"id": "a", "revision": 2, "messages": [{"role": "user", "content": "Hi, I am ann@example.org, +49 30 1234567"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "find", "arguments": "{}"}}]}], "expected": {"text": "Hello"}, "tags": ["x"], "metadata": {"tracewell": {"split": "test"}}}
{"input": "Capital?", "ideal": ["Paris"], "password": "hunter2x"}
{"id": 7, "input": {"question": "4111 1111 1111 1111"}, "expectedOutput": {"answer": 42}, "sourceTraceId": "t"}"#;
    let csv = b"id,input,expected,messages,tags,metadata\na,\"two\nlines\",'=1,,\"x,y\",\"{\"\"a\"\": 1}\"\nb,x,y,\"[{\"\"role\"\": \"\"user\"\"}]\",[1],\n";
    let yaml = b"prompts: ['Say {{ word }}']\ntests:\n  - description: a\n    vars: {word: &x DE89370400440532013000}\n    assert: [{type: equals, value: '{% raw %}{{x}}{% endraw %}'}]\n  - vars: {messages: '[{\"role\": \"user\", \"content\": \"2001:db8::7:1\"}]', other: *x}\n";
    [(0, &jsonl[..]), (1, csv), (2, yaml)].map(|(format, file)| [&[format], file].concat()).to_vec()
}

/// The declaration of a gate.
pub(crate) fn check_gate(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(error) = Gate::parse(&text) {
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        assert!(!error.0.is_empty());
        assert!(error.0.iter().all(|problem| (1..=lines).contains(&problem.line)), "{error}");
    }
}

pub(crate) fn gate_seeds() -> Vec<Vec<u8>> {
    let gate = br#"name = "refunds"
dataset = "refunds@v3"
baseline = "live:production"
candidate = "version:13"
correction = "holm"
never_fail = ["refund-above-limit"]
[[scorer]]
name = "right tools"
kind = "tool-calls"
arguments = ["id"]
max_pass_rate_drop = 0.02
[[scorer]]
name = "helpful"
kind = "recorded"
worst = 1
best = 5
at_least = 4
min_pass_rate = 0.9
[[scorer]]
name = "shape"
kind = "json-schema"
schema = { type = "object", required = ["id"] }
min_score = 1.0
[budget]
mean_cost = "0.004"
p95_latency = "6s"
[[flaky]]
example = "what-day-is-it"
until = 2026-12-31
"#;
    vec![gate.to_vec()]
}
