//! The named queries over the known set: each answer was worked out by hand, see `tests/queries/README.md`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::fixtures::folder;
use crate::server::{BINARY, Server, client, rows, sql};

/// An answer worked out by hand: the parameters, and the rows.
struct Answer {
    parameters: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn answers() -> BTreeMap<String, Answer> {
    let files = std::fs::read_dir(folder("tests/queries")).unwrap().map(|entry| entry.unwrap().path());
    let answers = files.filter(|path| path.extension().is_some_and(|extension| extension == "csv"));
    answers
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let (first, rest) = text.split_once('\n').unwrap();
            let parameters = first.strip_prefix('#').unwrap().split_whitespace().map(str::to_owned).collect();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), Answer { parameters, rows: cells(rest) })
        })
        .collect()
}

fn cells(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Numbers are compared as numbers.
fn same(left: &str, right: &str) -> bool {
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => (left - right).abs() < 1e-9,
        _ => left == right,
    }
}

/// What a named query prints.
fn asked(data: &Path, name: &str, arguments: &[&str]) -> Vec<Vec<String>> {
    let mut query = Command::new(BINARY);
    query.args(["query", name, "--format", "csv", "--data", data.to_str().unwrap()]).args(arguments);
    let output = query.output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    cells(&String::from_utf8(output.stdout).unwrap())
}

fn check(data: &Path, when: &str) {
    for (name, answer) in answers() {
        let parameters: Vec<&str> = answer.parameters.iter().flat_map(|one| ["--param", one.as_str()]).collect();
        let given = asked(data, &name, &parameters);
        let equal = given.len() == answer.rows.len()
            && given.iter().zip(&answer.rows).all(|(given, known)| {
                given.len() == known.len() && given.iter().zip(known).all(|(given, known)| same(given, known))
            });
        assert!(equal, "{name} {when}\ngiven {given:#?}\nknown {:#?}", answer.rows);
    }
}

