//! Web services: traces of 8 to 12 spans that cross a few of 20 services.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::{EPOCH_NANOS, Group, Request, int, request, text};
use crate::random::Random;
use crate::text::{hex, word};

/// Spans made in one piece.
pub(super) const SPANS_OF_PART: u64 = 50_000;
const SPANS_OF_REQUEST: usize = 500;
/// Processes of each service; each exports for itself.
const INSTANCES: usize = 2;
/// From the start of one trace to the next.
const TRACE_EVERY: u64 = 200_000;

const SERVICES: [&str; 20] = [
    "frontend",
    "checkout",
    "cart",
    "catalog",
    "payment",
    "shipping",
    "email",
    "currency",
    "recommendation",
    "ads",
    "inventory",
    "pricing",
    "search",
    "accounts",
    "sessions",
    "reviews",
    "fraud",
    "invoices",
    "notifications",
    "gateway",
];
const SCOPES: [(&str, &str); 3] = [
    ("io.opentelemetry.tomcat-10.0", "2.16.0-alpha"),
    ("io.opentelemetry.java-http-client", "2.16.0-alpha"),
    ("io.opentelemetry.jdbc", "2.16.0-alpha"),
];
const SERVER: usize = 0;
const CLIENT: usize = 1;
const DATABASE: usize = 2;
const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/139.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/18.5",
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "Java-http-client/21.0.8",
    "okhttp/4.12.0",
];
const METHODS: [&str; 6] = ["GET", "GET", "GET", "POST", "PUT", "DELETE"];

/// One piece of the load: a stretch of time.
pub(super) fn part(seed: u64, number: u64) -> Vec<Request> {
    let mut fleet = Fleet::new(seed, number);
    let mut made = 0;
    while made < SPANS_OF_PART {
        made += fleet.trace();
    }
    fleet.finish()
}

struct Instance {
    service: usize,
    resource: Vec<KeyValue>,
    waiting: Vec<(usize, Span)>,
}

struct Fleet {
    random: Random,
    now: u64,
    instances: Vec<Instance>,
    requests: Vec<Request>,
}

/// What the spans of one service in one trace share.
struct Visit {
    trace: Vec<u8>,
    instance: usize,
}

impl Fleet {
    fn new(seed: u64, number: u64) -> Self {
        // The processes are the same in all pieces.
        let mut random = Random::new(seed, 0);
        let instances = (0..SERVICES.len() * INSTANCES)
            .map(|at| {
                let service = at / INSTANCES;
                let (name, host) = (SERVICES[service], hex(&mut random, 10));
                let resource = vec![
                    text("service.name", name),
                    text("service.version", format!("1.{}.{}", service % 7, service % 5)),
                    text("service.instance.id", format!("{}-{}", hex(&mut random, 8), hex(&mut random, 12))),
                    text("host.name", format!("{name}-{host}")),
                    text("deployment.environment.name", "production"),
                    text("telemetry.sdk.name", "opentelemetry"),
                    text("telemetry.sdk.language", "java"),
                    text("telemetry.sdk.version", "1.50.0"),
                ];
                Instance { service, resource, waiting: Vec::with_capacity(SPANS_OF_REQUEST) }
            })
            .collect();
        let now = EPOCH_NANOS + number * (SPANS_OF_PART / 10) * TRACE_EVERY;
        Self { random: Random::new(seed, number + 1), now, instances, requests: Vec::new() }
    }

    /// Makes one trace and returns its number of spans.
    fn trace(&mut self) -> u64 {
        let spans = self.random.between(8, 12);
        self.now += self.random.nanos(TRACE_EVERY);
        let trace = self.random.bytes(16);
        let mut visit = Visit { trace, instance: self.random.below(self.instances.len() as u64) as usize };
        let start = self.now;
        let mut parent = self.server(&visit, Vec::new(), start, 40_000_000);
        let mut at = start;
        let mut made = 1;
        while made < spans {
            at += self.random.nanos(300_000);
            // A service calls its database a few times, then another service.
            if made + 2 <= spans && self.random.chance(30) {
                let callee = self.random.below(self.instances.len() as u64) as usize;
                let call = self.client(&visit, parent.clone(), callee, at);
                visit.instance = callee;
                parent = self.server(&visit, call, at + 250_000, 10_000_000);
                made += 2;
            } else {
                self.database(&visit, parent.clone(), at);
                made += 1;
            }
        }
        made
    }

    fn server(&mut self, visit: &Visit, parent: Vec<u8>, start: u64, typical: u64) -> Vec<u8> {
        let random = &mut self.random;
        let service = SERVICES[self.instances[visit.instance].service];
        let method = *random.pick(&METHODS);
        let (path, route) = path(random, service);
        let status = if random.chance(2) { 500 } else { *random.pick(&[200, 200, 200, 200, 201, 204, 404]) };
        let attributes = vec![
            text("http.request.method", method),
            text("url.scheme", "https"),
            text("url.path", path),
            text("http.route", route.as_str()),
            int("http.response.status_code", status),
            text("server.address", format!("{service}.prod.svc.cluster.local")),
            int("server.port", 8443),
            text("user_agent.original", *random.pick(&AGENTS)),
            text("client.address", format!("10.{}.{}.{}", random.below(4), random.below(64), random.below(250))),
            text("network.protocol.version", "1.1"),
        ];
        let name = format!("{method} {route}");
        self.emit(visit, SERVER, parent, name, 2, start, typical, status >= 500, attributes)
    }

