//! What was said of answers, and whose figure that is.

use serde_json::{Value, json};

use super::{import_records, note};
use crate::reports::{call, import, known, report, span, table, text, tile, tracewell};
use crate::server::sql;

/// Of four users one gives 4 of 5, one 2, one a thumb, one a word that is no praise. Two of them have no name and say
/// something of one run: neither takes back the other's.
#[test]
fn feedback_is_good_from_where_the_settings_say_and_by_its_label() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let given = |trace: &str, minute: u32, said: Value| {
        let mut row = json!({
            "name": "stars", "source": "user", "trace_id": format!("{trace:0>32}"),
            "time": format!("2026-11-18T13:{minute:02}:00Z"),
        });
        row.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        row.to_string()
    };
    let rows = [
        given("57", 1, json!({"value": 4})),
        given("57", 2, json!({"value": 2})),
        given("58", 3, json!({"label": "Thumbs_Up", "author": "ann"})),
        given("d8", 4, json!({"label": "meh", "author": "bob"})),
    ];
    let file = folder.path().join("feedback.jsonl");
    std::fs::write(&file, rows.join("\n") + "\n").unwrap();
    text(tracewell(&data, &["score", "import", file.to_str().unwrap(), "--strict"]));
    let label = "Users' feedback that is good";
    let usual = report(&data, "quality", "2026-11-18", &["--tz", "UTC"]);
    assert_eq!(tile(&usual, label), 0.75);
    assert!(note(&usual, label).starts_with("of 4 answers"), "{}", note(&usual, label));

    let settings = folder.path().join("settings.toml");
    std::fs::write(&settings, "[report.good_outcome]\nfeedback_at_least = 3\nfeedback_labels = ['meh']\n").unwrap();
    let stars = report(&data, "quality", "2026-11-18", &["--tz", "UTC", "--config", settings.to_str().unwrap()]);
    // The 4 and the word, not the 2 and not the thumb.
    assert_eq!(tile(&stars, label), 0.5);
}

