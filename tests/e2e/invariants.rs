//! What holds in the views whatever was sent: every count of a run is that of its rows, and every fact reaches them; in
//! whatever order the spans came, however often, and wherever they are. It is worked out from what was made up, by no
//! SQL.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Status;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::sent::{Sent, requests, span};
use crate::server::Server;
use crate::settled;
use crate::spans::{int, text};
use crate::states::ask;

const RUNS: usize = 60;
/// Nothing is written until the server stops.
const LATE: [&str; 3] = ["--commit-interval", "1h", "--no-maintenance"];

#[derive(Clone, Copy, Debug)]
enum Work {
    /// With the tokens that went in and came out, and messages; a second instrumentation may tell of it too.
    Chat {
        usage: Option<(i64, i64)>,
        messages: u64,
        seen_twice: bool,
    },
    Tool,
    Retrieval {
        documents: u64,
    },
    Other,
}

/// Whether a span is sent before it ends, or twice as it is.
#[derive(Clone, Copy, Debug)]
enum Again {
    Never,
    Early,
    Same,
}

#[derive(Clone, Debug)]
struct Step {
    work: Work,
    failed: bool,
    again: Again,
    /// The root, or one of the steps before that are of no kind.
    below: prop::sample::Index,
}

#[derive(Clone, Debug)]
struct Run {
    steps: Vec<Step>,
    session: Option<&'static str>,
    user: Option<&'static str>,
    /// Whether the root names session and user, or a span beside the others.
    on_root: bool,
}

fn run() -> impl Strategy<Value = Run> {
    let usage = prop::option::of((0..100_i64, 0..10_i64));
    let work = prop_oneof![
        (usage, 0..3_u64, any::<bool>()).prop_map(|(usage, messages, seen_twice)| Work::Chat {
            usage,
            messages,
            seen_twice
        }),
        Just(Work::Tool),
        (0..4_u64).prop_map(|documents| Work::Retrieval { documents }),
        Just(Work::Other),
    ];
    let again = prop::sample::select(vec![Again::Never, Again::Early, Again::Same]);
    let step = (work, any::<bool>(), again, any::<prop::sample::Index>())
        .prop_map(|(work, failed, again, below)| Step { work, failed, again, below });
    let session = prop::sample::select(vec![None, Some("s-0"), Some("s-1"), Some("s-2")]);
    let user = prop::sample::select(vec![None, Some("ann"), Some("bob")]);
    (prop::collection::vec(step, 0..8), session, user, any::<bool>()).prop_map(|(steps, session, user, on_root)| Run {
        steps,
        session,
        user,
        on_root,
    })
}

fn with(sent: Sent, attributes: &[KeyValue]) -> Sent {
    attributes.iter().cloned().fold(sent, Sent::with)
}

fn used(usage: Option<(i64, i64)>) -> Vec<KeyValue> {
    let counts =
        |(input, output)| vec![int("gen_ai.usage.input_tokens", input), int("gen_ai.usage.output_tokens", output)];
    usage.map(counts).unwrap_or_default()
}

/// What a step's span says from its beginning, and what from its end on.
fn attributes(work: Work, id: u64) -> (Vec<KeyValue>, Vec<KeyValue>) {
    let operation = |name: &str| text("gen_ai.operation.name", name);
    match work {
        Work::Chat { usage, messages, .. } => {
            let message =
                |at: u64| json!({"role": "user", "parts": [{"type": "text", "content": format!("{id} {at}")}]});
            let asked: Vec<Value> = (0..messages).map(message).collect();
            let mut ended = used(usage);
            if messages > 0 {
                ended.push(text("gen_ai.input.messages", &json!(asked).to_string()));
            }
            let response = text("gen_ai.response.id", &format!("r-{id}"));
            (vec![operation("chat"), text("gen_ai.request.model", "m"), response], ended)
        }
        Work::Tool => (vec![operation("execute_tool"), text("gen_ai.tool.name", "look")], vec![]),
        Work::Retrieval { documents: 0 } => (vec![operation("retrieval")], vec![]),
        Work::Retrieval { documents } => {
            let found: Vec<Value> =
                (0..documents).map(|at| json!({"id": format!("doc-{id}-{at}"), "score": 0.5})).collect();
            (vec![operation("retrieval")], vec![text("gen_ai.retrieval.documents", &json!(found).to_string())])
        }
        Work::Other => (vec![], vec![]),
    }
}