    fn client(&mut self, visit: &Visit, parent: Vec<u8>, callee: usize, start: u64) -> Vec<u8> {
        let callee = SERVICES[self.instances[callee].service];
        let random = &mut self.random;
        let method = *random.pick(&METHODS);
        let (path, _) = path(random, callee);
        let host = format!("{callee}.prod.svc.cluster.local");
        let status = if random.chance(2) { 503 } else { 200 };
        let attributes = vec![
            text("http.request.method", method),
            text("url.full", format!("https://{host}:8443{path}?v={}", random.below(4))),
            text("server.address", host),
            int("server.port", 8443),
            int("http.response.status_code", status),
            text("network.protocol.version", "2"),
            text("peer.service", callee),
            int("thread.id", random.between(20, 90)),
            text("thread.name", format!("http-nio-8443-exec-{}", random.below(64))),
        ];
        self.emit(visit, CLIENT, parent, method.to_owned(), 3, start, 12_000_000, status >= 500, attributes)
    }

    fn database(&mut self, visit: &Visit, parent: Vec<u8>, start: u64) {
        let service = SERVICES[self.instances[visit.instance].service];
        let random = &mut self.random;
        let table = *random.pick(&["orders", "items", "users", "prices", "events", "stock"]);
        let (operation, statement) = match random.below(4) {
            0 => ("INSERT", format!("INSERT INTO {table} (id, {}, created_at) VALUES (?, ?, now())", word(random))),
            1 => ("UPDATE", format!("UPDATE {table} SET {} = ?, updated_at = now() WHERE id = ?", word(random))),
            _ => {
                let column = word(random);
                (
                    "SELECT",
                    format!("SELECT id, {column}, updated_at FROM {table} WHERE {column} = ? ORDER BY id LIMIT 50"),
                )
            }
        };
        let attributes = vec![
            text("db.system", "postgresql"),
            text("db.name", service),
            text("db.user", format!("{service}_app")),
            text("db.operation", operation),
            text("db.sql.table", table),
            text("db.statement", statement),
            text("server.address", format!("pg-{service}.prod.internal")),
            int("server.port", 5432),
            int("thread.id", random.between(20, 90)),
            text("thread.name", format!("http-nio-8443-exec-{}", random.below(64))),
        ];
        let name = format!("{operation} {service}.{table}");
        self.emit(visit, DATABASE, parent, name, 3, start, 1_500_000, false, attributes);
    }

    #[expect(clippy::too_many_arguments, reason = "they are the members of a span")]
    fn emit(
        &mut self,
        visit: &Visit,
        scope: usize,
        parent: Vec<u8>,
        name: String,
        kind: i32,
        start: u64,
        typical: u64,
        failed: bool,
        attributes: Vec<KeyValue>,
    ) -> Vec<u8> {
        let start = start + self.random.below(50_000);
        let id = self.random.bytes(8);
        let status = failed.then(|| Status { code: 2, ..Status::default() });
        let span = Span {
            trace_id: visit.trace.clone(),
            span_id: id.clone(),
            // Sampled, and whether the parent is remote.
            flags: if kind == 2 { 0x301 } else { 0x101 },
            parent_span_id: parent,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: start + self.random.nanos(typical),
            attributes,
            status,
            ..Span::default()
        };
        let instance = &mut self.instances[visit.instance];
        instance.waiting.push((scope, span));
        if instance.waiting.len() == SPANS_OF_REQUEST {
            let spans = std::mem::take(&mut instance.waiting);
            self.requests.push(request(vec![Group { resource: &instance.resource, spans }], &SCOPES));
        }
        id
    }

    /// The requests; what is left over goes together, as a gateway would send it.
    fn finish(mut self) -> Vec<Request> {
        let mut groups = Vec::new();
        let mut count = 0;
        for instance in &mut self.instances {
            count += instance.waiting.len();
            groups.push(Group { resource: &instance.resource, spans: std::mem::take(&mut instance.waiting) });
            if count >= SPANS_OF_REQUEST {
                count = 0;
                self.requests.push(request(std::mem::take(&mut groups), &SCOPES));
            }
        }
        if count > 0 {
            self.requests.push(request(groups, &SCOPES));
        }
        self.requests
    }
}

/// A path with an identifier in it, and its route.
fn path(random: &mut Random, service: &str) -> (String, String) {
    let resource = *random.pick(&["items", "orders", "users", "quotes", "sessions"]);
    let action = *random.pick(&["", "/details", "/history", "/status"]);
    let path = format!("/api/v2/{service}/{resource}/{}{action}", random.below(1_000_000));
    (path, format!("/api/v2/{service}/{resource}/{{id}}{action}"))
}
