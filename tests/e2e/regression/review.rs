//! Review over HTTP, from the terminal and in sheets.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::{CASES, chat, dataset, done, rows, said, send, tracewell};
use crate::server::{BINARY, Server, client};

/// `tracewell review next`, or `tracewell review` of no queue, with the keys that Bob presses, a line each.
fn next(data: &Path, queue: &str, keys: &str) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("review");
    if !queue.is_empty() {
        command.args(["next", queue]);
    }
    command.args(["--author", "bob", "--data", data.to_str().unwrap()]);
    command.env_remove("TRACEWELL_CONFIG").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

/// A queue `failures` of the dataset `refunds`, whose examples all have an expected answer.
fn queue(data: &Path, folder: &Path, more: &[&str]) {
    dataset(data, folder);
    let add = ["review", "add", "failures", "--dataset", "refunds", "--all"];
    done(tracewell(data, &[&add[..], more].concat()));
}

/// Where the items of the queue are, by example.
fn states(data: &Path) -> Vec<(String, String)> {
    let listed = rows(tracewell(data, &["review", "list", "failures", "--format", "json"]));
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    listed.iter().map(|item| (text(item, "item").replace("refunds/", ""), text(item, "state"))).collect()
}

fn state<'a>(all: &'a [(String, String)], example: &str) -> &'a str {
    &all.iter().find(|(id, _)| id == example).unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn an_example_that_was_taken_out_keeps_nobody_from_the_rest_of_its_queue() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    queue(&data, temporary.path(), &[]);
    done(tracewell(&data, &["dataset", "archive", "refunds", "a"]));
    assert_eq!(state(&states(&data), "a"), "archived");
    let gone = tracewell(&data, &["review", "answer", "failures", "a", "accept"]);
    assert!(!gone.status.success() && said(&gone).contains("`refunds` has no example `a` any more"), "{}", said(&gone));
    let sheet = done(tracewell(&data, &["review", "export", "failures"]));
    assert!(!sheet.contains("refunds/a") && sheet.contains("refunds/b"), "{sheet}");

    let server = Server::start(&data, &[]).await;
    let open =
        client().post(format!("{}/v1/reviews/failures", server.api)).json(&json!({"step": "next", "author": "cleo"}));
    let open = open.send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!((&open["item"]["example"], &open["example"]["id"]), (&json!("b"), &json!("b")), "{open}");
    let release = json!({"step": "release", "author": "cleo", "item": "b"});
    assert_eq!(
        client().post(format!("{}/v1/reviews/failures", server.api)).json(&release).send().await.unwrap().status(),
        204
    );
    server.stop();

    let judged = next(&data, "failures", "a\na\na\n");
    assert!(
        judged.status.success() && said(&judged).contains("3 judged; nothing more waits for bob"),
        "{}",
        said(&judged)
    );
    let all = states(&data);
    assert_eq!(["a", "b", "c", "d"].map(|id| state(&all, id)), ["archived", "accept", "accept", "accept"]);
}

#[test]
fn items_are_judged_with_single_keys_skipped_and_corrected_over_several_lines() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    queue(&data, folder, &[]);
    done(tracewell(&data, &["review", "assign", "failures", "d", "--to", "bob"]));
    done(tracewell(&data, &["review", "assign", "failures", "c", "--to", "cleo"]));
    // What is assigned to him comes first; then a, which he skips, and b. What is Cleo's does not come.
    let told = next(&data, "failures", "a\nx\ns\nc\nFirst line,\nsecond line.\n.\n");
    assert!(told.status.success() && said(&told).contains("`failures`: 2 judged; 1 skipped"), "{}", said(&told));
    let all = states(&data);
    assert_eq!(["a", "b", "c", "d"].map(|id| state(&all, id)), ["waiting", "correct", "waiting", "accept"]);
    let examples = rows(tracewell(&data, &["dataset", "show", "refunds", "--format", "json"]));
    let b = examples.iter().find(|example| example["example"] == "b").unwrap();
    assert_eq!(b["expected"], "First line,\nsecond line.");

    // Alone, the command asks about every queue; who ends it ends all.
    done(tracewell(&data, &["review", "add", "others", "--dataset", "refunds", "--all"]));
    let told = next(&data, "", "d\nd\nq\n");
    assert!(told.status.success(), "{}", said(&told));
    for part in ["`failures`: 1 judged; nothing more waits for bob", "`others`: 1 judged\n"] {
        assert!(said(&told).contains(part), "{part}: {}", said(&told));
    }
    assert_eq!(state(&states(&data), "a"), "decline");
}

