use super::*;

const MS: i64 = 1_000_000;

/// A chat of `scope` in `trace` from `start` to `end` milliseconds.
fn chat<'a>(trace: &'a str, id: &'a str, parent: Option<&'a str>, scope: &'a str, times: (i64, i64)) -> Row<'a> {
    let (start, end) = (times.0 * MS, times.1 * MS);
    Row { trace, id: Some(id), parent, scope, start, end, name: scope, family: Some(Family::Text), ..Row::default() }
}

fn used(input: i64, output: i64) -> Option<Usage> {
    Some(Usage { input: Some(input), output: Some(output), ..Usage::default() })
}

/// The spans of each call, `trace/span` of the one that stands for it first; wrappers stand alone in brackets. The
/// order of the rows must not matter, so it is turned round and round.
fn calls(rows: &[Row<'_>]) -> Vec<String> {
    let mut answers = (0..rows.len()).flat_map(|shift| {
        let mut turned = rows.to_vec();
        turned.rotate_left(shift);
        let mirrored: Vec<_> = turned.iter().rev().copied().collect();
        [described(&turned), described(&mirrored)]
    });
    let first = answers.next().unwrap();
    answers.for_each(|answer| assert_eq!(answer, first));
    first
}

fn described(rows: &[Row<'_>]) -> Vec<String> {
    let mut calls: Vec<(String, usize, String)> = Vec::new();
    for (row, part) in rows.iter().zip(parts(rows)) {
        let Some(part) = part else { continue };
        let span = format!("{}/{}", row.trace, row.id.unwrap());
        match part.role {
            Role::Wrapper => calls.push((span.clone(), 0, format!("[{span}]"))),
            _ => calls.push((format!("{}/{}", part.call.0, part.call.1), part.rank, span)),
        }
    }
    calls.sort();
    calls
        .chunk_by(|a, b| a.0 == b.0)
        .map(|spans| spans.iter().map(|(.., span)| span.as_str()).collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn copies_of_a_span_are_one_and_the_longest_comes_first() {
    let short = chat("t", "1", None, "s", (0, 0));
    let long = Row { usage: used(5, 7), ..chat("t", "1", None, "s", (0, 9)) };
    assert_eq!(calls(&[short, long]), ["t/1"]);
    let parts = parts(&[short, long]);
    assert!(parts[0].is_none());
    assert_eq!(parts[1].unwrap().usage, used(5, 7));
}

#[test]
fn nested_spans_of_two_instrumentations_are_one_call() {
    let outer = chat("t", "1", None, "framework", (0, 9));
    let inner = chat("t", "2", Some("1"), "client", (1, 8));
    let with = |id| {
        [Row { response: id, usage: used(5, 7), ..outer }, Row { response: Some("r1"), usage: used(5, 7), ..inner }]
    };
    assert_eq!(calls(&with(Some("r1"))), ["t/1 t/2"]);
    assert_eq!(calls(&with(None)), ["t/1 t/2"]);
    // It names another response, or counts otherwise, or had other instructions or another model: a wrapper.
    assert_eq!(calls(&with(Some("r2"))), ["[t/1]", "t/2"]);
    let inner = Row { usage: used(5, 7), asked: Some("m"), instructions: Some("i"), ..inner };
    assert_eq!(calls(&[Row { usage: used(6, 7), ..outer }, inner]), ["[t/1]", "t/2"]);
    assert_eq!(calls(&[Row { asked: Some("n"), ..outer }, inner]), ["[t/1]", "t/2"]);
    assert_eq!(calls(&[Row { instructions: Some("j"), ..outer }, inner]), ["[t/1]", "t/2"]);
    // Without a word the only call within is the same call, and so for a failed one.
    assert_eq!(calls(&[outer, inner]), ["t/1 t/2"]);
}

#[test]
fn a_span_around_several_calls_is_none_unless_it_is_one_of_them() {
    let outer = Row { usage: used(30, 3), ..chat("t", "1", None, "s", (0, 50)) };
    let agent = Row { family: None, ..chat("t", "2", Some("1"), "s", (1, 49)) };
    let first = Row { usage: used(10, 1), ..chat("t", "3", Some("2"), "s", (2, 20)) };
    let second = Row { usage: used(20, 2), ..chat("t", "4", Some("2"), "s", (21, 40)) };
    assert_eq!(calls(&[outer, agent, first, second]), ["[t/1]", "t/3", "t/4"]);
    let parts = parts(&[outer, agent, first, second]);
    assert_eq!(parts[2].unwrap().wrapper, Some(Wrapper { id: "1", usage: used(30, 3) }));
    // A framework that tries again: its span is the attempt that succeeded.
    let outer = Row { scope: "f", usage: used(20, 2), response: Some("r"), ..outer };
    let failed = Row { usage: None, ..first };
    let succeeded = Row { response: Some("r"), ..second };
    assert_eq!(calls(&[outer, agent, failed, succeeded]), ["t/1 t/4", "t/3"]);
}

#[test]
fn within_one_instrumentation_a_span_around_one_call_is_that_call_unless_it_counts_otherwise() {
    let outer = Row { name: "LLM.plan", ..chat("t", "1", None, "s", (0, 9)) };
    let inner = Row { name: "LLM.chat", usage: used(5, 7), ..chat("t", "2", Some("1"), "s", (1, 8)) };
    assert_eq!(calls(&[outer, inner]), ["t/1 t/2"], "the outer one without usage");
    assert_eq!(calls(&[Row { usage: used(5, 7), ..outer }, inner]), ["t/1 t/2"]);
    assert_eq!(calls(&[Row { usage: used(5, 8), ..outer }, inner]), ["[t/1]", "t/2"]);
    assert_eq!(
        calls(&[Row { usage: used(5, 7), ..outer }, Row { usage: None, ..inner }]),
        ["t/1 t/2"],
        "the inner one"
    );
    // The halves of one method, even beside another call.
    let public = Row { name: "LLM.achat", usage: used(5, 7), ..outer };
    let private = Row { name: "LLM._achat", ..inner };
    let other = Row { usage: used(1, 1), ..chat("t", "3", Some("1"), "s", (1, 2)) };
    assert_eq!(calls(&[public, private, other]), ["t/1 t/2", "t/3"]);
    assert_eq!(calls(&[Row { usage: used(5, 7), ..outer }, inner, other]), ["[t/1]", "t/2", "t/3"]);
}

#[test]
fn siblings_and_separate_traces_are_one_call_when_two_instrumentations_overlap() {
    let run = Row { family: None, ..chat("t", "0", None, "s", (0, 99)) };
    let one = Row { response: Some("r"), usage: used(5, 7), ..chat("t", "1", Some("0"), "a", (10, 20)) };
    let sibling = Row { response: Some("r"), ..chat("t", "2", Some("0"), "b", (11, 19)) };
    let apart = Row { response: Some("r"), has_content: true, ..chat("u", "3", None, "c", (12, 18)) };
    assert_eq!(calls(&[run, one, sibling, apart]), ["t/1 t/2 u/3"]);
    // Without an id on one side: usage, the model where both name one, instructions where both have them.
    let nameless = Row { usage: used(5, 7), asked: Some("v/m-20260115"), ..chat("u", "3", None, "c", (12, 18)) };
    let one = Row { answered: Some("m"), ..one };
    assert_eq!(calls(&[run, one, nameless]), ["t/1 u/3"]);
    assert_eq!(calls(&[run, one, Row { usage: used(5, 8), ..nameless }]), ["t/1", "u/3"]);
    assert_eq!(calls(&[run, one, Row { asked: Some("n"), ..nameless }]), ["t/1", "u/3"]);
    assert_eq!(
        calls(&[run, Row { instructions: Some("i"), ..one }, Row { instructions: Some("j"), ..nameless }]),
        ["t/1", "u/3"]
    );
    assert_eq!(calls(&[run, one, Row { service: "other", ..nameless }]), ["t/1", "u/3"]);
    assert_eq!(calls(&[run, one, Row { usage: None, ..nameless }]), ["t/1", "u/3"]);
}

#[test]
fn spans_of_one_instrumentation_side_by_side_are_never_one_call() {
    let one = Row { response: Some("r"), usage: used(5, 7), ..chat("t", "1", None, "a", (0, 10)) };
    let parallel = Row { id: Some("2"), ..one };
    assert_eq!(calls(&[one, parallel]), ["t/1", "t/2"]);
    let later =
        |scope| Row { response: Some("r"), usage: used(5, 7), ..chat("u", "2", None, scope, (3_600_000, 3_600_010)) };
    assert_eq!(calls(&[one, later("a")]), ["t/1", "u/2"]);
    assert_eq!(calls(&[one, later("b")]), ["t/1", "u/2"], "an hour apart");
    // Two at a time, each seen twice.
    let nameless = |id, scope, times| Row { usage: used(5, 7), ..chat("t", id, None, scope, times) };
    let rows = [
        nameless("1", "a", (0, 10)),
        nameless("2", "b", (1, 9)),
        nameless("3", "a", (2, 12)),
        nameless("4", "b", (3, 11)),
    ];
    assert_eq!(calls(&rows), ["t/1 t/2", "t/3 t/4"]);
    // Millisecond clocks: one ends as the other starts.
    assert_eq!(calls(&[nameless("1", "a", (0, 10)), nameless("2", "b", (14, 20))]), ["t/1 t/2"]);
    assert_eq!(calls(&[nameless("1", "a", (0, 10)), nameless("2", "b", (16, 20))]), ["t/1", "t/2"]);
}

#[test]
fn tokens_come_from_the_most_complete_usage() {
    let count = |input, parts| Some(Usage { parts, ..used(input, 159).unwrap() });
    let exclusive = Row { response: Some("r"), usage: count(531, 0), ..chat("t", "1", None, "a", (0, 10)) };
    let native = Row { response: Some("r"), usage: count(2861, 4), ..chat("t", "2", None, "b", (1, 9)) };
    assert_eq!(calls(&[exclusive, native]), ["t/1 t/2"]);
    let parts = parts(&[exclusive, native]);
    assert_eq!(parts[0].unwrap().usage, native.usage);
    assert_eq!((parts[0].unwrap().usage_rank, parts[1].unwrap().usage_rank), (2, 1));
}

#[test]
fn facts_come_from_the_nearest_span_then_the_root_then_what_the_trace_agrees_on() {
    let facts = |user| Facts { user: Some(user), ..Facts::default() };
    let root = Row { family: None, ..chat("t", "0", None, "s", (0, 99)) };
    let step = Row { family: None, ..chat("t", "1", Some("0"), "s", (1, 98)) };
    let call = chat("t", "2", Some("1"), "s", (2, 9));
    let lost = chat("t", "3", Some("gone"), "s", (20, 29));
    let user = |rows: &[Row<'static>], id| {
        rows.iter().zip(parts(rows)).find(|(row, _)| row.id == Some(id)).unwrap().1.unwrap().facts.user
    };
    let rows = [Row { facts: facts("r"), ..root }, Row { facts: facts("s"), ..step }, call, lost];
    assert_eq!((user(&rows, "2"), user(&rows, "3")), (Some("s"), Some("r")));
    let rows = [root, Row { facts: facts("s"), ..step }, call, lost];
    assert_eq!(user(&rows, "3"), Some("s"));
    let other = Row { facts: facts("x"), family: None, ..chat("t", "4", Some("0"), "s", (30, 31)) };
    let rows = [root, Row { facts: facts("s"), ..step }, call, lost, other];
    assert_eq!((user(&rows, "2"), user(&rows, "3")), (Some("s"), None), "they do not agree");
    let log = Row { id: None, facts: facts("l"), ..Row { trace: "t", ..Row::default() } };
    assert_eq!(user(&[root, call, log], "2"), Some("l"));
}

#[test]
fn parents_that_form_a_circle_end() {
    let a = chat("t", "1", Some("2"), "a", (0, 9));
    let b = chat("t", "2", Some("1"), "b", (1, 8));
    let own = chat("t", "3", Some("3"), "c", (1, 8));
    assert_eq!(calls(&[a, b, own]), ["t/1", "t/2", "t/3"]);
}

#[test]
fn placeholders_are_no_calls() {
    let pending = Row { pending: true, ..chat("t", "1", Some("2"), "s", (0, 0)) };
    assert_eq!(calls(&[pending, chat("t", "2", None, "s", (0, 9))]), ["t/2"]);
}

/// A record of `event` that ended at `end` milliseconds, with no trace of its own.
fn record<'a>(id: &'a str, event: &'a str, times: (i64, i64)) -> Row<'a> {
    let facts = Facts { conversation: Some("c"), ..Facts::default() };
    Row { record: true, facts, ..chat(id, id, None, event, times) }
}

#[test]
fn a_record_is_the_call_whose_span_it_was_written_within_or_whose_response_it_names() {
    let span = Row { usage: used(5, 7), response: Some("r"), ..chat("t", "1", None, "sdk", (0, 100)) };
    let within = |response| Row { trace: "t", parent: Some("1"), response, ..record("a", "details", (0, 101)) };
    assert_eq!(calls(&[span, within(None)]), ["t/1 t/a"]);
    assert_eq!(calls(&[span, Row { usage: used(6, 7), ..within(Some("r")) }]), ["t/1 t/a"], "whatever it counts");
    assert_eq!(calls(&[span, Row { usage: used(6, 7), ..within(Some("s")) }]), ["[t/1]", "t/a"], "another response");
    // Two of them, and a call within.
    let inner = Row { response: Some("r"), ..chat("t", "2", Some("1"), "client", (1, 99)) };
    let other = Row { id: Some("b"), scope: "request", ..within(None) };
    assert_eq!(calls(&[span, within(None), other, inner]), ["t/1 t/2 t/a t/b"]);
    // Around several calls it tells of a sum, as its span does.
    let first = Row { usage: used(2, 3), ..chat("t", "3", Some("1"), "s", (1, 9)) };
    let second = Row { usage: used(3, 4), ..chat("t", "4", Some("1"), "s", (10, 19)) };
    let sum = Row { response: None, ..span };
    assert_eq!(calls(&[sum, within(None), first, second]), ["[t/1]", "t/3", "t/4", "[t/a]"]);

    // Without a trace: by the response, at its time.
    let named = |times| Row { response: Some("r"), has_content: true, ..record("z", "api_request", times) };
    assert_eq!(calls(&[span, named((3, 103))]), ["t/1 z/z"], "the span stands for the call");
    assert_eq!(calls(&[span, named((900, 1_000))]), ["t/1 z/z"]);
    assert_eq!(calls(&[span, named((1_200, 1_300))]), ["t/1", "z/z"]);
    assert_eq!(calls(&[Row { response: Some("s"), ..span }, named((3, 103))]), ["t/1", "z/z"]);
}

#[test]
fn two_records_of_a_conversation_are_one_call_when_one_leaves_out_what_the_other_counts() {
    let answer = Row { usage: used(107, 70), ..record("a", "api_response", (0, 2_000)) };
    let details = Row { usage: used(100, 50), response: Some("r"), ..record("b", "details", (2_001, 2_001)) };
    assert_eq!(calls(&[answer, details]), ["a/a b/b"]);
    assert_eq!(calls(&[Row { scope: "details", ..answer }, details]), ["a/a", "b/b"], "one event is one call");
    assert_eq!(calls(&[Row { usage: used(107, 49), ..answer }, details]), ["a/a", "b/b"]);
    assert_eq!(calls(&[Row { asked: Some("m"), ..answer }, Row { asked: Some("n"), ..details }]), ["a/a", "b/b"]);
    // Another call that lasts longer, and has not ended.
    let longer = Row { usage: used(300, 300), ..record("c", "api_response", (0, 5_000)) };
    assert_eq!(calls(&[longer, answer, details]), ["a/a b/b", "c/c"]);
    let span = Row { usage: used(107, 70), ..chat("t", "1", None, "sdk", (0, 2_000)) };
    assert_eq!(calls(&[span, details]), ["b/b", "t/1"], "only for records");
}

#[test]
fn the_end_of_a_stream_is_part_of_the_latest_request_like_it() {
    let request = |id, parent, times| Row { message: Some("m"), ..chat("t", id, parent, "logfire", times) };
    let end = |id, parent, time| Row { tail: true, usage: used(5, 7), ..request(id, parent, (time, time)) };
    assert_eq!(calls(&[request("1", Some("0"), (0, 9)), end("2", Some("0"), 90)]), ["t/1 t/2"]);
    let twice = [
        request("1", Some("0"), (0, 9)),
        request("3", Some("0"), (20, 29)),
        end("4", Some("0"), 90),
        end("2", Some("0"), 95),
    ];
    assert_eq!(calls(&twice), ["t/1 t/2", "t/3 t/4"]);
    let alone = Row { trace: "u", ..end("2", None, 90) };
    assert_eq!(calls(&[request("1", None, (0, 9)), alone]), ["t/1 u/2"], "of a root in a trace of its own");
    // Of another parent, another message, after its end, or whole already.
    assert_eq!(calls(&[request("1", Some("9"), (0, 9)), end("2", Some("0"), 90)]), ["t/1", "t/2"]);
    let other = Row { message: Some("n"), ..request("1", Some("0"), (0, 9)) };
    assert_eq!(calls(&[other, end("2", Some("0"), 90)]), ["t/1", "t/2"]);
    assert_eq!(calls(&[request("1", Some("0"), (100, 109)), end("2", Some("0"), 90)]), ["t/1", "t/2"]);
    let whole = Row { usage: used(1, 1), ..request("1", Some("0"), (0, 9)) };
    assert_eq!(calls(&[whole, end("2", Some("0"), 90)]), ["t/1", "t/2"]);
}
