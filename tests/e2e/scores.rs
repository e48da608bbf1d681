//! Scores that people and scripts give: over gRPC, HTTP and the command line, with and without a server.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tracewell_proto::v1;
use tracewell_proto::v1::scores_client::ScoresClient;

use crate::readers::{python, run, script};
use crate::server::{BINARY, Server, client, sql};

const TRACE: &str = "00000000000000000000000000000051";
const SPAN: &str = "0000000000005102";

fn score(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("score").args(arguments).args(["--data", data.to_str().unwrap()]).env("USER", "ada");
    command.env_remove("TRACEWELL_AUTHOR").output().unwrap()
}

fn error(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const WORDS: &str = "SELECT target, trace_id, span_id, session_id, document_id, data_type, value, label, text, explanation, \
    source, author, superseded_at IS NULL AS last FROM evaluations ORDER BY name, time";

fn without_nulls(rows: Vec<Value>) -> Value {
    let kept = |row: Value| -> Value {
        let Value::Object(members) = row else { panic!("{row}") };
        members.into_iter().filter(|(_, value)| !value.is_null()).collect::<serde_json::Map<_, _>>().into()
    };
    rows.into_iter().map(kept).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_come_by_grpc_http_and_commands_before_what_they_are_about() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;

    let mut client = ScoresClient::connect(server.grpc.clone()).await.unwrap();
    let given = v1::Score {
        name: "a".to_owned(),
        value: Some(v1::score::Value::Truth(true)),
        trace_id: TRACE.to_owned(),
        span_id: SPAN.to_owned(),
        source: "user".to_owned(),
        author: "u-1".to_owned(),
        ..v1::Score::default()
    };
    let wrong = v1::Score { trace_id: "51".to_owned(), ..given.clone() };
    let request = v1::AddScoresRequest { scores: vec![given.clone(), wrong] };
    let status = client.add(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("score 2: `trace_id` is 32 hexadecimal digits"), "{status:?}");
    let many = v1::AddScoresRequest { scores: vec![v1::Score::default(); 10_001] };
    let status = client.add(many).await.unwrap_err();
    assert!(status.message().contains("at most 10000 scores"), "{status:?}");
    let answer = client.add(v1::AddScoresRequest { scores: vec![given] }).await.unwrap().into_inner();
    assert_eq!(answer.accepted, 1);

    let post = async |body: Value| {
        let answer = server.post("/v1/scores", "application/json", body.to_string().into_bytes()).await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let two = json!([
        {"name": "b", "value": 0.5, "label": "half", "session_id": "chat-77", "source": "model", "author": "judge"},
        {"name": "c", "label": "irrelevant", "document_id": "doc-9", "trace_id": TRACE},
    ]);
    assert_eq!(post(two).await, (200, json!({"accepted": 2})));
    let slash = server.post("/v1/scores/", "application/json", b"7".to_vec()).await.unwrap();
    assert_eq!(slash.status(), 400, "it is the same address, and 7 is no score");
    for (body, reason) in [
        (json!({"value": 1}), "`name`"),
        (json!({"name": "x", "session_id": "s"}), "there is no `value`"),
        (json!({"name": "x", "value": 1}), "it is about nothing"),
        (json!({"name": "x", "value": 1, "span_id": SPAN}), "needs its `trace_id`"),
        (json!({"name": "x", "value": 1, "trace_id": "+1".repeat(16)}), "32 hexadecimal digits"),
        (json!({"name": "x", "value": 1, "session_id": "s", "trace_id": TRACE}), "about a session, or"),
        (json!({"name": "x", "value": 1, "text": "y", "session_id": "s"}), "scores of their own"),
        (json!({"name": "x", "value": 1, "session_id": "s", "source": "robot"}), "`source` is"),
        (json!({"name": "x", "value": 1, "session_id": "s", "sauce": "human"}), "sauce"),
        (json!({"name": "x", "value": 1, "session_id": "s", "time": "2200-01-01T00:00:00Z"}), "`time` lies"),
        (json!({"name": "x", "value": 1, "session_id": "s", "time": "2014-12-31T00:00:00Z"}), "`time` lies"),
        (
            json!({"name": "x", "value": 1, "session_id": "s", "metadata": {"tracewell.score.author": "me"}}),
            "`metadata`",
        ),
        (json!(7), "no score"),
        (json!(vec![json!({}); 10_001]), "at most 10000 scores"),
    ] {
        let (status, answer) = post(body.clone()).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["message"].as_str().unwrap().contains(reason), "{body} {answer}");
    }

    done(&score(&data, &["add", "d", "0.25", "--trace", TRACE, "--explanation", "thin"]));
    done(&score(&data, &["add", "d", "0.75", "--trace", TRACE]));
    done(&score(&data, &["add", "e", "--correction", "Five days.", "--trace", TRACE, "--span", SPAN]));
    let wrong = error(&score(&data, &["add", "d", "0.25", "--trace", "zz"]));
    assert!(wrong.contains("32 hexadecimal digits"), "{wrong}");

    let seen = |rows| {
        assert_eq!(
            without_nulls(rows),
            json!([
                {"target": "span", "trace_id": TRACE, "span_id": SPAN, "data_type": "boolean", "value": 1.0,
                    "source": "user", "author": "u-1", "last": true},
                {"target": "session", "session_id": "chat-77", "data_type": "numeric", "value": 0.5, "label": "half",
                    "source": "model", "author": "judge", "last": true},
                {"target": "document", "trace_id": TRACE, "document_id": "doc-9", "data_type": "categorical",
                    "label": "irrelevant", "last": true},
                {"target": "run", "trace_id": TRACE, "data_type": "numeric", "value": 0.25, "explanation": "thin",
                    "source": "human", "author": "ada", "last": false},
                {"target": "run", "trace_id": TRACE, "data_type": "numeric", "value": 0.75, "source": "human",
                    "author": "ada", "last": true},
                {"target": "span", "trace_id": TRACE, "span_id": SPAN, "data_type": "correction",
                    "text": "Five days.", "source": "human", "author": "ada", "last": true},
            ])
        );
    };
    seen(server.sql(WORDS));

    // Its run comes last.
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/queries/known.jsonl");
    server.stop();
    done(&Command::new(BINARY).arg("import").arg(known).args(["--data", data.to_str().unwrap()]).output().unwrap());
    let run = format!("SELECT scores FROM runs WHERE trace_id = '{TRACE}'");
    let words = sql(&data, &run);
    let words = words[0]["scores"].as_array().unwrap();
    let of = |name: &str| {
        words.iter().filter(|word| word["name"] == name).map(|word| word["value"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((of("a"), of("d")), (vec![json!(1.0)], vec![json!(0.75)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_sent_again_with_their_key_are_kept_once() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let body =
        json!([{"name": "helpful", "value": true, "session_id": "s"}, {"name": "b", "value": 1, "session_id": "s"}]);
    let kept =
        |server: &Server| server.sql("SELECT count(*) AS scores FROM evaluations")[0]["scores"].as_u64().unwrap();
    // Two users may say the same without a key; a retry has the key of the first try and what it sent.
    for (key, body, scores) in [
        (None, &body, 2),
        (None, &body, 4),
        (Some("a"), &body, 6),
        (Some("a"), &body, 6),
        (Some("b"), &body, 8),
        (Some("a"), &json!({"name": "helpful", "value": true, "session_id": "t"}), 9),
    ] {
        let mut request =
            client().post(format!("{}/v1/scores", server.http)).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.body(body.to_string()).send().await.unwrap();
        let sent = body.as_array().map_or(1, Vec::len);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"accepted": sent}), "{key:?}");
        assert_eq!(kept(&server), scores, "{key:?}");
    }

    let mut client = ScoresClient::connect(server.grpc.clone()).await.unwrap();
    let value = Some(v1::score::Value::Number(1.0));
    let score = v1::Score { name: "c".to_owned(), value, session_id: "s".to_owned(), ..v1::Score::default() };
    for _ in 0..2 {
        let mut request = tonic::Request::new(v1::AddScoresRequest { scores: vec![score.clone()] });
        request.metadata_mut().insert("idempotency-key", "c".parse().unwrap());
        assert_eq!(client.add(request).await.unwrap().into_inner().accepted, 1);
    }
    assert_eq!(kept(&server), 10);
}

#[test]
fn who_gives_a_score_or_silences_an_alert_is_told_as_everywhere() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, config) = (temporary.path().join("data"), temporary.path().join("tracewell.toml"));
    std::fs::create_dir(&data).unwrap();
    let rule = "[[alerts.rules]]\nname = 'failures'\nmeasure = 'error_rate'\nthreshold = 0.5\nwindow = '1h'\n";
    std::fs::write(&config, rule).unwrap();
    let by = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(arguments).args(["--data", data.to_str().unwrap(), "--config", config.to_str().unwrap()]);
        command.env_remove("TRACEWELL_AUTHOR").env("USER", "ada").envs(variables.iter().copied());
        done(&command.output().unwrap());
    };
    let bob = [("TRACEWELL_AUTHOR", "bob")];
    by(&bob, &["score", "add", "by-variable", "true", "--session", "s"]);
    by(&bob, &["score", "add", "by-flag", "true", "--session", "s", "--author", "cleo"]);
    by(&[], &["score", "add", "by-machine", "true", "--session", "s"]);
    by(&bob, &["alerts", "silence", "failures", "--for", "1h"]);
    let given = sql(&data, "SELECT name, author FROM evaluations ORDER BY name");
    let of = |name: &str, author: &str| json!({"name": name, "author": author});
    assert_eq!(json!(given), json!([of("by-flag", "cleo"), of("by-machine", "ada"), of("by-variable", "bob")]));
    assert_eq!(json!(sql(&data, "SELECT author FROM alerts")), json!([{"author": "bob"}]));
    // Who silences an alert is asked for, and never made up.
    let mut unnamed = Command::new(BINARY);
    unnamed.args(["alerts", "silence", "failures", "--for", "1h"]);
    unnamed.args(["--data", data.to_str().unwrap(), "--config", config.to_str().unwrap()]);
    for variable in ["TRACEWELL_AUTHOR", "USER", "LOGNAME", "USERNAME"] {
        unnamed.env_remove(variable);
    }
    let told = error(&unnamed.output().unwrap());
    assert!(told.contains("who does this? Name yourself with --author"), "{told}");
    assert_eq!(sql(&data, "SELECT author FROM alerts").len(), 1);
}

#[test]
fn files_of_scores_are_read_without_a_server_and_wrong_rows_are_told() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let file = temporary.path().join("feedback.csv");
    let table = format!(
        "name,value,trace_id,span_id,time,metadata.page\n\
         helpful,true,{TRACE},{SPAN},2026-11-17T10:00:00Z,3\n\
         helpful,0.5,,,2026-11-17T10:00:00Z,\n\
         tone,friendly,{TRACE},,2026-11-17T12:00:00+02:00,\n\
         tone,\"a, b\",{TRACE},,yesterday,\n\
         worth,\"0,5\",{TRACE},,,\n\
         worth,50%,{TRACE},,,\n\
         works,FALSE,{TRACE},,2026-11-17T10:00:00Z,\n"
    );
    std::fs::write(&file, table).unwrap();
    let file = file.to_str().unwrap();
    let missing = error(&score(&data, &["import", file]));
    assert!(missing.contains("is not there"), "{missing}");
    std::fs::create_dir(&data).unwrap();
    let strict = error(&score(&data, &["import", "--strict", file]));
    assert!(strict.contains("nothing was imported"), "{strict}");
    for _ in 0..2 {
        let told = error(&score(&data, &["import", "--source", "user", file]));
        assert!(told.contains("line 3: it is about nothing") && told.contains("line 5: `time` is no"), "{told}");
        assert!(told.contains("line 6: `0,5` is no number") && told.contains("line 7: `50%` is no number"), "{told}");
        assert!(told.contains("3 scores imported, 4 rows are wrong"), "{told}");
    }
    // A word in JSON is no `value`: what to use is told.
    let words = temporary.path().join("words.jsonl");
    std::fs::write(&words, format!("{{\"name\": \"tone\", \"value\": \"friendly\", \"trace_id\": \"{TRACE}\"}}\n"))
        .unwrap();
    let told = error(&score(&data, &["import", words.to_str().unwrap()]));
    assert!(told.contains("give a word as `label`"), "{told}");
    assert!(told.contains("1 row is wrong, and nothing was imported") && !told.contains("others"), "{told}");
    let rows =
        sql(&data, "SELECT name, data_type, label, source, time, metadata['page'] AS page FROM evaluations ORDER BY 1");
    assert_eq!(
        json!(rows),
        json!([
            {"name": "helpful", "data_type": "boolean", "label": null, "source": "user", "time": "2026-11-17T10:00:00Z",
                "page": "3"},
            {"name": "tone", "data_type": "categorical", "label": "friendly", "source": "user",
                "time": "2026-11-17T10:00:00Z", "page": null},
            {"name": "works", "data_type": "boolean", "label": null, "source": "user", "time": "2026-11-17T10:00:00Z",
                "page": null},
        ])
    );
}