fn spans(run: &Run, number: u64) -> Vec<Sent> {
    let of = |scope, id, parent, times| span("shop", scope, (u128::from(number), id), parent, times);
    let root = 100 * number;
    let facts: Vec<KeyValue> = [("session.id", run.session), ("user.id", run.user)]
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| text(key, value)))
        .collect();
    let mut sent = if run.on_root {
        vec![with(of("a", root, 0, (0, 1_000)), &facts)]
    } else {
        vec![of("a", root, 0, (0, 1_000)), with(of("a", root + 1, root, (1, 2)), &facts)]
    };
    let mut above = vec![root];
    for (step, at) in run.steps.iter().zip(0_u64..) {
        let (id, parent, (start, end)) = (root + 10 + 2 * at, *step.below.get(&above), (10 + at, 60 + at));
        let (begun, ended) = attributes(step.work, id);
        let mut whole = with(with(of("a", id, parent, (start, end)), &begun), &ended);
        if step.failed {
            whole = whole.but(|span| span.status = Some(Status { code: 2, ..Status::default() }));
        }
        match step.again {
            Again::Never => {}
            Again::Early => sent.push(with(of("a", id, parent, (start, end - 20)), &begun)),
            Again::Same => sent.push(whole.clone()),
        }
        sent.push(whole);
        match step.work {
            Work::Chat { usage, seen_twice: true, .. } => {
                sent.push(with(with(of("b", id + 1, id, (start + 1, end - 1)), &begun), &used(usage)));
            }
            Work::Other => above.push(id),
            _ => {}
        }
    }
    sent
}

impl Run {
    fn calls(&self) -> Vec<Option<(i64, i64)>> {
        let usage = |step: &Step| if let Work::Chat { usage, .. } = step.work { Some(usage) } else { None };
        self.steps.iter().filter_map(usage).collect()
    }

    /// A sum over the calls that tell their tokens; none where none does.
    fn tokens(&self, of: fn((i64, i64)) -> i64) -> Option<i64> {
        let told: Vec<i64> = self.calls().into_iter().flatten().map(of).collect();
        (!told.is_empty()).then(|| told.iter().sum())
    }

    fn count(&self, of: impl Fn(&Step) -> u64) -> u64 {
        self.steps.iter().map(of).sum()
    }

    /// Its row in `runs`.
    fn row(&self, number: u64) -> Value {
        let failed = |step: &Step| u64::from(step.failed);
        let seen_twice = |step: &Step| u64::from(matches!(step.work, Work::Chat { seen_twice: true, .. }));
        let tools = |step: &Step| u64::from(matches!(step.work, Work::Tool));
        json!({
            "trace_id": format!("{number:032x}"), "conversation_id": self.session, "user_id": self.user,
            "span_count": 1 + u64::from(!self.on_root) + self.count(|_| 1) + self.count(seen_twice),
            "error_count": self.count(failed),
            "call_count": self.calls().len(),
            "calls_without_usage": self.calls().iter().filter(|usage| usage.is_none()).count(),
            "input_tokens": self.tokens(|(input, _)| input),
            "output_tokens": self.tokens(|(_, output)| output),
            "tool_count": self.count(tools),
            "tool_error_count": self.count(|step| tools(step) * failed(step)),
            "retrieval_count": self.count(|step| u64::from(matches!(step.work, Work::Retrieval { .. }))),
        })
    }
}

const OF_RUNS: &str =
    "SELECT trace_id, conversation_id, user_id, span_count, error_count, call_count, calls_without_usage,
    input_tokens, output_tokens, tool_count, tool_error_count, retrieval_count FROM runs ORDER BY trace_id";

type OfStep = fn(&Step) -> u64;
type Condition = fn(&Value) -> bool;

/// The views that have rows for steps, and how many a step has.
const OF_STEPS: [(&str, OfStep); 4] = [
    ("llm_calls", |step| u64::from(matches!(step.work, Work::Chat { .. }))),
    ("tool_calls", |step| u64::from(matches!(step.work, Work::Tool))),
    // One that found nothing has a row that says so.
    ("retrievals", |step| if let Work::Retrieval { documents } = step.work { documents.max(1) } else { 0 }),
    ("messages", |step| if let Work::Chat { messages, .. } = step.work { messages } else { 0 }),
];

