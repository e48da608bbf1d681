//! The regression loop: from a failure in traffic to a decision about a release.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{BINARY, Server};
use crate::spans::now;

mod capture;
mod datasets;
mod deploy;
mod exchange;
mod grpc;
mod history;
mod judge;
mod masking;
mod model;
mod promptfoo;
mod releases;
mod replay;
mod review;
mod story;
mod traffic;

/// Runs a command of the binary over `data`, as Ann.
fn tracewell(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--data", data.to_str().unwrap()]);
    command.env("TRACEWELL_AUTHOR", "ann").env_remove("TRACEWELL_CONFIG").output().unwrap()
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn rows(output: Output) -> Vec<Value> {
    serde_json::from_str(&done(output)).unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// A chat as OTLP JSON: what was asked, and what was answered.
fn chat(number: u32, asked: &str, answered: &str, failed: bool, more: &[(&str, &str)]) -> Value {
    let start = now() - 60_000_000_000 + u64::from(number) * 1_000_000;
    let input = json!([{"role": "user", "parts": [{"type": "text", "content": asked}]}]);
    let instructions = json!([{"type": "text", "content": "You help with refunds."}]);
    let output =
        json!([{"role": "assistant", "parts": [{"type": "text", "content": answered}], "finish_reason": "stop"}]);
    let mut attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4.1-mini"),
        text("gen_ai.prompt.name", "refund-helper"),
        text("gen_ai.prompt.version", "12"),
        text("gen_ai.system_instructions", &instructions.to_string()),
        text("gen_ai.input.messages", &input.to_string()),
    ];
    if !failed {
        attributes.push(text("gen_ai.output.messages", &output.to_string()));
    }
    attributes.extend(more.iter().map(|(key, value)| text(key, value)));
    json!({
        "traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"), "name": "chat", "kind": 3,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 500_000_000).to_string(),
        "status": if failed { json!({"code": 2, "message": "the answer was cut"}) } else { json!({}) },
        "attributes": attributes,
    })
}