#[test]
fn agreement_is_what_statsmodels_computes() {
    let Some(python) = python("agreement_is_what_statsmodels_computes") else { return };
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    std::fs::create_dir(&data).unwrap();
    // Four reviewers, thirty answers, three words; reviewers lean towards the first's word.
    let words: Vec<Vec<&str>> = (0..30_usize)
        .map(|thing| {
            let word = |at: usize| ["good", "poor", "wrong"][at % 3];
            (0..4)
                .map(|reviewer| word(if (thing * 7 + reviewer * 5) % 4 < 2 { thing } else { thing + reviewer }))
                .collect()
        })
        .collect();
    let mut lines = String::new();
    for (thing, said) in words.iter().enumerate() {
        for (reviewer, label) in said.iter().enumerate() {
            let trace = format!("{:032x}", thing + 1);
            let row = json!({"name": "grade", "label": label, "trace_id": trace, "author": reviewer.to_string(),
                "source": "human", "time": "2026-11-17T10:00:00Z"});
            lines += &format!("{row}\n");
        }
    }
    let file = temporary.path().join("grades.jsonl");
    std::fs::write(&file, lines).unwrap();
    done(&score(&data, &["import", file.to_str().unwrap()]));
    let query = |name: &str| {
        let arguments =
            ["query", name, "--param", "since=2026-11-01", "--param", "until=2026-12-01", "--format", "json"];
        crate::server::rows(Command::new(BINARY).args(arguments).args(["--data", data.to_str().unwrap()]), name)
    };
    let table = temporary.path().join("words.json");
    std::fs::write(&table, json!(words).to_string()).unwrap();
    let oracle = run(Command::new(python).arg(script("agreement.py")).arg(&table));
    let oracle: Value = serde_json::from_str(&oracle).unwrap();
    let close = |ours: &Value, theirs: &Value| {
        let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
        assert!((ours - theirs).abs() <= 5e-5, "{ours} {theirs}");
    };
    let fleiss = query("reviewer_agreement");
    assert_eq!((&fleiss[0]["things"], &fleiss[0]["judgements"]), (&json!(30), &json!(120)));
    close(&fleiss[0]["fleiss_kappa"], &oracle["fleiss"]);
    let cohen = query("judge_agreement");
    assert_eq!(cohen.len(), 6);
    for pair in &cohen {
        let judge = |side: &str| pair[side].as_str().unwrap().strip_prefix("human ").unwrap().to_owned();
        close(&pair["cohens_kappa"], &oracle["cohen"][format!("{} {}", judge("first_judge"), judge("second_judge"))]);
    }
}

