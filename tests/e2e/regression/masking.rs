//! What leaves is masked: datasets, sheets, and what a gate prints and writes.

use std::process::Command;

use serde_json::{Value, json};

use super::judge::judge;
use super::model::{Model, start};
use super::replay::{candidate, replay};
use super::{CASES, chat, done, said, send, tracewell};
use crate::server::{BINARY, Server};

#[test]
fn a_dataset_leaves_masked_as_its_policy_says_with_a_report() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let asked = "I am ann@example.org, customer C-77, from 203.0.113.9";
    let line = json!({"id": "a", "input": asked, "expected": "I wrote to ann@example.org."});
    std::fs::write(path("cases.jsonl"), line.to_string()).unwrap();
    done(tracewell(&data, &["dataset", "import", "refunds", &path("cases.jsonl")]));
    let export = |more: &[&str]| {
        let output = tracewell(&data, &[&["dataset", "export", "refunds", "--to", "jsonl"][..], more].concat());
        (said(&output), serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default())
    };

    let (told, masked) = export(&["--report", &path("report.json")]);
    assert_eq!(masked["messages"][0]["content"], "I am [EMAIL_1], customer C-77, from [IP_1]");
    assert_eq!(masked["expected"]["text"], "I wrote to [EMAIL_1].");
    assert!(told.contains("masked: 2 email, 1 ip"), "{told}");
    let report: Value = serde_json::from_slice(&std::fs::read(path("report.json")).unwrap()).unwrap();
    assert_eq!(report["counts"], json!({"email": 2, "ip": 1}));

    let policy = "except = ['ip']\npatterns = { customer = 'customer (C-\\d+)' }\nkey = 'MASK_KEY'\n";
    std::fs::write(path("policy.toml"), policy).unwrap();
    let keyed = |key: Option<&str>, more: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["dataset", "export", "refunds", "--to", "jsonl", "--policy", &path("policy.toml")]).args(more);
        command.args(["--data", data.to_str().unwrap()]).env_remove("TRACEWELL_CONFIG").env_remove("MASK_KEY");
        command.envs(key.map(|key| ("MASK_KEY", key))).output().unwrap()
    };
    let content = |output| serde_json::from_str::<Value>(&done(output)).unwrap()["messages"][0]["content"].clone();
    let one = content(keyed(Some("one"), &[]));
    assert!(one.as_str().unwrap().ends_with(", from 203.0.113.9") && !one.as_str().unwrap().contains("C-77"), "{one}");
    assert_eq!(content(keyed(Some("one"), &[])), one, "a key gives the same placeholders each time");
    assert_ne!(content(keyed(Some("two"), &[])), one);
    let missing = keyed(None, &[]);
    assert!(!missing.status.success() && said(&missing).contains("`MASK_KEY`, which is not set"), "{}", said(&missing));

    let (told, whole) = export(&["--unmasked"]);
    assert_eq!(whole["messages"][0]["content"], asked);
    assert!(told.contains("nothing was masked, as asked"), "{told}");
}

