//! Prompts and releases by gRPC.

use serde_json::{Value, json};
use tonic::Code;
use tracewell_proto::v1;
use tracewell_proto::v1::prompts_client::PromptsClient;
use tracewell_proto::v1::releases_client::ReleasesClient;

use super::{chat, rows, send, tracewell};
use crate::server::Server;

fn prompt(content: &str) -> v1::AddPromptRequest {
    v1::AddPromptRequest {
        author: "ann".to_owned(),
        note: "a test".to_owned(),
        name: "refund-helper".to_owned(),
        version: "12".to_owned(),
        messages: vec![v1::PromptMessage { role: "system".to_owned(), content: content.to_owned() }],
        parameters: json!({"temperature": 0.5}).to_string(),
        approvals: Some(1),
        ..v1::AddPromptRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_and_releases_are_kept_by_grpc_as_well() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let mut prompts = PromptsClient::connect(server.grpc.clone()).await.unwrap();
    let added = prompts.add(prompt("Help {{ customer }}.")).await.unwrap().into_inner();
    let first = added.prompt.unwrap();
    assert_eq!((added.added, first.revision, first.variables.as_slice()), (true, 1, &["customer".to_owned()][..]));
    let again = prompts.add(prompt("Help {{ customer }}.")).await.unwrap().into_inner();
    assert_eq!((again.added, again.prompt.as_ref()), (false, Some(&first)));
    let get = v1::GetPromptRequest { prompt: "refund-helper@12".to_owned() };
    assert_eq!(prompts.get(get).await.unwrap().into_inner(), first);
    // The command sees the same.
    let shown = tracewell(&data, &["prompt", "show", "refund-helper", "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&shown["parameters"]["temperature"], &shown["version"]), (&json!(0.5), &json!("12")));

    let nobody = v1::GetPromptRequest { prompt: "nobody".to_owned() };
    assert_eq!(prompts.get(nobody).await.unwrap_err().code(), Code::NotFound);
    for (wrong, told) in [
        (v1::AddPromptRequest { author: String::new(), ..prompt("Help.") }, "`author`"),
        (v1::AddPromptRequest { name: "a b".to_owned(), ..prompt("Help.") }, "`name`"),
        (v1::AddPromptRequest { messages: Vec::new(), ..prompt("Help.") }, "`messages`"),
        (v1::AddPromptRequest { routing: "[]".to_owned(), ..prompt("Help.") }, "`routing`"),
        (v1::AddPromptRequest { version: "1@2".to_owned(), ..prompt("Help.") }, "`1@2` is no version"),
        (v1::AddPromptRequest { thresholds: json!({"right": 2}).to_string(), ..prompt("Help.") }, "threshold `right`"),
    ] {
        let status = prompts.add(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(told), "{status:?}");
    }

    let mut releases = ReleasesClient::connect(server.grpc.clone()).await.unwrap();
    let step = |step: v1::ReleaseStep, author: &str, force: bool| v1::StepRequest {
        step: step.into(),
        prompt: "refund-helper@1".to_owned(),
        author: author.to_owned(),
        why: "a test".to_owned(),
        force,
        ..v1::StepRequest::default()
    };
    let proposed = releases.step(step(v1::ReleaseStep::Propose, "ann", false)).await.unwrap().into_inner();
    assert_eq!((proposed.entries[0].state.as_str(), proposed.prompt), ("review", Some(first)));
    let own = releases.step(step(v1::ReleaseStep::Approve, "ann", false)).await.unwrap_err();
    assert_eq!(own.code(), Code::FailedPrecondition);
    assert!(own.message().contains("somebody else"), "{own:?}");
    releases.step(step(v1::ReleaseStep::Approve, "bob", false)).await.unwrap();
    assert!(releases.step(step(v1::ReleaseStep::Live, "ann", false)).await.is_err(), "no gate has passed it");
    let live = releases.step(step(v1::ReleaseStep::Live, "ann", true)).await.unwrap().into_inner();
    assert_eq!((live.entries[0].state.as_str(), live.entries[0].environment.as_str()), ("live", "production"));
    assert_eq!((live.entries[0].forced, live.entries[0].replaces), (Some(true), None));
    let none = releases.step(step(v1::ReleaseStep::Unspecified, "ann", false)).await.unwrap_err();
    assert_eq!(none.code(), Code::InvalidArgument);

    send(&server, vec![chat(1, "Anything", "Sure.", false, &[])]).await;
    let asked = v1::StatusRequest { prompt: "refund-helper".to_owned() };
    let status = releases.status(asked).await.unwrap().into_inner().releases;
    let told = (status[0].live.as_str(), status[0].seen.as_str(), status[0].calls, status[0].agreement.as_str());
    assert_eq!((status.len(), told), (1, ("12", "12", 1, "agrees")));
    assert_eq!(status[0].forced, "by ann: a test");
    let log = releases.log(v1::LogRequest { prompt: "refund-helper".to_owned() }).await.unwrap().into_inner().entries;
    let steps: Vec<&str> = log.iter().map(|entry| entry.step.as_str()).collect();
    assert_eq!((steps, log[0].entry), (vec!["live", "approve", "propose"], 3));

    let second = v1::AddPromptRequest { version: "13".to_owned(), approvals: Some(2), ..prompt("Help kindly.") };
    prompts.add(second).await.unwrap();
    let listed = prompts.list(v1::ListPromptsRequest {}).await.unwrap().into_inner().prompts;
    assert_eq!((listed.len(), listed[0].revision, listed[0].live.as_str()), (1, 2, "production: 1"));
    let asked = v1::HistoryRequest { prompt: "refund-helper".to_owned() };
    let history = prompts.history(asked).await.unwrap().into_inner().revisions;
    assert_eq!(history.iter().map(|one| one.revision).collect::<Vec<_>>(), [2, 1]);
    let asked = v1::DiffRequest { before: "refund-helper@12".to_owned(), after: "refund-helper".to_owned() };
    let difference = prompts.diff(asked).await.unwrap().into_inner();
    assert_eq!((difference.changed, difference.governance), (vec!["content".to_owned()], vec!["approvals".to_owned()]));
    send(&server, vec![chat(2, "Anything", "Sure.", false, &[])]).await;
    let unknown = prompts.unregistered(v1::UnregisteredRequest {}).await.unwrap().into_inner().prompts;
    assert!(unknown.is_empty(), "version 12 is on record: {unknown:?}");
    let log = rows(tracewell(&data, &["release", "log", "--format", "json"]));
    assert_eq!(log.len(), 3);
    server.stop();

    // Who may send spans from elsewhere may not say what is live, unless that is set.
    for (setting, code) in [("false", Code::Unimplemented), ("true", Code::NotFound)] {
        let environment = [("TRACEWELL_LISTEN_GRPC_RECORDS", setting)];
        let arguments = ["--otlp-grpc", "0.0.0.0:0"];
        let server = Server::start_at(data.to_str().unwrap(), &data, &arguments, &environment).await;
        let mut prompts = PromptsClient::connect(server.grpc.replace("0.0.0.0", "127.0.0.1")).await.unwrap();
        let nobody = v1::GetPromptRequest { prompt: "nobody".to_owned() };
        assert_eq!(prompts.get(nobody).await.unwrap_err().code(), code);
        server.stop();
    }
}