/// Two judges give each of two answers of 18 November a score by nothing but the id of the response: the first 0 and 1,
/// the second 0 and 0. The run of the first is judged low by both.
#[test]
fn a_score_that_names_a_response_is_of_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let answered = |id: &str| call("greet").into_iter().chain([("gen_ai.response.id", json!(id))]).collect::<Vec<_>>();
    let spans = vec![span("f1", "f100", "", 0, &answered("r-1")), span("f2", "f200", "", 1, &answered("r-2"))];
    import(&data, folder.path(), spans);
    let given = |id: &str, author: &str, value: &str| {
        let members = [
            ("event.name", json!("gen_ai.evaluation.result")),
            ("gen_ai.evaluation.name", json!("polite")),
            ("gen_ai.evaluation.score.value", json!(value)),
            ("gen_ai.response.id", json!(id)),
            ("tracewell.score.source", json!("human")),
            ("tracewell.score.author", json!(author)),
        ];
        let attributes = members.map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}));
        json!({"timeUnixNano": "1795003260000000000", "eventName": "gen_ai.evaluation.result", "attributes": attributes})
    };
    let records =
        [given("r-1", "ann", "0"), given("r-2", "ann", "1"), given("r-1", "bob", "0"), given("r-2", "bob", "0")];
    import_records(&data, folder.path(), "evals", &records);

    let rows = sql(
        &data,
        "SELECT trace_id, cardinality(scores) AS n, scores[1]['span_id'] AS span FROM runs WHERE prompts[1] LIKE 'greet%' ORDER BY trace_id",
    );
    let run = |trace: &str| json!({"trace_id": format!("{trace:0>32}"), "n": 2, "span": format!("{:0>16}", format!("{trace}00"))});
    assert_eq!(json!(rows), json!([run("f1"), run("f2")]));

    let page = report(&data, "quality", "2026-11-18", &["--tz", "UTC"]);
    let scores = table(&page, "Scores, the last word of each judge");
    let polite = scores.iter().find(|row| row[2] == "polite").unwrap();
    // Four of them, a quarter of them 1.
    assert_eq!(json!(polite[..6]), json!(["greet", "99", "polite", "human", 4, 0.25]));

    // Of two things they agree on one. Ann says 0 and 1 once each, bob 0 twice: by chance they agree in 1/2 × 1.
    let asked = ["query", "judge_agreement", "-p", "since=2026-11-18T00:00:00Z", "-p", "until=2026-11-19T00:00:00Z"];
    let rows: Value =
        serde_json::from_str(&text(tracewell(&data, &[&asked[..], &["--format", "json"]].concat()))).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == "polite").unwrap();
    let said = ["things", "agreement", "by_chance", "cohens_kappa"].map(|name| row[name].as_f64().unwrap());
    assert_eq!(said, [2.0, 0.5, 0.5, 0.0]);
    // Of reviewers three of four say 0: 9/16 + 1/16 by chance; (0.5 - 0.625) / 0.375.
    let asked = ["query", "reviewer_agreement", "-p", "since=2026-11-18T00:00:00Z", "-p", "until=2026-11-19T00:00:00Z"];
    let rows: Value =
        serde_json::from_str(&text(tracewell(&data, &[&asked[..], &["--format", "json"]].concat()))).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == "polite").unwrap();
    let said =
        ["things", "judgements", "agreement", "by_chance", "fleiss_kappa"].map(|name| row[name].as_f64().unwrap());
    assert_eq!(said, [2.0, 4.0, 0.5, 0.625, -0.3333]);

    // A trial's answer is scored, too, and a document that bob's run 57 found.
    let tried: Vec<_> = answered("r-9").into_iter().chain([("tracewell.example.id", json!("x"))]).collect();
    import(&data, folder.path(), vec![span("f9", "f900", "", 2, &tried)]);
    import_records(&data, folder.path(), "evals", &[given("r-9", "ann", "0")]);
    let found = ["score", "add", "fit", "0", "--document", "d", "--time", "2026-11-18T13:00:00Z", "--trace"];
    text(tracewell(&data, &[&found[..], &[format!("{:0>32}", "57").as_str()]].concat()));
    let day = ["-p", "since=2026-11-18T00:00:00Z", "-p", "until=2026-11-19T00:00:00Z", "--format", "json"];
    let rows = |query: &str| -> Vec<Value> {
        serde_json::from_str(&text(tracewell(&data, &[&["query", query], &day[..]].concat()))).unwrap()
    };
    let by_prompt: Vec<_> = rows("scores_by_prompt").into_iter().filter(|row| row["name"] == "polite").collect();
    assert_eq!(by_prompt.len(), 1, "{by_prompt:?}");
    let polite = ["prompt_name", "prompt_version", "scores", "mean"].map(|name| by_prompt[0][name].clone());
    assert_eq!(polite, [json!("greet"), json!("99"), json!(4), json!(0.25)]);
    let users = rows("users_with_bad_experience");
    let low = |user: &str| Some(users.iter().find(|row| row["user_id"] == user)?["scored_low"].clone());
    assert_eq!((low("zoe"), low("bob")), (Some(json!(2)), None), "{users:?}");
    // What catches bad answers finds them, and neither the answer that is 1 nor the document.
    let caught = text(tracewell(&data, &["query", "bad_score", "-p", day[1], "--format", "json"]));
    let caught: Vec<Value> = serde_json::from_str(&caught).unwrap();
    let spans: Vec<&str> = caught.iter().map(|row| &row["span_id"].as_str().unwrap()[12..]).collect();
    assert_eq!(spans, ["f100", "f100", "f200", "f900"], "{caught:?}");

    // A model names the spans of the same answers, and says 0 and 1, as ann does: bob agrees with it on one of two.
    for (trace, value) in [("f1", "0"), ("f2", "1")] {
        let (trace, span) = (format!("{trace:0>32}"), format!("{:0>16}", format!("{trace}00")));
        let place = ["--trace", &trace, "--span", &span, "--time", "2026-11-18T13:00:00Z"];
        let judged = ["score", "add", "polite", value, "--source", "model", "--author", "judge"];
        text(tracewell(&data, &[&judged[..], &place[..]].concat()));
    }
    let pairs = rows("judge_agreement");
    let with_judge = |person: &str| {
        let is_it = |row: &&Value| row["first_judge"] == person && row["second_judge"] == "model judge";
        let row = pairs.iter().find(is_it).unwrap();
        ["things", "agreement", "cohens_kappa"].map(|name| row[name].as_f64().unwrap())
    };
    assert_eq!((with_judge("human ann"), with_judge("human bob")), ([2.0, 1.0, 1.0], [2.0, 0.5, 0.0]), "{pairs:?}");
}