#[test]
fn named_queries_give_the_answers_worked_out_by_hand() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let tracewell = |arguments: &[&str]| {
        let output = Command::new(BINARY).args(arguments).args(["--data", data.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for file in ["known.jsonl", "trials.jsonl"] {
        tracewell(&["import", folder("tests/queries").join(file).to_str().unwrap()]);
    }
    check(&data, "as imported");
    tracewell(&["compact"]);
    tracewell(&["settle"]);
    check(&data, "compacted and settled");
    // As `tests/queries/README.md` has their runs and calls; a trial of the same session is none.
    let sessions = "SELECT conversation_id, run_count, call_count, input_tokens, output_tokens FROM sessions
        WHERE conversation_id IN ('c2', 'd2') ORDER BY conversation_id";
    assert_eq!(
        json!(sql(&data, sessions)),
        json!([
            {"conversation_id": "c2", "run_count": 4, "call_count": 7, "input_tokens": 4400, "output_tokens": 170},
            {"conversation_id": "d2", "run_count": 3, "call_count": 3, "input_tokens": 9300, "output_tokens": 145},
        ])
    );
    let known = answers();
    // Dates are those of UTC wherever the session is: run 56 began two seconds before midnight, d9 at seven.
    for zone in ["Asia/Tokyo", "America/Los_Angeles"] {
        let period = ["since=2026-11-18T23:00:00Z", "until=2026-11-19T07:30:00Z"];
        let slowest = asked(&data, "slowest_runs", &["--tz", zone, "-p", period[0], "-p", period[1]]);
        let runs: Vec<&str> = slowest.iter().skip(1).map(|row| &row[0][30..]).collect();
        assert_eq!(runs, ["d9", "56"], "{zone}");
        // Times of spans and of log records are one column.
        let senders = &known["senders"];
        let parameters: Vec<&str> = senders.parameters.iter().flat_map(|one| ["-p", one.as_str()]).collect();
        let found = asked(&data, "senders", &[&["--tz", zone][..], &parameters[..]].concat());
        assert_eq!(found.len(), senders.rows.len(), "{zone}");
    }
    let listed = rows(Command::new(BINARY).args(["query", "--format", "json"]), "query");
    let names: Vec<&str> = listed.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(
        names.iter().all(|name| known.contains_key(*name)),
        "a query without an answer worked out by hand: {names:?}"
    );
}

/// Facts that are missing or on another span lose nothing; what was sent again, and what people without a name say of
/// one thing, is told apart.
#[test]
fn named_queries_hold_where_facts_are_missing_or_repeated() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let count = |key: &str, value: u64| json!({"key": key, "value": {"intValue": value.to_string()}});
    // 16 November 2026, 09:00 UTC, and so many seconds.
    let span = |trace: u64, id: u64, parent: u64, (from, seconds): (u64, u64), attributes: Vec<serde_json::Value>| {
        let start = 1_794_819_600 + from;
        let parent = if parent == 0 { String::new() } else { format!("{parent:016x}") };
        json!({"traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}"), "parentSpanId": parent,
            "name": format!("span {id}"), "startTimeUnixNano": format!("{start}000000000"),
            "endTimeUnixNano": format!("{}000000000", start + seconds), "attributes": attributes})
    };
    let chat = |more: Vec<serde_json::Value>| {
        let asks = vec![text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", "m")];
        [asks, more].concat()
    };
    let answered = json!([{"role": "assistant", "parts": [{"type": "text", "content": "{\"days\": 5}"}]}]).to_string();
    let offered = json!([{"type": "function", "name": "look"}]).to_string();
    let agent =
        vec![text("gen_ai.operation.name", "invoke_agent"), text("user.id", "ann"), text("litellm.team.id", "shelf")];
    let tool = vec![text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", "look")];
    let mut failed = span(1, 2, 1, (1, 1), tool);
    failed["status"] = json!({"code": 2});
    let asks_json = vec![
        text("gen_ai.tool.definitions", &offered),
        text("gen_ai.request.response_format", "{\"type\":\"json_object\"}"),
        text("gen_ai.output.messages", &answered),
    ];
    let silent =
        |tokens: u64| chat(vec![text("gen_ai.prompt.name", "silent"), count("gen_ai.usage.output_tokens", tokens)]);
    let response = || vec![text("gen_ai.response.id", "r-1")];
    let used = || {
        [response(), vec![count("gen_ai.usage.input_tokens", 100), count("gen_ai.usage.output_tokens", 20)]].concat()
    };
    let of = |service: &str, scope: &str, spans: Vec<serde_json::Value>| {
        let resource = if service.is_empty() { vec![] } else { vec![text("service.name", service)] };
        json!({"resource": {"attributes": resource}, "scopeSpans": [{"scope": {"name": scope}, "spans": spans}]})
    };
    let of_nobody = vec![
        span(1, 1, 0, (0, 9), agent),
        failed,
        span(1, 3, 1, (3, 1), chat(asks_json)),
        span(2, 4, 0, (0, 1), silent(0)),
        span(3, 5, 0, (86_400, 1), silent(5)),
    ];
    let sent = json!({"resourceSpans": [
        of("", "app", of_nobody),
        of("desk", "a", vec![span(4, 6, 0, (0, 9), chat(used()))]),
        // Sent as it began, and again as it had ended.
        of("desk", "b", vec![span(4, 7, 6, (0, 8), chat(response())), span(4, 7, 6, (0, 9), chat(used()))]),
    ]});
    let trace = format!("{:032x}", 1);
    let judged = |members: serde_json::Value| {
        let mut score = json!({"trace_id": trace, "time": "2026-11-16T10:00:00Z"});
        score.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        format!("{score}\n")
    };
    let later = "2026-11-16T10:01:00Z";
    let scores = [
        json!({"name": "ok", "label": "yes", "source": "user"}),
        json!({"name": "ok", "label": "no", "source": "user", "time": later}),
        json!({"name": "ok", "label": "yes", "source": "human", "author": "ann"}),
        json!({"name": "ok", "label": "yes", "source": "model", "author": "m"}),
        json!({"name": "stars", "value": 0, "source": "user"}),
        json!({"name": "stars", "value": 1, "source": "user", "time": later}),
    ];
    let file = |name: &str, text: String| {
        let path = temporary.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let scores = file("scores.jsonl", scores.into_iter().map(judged).collect());
    // The same spans in other bytes: their contents are stored twice.
    let (once, again) = (file("once.json", sent.to_string()), file("again.json", format!("{sent}\n \n")));
    for arguments in
        [&["import", once.as_str()][..], &["import", again.as_str()], &["score", "import", scores.as_str()]]
    {
        let output = Command::new(BINARY).args(arguments).args(["--data", data.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(
        json!(sql(&data, "SELECT count(*) AS n, count(DISTINCT hash) AS d FROM contents")),
        json!([{"n": 4, "d": 2}])
    );
    let answer = |name: &str, parameter: &str| {
        let period = ["-p", "since=2026-11-16T00:00:00Z", "-p", "until=2026-11-18T00:00:00Z"];
        let own = if parameter.is_empty() { vec![] } else { vec!["-p", parameter] };
        asked(&data, name, &[&period[..], &own[..]].concat()).split_off(1)
    };
    // The team stands on the root alone.
    assert_eq!(answer("tool_failures", "team=shelf")[0][..4], ["", "look", "1", "1"]);
    assert_eq!(answer("tools_offered_and_used", ""), [["", "look", "1", "1", "1", "1"]]);
    // From 0 tokens on nothing is a share.
    let drift = answer("output_length_drift", "prompt=silent");
    assert_eq!(drift.iter().map(|day| day[6].as_str()).collect::<Vec<_>>(), ["", ""]);
    assert_eq!(answer("valid_json", ""), [[trace.as_str(), "0000000000000003", "true", ""]]);
    assert_eq!(answer("double_instrumentation", ""), [["desk", "a", "b", "1", "1", "120"]]);
    // Of users without a name none supersedes another, and they are not one judge.
    assert_eq!(answer("users_with_bad_experience", "")[0][8], "1");
    let agreement = answer("judge_agreement", "name=ok");
    assert_eq!(agreement.len(), 1);
    assert_eq!(agreement[0][..4], ["ok", "human ann", "model m", "1"]);
}

/// Of four answers, all but the last longer than a preview: one is as the schema has it, one is JSON of another kind, one
/// was cut, and one stands in a fence.
#[tokio::test(flavor = "multi_thread")]
async fn json_answers_are_judged_whole_and_by_their_schema() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let schema = r#"{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","required":["days"],"properties":{"days":{"type":"integer"}}}}}"#;
    let note = "long ".repeat(100);
    let call = |number: u64, answer: &str, finish: &str| {
        let output = json!([{"role": "assistant", "parts": [{"type": "text", "content": answer}]}]);
        let start = 1_794_819_600 + 60 * number;
        json!({"traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"), "name": "chat",
            "startTimeUnixNano": format!("{start}000000000"), "endTimeUnixNano": format!("{}000000000", start + 1),
            "attributes": [text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", "m"), text("gen_ai.prompt.name", "refunds"),
                text("gen_ai.request.response_format", schema), text("gen_ai.output.messages", &output.to_string()),
                {"key": "gen_ai.response.finish_reasons", "value": {"arrayValue": {"values": [{"stringValue": finish}]}}}]})
    };
    let spans = json!([
        call(1, &json!({"days": 5, "note": note}).to_string(), "stop"),
        call(2, &json!({"days": "five", "note": note}).to_string(), "stop"),
        call(3, &format!("{{\"note\": \"{note}"), "length"),
        call(4, "```json\n{\"days\": 1}\n```", "stop"),
    ]);
    let body = json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "app"}, "spans": spans}]}]});
    let answer = server.post("/v1/traces", "application/json", body.to_string().into_bytes()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut query = Command::new(BINARY);
    query.args(["query", "json_validity", "--format", "csv", "-p", "since=2026-11-16T00:00:00Z"]);
    query.args(["-p", "until=2026-11-17T00:00:00Z", "--data", data.to_str().unwrap()]);
    let output = query.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let given = cells(&String::from_utf8(output.stdout).unwrap());
    let columns = "prompt_name,date,model,answers,not_kept,valid,in_fence,cut,broken,valid_share,with_schema,matching,matching_share";
    let known = cells(&format!("{columns}\nrefunds,2026-11-16,m,4,0,2,1,1,0,0.5,4,1,0.25\n"));
    assert_eq!(given[0], known[0]);
    assert!(given.len() == 2 && given[1].iter().zip(&known[1]).all(|(given, known)| same(given, known)), "{given:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn named_queries_are_listed_and_asked_over_http() {
    let temporary = tempfile::tempdir().unwrap();
    let own = temporary.path().join("own/greetings");
    std::fs::create_dir_all(&own).unwrap();
    let text = "-- title: Greeting\n-- question: Who is there?\n-- param: name text = 'nobody' | Whom to greet\nSELECT 'hello ' || $name AS words";
    std::fs::write(own.join("greeting.sql"), text).unwrap();
    // True where the session is in Berlin.
    let berlin = "date_trunc('day', TIMESTAMPTZ '2026-03-30 12:00:00+02:00') = TIMESTAMPTZ '2026-03-29 22:00:00+00:00'";
    let clock = format!("-- title: Clock\n-- question: Where is the clock?\nSELECT {berlin} AS berlin");
    std::fs::write(own.join("clock.sql"), clock).unwrap();
    let data = temporary.path().join("data");
    let place = [("TRACEWELL_QUERY_FOLDER", own.parent().unwrap().to_str().unwrap())];
    let server = Server::start_at(data.to_str().unwrap(), &data, &[], &place).await;
    let get = async |path: &str| client().get(format!("{}{path}", server.api)).send().await.unwrap();
    let listed: serde_json::Value = get("/v1/queries").await.json().await.unwrap();
    let greeting = listed.as_array().unwrap().iter().find(|query| query["name"] == "greeting").unwrap();
    assert_eq!(
        *greeting,
        json!({"name": "greeting", "group": "greetings", "title": "Greeting", "question": "Who is there?", "parameters": [
            {"name": "name", "type": "text", "default": "'nobody'", "meaning": "Whom to greet"}]})
    );
    let asked = async |path: &str| get(path).await.json::<serde_json::Value>().await.unwrap();
    assert_eq!(asked("/v1/queries/greeting").await, json!([{"words": "hello nobody"}]));
    assert_eq!(asked("/v1/queries/greeting?name=o'hara").await, json!([{"words": "hello o'hara"}]));
    assert_eq!(asked("/v1/queries/clock").await, json!([{"berlin": false}]));
    let clock = |zone: &str| {
        client().get(format!("{}/v1/queries/clock", server.api)).header("tracewell-time-zone", zone).send()
    };
    let there: serde_json::Value = clock("Europe/Berlin").await.unwrap().json().await.unwrap();
    assert_eq!(there, json!([{"berlin": true}]));
    assert_eq!(clock("Europe/Nowhere").await.unwrap().status(), 400);
    let place = ["--format", "json", "--data", data.to_str().unwrap(), "--tz", "Europe/Berlin"];
    let ours = Path::new(own.parent().unwrap());
    let named =
        rows(Command::new(BINARY).args(["query", "clock"]).args(place).env("TRACEWELL_QUERY_FOLDER", ours), "clock");
    assert_eq!(named, [json!({"berlin": true})]);
    let sql = format!("SELECT {berlin} AS berlin");
    assert_eq!(rows(Command::new(BINARY).args(["sql", &sql]).args(place), &sql), [json!({"berlin": true})]);
    assert_eq!(get("/v1/queries/greeting?nam=x").await.status(), 400);
    assert_eq!(get("/v1/queries/none").await.status(), 404);

    let foreign =
        client().post(format!("{}/v1/sql", server.api)).header("origin", "http://other.example").body("SELECT 1");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let renamed = client().post(format!("{}/v1/sql", server.api)).header("host", "other.example").body("SELECT 1");
    assert_eq!(renamed.send().await.unwrap().status(), 403);
}
