//! Review over HTTP.

use serde_json::{Value, json};

use super::{CASES, chat, done, rows, send, tracewell};
use crate::server::{Server, client};

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