async fn send(server: &Server, spans: Vec<Value>) {
    let body = json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "app"}, "spans": spans}]}]});
    let answer = server.post("/v1/traces", "application/json", body.to_string().into_bytes()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_become_examples_without_repeating_themselves() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let asked = [
        "My parcel 4711 arrived broken, I want my money back for the lamp",
        "My parcel 4711 arrived broken, I want my money back for the lamp",
        "My parcel 4711 arrived broken, I want my money back for the lamp!",
        "How long do refunds to a credit card take after you got the return?",
        "Thanks, all is well",
    ];
    let spans = asked.iter().zip(1..).map(|(asked, number)| chat(number, asked, "Sure.", number != 5, &[]));
    // A trial is no traffic.
    let trial = chat(6, "Is a trial traffic?", "No.", true, &[("tracewell.example.id", "x")]);
    send(&server, spans.chain([trial]).collect()).await;

    let capture = |more: &[&str]| {
        let fixed = ["examples", "capture", "error", "--dataset", "refunds", "--since", "1d", "--format", "json"];
        tracewell(&data, &[&fixed[..], more].concat())
    };
    let dry = capture(&["--dry-run"]);
    assert!(said(&dry).contains("1 of what was caught are trials"), "{}", said(&dry));
    let dry = rows(dry);
    let of = |what: &str| dry.iter().filter(|row| row["what"] == what).count();
    assert_eq!((of("taken"), of("duplicate"), of("near_duplicate")), (2, 1, 1), "{dry:?}");
    let near = dry.iter().find(|row| row["what"] == "near_duplicate").unwrap();
    assert!(near["similarity"].as_str().unwrap().parse::<f64>().unwrap() > 0.8);
    assert_eq!(rows(tracewell(&data, &["dataset", "list", "--format", "json"])), [] as [Value; 0]);

    let taken = rows(capture(&["--note", "what failed yesterday", "--split", "test", "--tag", "hard"]));
    assert_eq!(taken, dry, "the same calls and the same seed give the same examples");
    let again = capture(&[]);
    assert!(said(&again).contains("no example was taken; `refunds` stays at v1"), "{}", said(&again));

    let listed = rows(tracewell(&data, &["dataset", "list", "--format", "json"]));
    assert_eq!(
        (&listed[0]["dataset"], &listed[0]["version"], &listed[0]["examples"]),
        (&json!("refunds"), &json!(1), &json!(2))
    );
    let kept = server.sql("SELECT messages, reason, trace_id, span_id, content_hash, author, note, tags FROM examples ORDER BY reason, trace_id");
    assert_eq!(kept.len(), 2);
    let messages: Value = serde_json::from_str(kept[1]["messages"].as_str().unwrap()).unwrap();
    let question = "How long do refunds to a credit card take after you got the return?";
    assert_eq!(
        messages,
        json!([{"role": "system", "content": "You help with refunds."}, {"role": "user", "content": question}])
    );
    assert_eq!(
        (&kept[1]["trace_id"], &kept[1]["span_id"]),
        (&json!(format!("{:032x}", 4)), &json!(format!("{:016x}", 4)))
    );
    assert_eq!(
        (&kept[1]["author"], &kept[1]["note"], &kept[1]["tags"]),
        (&json!("ann"), &json!("what failed yesterday"), &json!(["hard"]))
    );
    assert!(kept[1]["reason"].as_str().unwrap().contains("the answer was cut"));

    // Out to a file and in again: nothing changes. A corrected line makes a revision, a wrong one is listed.
    let file = temporary.path().join("refunds.jsonl");
    let path = file.to_str().unwrap();
    done(tracewell(&data, &["dataset", "export", "refunds@v1", "--to", "jsonl", "--output", path, "--unmasked"]));
    let same = tracewell(&data, &["dataset", "import", "refunds", path]);
    assert!(
        said(&same).contains("2 examples were read, 0 changed something, 0 entries are wrong: `refunds@v1`"),
        "{}",
        said(&same)
    );
    let lines = std::fs::read_to_string(&file).unwrap();
    let mut first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    first["expected"] = json!({"text": "Ten days."});
    std::fs::write(&file, format!("{first}\nnot json\n")).unwrap();
    let strict = tracewell(&data, &["dataset", "import", "refunds", path, "--strict"]);
    assert!(
        !strict.status.success() && said(&strict).contains("nothing was taken: line 2: not JSON"),
        "{}",
        said(&strict)
    );
    let partly = tracewell(&data, &["dataset", "import", "refunds", path]);
    assert!(!partly.status.success() && said(&partly).contains(", line 2: not JSON"), "{}", said(&partly));
    let changes = rows(tracewell(&data, &["dataset", "diff", "refunds@v1", "refunds", "--format", "json"]));
    assert_eq!(
        json!(changes),
        json!([{"example": first["id"], "what": "changed", "member": "expected", "before": null,
            "after": json!({"text": "Ten days."}).to_string()}])
    );
    let log = rows(tracewell(&data, &["dataset", "log", "refunds", "--format", "json"]));
    assert_eq!(
        (log[0]["version"].clone(), log[0]["patched"].clone(), log[1]["created"].clone()),
        (json!(2), json!(1), json!(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_takes_failures_once_for_each_of_its_moments() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let asked = ["The lamp arrived broken", "How long do refunds to a credit card take?", "Thanks"];
    let spans = asked.iter().zip(1..).map(|(asked, number)| chat(number, asked, "Sure.", number < 3, &[]));
    send(&server, spans.collect()).await;
    server.stop();

    let config = temporary.path().join("tracewell.toml");
    // Due at the beginning of each year, so that all servers of this test see the same moment.
    let schedule = |cron: &str| {
        let text = format!(
            "[capture]\ninterval = '100ms'\n[[capture.schedules]]\nname = 'failures'\nrule = 'error'\n\
             dataset = 'refunds'\ncron = '{cron}'\ntime_zone = 'Europe/Berlin'\nback = '1d'\nlimit = 1\ntags = ['found']\n"
        );
        std::fs::write(&config, text).unwrap();
    };
    schedule("0 0 1 1 *");
    let log = || std::fs::read_to_string(data.with_extension("log")).unwrap();
    let run = async |said: &str| {
        let before = log().matches(said).count();
        let server = Server::start(&data, &["--config", config.to_str().unwrap()]).await;
        let deadline = Instant::now() + Duration::from_secs(30);
        while log().matches(said).count() == before {
            assert!(Instant::now() < deadline, "it never says `{said}`: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let rows = server.sql("SELECT version, author, note, tags FROM examples ORDER BY version");
        server.stop();
        rows
    };
    let first = run("1 of 2 that were caught are new examples: `refunds@v1`").await;
    assert_eq!((&first[0]["author"], &first[0]["tags"]), (&json!("schedule/failures"), &json!(["found"])));
    let note = first[0]["note"].as_str().unwrap();
    assert!(note.starts_with("due 20") && note.ends_with("-12-31T23:00:00Z"), "midnight in Berlin: {note}");
    // Another failure waits, and is for another moment.
    assert_eq!(run("was taken before").await, first);
    schedule("* * * * *");
    assert_eq!(run("1 of 2 that were caught are new examples: `refunds@v2`").await.len(), 2);

    let wrong = |from: &str, to: &str, told: &str| {
        schedule("0 0 * * *");
        let text = std::fs::read_to_string(&config).unwrap().replace(from, to);
        std::fs::write(&config, text).unwrap();
        let output = tracewell(&data, &["serve", "--config", config.to_str().unwrap()]);
        assert!(!output.status.success() && said(&output).contains(told), "{}", said(&output));
    };
    wrong("0 0 * * *", "daily", "is no cron expression");
    wrong("Europe/Berlin", "Berlin", "is no time zone");
    wrong("'error'", "'eror'", "there is no rule `eror`");
}

const CASES: [(&str, &str, &str); 4] = [
    ("a", "How many days?", "Ten days."),
    ("b", "Who pays the parcel?", "We do."),
    ("c", "Is a voucher possible?", "Yes."),
    ("d", "Where do I send it?", "To Ghent."),
];

/// A dataset `refunds` of [`CASES`], imported.
fn dataset(data: &Path, folder: &Path) {
    let file = folder.join("cases.jsonl");
    let line = |(id, asked, expected): &(&str, &str, &str)| {
        json!({"id": id, "messages": [{"role": "user", "content": asked}], "expected": {"text": expected},
            "parameters": {"model": "gpt-4.1-mini"}})
        .to_string()
    };
    std::fs::write(&file, CASES.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    done(tracewell(data, &["dataset", "import", "refunds", file.to_str().unwrap()]));
}

#[test]
fn a_gate_that_would_compare_nothing_is_not_asked() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, file) = (temporary.path().join("data"), temporary.path().join("cases.jsonl"));
    let line = json!({"id": "a", "input": "Which order?", "expected": {"text": "{\"order\": {\"id\": 7}}"}});
    std::fs::write(&file, line.to_string()).unwrap();
    done(tracewell(&data, &["dataset", "import", "refunds", file.to_str().unwrap()]));
    let gate = temporary.path().join("gate.toml");
    let decide = |pointer: &str| {
        let text = format!(
            "name = 'g'\ndataset = 'refunds@v1'\ncandidate = 'version:helper@1'\nminimum_sample = 1\n\
             [[scorer]]\nname = 'same'\nkind = 'json-fields'\npointers = ['{pointer}']\nmin_pass_rate = 1.0\n"
        );
        std::fs::write(&gate, text).unwrap();
        tracewell(&data, &["gate", gate.to_str().unwrap()])
    };
    assert_eq!(decide("/order/id").status.code(), Some(2), "nothing was tried");
    let misspelt = decide("/ordr/id");
    assert_eq!(misspelt.status.code(), Some(3), "{}", said(&misspelt));
    assert!(said(&misspelt).contains("scorer `same`: no expected answer has `/ordr/id`"), "{}", said(&misspelt));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_decides_on_the_runs_of_a_harness_of_ones_own() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    dataset(&data, temporary.path());
    let mut number = 0;
    let mut trial = |candidate: &str, case: usize, answer: &str| {
        number += 1;
        let (id, asked, _) = CASES[case];
        let marks =
            [("tracewell.example.id", id), ("tracewell.candidate", candidate), ("tracewell.dataset", "refunds")];
        chat(number, asked, answer, false, &marks)
    };
    let right = |case: usize| CASES[case].2;
    let mut spans: Vec<Value> = (0..4).map(|case| trial("refund-helper@12", case, right(case))).collect();
    spans.extend((0..4).map(|case| trial("refund-helper@13", case, if case == 1 { "You do." } else { right(case) })));
    spans.extend((0..3).map(|case| trial("refund-helper@14", case, right(case))));
    send(&server, spans).await;

    let file = temporary.path().join("gate.toml");
    let gate = |candidate: &str, arguments: &[&str]| {
        let text = format!(
            "name = 'refunds'\ndataset = 'refunds@v1'\nbaseline = 'version:refund-helper@12'\n\
             candidate = 'version:refund-helper@{candidate}'\nminimum_sample = 4\n\
             [[scorer]]\nname = 'right'\nkind = 'exact'\nmin_pass_rate = 1.0\n"
        );
        std::fs::write(&file, text).unwrap();
        tracewell(&data, &[&["gate", file.to_str().unwrap()][..], arguments].concat())
    };
    let passed = gate("12", &[]);
    assert_eq!(passed.status.code(), Some(0), "{}", said(&passed));
    let junit = temporary.path().join("gate.xml");
    let failed = gate("13", &["--format", "md", "--write", &format!("junit={}", junit.display())]);
    assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
    assert!(said(&failed).contains("You do."), "what differs is shown: {}", said(&failed));
    assert!(std::fs::read_to_string(junit).unwrap().contains("<failure"));
    let lacking = gate("14", &["--format", "json"]);
    assert_eq!(lacking.status.code(), Some(2), "{}", said(&lacking));
    let nothing = gate("99", &["--dry-run"]);
    assert_eq!(nothing.status.code(), Some(2), "{}", said(&nothing));

    let verdicts = server.sql("SELECT decision, prompt, prompt_revision, dataset_version, examples, author FROM verdicts ORDER BY recorded_at");
    // None of these versions is on record.
    let verdict = |decision: &str| {
        json!({"decision": decision, "prompt": null, "prompt_revision": null, "dataset_version": 1,
            "examples": 4, "author": "ann"})
    };
    assert_eq!(json!(verdicts), json!([verdict("pass"), verdict("fail"), verdict("not_enough_evidence")]));
    let changed = server.sql("SELECT changes FROM verdicts WHERE decision = 'fail'");
    let changed: Value = serde_json::from_str(changed[0]["changes"].as_str().unwrap()).unwrap();
    assert_eq!((changed.as_array().unwrap().len(), &changed[0]["example"]), (1, &json!("b")));

    // Which days were read is said; what was tried before the dataset began is not looked at unless asked for.
    let began = rows(tracewell(
        &data,
        &["sql", "--format", "json", "SELECT CAST(min(date) - INTERVAL '1 day' AS date) AS day FROM examples"],
    ));
    let began = began[0]["day"].as_str().unwrap();
    assert!(said(&gate("12", &[])).contains(&format!("Trials of {began} and later were read")), "{began}");
    let tomorrow = chrono::Utc::now().date_naive() + chrono::Days::new(1);
    let later = gate("12", &["--since", &tomorrow.to_string(), "--dry-run"]);
    assert_eq!(later.status.code(), Some(2), "{}", said(&later));
    assert!(said(&later).contains(&format!("Trials of {tomorrow} and later were read, as asked for")));

    // What keeps it from being asked is no verdict.
    let not_asked = |arguments: &[&str], told: &str| {
        let output = tracewell(&data, arguments);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains(told), "{}", said(&output));
    };
    not_asked(&["gate", "nowhere.toml"], "cannot read `nowhere.toml`");
    not_asked(&["gate"], "<FILE>");
    not_asked(&["gate", "--list", "--format", "html"], "as text or JSON");
    let path = file.to_str().unwrap();
    not_asked(&["gate", path, "--formt", "md"], "--formt");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("refunds@v1", "refund@v1")).unwrap();
    not_asked(&["gate", path], "there is no dataset `refund`; there is `refunds`");
    std::fs::write(&file, "modell = 1\n").unwrap();
    not_asked(&["gate", path], "is no gate");
    assert_eq!(tracewell(&data, &["gate", "--help"]).status.code(), Some(0));
    assert_eq!(tracewell(&data, &["replay", "--formt", "md"]).status.code(), Some(2), "2 is an answer of gates alone");
}