async fn same(server: &Server, sql: &str, expected: &[(Value, &Run)], when: &str) {
    let found = ask(server, sql).await;
    let found = found.as_array().unwrap();
    for (found, (expected, run)) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{when}: {sql}\n{run:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{when}: {sql}");
}

async fn check(server: &Server, runs: &[Run], when: &str) {
    let numbered = || runs.iter().zip(1_u64..);
    let rows: Vec<(Value, &Run)> = numbered().map(|(run, number)| (run.row(number), run)).collect();
    same(server, OF_RUNS, &rows, when).await;
    for (view, of) in OF_STEPS {
        let row = |(run, number): (&Run, u64)| {
            let count = run.count(of);
            let of_session = if run.session.is_some() { count } else { 0 };
            json!({"trace_id": format!("{number:032x}"), "rows": count, "of_session": of_session,
                "session": run.session, "user": run.user})
        };
        let rows: Vec<(Value, &Run)> =
            numbered().filter(|(run, _)| run.count(of) > 0).map(|one| (row(one), one.0)).collect();
        let sql = format!(
            "SELECT trace_id, count(*) AS rows, count(conversation_id) AS of_session, min(conversation_id) AS session,
                min(user_id) AS \"user\" FROM {view} GROUP BY trace_id ORDER BY trace_id"
        );
        same(server, &sql, &rows, when).await;
    }
    let mut sessions = Vec::new();
    for session in ["s-0", "s-1", "s-2"] {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.session == Some(session)).collect();
        let calls: usize = runs.iter().map(|run| run.calls().len()).sum();
        let tokens: Vec<i64> = runs.iter().filter_map(|run| run.tokens(|(input, _)| input)).collect();
        let tokens = (!tokens.is_empty()).then(|| tokens.iter().sum::<i64>());
        if !runs.is_empty() {
            sessions.push(json!({"conversation_id": session, "run_count": runs.len(), "call_count": calls,
                "input_tokens": tokens}));
        }
    }
    let sql = "SELECT conversation_id, run_count, call_count, input_tokens FROM sessions ORDER BY conversation_id";
    assert_eq!(ask(server, sql).await, Value::from(sessions), "{when}");
}

/// A filter gives those of all rows that pass it, of facts that come from other spans too.
async fn filters(server: &Server) {
    let conditions: [(&str, Condition); 2] = [
        ("conversation_id = 's-1'", |row| row["conversation_id"] == "s-1"),
        ("user_id IS NULL OR user_id = 'ann'", |row| row["user_id"].is_null() || row["user_id"] == "ann"),
    ];
    for view in ["runs", "tool_calls", "retrievals", "messages"] {
        let all = ask(server, &format!("SELECT * FROM {view}")).await;
        for (condition, passes) in conditions {
            let found = ask(server, &format!("SELECT * FROM {view} WHERE {condition}")).await;
            let lines = |rows: &Value, wanted: fn(&Value) -> bool| {
                let rows = rows.as_array().unwrap().iter();
                let mut lines: Vec<String> = rows.filter(|row| wanted(row)).map(Value::to_string).collect();
                lines.sort_unstable();
                lines
            };
            assert_eq!(lines(&found, |_| true), lines(&all, passes), "{view} WHERE {condition}");
        }
    }
}

async fn post(server: &Server, spans: &[Sent]) {
    server.takes("/v1/traces", requests(spans)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_count_and_fact_of_a_run_is_that_of_its_rows() {
    let mut runner = TestRunner::default();
    let runs = prop::collection::vec(run(), RUNS).new_tree(&mut runner).unwrap().current();
    let sent: Vec<Sent> = runs.iter().zip(1..).flat_map(|(run, number)| spans(run, number)).collect();
    let mut shuffled = || -> Vec<Sent> {
        let places = Just((0..sent.len()).collect::<Vec<usize>>()).prop_shuffle();
        let places = places.new_tree(&mut runner).unwrap().current();
        places.into_iter().map(|place| sent[place].clone()).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let all = shuffled();
    let (early, late) = all.split_at(all.len() / 2);

    let server = Server::start(&data, &LATE).await;
    post(&server, early).await;
    server.stop();
    let server = Server::start(&data, &LATE).await;
    post(&server, late).await;
    check(&server, &runs, "half in files").await;
    filters(&server).await;
    server.stop();
    for command in ["compact", "settle"] {
        settled::run(&data, &[command]);
    }
    let server = Server::start(&data, &LATE).await;
    check(&server, &runs, "settled").await;
    post(&server, &shuffled()).await;
    check(&server, &runs, "sent again").await;
}
