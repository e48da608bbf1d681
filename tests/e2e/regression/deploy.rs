//! The jobs in `deploy/gate`, as a build server runs them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::model::{Model, start};
use super::story::by;
use super::{CASES, done, said};
use crate::server::BINARY;

/// The lines of a job that run the binary, as arguments.
fn commands(job: &str) -> Vec<Vec<&str>> {
    job.lines().filter(|line| !line.trim().starts_with('#')).filter_map(command).collect()
}

fn command(line: &str) -> Option<Vec<&str>> {
    let line = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
    Some(line.strip_prefix("tracewell ")?.split(' ').collect())
}

/// Runs a command in the folder of the repository, with what a job has in its environment.
async fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(folder).env_remove("TRACEWELL_CONFIG");
    command.env("TRACEWELL_DATA", folder.join("data")).env("TRACEWELL_WAL", folder.join("wal"));
    command.env("TRACEWELL_AUTHOR", "ann").env("OPENAI_API_KEY", "secret");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_for_build_servers_run_as_they_are() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let data = folder.join("data");
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/gate");
    let read = |name: &str| std::fs::read_to_string(deploy.join(name)).unwrap();
    let (url, model) = start(Model::default()).await;

    // The third version of the dataset, with as many examples as a comparison of passes within 0.05 takes.
    let line = |number: usize| {
        let (_, asked, expected) = CASES[number % CASES.len()];
        json!({"id": format!("case-{number}"), "messages": [{"role": "user", "content": format!("{number}: {asked}")}],
            "expected": {"text": expected}})
        .to_string()
    };
    for count in [1, 2, 60] {
        let file = folder.join("cases.jsonl");
        std::fs::write(&file, (0..count).map(line).collect::<Vec<_>>().join("\n")).unwrap();
        done(by("ann", &data, &["dataset", "import", "refunds", file.to_str().unwrap()]));
    }
    // What is live goes to the model of this test, and so does the candidate.
    let prompts = folder.join("prompts");
    std::fs::create_dir(&prompts).unwrap();
    let live = format!(
        "version = '12'\nrouting = {{ provider = 'openai', model = 'gpt-4.1-mini', url = '{url}/v1' }}\n\
         [[message]]\nrole = 'system'\ncontent = 'Be kind.'\n"
    );
    std::fs::write(prompts.join("refund-helper.toml"), live).unwrap();
    let file = prompts.join("refund-helper.toml");
    done(by("ann", &data, &["prompt", "add", file.to_str().unwrap()]));
    let force = ["release", "live", "refund-helper", "--force", "--note", "live before there was a record"];
    done(by("ann", &data, &force));
    let there = format!("kind = \"openai\"\nurl = \"{url}/v1\"");
    std::fs::write(prompts.join("candidate.toml"), read("candidate.toml").replace("kind = \"openai\"", &there))
        .unwrap();
    std::fs::write(prompts.join("gate.toml"), read("gate.toml")).unwrap();
    // As a cache restores it.
    std::fs::create_dir_all(folder.join("wal/replays")).unwrap();

    for job in ["github-actions.yml", "gitlab-ci.yml"] {
        let text = read(job);
        let commands = commands(&text);
        assert_eq!(commands.iter().map(|words| words[0]).collect::<Vec<_>>(), ["replay", "replay", "gate"], "{job}");
        for arguments in commands {
            let output = run(folder, &arguments).await;
            assert!(output.status.success(), "{job}: {arguments:?}: {}", said(&output));
        }
        for written in ["gate.md", "gate.xml", "gate.html"] {
            assert!(std::fs::metadata(folder.join(written)).unwrap().len() > 0, "{job}: {written}");
            std::fs::remove_file(folder.join(written)).unwrap();
        }
        let verdict: Value = serde_json::from_slice(&std::fs::read(folder.join("gate.json")).unwrap()).unwrap();
        assert_eq!((&verdict["baseline_version"], &verdict["decision"]), (&json!("refund-helper@12"), &json!("pass")));
        assert!(verdict["verdict"].is_string(), "{verdict}");
        std::fs::remove_file(folder.join("gate.json")).unwrap();
    }
    // The second job asks for nothing that the first one paid for.
    assert_eq!(model.lock().unwrap().asked.len(), 2 * 60 * 3);
}