#[test]
fn calls_of_tools_are_corrected_from_the_terminal_the_command_line_and_a_sheet() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let lines = ["a", "b", "c"].map(|id| {
        let messages = json!([
            {"role": "system", "content": "You help."}, {"role": "user", "content": format!("Where is {id}?")}
        ]);
        let find = |id: &str| json!({"tool_calls": [{"name": "find", "arguments": {"id": id}}]});
        json!({"id": id, "messages": messages, "output": find("nothing"), "documents": [{"text": "Seven are left."}],
            "tools": [{"type": "function", "function": {"name": "find"}}]})
        .to_string()
    });
    let file = folder.join("cases.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    done(tracewell(&data, &["dataset", "import", "refunds", file.to_str().unwrap()]));
    done(tracewell(&data, &["review", "add", "failures", "--dataset", "refunds"]));
    let calls = |id: &str| json!([{"name": "find", "arguments": {"id": id}}]).to_string();

    let told = next(&data, "failures", &format!("c\n.\n[{{]\n{}\nq\n", calls("a")));
    assert!(told.status.success() && said(&told).contains("these are no tool calls"), "{}", said(&told));
    let answer = ["review", "answer", "failures", "b", "correct", "--expected-calls"];
    let wrong = tracewell(&data, &[&answer[..], &["find"]].concat());
    assert!(!wrong.status.success() && said(&wrong).contains("these are no tool calls"), "{}", said(&wrong));
    done(tracewell(&data, &[&answer[..], &[calls("b").as_str()]].concat()));

    let sheet = done(tracewell(&data, &["review", "export", "failures"]));
    let mut sheet = csv::Reader::from_reader(sheet.as_bytes());
    let heads = sheet.headers().unwrap().clone();
    let row = sheet.records().next().unwrap().unwrap();
    let cell = |name: &str| row.get(heads.iter().position(|head| head == name).unwrap()).unwrap();
    assert_eq!(cell("conversation"), "system: You help.\n\nuser: Where is c?");
    assert_eq!((cell("documents"), cell("output")), ("Seven are left.", r#"find({"id":"nothing"})"#));
    let mut filled = csv::Writer::from_path(folder.join("filled.csv")).unwrap();
    filled.write_record(["item", "outcome", "expected_tool_calls"]).unwrap();
    filled.write_record(["refunds/c", "correct", &calls("c")]).unwrap();
    filled.flush().unwrap();
    // A line that is no text keeps no other from being judged.
    let filled = folder.join("filled.csv");
    let lines = [&std::fs::read(&filled).unwrap()[..], b"refunds/b,accept,\xff\n"].concat();
    std::fs::write(&filled, lines).unwrap();
    let told = tracewell(&data, &["review", "import", "failures", filled.to_str().unwrap()]);
    assert!(!told.status.success() && said(&told).contains("filled.csv`, line 3: "), "{}", said(&told));
    assert!(said(&told).contains("1 judged, 1 row is wrong"), "{}", said(&told));

    let query = "SELECT example, expected FROM examples WHERE expected IS NOT NULL ORDER BY example";
    let expected = rows(tracewell(&data, &["sql", "--format", "json", query]));
    let wanted = |id: &str| json!({"tool_calls": [{"name": "find", "arguments": {"id": id}}]}).to_string();
    assert_eq!(json!(expected), json!(["a", "b", "c"].map(|id| json!({"example": id, "expected": wanted(id)}))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_is_kept_at_once_and_a_wrong_row_keeps_no_other_from_being_judged() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let server = Server::start(&data, &[]).await;
    let trace = |number: u32| json!(format!("{number:032x}"));
    // Of c nothing can be said as a score: its trace is none.
    let traces = [trace(1), trace(2), json!("4711"), Value::Null, Value::Null, Value::Null, Value::Null];
    let lines = ["a", "b", "c", "d", "e", "f", "g"].into_iter().zip(traces).map(|(id, trace)| {
        json!({"id": id, "input": format!("Where is {id}?"), "output": "Here.", "source": {"trace_id": trace}})
            .to_string()
    });
    let (file, schema) = (folder.join("cases.jsonl"), folder.join("schema.json"));
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let short = json!({"properties": {"expected": {"properties": {"text": {"maxLength": 12}}}}});
    std::fs::write(&schema, short.to_string()).unwrap();
    done(tracewell(&data, &["dataset", "import", "refunds", file.to_str().unwrap()]));
    done(tracewell(&data, &["dataset", "describe", "refunds", "--schema", schema.to_str().unwrap()]));
    done(tracewell(&data, &["review", "add", "failures", "--dataset", "refunds"]));
    let skip = ["a", "b", "c", "d"].map(|id| format!("refunds/{id}"));
    let open = json!({"step": "next", "author": "cleo", "skip": skip});
    let open = client().post(format!("{}/v1/reviews/failures", server.api)).json(&open).send().await.unwrap();
    assert_eq!(open.json::<Value>().await.unwrap()["item"]["item"], "refunds/e");

    let sheet = folder.join("filled.csv");
    let filled = "item,outcome,expected\nrefunds/a,correct,Over there.\nrefunds/b,accept,\nrefunds/c,accept,\n\
        refunds/d,decline,\nrefunds/e,accept,\nrefunds/f,correct,Nowhere.\nf,accept,\n\
        refunds/g,correct,Somewhere over there.\nrefunds/h,accept,\n";
    std::fs::write(&sheet, filled).unwrap();
    let kept = || {
        let versions = "SELECT version, count(*) AS changes, max(note) AS note FROM examples WHERE version > 2
            GROUP BY version ORDER BY version";
        let answers = "SELECT count(*) AS answers, count(DISTINCT recorded_at) AS commits FROM reviews
            WHERE step = 'answer'";
        let scores = "SELECT label, text, author FROM evaluations ORDER BY trace_id, label";
        json!([server.sql(versions), server.sql(answers), server.sql(scores)])
    };
    let all = json!([
        [
            {"version": 3, "changes": 2, "note": "reviewed in `failures`: accept"},
            {"version": 4, "changes": 2, "note": "reviewed in `failures`: correct"}
        ],
        [{"answers": 4, "commits": 1}],
        [{"label": null, "text": "Over there.", "author": "ann"}, {"label": "accept", "text": null, "author": "ann"}]
    ]);
    // Again, what was said is not said twice.
    for judged in ["\n4 judged, 5 rows are wrong", "\n0 judged, 4 as before, 5 rows are wrong"] {
        let told = tracewell(&data, &["review", "import", "failures", sheet.to_str().unwrap()]);
        assert!(!told.status.success(), "{}", said(&told));
        for part in [
            "line 4: what was said of the span cannot be kept, so `refunds/c` waits still",
            "line 6: cleo has `refunds/e` open",
            "line 8: `f` is judged in a row above",
            "line 9: example `g`: it is not as the schema of `refunds` wants",
            "line 10: the queue `failures` has no item `refunds/h`",
            judged,
        ] {
            assert!(said(&told).contains(part), "{part}: {}", said(&told));
        }
        assert_eq!(kept(), all);
    }
    let (states, ids) = (states(&data), ["a", "b", "c", "d", "e", "f", "g"]);
    let wanted = ["correct", "accept", "waiting", "decline", "waiting", "correct", "waiting"];
    assert_eq!(ids.map(|id| state(&states, id)), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_is_on_record_only_with_all_that_follows_from_it() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    send(&server, vec![chat(1, CASES[0].1, "", true, &[])]).await;
    done(tracewell(&data, &["examples", "capture", "error", "--dataset", "refunds", "--since", "1d"]));
    done(tracewell(&data, &["review", "add", "failures", "--dataset", "refunds"]));
    let id = rows(tracewell(&data, &["dataset", "show", "refunds", "--format", "json"]))[0]["example"].clone();
    let correct = || {
        tracewell(&data, &["review", "answer", "failures", id.as_str().unwrap(), "correct", "--expected", CASES[0].2])
    };

    // The server that takes scores cannot be reached.
    let endpoint = data.join("wal/endpoint");
    let addresses = std::fs::read_to_string(&endpoint).unwrap();
    std::fs::write(&endpoint, addresses.replace(&server.http, "http://127.0.0.1:1")).unwrap();
    let failed = correct();
    assert!(!failed.status.success() && said(&failed).contains("waits still; judge it again"), "{}", said(&failed));
    assert_eq!(states(&data)[0].1, "waiting");

    std::fs::write(&endpoint, addresses).unwrap();
    done(correct());
    assert_eq!(states(&data)[0].1, "correct");
    let scores = server.sql("SELECT text, author FROM evaluations WHERE superseded_at IS NULL");
    assert_eq!(json!(scores), json!([{"text": CASES[0].2, "author": "ann"}]));
    let kept = server.sql("SELECT change, expected FROM examples ORDER BY version");
    let expected = json!({"text": CASES[0].2}).to_string();
    assert_eq!(json!(kept), json!([{"change": "create", "expected": null}, {"change": "patch", "expected": expected}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_take_turns_over_http_and_a_blind_queue_keeps_what_others_said() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let spans = [0, 1].map(|case| chat(case as u32 + 1, CASES[case].1, "", true, &[]));
    send(&server, spans.to_vec()).await;
    done(tracewell(&data, &["examples", "capture", "error", "--dataset", "team/refunds", "--since", "1d"]));
    let questions = temporary.path().join("questions.toml");
    std::fs::write(&questions, "[[question]]\nname = 'kind'\nkind = 'yes_no'\nrequired = true\n").unwrap();
    let add = ["review", "add", "team/failures", "--dataset", "team/refunds", "--reviewers", "2", "--blind"];
    done(tracewell(&data, &[&add[..], &["--questions", questions.to_str().unwrap()]].concat()));

    let url = format!("{}/v1/reviews", server.api);
    let post = async |body: Value| {
        let answer = client().post(format!("{url}/team/failures")).json(&body).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        (status, serde_json::from_str::<Value>(&text).unwrap_or_default())
    };
    let get =
        async |path: &str| client().get(format!("{url}{path}")).send().await.unwrap().json::<Value>().await.unwrap();
    let queues = get("").await;
    assert_eq!((&queues[0]["queue"], &queues[0]["items"]), (&json!("team/failures"), &json!(2)));

    // A queue is made over HTTP as by the command: all of it, or nothing.
    let add = async |more: Value| {
        let mut body = json!({"step": "add", "author": "ann", "dataset": "team/refunds"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = client().post(format!("{url}/team/others")).json(&body).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        (status, serde_json::from_str::<Value>(&text).unwrap_or_default())
    };
    for (wrong, status) in [
        (json!({"dataset": "team/nothing", "reviewers": 2}), 404),
        (json!({"dataset": "team/refunds@yesterday"}), 400),
        (json!({"author": " "}), 400),
        (json!({"reviewers": 0}), 400),
        (json!({"questions": [{"name": "outcome"}]}), 400),
        (json!({"quiet": true}), 422),
    ] {
        assert_eq!(add(wrong.clone()).await.0, status, "{wrong}");
    }
    assert_eq!(client().get(format!("{url}/team/others")).send().await.unwrap().status(), 404);
    let tone = json!([{"name": "tone", "kind": "choice", "choices": ["kind", "rude"], "required": true}]);
    let made = add(json!({"questions": tone, "reviewers": 2})).await;
    assert_eq!(made, (200, json!({"added": 2, "examples": 2})));
    // What is left out stays as it was.
    assert_eq!(add(json!({"blind": true})).await, (200, json!({"added": 0, "examples": 2})));
    let others = get("/team/others").await;
    assert_eq!((&others["questions"], &others["reviewers"], &others["blind"]), (&tone, &json!(2), &json!(true)));
    let listed = rows(tracewell(&data, &["review", "list", "team/others", "--format", "json"]));
    assert_eq!(listed.iter().map(|item| &item["state"]).collect::<Vec<_>>(), ["waiting", "waiting"]);

    // Two look at the same time, each at another item; what one has open the other cannot judge.
    let (status, bobs) = post(json!({"step": "next", "author": "bob"})).await;
    assert_eq!((status, &bobs["item"]["open_by"], &bobs["questions"][0]["name"]), (200, &json!("bob"), &json!("kind")));
    let (_, cleos) = post(json!({"step": "next", "author": "cleo"})).await;
    let id = |open: &Value| open["item"]["item"].as_str().unwrap().to_owned();
    assert_ne!(id(&bobs), id(&cleos));
    let question = bobs["example"]["messages"][1]["content"].as_str().unwrap();
    let expected = CASES.iter().find(|case| case.1 == question).unwrap().2;
    let judge = |who: &str, item: &str, more: Value| {
        let mut body = json!({"step": "answer", "author": who, "item": item, "answers": {"kind": true}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let corrected = json!({"outcome": "correct", "expected": expected, "note": "it was cut"});
    let (status, refused) = post(judge("cleo", &id(&bobs), corrected.clone())).await;
    assert!(status == 409 && refused["error"].as_str().unwrap().contains("bob has"), "{status} {refused}");
    let (status, refused) = post(json!({"step": "release", "author": "cleo", "item": id(&bobs)})).await;
    assert!(status == 409 && refused["error"].as_str().unwrap().contains("bob has"), "{status} {refused}");
    for (wrong, status) in [
        (judge("bob", &id(&bobs), json!({"outcome": "correct"})), 409),
        (judge("bob", &id(&bobs), json!({"outcome": "correct", "expected": {}})), 409),
        (judge("bob", &id(&bobs), json!({"outcome": "correct", "expected": " "})), 409),
        (judge("bob", &id(&bobs), json!({"outcome": "accept", "answers": {}})), 409),
        (judge("bob", &id(&bobs), json!({"outcome": "accept", "answers": {"kind": "perhaps"}})), 400),
        (judge("bob", &id(&bobs), json!({"outcome": "accept", "sure": true})), 422),
        (judge("bob", "nothing", json!({"outcome": "decline"})), 404),
        (json!({"step": "next", "author": " "}), 400),
        (json!({"step": "look", "author": "bob"}), 422),
    ] {
        assert_eq!(post(wrong.clone()).await.0, status, "{wrong}");
    }
    assert_eq!(post(json!({"step": "release", "author": "cleo", "item": id(&cleos)})).await.0, 204);

    let (status, judged) = post(judge("bob", &id(&bobs), corrected.clone())).await;
    assert_eq!((status, &judged["item"]["state"], &judged["item"]["open_by"]), (200, &json!("waiting"), &Value::Null));
    // Who has not answered does not see it; who has does.
    let said = async |who: &str| {
        let queue = get(&format!("/team/failures?author={who}")).await;
        let item = queue["items"].as_array().unwrap().iter().find(|item| item["item"] == id(&bobs)).cloned().unwrap();
        (item["answers"].clone(), item["said"].clone())
    };
    assert_eq!(said("cleo").await, (json!(1), Value::Null));
    let (_, seen) = said("bob").await;
    assert_eq!(
        (&seen[0]["reviewer"], &seen[0]["answers"]["kind"], &seen[0]["note"]),
        (&json!("bob"), &json!(true), &json!("it was cut"))
    );
    assert_eq!(post(json!({"step": "assign", "author": "bob", "item": id(&bobs), "to": "cleo"})).await.0, 204);
    let (_, next) = post(json!({"step": "next", "author": "cleo"})).await;
    assert_eq!((id(&next), &next["item"]["said"]), (id(&bobs), &Value::Null), "what is assigned comes first");
    let (_, judged) = post(judge("cleo", &id(&bobs), corrected)).await;
    assert_eq!(judged["item"]["state"], "correct");
    assert_eq!(judged["example"]["expected"]["text"], expected);
    let scores = server.sql("SELECT text, author, source, explanation FROM evaluations ORDER BY author");
    let score = |who: &str| json!({"text": expected, "author": who, "source": "human", "explanation": "it was cut"});
    assert_eq!(json!(scores), json!([score("bob"), score("cleo")]));

    // Both said yes; of one answer alone, chance explains everything.
    let listed = get("/team/failures").await;
    assert_eq!((&listed["agreement"], &listed["agreement_on"]), (&Value::Null, &json!({"kind": null})));

    // What is left is bob's and cleo's; then nothing waits.
    for who in ["bob", "cleo"] {
        let (_, open) = post(json!({"step": "next", "author": who})).await;
        assert_eq!(post(judge(who, &id(&open), json!({"outcome": "decline"}))).await.0, 200);
        assert_eq!(post(json!({"step": "next", "author": who})).await.0, 204);
    }
    let listed = rows(tracewell(&data, &["review", "list", "team/failures", "--format", "json"]));
    let states: Vec<&Value> = listed.iter().map(|item| &item["state"]).collect();
    assert!(states.contains(&&json!("correct")) && states.contains(&&json!("decline")), "{listed:?}");
    let unknown = client().post(format!("{url}/nobody")).json(&json!({"step": "next", "author": "bob"}));
    assert_eq!(unknown.send().await.unwrap().status(), 404);
}

#[test]
fn a_correction_that_others_do_not_share_is_taken_back() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let file = folder.join("cases.jsonl");
    std::fs::write(&file, json!({"id": "a", "input": "Where is it?", "output": "Here."}).to_string()).unwrap();
    done(tracewell(&data, &["dataset", "import", "refunds", file.to_str().unwrap()]));
    done(tracewell(&data, &["review", "add", "failures", "--dataset", "refunds"]));
    let judge = |who: &str, said: &[&str]| {
        done(tracewell(&data, &[&["review", "answer", "failures", "a", "--author", who][..], said].concat()));
        let expected =
            rows(tracewell(&data, &["dataset", "show", "refunds", "--format", "json"]))[0]["expected"].clone();
        (state(&states(&data), "a").to_owned(), expected)
    };
    let told = |state: &str, expected: &str| (state.to_owned(), json!(expected));
    // Its own reviewer may think again.
    assert_eq!(judge("bob", &["correct", "--expected", "Nowhere."]), told("correct", "Nowhere."));
    assert_eq!(judge("bob", &["accept"]), told("accept", "Here."));
    assert_eq!(judge("bob", &["correct", "--expected", "There."]), told("correct", "There."));
    assert_eq!(judge("cleo", &["accept"]), told("undecided", "There."));
    assert_eq!(judge("dan", &["accept"]), told("accept", "Here."));
}
