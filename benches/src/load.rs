//! The two workloads, as encoded requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use clap::ValueEnum;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde::Serialize;

mod agents;
mod small;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Workload {
    /// Spans of web services and their databases, about 0.5 KB each, 500 a request.
    Small,
    /// Runs of agents, several KB a span; every model call sends the history again.
    Agents,
}

/// One encoded `ExportTraceServiceRequest`.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) body: Bytes,
    pub(crate) spans: u64,
}

/// Start of the first span: 2026-03-02T08:00:00Z. Fixed, so that a seed gives the same bytes on every day.
const EPOCH_NANOS: u64 = 1_772_438_400_000_000_000;

/// Makes at least `spans` spans with all cores; the same seed gives the same requests.
pub(crate) fn make(workload: Workload, seed: u64, spans: u64) -> Vec<Request> {
    type Part = fn(u64, u64) -> Vec<Request>;
    let (part, per_part): (Part, u64) = match workload {
        Workload::Small => (small::part, small::SPANS_OF_PART),
        Workload::Agents => (agents::part, agents::SPANS_OF_PART),
    };
    let parts = spans.div_ceil(per_part) as usize;
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(parts);
    let mut made: Vec<(usize, Vec<Request>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let claim = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < parts);
                    std::iter::from_fn(claim).map(|number| (number, part(seed, number as u64))).collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("making load does not panic")).collect()
    });
    made.sort_by_key(|(number, _)| *number);
    made.into_iter().flat_map(|(_, requests)| requests).collect()
}

const DAY_NANOS: u64 = 86_400_000_000_000;
/// Days after which all agents get another version of their prompt.
const DAYS_OF_VERSION: u64 = 10;

/// Agent runs spread over days, with what reports ask for; made while they are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Days {
    pub(crate) seed: u64,
    pub(crate) days: u64,
    pub(crate) spans: u64,
}

impl Days {
    /// Makes all requests with `threads` threads and gives them to `take`, piece by piece in their order; the pieces
    /// before `first` are left out.
    ///
    /// # Errors
    /// Those of `take`; nothing is made after one.
    pub(crate) fn each(
        self,
        threads: usize,
        first: u64,
        mut take: impl FnMut(u64, Vec<Request>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let parts = self.spans.div_ceil(agents::SPANS_OF_PART);
        let (next, every) = (AtomicU64::new(first), self.days * DAY_NANOS / parts.max(1));
        let (made, pieces) = std::sync::mpsc::sync_channel(4);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (made, next) = (made.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= parts {
                            return;
                        }
                        let start = EPOCH_NANOS + number * every;
                        let version = 1 + number * every / DAY_NANOS / DAYS_OF_VERSION;
                        let told = Some(agents::Told { version });
                        // No one takes any more: that thread says why.
                        if made.send((number, agents::stretch(self.seed, number, start, told))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(made);
            let (mut early, mut wanted) = (BTreeMap::new(), first);
            for (number, piece) in pieces {
                early.insert(number, piece);
                while let Some(piece) = early.remove(&wanted) {
                    take(wanted, piece)?;
                    wanted += 1;
                }
            }
            Ok(())
        })
    }
}

/// Bytes of all `requests`.
pub(crate) fn bytes(requests: &[Request]) -> u64 {
    requests.iter().map(|request| request.body.len() as u64).sum()
}

/// Spans of all `requests`.
pub(crate) fn spans(requests: &[Request]) -> u64 {
    requests.iter().map(|request| request.spans).sum()
}

/// The spans of one resource, with the position of their scope.
struct Group<'r> {
    resource: &'r [KeyValue],
    spans: Vec<(usize, Span)>,
}

/// One request with the spans of each group under its resource, by scope.
fn request(groups: Vec<Group<'_>>, scopes: &[(&str, &str)]) -> Request {
    let mut count = 0;
    let mut resource_spans = Vec::with_capacity(groups.len());
    for group in groups {
        count += group.spans.len() as u64;
        let mut of_scope: Vec<Vec<Span>> = scopes.iter().map(|_| Vec::new()).collect();
        for (scope, span) in group.spans {
            of_scope[scope].push(span);
        }
        let scope_spans =
            scopes.iter().zip(of_scope).filter(|(_, spans)| !spans.is_empty()).map(|((name, version), spans)| {
                let scope = InstrumentationScope {
                    name: (*name).into(),
                    version: (*version).into(),
                    ..InstrumentationScope::default()
                };
                ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }
            });
        let resource = Resource { attributes: group.resource.to_vec(), ..Resource::default() };
        let scope_spans = scope_spans.collect();
        resource_spans.push(ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() });
    }
    Request { body: ExportTraceServiceRequest { resource_spans }.encode_to_vec().into(), spans: count }
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.into()))
}

fn int(key: &str, value: u64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value as i64))
}

fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, any_value::Value::DoubleValue(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_requests() {
        for workload in [Workload::Small, Workload::Agents] {
            let (first, second) = (make(workload, 1, 2_000), make(workload, 1, 2_000));
            assert!(first.iter().map(|request| &request.body).eq(second.iter().map(|request| &request.body)));
            assert_ne!(first[0].body, make(workload, 2, 2_000)[0].body);
            assert!(spans(&first) >= 2_000);
        }
    }

    #[test]
    fn spans_have_the_sizes_that_are_claimed() {
        let per_span = |workload| {
            let requests = make(workload, 1, 10_000);
            bytes(&requests) / spans(&requests)
        };
        let (small, agents) = (per_span(Workload::Small), per_span(Workload::Agents));
        assert!((400..=550).contains(&small), "{small}");
        assert!((3_000..=10_000).contains(&agents), "{agents}");
    }

    #[test]
    fn every_span_is_accepted() {
        use tracewell_otlp::{Decoder, Limits, index_traces};
        for workload in [Workload::Small, Workload::Agents] {
            for request in make(workload, 3, 500) {
                let index = index_traces(&request.body).expect("the framing is right");
                assert_eq!(index.spans().len() as u64, request.spans);
                let mut decoder = Decoder::new(Limits::default());
                index.spans().iter().for_each(|entry| {
                    decoder.decode_span(entry.bytes(&request.body)).expect("the span is right");
                });
            }
        }
    }
}
