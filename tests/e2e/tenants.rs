//! What goes by one name in two tenants is two things to the named queries.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::reports::{known, text, tracewell};
use crate::server::BINARY;

/// The calls of the known set, those of 17 November from `since` on as if another tenant had made them.
fn of_two(since: &str) -> String {
    format!(
        "FROM (SELECT date, start_time, start_unix_nano, trace_id, span_id, service, team, agent_name, user_id, kind,
            is_trial, input_tokens, output_tokens, request_model, response_model, status, error_class, input_preview,
            input_refs, content_hash,
            CASE WHEN start_time >= TIMESTAMPTZ '2026-11-17T{since}Z' THEN 'b' ELSE 'a' END AS tenant
        FROM llm_calls) AS calls"
    )
}

/// What a named query answers of 17 November when it reads `of_two` in the place of `from`.
fn asked(
    data: &Path,
    folder: &Path,
    (group, name): (&str, &str),
    (from, of_two): (&str, &str),
    parameter: &str,
) -> Vec<Vec<String>> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../queries").join(group);
    let query = std::fs::read_to_string(shipped.join(format!("{name}.sql"))).unwrap();
    assert_eq!(query.matches(from).count(), 1);
    let own = folder.join("own").join(group);
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join(format!("{name}_of_two.sql")), query.replace(from, of_two)).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["query", &format!("{name}_of_two"), "--format", "csv", "--data", data.to_str().unwrap()]);
    command.args(["-p", "since=2026-11-17T00:00:00Z", "-p", "until=2026-11-18T00:00:00Z", "-p", parameter]);
    let answer = text(command.env("TRACEWELL_QUERY_FOLDER", folder.join("own")).output().unwrap());
    csv::Reader::from_reader(answer.as_bytes())
        .into_records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// The calls of run 55 have 500 and 1 000, 1 500 and 2 000 tokens of input; of run 54 three fail and the fourth goes well;
/// bob's calls are 5300 of 2 000 tokens and the four of 54, of which the last has 900.
#[test]
fn runs_and_users_of_two_tenants_are_not_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let asked = |query, since: &str, parameter: &str| {
        asked(&data, folder.path(), query, ("FROM llm_calls", &of_two(since)), parameter)
    };
    let grown = asked(("tokens", "context_growth"), "14:00:08", "least_steps=2");
    let inputs: Vec<_> = grown.iter().map(|row| (&row[0][30..], row[4].as_str(), row[5].as_str())).collect();
    assert_eq!(inputs, [("55", "500", "1000"), ("55", "1500", "2000")]);

    let storms = asked(("reliability", "retry_storms"), "11:00:03", "least_attempts=2");
    let attempts: Vec<_> =
        storms.iter().map(|row| [&row[0][30..], row[4].as_str(), row[5].as_str(), row[6].as_str()]).collect();
    assert_eq!(attempts, [["54", "2", "2", "false"], ["54", "2", "1", "true"]]);

    let users = asked(("tokens", "tokens_by_user"), "11:00:03", "most=50");
    let bob: Vec<_> =
        users.iter().filter(|row| row[0] == "bob").map(|row| [row[2].as_str(), row[4].as_str()]).collect();
    assert_eq!(bob, [["3", "2000"], ["2", "900"]]);
}

/// In one tenant the two agree on all of four answers, in the other on none of three. Each says yes to 2 of 4: by chance
/// they agree on 0.5 × 0.5 + 0.5 × 0.5, so that kappa is (1 − 0.5) / (1 − 0.5). Of the three x says yes to 1 and y to 2: by
/// chance 1/3 × 2/3 + 2/3 × 1/3 = 0.4444, and kappa is −0.4444 / 0.5556 = −0.8. Fleiss has both say yes to 3 of 6: by chance
/// 0.5, and −0.5 / 0.5.
#[test]
fn judges_of_one_name_in_two_tenants_are_not_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = known(&folder);
    let said =
        [("yes", "yes"), ("yes", "yes"), ("no", "no"), ("no", "no"), ("yes", "no"), ("no", "yes"), ("no", "yes")];
    let lines = (9_001..).zip(said).flat_map(|(thing, (x, y))| {
        [("x", x), ("y", y)].map(|(author, label)| {
            let trace = format!("{thing:032}");
            json!({"name": "tone", "label": label, "trace_id": trace, "author": author, "source": "human",
                "time": "2026-11-17T10:00:00Z"})
            .to_string()
        })
    });
    let file = folder.path().join("tone.jsonl");
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    text(tracewell(&data, &["score", "import", "--strict", file.to_str().unwrap()]));
    let of_two = format!(
        "FROM (SELECT date, time, name, target, trace_id, span_id, session_id, document_id, response_id, source, author,
            label, value, superseded_at, CASE WHEN trace_id > '{:032}' THEN 'b' ELSE 'a' END AS tenant
        FROM evaluations) AS evaluations",
        9_004
    );
    let told = |query, columns: [usize; 4]| {
        let rows = asked(&data, folder.path(), ("quality", query), ("FROM evaluations", &of_two), "name=tone");
        let number = |row: &Vec<String>, at: usize| row[at].parse::<f64>().unwrap();
        rows.iter().map(|row| columns.map(|at| number(row, at))).collect::<Vec<_>>()
    };
    // Things, agreement, agreement by chance, kappa.
    let cohen = told("judge_agreement", [3, 4, 5, 6]);
    assert_eq!(cohen, [[4.0, 1.0, 0.5, 1.0], [3.0, 0.0, 0.4444, -0.8]]);
    let fleiss = told("reviewer_agreement", [1, 3, 4, 5]);
    assert_eq!(fleiss, [[4.0, 1.0, 0.5, 1.0], [3.0, 0.0, 0.5, -1.0]]);
}
