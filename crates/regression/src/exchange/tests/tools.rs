//! The tools that the exported files are meant for.

use std::process::Command;

use super::*;
use crate::oracle::skipped;

fn exported(format: Format) -> (Vec<Example>, String) {
    let examples = examples(30, 71);
    let text = export(format, "refunds", &examples).text;
    (examples, text)
}

#[test]
fn openai_and_langfuse_take_what_is_written_for_them() {
    let formats = [Format::OpenaiFineTuning, Format::Langfuse];
    let cases: Vec<Value> = formats
        .iter()
        .zip(["openai_fine_tuning", "langfuse"])
        .map(|(format, name)| json!([name, exported(*format).1]))
        .collect();
    let Some(understood) = ask("exchange", "exchange_reader.py", &cases) else { return };
    assert_eq!(understood[0], json!(vec![json!(["assistant", 6]); 30]));
    let (examples, _) = exported(Format::Langfuse);
    for (item, example) in understood[1].as_array().unwrap().iter().zip(&examples) {
        let trace_id = example.source.as_ref().unwrap().trace_id.as_ref();
        assert_eq!(item.as_array().unwrap()[..3], [json!(example.id), json!("refunds"), json!(trace_id)]);
    }
}

#[test]
fn other_readers_of_yaml_and_csv_find_the_same() {
    let (examples, yaml) = exported(Format::PromptfooYaml);
    let (_, csv) = exported(Format::Csv);
    let Some(understood) = ask("exchange", "exchange_reader.py", &[json!(["yaml", yaml]), json!(["csv", csv])]) else {
        return;
    };
    let as_json: Value = serde_json::from_str(&exported(Format::PromptfooJson).1).unwrap();
    assert_eq!(understood[0], as_json);
    for (row, example) in understood[1].as_array().unwrap().iter().zip(&examples) {
        assert_eq!(row["id"], json!(example.id));
        let messages: Value = serde_json::from_str(row["messages"].as_str().unwrap()).unwrap();
        assert_eq!(messages, json!(example.messages));
    }
}

#[test]
fn inspect_reads_its_samples() {
    let (examples, text) = exported(Format::Inspect);
    let Ok(python) = std::env::var("TRACEWELL_INSPECT_PYTHON") else {
        skipped(
            "inspect_reads_its_samples",
            "set TRACEWELL_INSPECT_PYTHON to a Python that has tests/python/requirements-inspect.txt",
        );
        return;
    };
    let understood = ask_with(&python, "exchange_reader.py", &[json!(["inspect", text])]);
    let samples = understood[0].as_array().unwrap();
    assert_eq!(samples.len(), examples.len());
    for (sample, example) in samples.iter().zip(&examples) {
        assert_eq!(sample[0], json!(example.id));
        let told: Vec<Value> = example
            .messages
            .iter()
            .map(|message| {
                let calls: Vec<Value> =
                    message.answer().tool_calls.iter().map(|call| json!([call.name, call.arguments])).collect();
                json!([message.role, message.text().unwrap_or_default(), calls])
            })
            .collect();
        assert_eq!(sample[1], json!(told));
        assert_eq!(sample[2], json!(example.expected.as_ref().unwrap().text.clone().unwrap_or_default()));
    }
}

/// Which tests promptfoo passes, in order, when the model answers as `answers` say.
fn passed(promptfoo: &str, tests: &str, answers: &Value) -> Vec<bool> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("tests.yaml"), tests).unwrap();
    std::fs::write(path("answers.json"), answers.to_string()).unwrap();
    let provider = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/node/promptfoo_provider.cjs");
    let provider = std::fs::canonicalize(provider).unwrap();
    let config = json!({
        "prompts": ["{{messages}}"],
        "providers": [{ "id": format!("file://{}", provider.display()), "config": { "answers": path("answers.json") } }],
        "tests": "file://tests.yaml",
    });
    std::fs::write(path("config.json"), config.to_string()).unwrap();
    let output = Command::new(promptfoo)
        .args(["eval", "--no-cache", "--no-progress-bar", "-j", "1", "-c", "config.json", "-o", "out.json"])
        .current_dir(folder.path())
        .env("PROMPTFOO_CONFIG_DIR", path("home"))
        .env("PROMPTFOO_DISABLE_TELEMETRY", "1")
        .env("PROMPTFOO_DISABLE_UPDATE", "1")
        .env("PROMPTFOO_DISABLE_REMOTE_GENERATION", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let results = std::fs::read(path("out.json")).unwrap_or_else(|_| panic!("{told}"));
    let results: Value = serde_json::from_slice(&results).unwrap();
    let results = results["results"]["results"].as_array().unwrap();
    let mut passed: Vec<(u64, bool)> =
        results.iter().map(|one| (one["testIdx"].as_u64().unwrap(), one["success"] == true)).collect();
    passed.sort_unstable();
    passed.into_iter().map(|(_, passed)| passed).collect()
}

#[test]
fn promptfoo_runs_its_tests() {
    let Ok(promptfoo) = std::env::var("TRACEWELL_PROMPTFOO") else {
        skipped("promptfoo_runs_its_tests", "set TRACEWELL_PROMPTFOO to promptfoo's executable");
        return;
    };
    let (examples, tests) = exported(Format::PromptfooYaml);
    let answer = |example: &Example| {
        let message = Message::from(example.expected.as_ref().unwrap());
        let output = message.rest.get("tool_calls").cloned().unwrap_or(message.content);
        json!([json!(example.messages).to_string(), output])
    };
    let mut answers: Vec<Value> = examples.iter().map(answer).collect();
    assert_eq!(passed(&promptfoo, &tests, &json!(answers)), [true; 30]);
    // A model that says something else fails, be it a text or calls.
    answers[3][1] = json!("something else");
    answers[4][1] = json!([{ "function": { "name": "find", "arguments": "{}" } }]);
    let expected: Vec<bool> = (0..30).map(|place| place != 3 && place != 4).collect();
    assert_eq!(passed(&promptfoo, &tests, &json!(answers)), expected);
}