#[test]
fn a_sheet_leaves_masked_and_its_placeholders_replace_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let cases = folder.join("cases.jsonl");
    let line = json!({"id": "a", "input": "I am ann@example.org", "output": "Hello ann@example.org"});
    std::fs::write(&cases, line.to_string()).unwrap();
    done(tracewell(&data, &["dataset", "import", "refunds", cases.to_str().unwrap()]));
    done(tracewell(&data, &["review", "add", "greetings", "--dataset", "refunds"]));
    let sheet = done(tracewell(&data, &["review", "export", "greetings"]));
    assert!(sheet.contains("I am [EMAIL_1]") && sheet.contains("Hello [EMAIL_1]"), "{sheet}");
    assert!(!sheet.contains("ann@"), "{sheet}");
    let whole = done(tracewell(&data, &["review", "export", "greetings", "--unmasked"]));
    assert!(whole.contains("Hello ann@example.org"), "{whole}");

    let filled = folder.join("filled.csv");
    std::fs::write(&filled, "item,outcome,expected\nrefunds/a,correct,\"Good day, [EMAIL_1]\"\n").unwrap();
    let import = ["review", "import", "greetings", filled.to_str().unwrap()];
    let refused = tracewell(&data, &import);
    assert!(!refused.status.success() && said(&refused).contains("`expected` holds `[EMAIL_1]`"), "{}", said(&refused));
    // A row that is refused judges nothing: the next of the same item does.
    let twice = folder.join("twice.csv");
    std::fs::write(&twice, "item,outcome,expected\nrefunds/a,correct,\"Good day, [EMAIL_1]\"\na,accept,\n").unwrap();
    let judged = said(&tracewell(&data, &["review", "import", "greetings", twice.to_str().unwrap()]));
    assert!(judged.contains("1 judged, 1 row is wrong"), "{judged}");
    done(tracewell(&data, &[&import[..], &["--masked"]].concat()));
    let shown = done(tracewell(&data, &["dataset", "show", "refunds", "--format", "json"]));
    assert!(shown.contains("Good day, [EMAIL_1]"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gate_prints_and_writes_is_masked_and_its_record_is_whole() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let server = Server::start(&data, &[]).await;
    super::dataset(&data, folder);
    let trial = |number: u32, candidate: &str, answer: &str| {
        let marks =
            [("tracewell.example.id", "a"), ("tracewell.candidate", candidate), ("tracewell.dataset", "refunds")];
        chat(number, super::CASES[0].1, answer, false, &marks)
    };
    let wrong = "Ask ann@example.org.";
    send(&server, vec![trial(1, "helper@1", super::CASES[0].2), trial(2, "helper@2", wrong)]).await;
    let file = folder.join("gate.toml");
    let gate = "name = 'refunds'\ndataset = 'refunds@v1'\nbaseline = 'version:helper@1'\ncandidate = 'version:helper@2'\n\
        minimum_sample = 1\nnever_fail = ['a']\n[[scorer]]\nname = 'right'\nkind = 'exact'\nmin_pass_rate = 1.0\n";
    std::fs::write(&file, gate).unwrap();
    let formats = ["text", "json", "junit", "md", "html"];
    let run = |format: &str, more: &[&str]| {
        let copy = folder.join(format);
        let write = format!("{format}={}", copy.display());
        let arguments = ["gate", file.to_str().unwrap(), "--format", format, "--write", &write];
        let output = tracewell(&data, &[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        (said(&output), std::fs::read_to_string(copy).unwrap())
    };
    for format in formats {
        let (printed, written) = run(format, &[]);
        for text in [&printed, &written] {
            assert!(text.contains("[EMAIL_1]") && !text.contains("ann@"), "{format}: {text}");
        }
        let (printed, written) = run(format, &["--unmasked", "--dry-run"]);
        for text in [&printed, &written] {
            assert!(text.contains("ann@example.org") && !text.contains("[EMAIL_1]"), "{format}: {text}");
        }
    }
    let kept = server.sql("SELECT changes FROM verdicts LIMIT 1");
    assert!(kept[0]["changes"].as_str().unwrap().contains(wrong), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_models_is_masked_where_asked_and_what_they_answer_is_whole() {
    let temporary = tempfile::tempdir().unwrap();
    let (data, folder) = (temporary.path().join("data"), temporary.path());
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let asked = format!("I am ann@example.org. {}", CASES[0].1);
    let line = json!({"id": "a", "input": asked, "expected": "Ten days. I wrote to ann@example.org."});
    std::fs::write(path("cases.jsonl"), line.to_string()).unwrap();
    done(tracewell(&data, &["dataset", "import", "refunds", &path("cases.jsonl")]));
    let (url, model) = start(Model::default()).await;
    let helper = candidate(folder, "helper@1", &url, "Be kind.");
    let judge = judge(folder, &format!("{url}/v1"), "openai", "gpt-4.1");
    let bodies = || model.lock().unwrap().asked.iter().map(Value::to_string).collect::<Vec<_>>();

    let report = path("report.json");
    let masked = ["--mask", "--report", report.as_str(), "--judge", judge.to_str().unwrap()];
    let told = replay(&data, &helper, &masked).await;
    assert!(told.status.success() && said(&told).contains("masked: "), "{}", said(&told));
    assert_eq!(bodies().len(), 2, "the answer and its judgement");
    assert!(bodies().iter().all(|body| body.contains("[EMAIL_1]") && !body.contains("ann@")), "{:?}", bodies());
    let listed: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(listed["masked"][0]["kind"], "email");
    // Held against what is expected it is right, by the rule and by the judge.
    let gate = "name = 'refunds'\ndataset = 'refunds@v1'\ncandidate = 'version:helper@1'\nminimum_sample = 1\n\
        [[scorer]]\nname = 'same'\nkind = 'exact'\nmin_pass_rate = 1.0\n\
        [[scorer]]\nname = 'right'\nkind = 'recorded'\nmin_score = 1.0\n";
    std::fs::write(path("gate.toml"), gate).unwrap();
    let decided = tracewell(&data, &["gate", &path("gate.toml")]);
    assert_eq!(decided.status.code(), Some(0), "{}", said(&decided));

    // Without it another request is sent, which is another replay.
    let plain = replay(&data, &helper, &[]).await;
    assert!(said(&plain).contains("1 answered, 0 were there"), "{}", said(&plain));
    assert!(bodies()[2].contains("ann@example.org"), "{:?}", bodies());
    let alone = replay(&data, &helper, &["--report", &report]).await;
    assert!(!alone.status.success() && said(&alone).contains("go with --mask"), "{}", said(&alone));
}