/// A run with two prompts, and a second instrumentation's view of the first call below it, which a judge names.
#[test]
fn a_score_of_a_second_view_of_a_call_is_of_its_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let answered =
        |prompt: &str| call(prompt).into_iter().chain([("gen_ai.response.id", json!(prompt))]).collect::<Vec<_>>();
    let (root, first) = (format!("{:0>16}", "f100"), format!("{:0>16}", "f101"));
    let own = [
        span("f1", "f100", "", 0, &[("langfuse.observation.type", json!("chain"))]),
        span("f1", "f101", &root, 1, &answered("greet")),
        span("f1", "f102", &root, 90, &answered("part")),
    ];
    let second = [span("f1", "f103", &first, 1, &answered("greet"))];
    let scopes = json!([{"scope": {"name": "own"}, "spans": own}, {"scope": {"name": "second"}, "spans": second}]);
    let file = folder.path().join("twice.jsonl");
    std::fs::write(&file, json!({"resourceSpans": [{"scopeSpans": scopes}]}).to_string() + "\n").unwrap();
    text(tracewell(&data, &["import", file.to_str().unwrap()]));
    let (trace, named) = (format!("{:0>32}", "f1"), format!("{:0>16}", "f103"));
    let given = ["score", "add", "polite", "1", "--trace", &trace, "--span", &named, "--author", "ann"];
    text(tracewell(&data, &[&given[..], &["--time", "2026-11-18T13:00:00Z"]].concat()));
    let page = report(&data, "quality", "2026-11-18", &["--tz", "UTC"]);
    let scores = table(&page, "Scores, the last word of each judge");
    let polite: Vec<_> = scores.iter().filter(|row| row[2] == "polite").map(|row| json!(row[..6])).collect();
    assert_eq!(polite, [json!(["greet", "99", "polite", "human", 1, 1.0])]);
}

/// Six runs of 18 November, none failed, and the score of 57, are published. Then a score of 58 and a failed run come.
#[test]
fn scores_and_runs_that_come_late_are_a_restatement() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let day = |kind: &str, more: &[&str]| report(&data, kind, "2026-11-18", &[&["--tz", "UTC"], more].concat());
    let told = |page: &Value| page["notices"].to_string().contains("Restated");
    // The first of the period tells nothing of runs.
    assert!(!told(&day("cost", &["--publish"])) && !told(&day("quality", &["--publish"])));
    assert!(!told(&day("leadership", &["--publish"])));
    let trace = format!("{:0>32}", "58");
    let given = ["score", "add", "helpfulness", "0.9", "--trace", &trace, "--time", "2026-11-19T13:00:00Z"];
    text(tracewell(&data, &given));
    let late = day("leadership", &[])["notices"].to_string();
    assert!(late.contains("of 6 runs, 0 failed, 1 score; now 6 runs, 0 failed, 2 scores"), "{late}");
    import(&data, folder.path(), vec![span("f9", "f900", "", 0, &[])]);
    let late = day("quality", &[])["notices"].to_string();
    assert!(late.contains("of 6 runs, 0 failed, 1 score; now 7 runs, 1 failed, 2 scores"), "{late}");
    assert!(!told(&day("cost", &[])), "no call came");
}

/// Run 57 of 18 November is scored twice on the 19th, below the half: it is worth reading once, by the lower score, of the
/// 18th.
#[test]
fn a_low_score_is_of_the_period_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let given = |name: &str, value: f64| {
        let trace = format!("{:0>32}", "57");
        let time = "2026-11-19T10:00:00Z";
        json!({"name": name, "value": value, "source": "human", "author": "ann", "trace_id": trace, "time": time})
    };
    let file = folder.path().join("scores.jsonl");
    std::fs::write(&file, format!("{}\n{}\n", given("tone", 0.2), given("help", 0.1))).unwrap();
    text(tracewell(&data, &["score", "import", file.to_str().unwrap(), "--strict"]));
    let lowest = |day: &str| -> Vec<Value> {
        let page = report(&data, "quality", day, &["--tz", "UTC"]);
        let rows = table(&page, "Each in full: tracewell runs show RUN").into_iter();
        rows.filter(|row| row[0] == "lowest score").map(|row| json!(row[1..])).collect()
    };
    let run = json!(["00000000000000000000000000000057", "shop-assistant", "help 0.100"]);
    assert_eq!((lowest("2026-11-18"), lowest("2026-11-19")), (vec![run], vec![]));
}