/// Two textbook examples. Two readers of 50 applications both say yes to 20 and no to 15, only the first to 5, only the
/// second to 10: they agree on 0.7, by chance on 0.5 × 0.6 + 0.5 × 0.4, so that kappa is 0.4
/// (<https://en.wikipedia.org/wiki/Cohen%27s_kappa>, "Examples"). Fourteen raters put each of ten subjects into one of five
/// categories: agreement 0.378, by chance 0.213, kappa 0.210 (<https://en.wikipedia.org/wiki/Fleiss%27_kappa>, "Worked
/// example", which gives three digits).
#[test]
fn agreement_is_that_of_the_textbooks() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let given = |name: &str, thing: usize, author: String, label: &str| {
        let row = json!({"name": name, "label": label, "trace_id": format!("{thing:032x}"), "author": author,
            "source": "human", "time": "2026-11-17T10:00:00Z"});
        format!("{row}\n")
    };
    let readers = [("yes", "yes", 20), ("yes", "no", 5), ("no", "yes", 10), ("no", "no", 15)];
    let applications = readers.iter().flat_map(|(first, second, times)| vec![(*first, *second); *times]);
    let mut lines: String = (1..)
        .zip(applications)
        .map(|(thing, (first, second))| {
            given("grant", thing, "a".into(), first) + &given("grant", thing, "b".into(), second)
        })
        .collect();
    let ratings = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ];
    for (subject, counts) in (101..).zip(ratings) {
        let categories = (1_u8..).zip(counts).flat_map(|(category, raters)| vec![category; raters]);
        for (rater, category) in categories.enumerate() {
            lines += &given("subject", subject, rater.to_string(), &category.to_string());
        }
    }
    let file = temporary.path().join("ratings.jsonl");
    std::fs::write(&file, lines).unwrap();
    done(&score(&data, &["import", "--strict", file.to_str().unwrap()]));
    let query = |query: &str, name: &str| {
        let of = format!("name={name}");
        let arguments =
            ["query", query, "-p", "since=2026-11-01", "-p", "until=2026-12-01", "-p", of.as_str(), "--format", "json"];
        let rows =
            crate::server::rows(Command::new(BINARY).args(arguments).args(["--data", data.to_str().unwrap()]), query);
        assert_eq!(rows.len(), 1, "{query}: {rows:?}");
        rows[0].clone()
    };
    let numbers = |row: &Value, names: [&str; 3]| names.map(|name| row[name].as_f64().unwrap());
    let cohen = numbers(&query("judge_agreement", "grant"), ["agreement", "by_chance", "cohens_kappa"]);
    assert_eq!(cohen, [0.7, 0.5, 0.4]);
    let fleiss = numbers(&query("reviewer_agreement", "subject"), ["agreement", "by_chance", "fleiss_kappa"]);
    assert_eq!(fleiss.map(|number| (number * 1_000.0).round() / 1_000.0), [0.378, 0.213, 0.21]);
}
