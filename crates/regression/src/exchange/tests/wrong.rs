//! Files of others, and files with wrong lines.

use super::*;
use crate::dataset::{Edit, Signed};

fn read(source: Source, text: &str) -> Imported {
    import(source, text.as_bytes(), false).unwrap()
}

fn wrong(source: Source, text: &[u8]) -> Vec<(usize, String)> {
    let imported = import(source, text, false).unwrap();
    assert_eq!(import(source, text, true).unwrap_err().0, imported.wrong);
    imported.wrong.into_iter().map(|wrong| (wrong.line, wrong.reason)).collect()
}

#[test]
fn lines_of_other_tools_are_read() {
    let lines = r#"{"input": "Capital of France?", "ideal": ["Paris", "paris"], "weight": 2}

{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "greet", "arguments": "{\"loud\": true}"}}]}]}
{"id": 7, "input": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]}], "target": "A cat"}
{"input": {"question": "Why?"}, "expectedOutput": {"answer": 42}, "sourceTraceId": "t1", "metadata": {"a": 1}}
"#;
    let examples = examples_of(read(Source::Jsonl, lines));
    let [evals, tuning, inspect, langfuse] = &examples[..] else { panic!("{examples:?}") };
    assert_eq!(evals.messages, [Message::of_text("user", "Capital of France?")]);
    assert_eq!(evals.expected, Some(Answer::of_text("Paris")));
    // Nothing is lost: the other answer and what is not known.
    assert_eq!(Value::from(evals.metadata.clone()), json!({ "ideal": ["Paris", "paris"], "weight": 2 }));
    assert!(evals.id.starts_with("content-") && evals.id != tuning.id);
    let call = ToolCall { name: "greet".to_owned(), arguments: json!({ "loud": true }) };
    assert_eq!(tuning.expected, Some(Answer { text: None, tool_calls: vec![call] }));
    assert_eq!(tuning.messages.len(), 1);
    assert_eq!((&*inspect.id, inspect.question().as_deref()), ("7", Some("What is this?")));
    assert_eq!(inspect.expected, Some(Answer::of_text("A cat")));
    assert_eq!(langfuse.messages, [Message::of_text("user", r#"{"question":"Why?"}"#)]);
    assert_eq!(langfuse.expected, Some(Answer::of_text(r#"{"answer":42}"#)));
    assert_eq!(langfuse.source.as_ref().unwrap().trace_id.as_deref(), Some("t1"));
}

#[test]
fn wrong_lines_are_told_and_the_right_ones_read() {
    let text =
        b"{\"id\": \"a\", \"input\": \"1\"}\n{\"id\": \"b\", \"input\": }\n\n[1]\n{\"id\": \"a\", \"input\": \"2\"}\n\
        {\"split\": \"c\"}\n{\"id\": \"d\", \"input\": \"\xff\"}\n{\"id\": \"e\", \"input\": \"1\", \"tags\": 5}\n\
        {\"id\": \"f\", \"messages\": [{\"content\": \"x\"}]}\n{\"id\": \"a\", \"revision\": 2, \"input\": \"3\"}";
    let wrong = wrong(Source::Jsonl, text);
    let lines: Vec<usize> = wrong.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 4, 5, 6, 7, 8, 9, 10], "{wrong:#?}");
    let reasons = [
        "not JSON: expected value at column 22",
        "it is JSON but no object",
        "`a` is on line 1 already",
        "it has neither `messages` nor `input`",
    ];
    for ((_, reason), expected) in wrong.iter().zip(reasons) {
        assert_eq!(reason, expected);
    }
    let ids: Vec<String> =
        examples_of(import(Source::Jsonl, text, false).unwrap()).into_iter().map(|one| one.id).collect();
    assert_eq!(ids, ["a"]);
}

#[test]
fn lines_that_a_dataset_does_not_take_are_told_and_the_others_taken() {
    let mut dataset = Dataset::read("refunds", Vec::new()).unwrap();
    dataset
        .about
        .insert("schema".to_owned(), json!({"required": ["expected"], "properties": {"split": {"const": "test"}}}));
    let lines = "{\"id\": \"a\", \"input\": \"1\"}\n\n{\"id\": \"b\", \"input\": \"2\", \"expected\": \"two\"}\n\
        {\"id\": \"c\", \"input\": \"3\", \"expected\": \"three\", \"split\": \"dev\"}";
    let (taken, wrong) = read(Source::Jsonl, lines).onto(&dataset, false).unwrap();
    assert_eq!(taken.iter().map(|example| example.id.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(wrong.iter().map(|wrong| wrong.line).collect::<Vec<_>>(), [1, 4], "{wrong:?}");
    assert!(
        wrong[0].reason.starts_with("`a`: it is not as the schema of `refunds` wants")
            && wrong[0].reason.contains("expected")
    );
    dataset.about.insert("schema".to_owned(), json!({"type": 3}));
    assert!(
        read(Source::Jsonl, lines)
            .onto(&dataset, false)
            .unwrap_err()
            .contains("the schema of `refunds` cannot be used")
    );
}

/// A dataset of one example.
fn dataset(example: Example) -> Dataset {
    let signed = Signed { author: "ann".to_owned(), note: None };
    let rows = Dataset::default().next(&[Edit::Put(Box::new(example))], &signed).unwrap();
    Dataset::read("refunds", rows).unwrap()
}

#[test]
fn a_line_changes_what_it_names_and_leaves_the_rest() {
    for whole in examples(3, 63) {
        let dataset = dataset(whole.clone());
        let known = dataset.get(&whole.id).unwrap();
        let onto = |source, text: &str| read(source, text).onto(&dataset, false).unwrap();
        let line = |mut members: Value| {
            members["id"] = json!(whole.id);
            let (mut taken, wrong) = onto(Source::Jsonl, &members.to_string());
            assert_eq!(wrong, [], "{members}");
            taken.remove(0)
        };
        let new = Answer::of_text("new");
        assert_eq!(line(json!({"tags": ["x"]})), Example { tags: vec!["x".to_owned()], ..known.clone() });
        assert_eq!(line(json!({"expected": "new"})), Example { expected: Some(new.clone()), ..known.clone() });
        assert_eq!(line(json!({"split": null, "tools": []})), Example { split: None, tools: vec![], ..known.clone() });
        let mut noted = known.metadata.clone();
        noted.insert("colour".to_owned(), json!("red"));
        assert_eq!(line(json!({"colour": "red"})), Example { metadata: noted, ..known.clone() });
        assert_eq!(line(json!({"metadata": {}})), Example { metadata: Map::new(), ..known.clone() });

        // A sheet of three columns, whose question is what is asked already.
        let mut sheet = csv::Writer::from_writer(Vec::new());
        sheet.write_record(["id", "input", "expected"]).unwrap();
        let question = whole.question().unwrap();
        let cells = [&whole.id, &question, "new"].map(|cell| tracewell_blocks::spreadsheet::cell(cell).into_owned());
        sheet.write_record(cells).unwrap();
        let sheet = String::from_utf8(sheet.into_inner().unwrap()).unwrap();
        assert_eq!(onto(Source::Csv, &sheet).0, [Example { expected: Some(new), ..known.clone() }]);
        let other = json!({"id": whole.id, "input": "another question"}).to_string();
        let (_, wrong) = onto(Source::Jsonl, &other);
        assert!(wrong[0].reason.contains("would replace a conversation of 5 messages"), "{wrong:?}");
    }
    let (_, wrong) = read(Source::Jsonl, r#"{"id": "nobody", "tags": []}"#).onto(&Dataset::default(), false).unwrap();
    assert!(wrong[0].reason.contains("is no example of the dataset yet"), "{wrong:?}");
}

#[test]
fn placeholders_replace_nothing_that_is_there() {
    let known = Example { messages: vec![Message::of_text("user", "I am ann@example.org [IP_1]")], ..bare() };
    let dataset = dataset(known);
    let masked = read(Source::Jsonl, r#"{"id": "bare", "input": "I am [EMAIL_1] [IP_1]"}"#);
    let (taken, wrong) = masked.onto(&dataset, false).unwrap();
    assert_eq!(taken, []);
    assert!(wrong[0].reason.starts_with("`bare`: it holds `[EMAIL_1]`"), "{wrong:?}");
    assert_eq!(masked.onto(&dataset, true).unwrap().0[0].question().unwrap(), "I am [EMAIL_1] [IP_1]");
    assert_eq!(masked.onto(&Dataset::default(), false).unwrap().1, [], "of a new example there is nothing to replace");
}

#[test]
fn an_answer_that_says_nothing_is_none() {
    for nothing in [json!({}), json!({"text": null}), json!({"tool_calls": []}), json!([]), json!("")] {
        let line = json!({"id": "a", "input": "Where?", "expected": nothing}).to_string();
        assert_eq!(examples_of(read(Source::Jsonl, &line))[0].expected, None, "{line}");
    }
}

#[test]
fn a_table_of_two_columns_is_enough() {
    let examples = examples_of(read(Source::Csv, "\u{feff}input,expected,colour\nWhere?,Here,red\n\"two\nlines\",,\n"));
    assert_eq!(examples[0].expected, Some(Answer::of_text("Here")));
    assert_eq!(examples[0].metadata["colour"], "red");
    assert_eq!(examples[1].messages, [Message::of_text("user", "two\nlines")]);
    assert_eq!(examples[1].expected, None);
}

#[test]
fn wrong_rows_are_told_with_the_line_they_begin_on() {
    let text = b"id,input,messages\na,\"two\nlines\",\nb,x,[1\nc,x\nd,\xff,\ne,x,\n";
    let found = wrong(Source::Csv, text);
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 5, 6], "{found:?}");
    assert!(found[0].1.starts_with("`messages` is not JSON") && found[1].1 == "it has 2 cells and the header 3");
    assert_eq!(found[2].1, "it is not UTF-8");
    assert_eq!(wrong(Source::Csv, b"a,b\n1,2\n")[0].0, 1);
}

#[test]
fn a_formula_does_not_reach_a_spreadsheet() {
    let example = Example { messages: vec![Message::of_text("user", "=HYPERLINK(\"x\")")], ..bare() };
    let text = export(Format::Csv, "", &[example]).text;
    assert!(text.contains("\"'=HYPERLINK"), "{text}");
}

#[test]
fn a_configuration_of_promptfoo_is_read() {
    let text = "prompts:\n  - 'Translate {{text}} to {{ language }}'\nproviders: [echo]\ntests:
  - description: greeting
    vars: {text: Hello, language: French}
    assert:
      - {type: equals, value: Bonjour}
      - {type: latency, threshold: 100}
    threshold: 1
  - vars: file://vars.yaml
  - vars: {text: Hello}
  - just a text
";
    let imported = read(Source::Promptfoo, text);
    let [Entry { example, .. }] = &imported.entries[..] else { panic!("{imported:?}") };
    assert_eq!(example.messages, [Message::of_text("user", "Translate Hello to French")]);
    assert_eq!(example.expected, Some(Answer::of_text("Bonjour")));
    assert_eq!(
        Value::from(example.metadata.clone()),
        json!({
            "description": "greeting", "vars": { "text": "Hello", "language": "French" }, "threshold": 1,
            "assert": [{ "type": "latency", "threshold": 100 }]
        })
    );
    let wrong: Vec<(usize, &str)> = imported.wrong.iter().map(|wrong| (wrong.line, wrong.reason.as_str())).collect();
    assert_eq!(
        wrong,
        [
            (11, "its `vars` are elsewhere, or no names and values"),
            (12, "the prompt's `{{ language }}` is no variable"),
            (13, "it is no test but a text or number"),
        ]
    );
    // Without a prompt the only variable is the message.
    let alone = read(Source::Promptfoo, r#"[{"vars": {"q": "Why?"}}, {"vars": {"a": "1", "b": "2"}}]"#);
    assert_eq!(alone.entries[0].example.messages, [Message::of_text("user", "Why?")]);
    assert!(alone.wrong[0].reason.starts_with("there is no telling which variable"));
    // On one line as well, what is there twice is taken once.
    let twice = read(Source::Promptfoo, r#"[{"vars": {"q": "Why?"}}, {"vars": {"q": "Why?"}}]"#);
    assert_eq!(twice.entries.len(), 1);
    assert!(twice.wrong[0].reason.ends_with("is on line 1 already"), "{:?}", twice.wrong);
}

#[test]
fn what_is_no_file_of_tests_is_told() {
    assert_eq!(wrong(Source::Promptfoo, b"- vars: {a: 1}\n\xff")[0], (2, "it is not UTF-8".to_owned()));
    let (line, reason) = wrong(Source::Promptfoo, b"- vars: {a: 1}\n- vars: [\n").remove(0);
    assert!(line >= 2 && reason.starts_with("it is no list of tests"), "{line}: {reason}");
    assert!(!wrong(Source::Promptfoo, b"just: this\n").is_empty());
    // Aliases of aliases do not fill the memory.
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let last = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [last.as_str(); 9].join(","));
    }
    assert!(!wrong(Source::Promptfoo, format!("{bomb}tests: *a11\n").as_bytes()).is_empty());
}

#[test]
fn an_empty_file_holds_nothing() {
    assert_eq!(read(Source::Jsonl, "\n\n"), Imported::default());
    assert_eq!(read(Source::Csv, "input\n"), Imported::default());
    assert_eq!(read(Source::Promptfoo, "[]"), Imported::default());
}
