//! The sender: encoded requests over loopback gRPC.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::{Buf, BufMut, Bytes};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::load::Request;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// Pause before a refused request is sent again.
const PAUSE: Duration = Duration::from_millis(50);

/// What became of the requests.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// From the first send to the last acknowledgement.
    pub(crate) wall: Duration,
    /// Of each request, from when it was due to its acknowledgement; sorted.
    pub(crate) acks: Vec<Duration>,
    pub(crate) spans: u64,
    pub(crate) bytes: u64,
    /// Times that a request was refused for lack of room, and sent again.
    pub(crate) refused: u64,
}

impl Sent {
    /// The time within which `percent` of a hundred requests were acknowledged.
    pub(crate) fn ack(&self, percent: f64) -> Duration {
        let rank = (self.acks.len() as f64 * percent / 100.0).ceil() as usize;
        self.acks.get(rank.clamp(1, self.acks.len().max(1)) - 1).copied().unwrap_or_default()
    }
}

/// Connections to a server.
pub(crate) struct Client {
    channels: Vec<Channel>,
}

/// What all senders share.
struct Work {
    requests: Vec<Request>,
    next: AtomicUsize,
    refused: AtomicU64,
    acks: Mutex<Vec<Duration>>,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr, connections: usize) -> anyhow::Result<Self> {
        let mut channels = Vec::with_capacity(connections);
        for _ in 0..connections {
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
            channels.push(endpoint.connect().await.context("cannot connect to the server")?);
        }
        Ok(Self { channels })
    }

    /// Sends everything as fast as it is acknowledged, with `in_flight` requests a connection.
    pub(crate) async fn send_all(&self, requests: &[Request], in_flight: usize) -> anyhow::Result<Sent> {
        let work = Arc::new(Work::new(requests));
        let start = Instant::now();
        let senders: Vec<_> = (0..in_flight)
            .flat_map(|_| &self.channels)
            .map(|channel| {
                let (channel, work) = (channel.clone(), Arc::clone(&work));
                tokio::spawn(async move {
                    while let Some(request) = work.requests.get(work.next.fetch_add(1, Ordering::Relaxed)) {
                        work.send(channel.clone(), request, Instant::now()).await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for sender in senders {
            sender.await??;
        }
        Ok(work.sent(start.elapsed()))
    }

    /// Sends `per_second` requests a second, whether the ones before are acknowledged or not.
    pub(crate) async fn send_paced(&self, requests: &[Request], per_second: f64) -> anyhow::Result<Sent> {
        let work = Arc::new(Work::new(requests));
        let start = Instant::now();
        let mut under_way = tokio::task::JoinSet::new();
        for at in 0..work.requests.len() {
            let due = start + Duration::from_secs_f64(at as f64 / per_second);
            tokio::time::sleep_until(due.into()).await;
            let (channel, work) = (self.channels[at % self.channels.len()].clone(), Arc::clone(&work));
            // Timed from when it was due: a late start is not forgiven.
            under_way.spawn(async move { work.send(channel, &work.requests[at], due).await });
            while let Some(done) = under_way.try_join_next() {
                done??;
            }
        }
        while let Some(done) = under_way.join_next().await {
            done??;
        }
        Ok(work.sent(start.elapsed()))
    }
}

impl Work {
    fn new(requests: &[Request]) -> Self {
        Self {
            requests: requests.to_vec(),
            next: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            acks: Mutex::new(Vec::with_capacity(requests.len())),
        }
    }

    /// Sends one request until it is acknowledged.
    async fn send(&self, channel: Channel, request: &Request, due: Instant) -> anyhow::Result<()> {
        let mut grpc = tonic::client::Grpc::new(channel);
        let path = http_path();
        loop {
            grpc.ready().await.context("the connection is lost")?;
            match grpc.unary(tonic::Request::new(request.body.clone()), path.clone(), RawCodec).await {
                Ok(answer) => {
                    let answer: Bytes = answer.into_inner();
                    let partial = ExportTraceServiceResponse::decode(answer)?.partial_success;
                    if let Some(partial) = partial.filter(|partial| partial.rejected_spans > 0) {
                        anyhow::bail!("{} spans were rejected: {}", partial.rejected_spans, partial.error_message);
                    }
                    let took = due.elapsed();
                    self.acks.lock().unwrap_or_else(PoisonError::into_inner).push(took);
                    return Ok(());
                }
                Err(status) if matches!(status.code(), Code::ResourceExhausted | Code::Unavailable) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(status) => return Err(status).context("a request failed"),
            }
        }
    }

    fn sent(&self, wall: Duration) -> Sent {
        let mut acks = std::mem::take(&mut *self.acks.lock().unwrap_or_else(PoisonError::into_inner));
        acks.sort_unstable();
        Sent {
            wall,
            acks,
            spans: crate::load::spans(&self.requests),
            bytes: crate::load::bytes(&self.requests),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

fn http_path() -> tonic::codegen::http::uri::PathAndQuery {
    tonic::codegen::http::uri::PathAndQuery::from_static(EXPORT)
}

/// Messages as the bytes they are: encoding is no part of what is measured.
#[derive(Clone, Copy, Debug, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
