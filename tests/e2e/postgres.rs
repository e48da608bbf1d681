//! The PostgreSQL protocol: the clients that people use, and clients that mean no good.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::readers::{python, run, script};
use crate::server::Server;
use crate::skipped::skipped;
use crate::spans::{int, request, span, text};

mod hostile;
mod limits;

/// 2025-03-30 00:30:00.123456 UTC: half an hour before the clocks of Berlin go forward.
const START: u64 = 1_743_294_600_123_456_000;

/// Asked by every client.
pub(crate) const QUESTION: &str =
    "SELECT request_model, count(*) AS calls, sum(input_tokens) AS input, sum(output_tokens) AS output
                        FROM llm_calls GROUP BY request_model ORDER BY request_model";

/// The answer to it, worked out by hand from [`calls`].
pub(crate) fn answer() -> Value {
    json!([["a-1", 3, 600, 60], ["b-2", 2, 3000, 3]])
}

/// A model call that starts `hours` after [`START`].
fn call(ids: (u128, u64), hours: u64, model: &str, tokens: (i64, i64)) -> Span {
    let mut call = span(ids.0, ids.1, "chat");
    call.start_time_unix_nano = START + hours * 3_600_000_000_000;
    call.end_time_unix_nano = call.start_time_unix_nano + 1_000_000;
    call.attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", model),
        int("gen_ai.usage.input_tokens", tokens.0),
        int("gen_ai.usage.output_tokens", tokens.1),
        text("kept", "as sent"),
    ];
    call
}

/// Five calls in two traces.
fn calls() -> Vec<Span> {
    vec![
        call((1, 1), 0, "a-1", (100, 10)),
        call((1, 2), 1, "a-1", (200, 20)),
        call((1, 3), 2, "a-1", (300, 30)),
        call((2, 4), 3, "b-2", (1000, 1)),
        call((2, 5), 4, "b-2", (2000, 2)),
    ]
}

/// A server with [`calls`].
pub(crate) async fn started(folder: &tempfile::TempDir, arguments: &[&str]) -> Server {
    let server = Server::start(&folder.path().join("data"), arguments).await;
    filled(&server).await;
    server
}

pub(crate) async fn filled(server: &Server) {
    server.takes("/v1/traces", request(calls())).await;
}

/// What a client prints, as JSON; whole numbers may be written with a point.
pub(crate) fn printed(output: &str) -> Value {
    let mut rows: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    for cell in rows.as_array_mut().unwrap().iter_mut().flat_map(|row| row.as_array_mut().unwrap()) {
        if let Some(number) = cell.as_f64() {
            *cell = json!(number as i64);
        }
    }
    rows
}

/// Whether a program is there, or a word that the test is skipped.
pub(crate) fn has(program: &str, test: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skipped(test, &format!("there is no {program}"));
    }
    found
}

pub(crate) fn psql(server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new("psql");
    command.args(["-X", "-d", &server.postgres, "-v", "VERBOSITY=verbose"]).args(arguments).env("PGUSER", "test");
    command.output().unwrap()
}

/// What psql prints; it has to succeed.
pub(crate) fn psql_prints(server: &Server, arguments: &[&str]) -> String {
    let output = psql(server, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{arguments:?}\n{out}\n{err}");
    out.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_asks_and_looks_around() {
    if !has("psql", "psql_asks_and_looks_around") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let table = psql_prints(&server, &["-A", "-t", "-F", ",", "-c", QUESTION]);
    assert_eq!(table, "a-1,3,600,60\nb-2,2,3000,3\n");
    // The same over HTTP.
    let over_http: Vec<Value> = server
        .sql(QUESTION)
        .iter()
        .map(|row| json!([row["request_model"], row["calls"], row["input"], row["output"]]))
        .collect();
    assert_eq!(Value::from(over_http), answer());
    let everything = psql_prints(&server, &["-x", "-c", "SELECT * FROM spans ORDER BY start_time LIMIT 1"]);
    assert!(
        everything.contains("2025-03-30 00:30:00.123456+00") && everything.contains(r#""kept":"as sent""#),
        "{everything}"
    );

    let shown = |command: &str| psql_prints(&server, &["-c", command]);
    for command in ["\\d", "\\dt", "\\dv", "\\d+", "\\dn", "\\l", "\\df", "\\du", "\\dT", "\\conninfo", "\\d llm_calls"]
    {
        shown(command);
    }
    // Of what there is none of here; where that is told, it is told as a notice.
    let none = "dd,dL,dT+,dn+,df+,do,dx,dx+,l+,dp,ddp,drds,dF,dFd+,dFp+,dFt+,dX,dy,di,ds,dm,dD,dD+,dC,dC+,dA,dAf+,\
        dAo+,dAp+,dc+,deu,deu+,det+,des+,dew,dew+,dl+,dO,dO+,dOS+,dRp,dRs+,dP,dP+,da,dconfig,dconfig+,\
        dconfig *time*,sf now,sf+ nothing,sv llm_calls,sv+ llm_calls,z";
    for command in none.split(',') {
        let output = psql(&server, &["-c", &format!("\\{command}")]);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!err.contains("ERROR"), "{command}: {err}");
    }
    let tables = shown("\\dt");
    assert!(tables.contains("spans") && tables.contains("contents") && !tables.contains("llm_calls"), "{tables}");
    let views = shown("\\dv+");
    assert!(views.contains("llm_calls") && views.contains("One row is one real model call"), "{views}");
    let spans = shown("\\d+ spans");
    assert!(
        spans.contains("timestamp with time zone") && spans.contains("jsonb") && spans.contains("text[]"),
        "{spans}"
    );
    // What a column means, as the schema says.
    let doc = tracewell_model::schema::SPANS.columns.iter().find(|column| column.name == "ttft_ns").unwrap().doc;
    assert!(spans.contains(doc), "{spans}");
    assert!(shown("\\dn").contains("public"));
    assert!(shown("\\l").contains("tracewell"));
    assert!(shown("SELECT version()").contains("PostgreSQL 16."));
    // What the completion of `SELECT * FROM sp` asks.
    let completed = "SELECT pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c
        WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND substring(pg_catalog.quote_ident(c.relname),1,2)='sp'
        AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace
        WHERE nspname = 'pg_catalog') UNION SELECT pg_catalog.quote_ident(n.nspname) || '.' FROM pg_catalog.pg_namespace n
        WHERE substring(pg_catalog.quote_ident(n.nspname) || '.',1,2)='sp' LIMIT 1000";
    assert!(shown(completed).contains("spans"));

    let failed = |sql: &str| String::from_utf8(psql(&server, &["-c", sql]).stderr).unwrap();
    let wrong = failed("SELECT input_token FROM spans");
    assert!(wrong.contains("42703") && wrong.contains("input_tokens") && wrong.contains("^"), "{wrong}");
    assert!(failed("DELETE FROM spans").contains("25006"));
    // A script goes on after a transaction that failed.
    let script = "BEGIN; SELECT 1; COMMIT; SELECT 2 AS two; SELECT nothing; SELECT 3";
    let output = psql(&server, &["-A", "-t", "-q", "-c", script]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n2\n");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn python_drivers_agree() {
    let Some(python) = python("python_drivers_agree") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let url = server.postgres.replace("//", "//test@") + "/tracewell";
    for name in ["postgres_psycopg.py", "postgres_asyncpg.py", "postgres_sqlalchemy.py"] {
        assert_eq!(printed(&run(Command::new(&python).arg(script(name)).args([&url, QUESTION]))), answer(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_postgres_agrees() {
    let Ok(modules) = std::env::var("TRACEWELL_NODE_MODULES") else {
        skipped("node_postgres_agrees", "set TRACEWELL_NODE_MODULES to the node_modules of tests/node");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let url = server.postgres.replace("//", "//test@") + "/tracewell";
    let client = format!("{}/../../tests/node/postgres.cjs", env!("CARGO_MANIFEST_DIR"));
    let output = run(Command::new("node").arg(client).args([&url, QUESTION]).env("NODE_PATH", modules));
    assert_eq!(printed(&output), answer());
}

#[tokio::test(flavor = "multi_thread")]
async fn jdbc_agrees() {
    let Ok(driver) = std::env::var("TRACEWELL_JDBC") else {
        skipped("jdbc_agrees", "set TRACEWELL_JDBC to the driver's jar (.ci/run fetches it)");
        return;
    };
    if !has("java", "jdbc_agrees") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let url = server.postgres.clone() + "/tracewell";
    let client = format!("{}/../../tests/java/Postgres.java", env!("CARGO_MANIFEST_DIR"));
    let output = run(Command::new("java").args(["-cp", &driver, &client, &url, QUESTION]));
    assert_eq!(printed(&output), answer());
}

/// What Grafana's data source asks to fill its query builder, and for a panel over time.
#[tokio::test(flavor = "multi_thread")]
async fn grafana_finds_tables_and_columns() {
    if !has("psql", "grafana_finds_tables_and_columns") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let asked = |sql: &str| psql_prints(&server, &["-A", "-t", "-c", sql]);
    let tables = asked(
        "select quote_ident(table_name) as \"table\" from information_schema.tables
         where quote_ident(table_schema) not in ('information_schema', 'pg_catalog', '_timescaledb_cache')
         and quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '\"$user\"' THEN user ELSE trim(s[i]) END
           FROM generate_series(array_lower(string_to_array(current_setting('search_path'),','),1),
                                array_upper(string_to_array(current_setting('search_path'),','),1)) as i,
                string_to_array(current_setting('search_path'),',') s)",
    );
    assert!(tables.lines().any(|table| table == "spans"), "{tables}");
    let columns = asked(
        "select quote_ident(column_name) as \"column\", data_type as \"type\" from information_schema.columns
         where quote_ident(table_name) = 'spans'",
    );
    assert!(
        columns.contains("start_time|timestamp with time zone") && columns.contains("input_tokens|bigint"),
        "{columns}"
    );
    assert_eq!(asked("SELECT current_setting('server_version_num')::int/100 as version"), "1600\n");
    let panel = asked(
        "SELECT date_bin(INTERVAL '2 hours', start_time) AS \"time\", request_model AS metric, sum(input_tokens) AS value
         FROM llm_calls WHERE start_time BETWEEN '2025-03-30T00:00:00Z' AND '2025-03-30T02:00:00Z'
         GROUP BY 1, 2 ORDER BY 1",
    );
    assert_eq!(panel, "2025-03-30 00:00:00+00|a-1|300\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_when_there_is_one() {
    if !has("psql", "a_password_is_asked_for_when_there_is_one") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let environment = [("TRACEWELL_POSTGRES_PASSWORD", "pencil £")];
    let server = Server::start_at(data.to_str().unwrap(), &data, &[], &environment).await;
    let ask = |password: &str| {
        let mut command = Command::new("psql");
        command.args(["-X", "-A", "-t", "-w", "-d", &server.postgres, "-c", "SELECT 1"]).env("PGUSER", "test");
        command.env("PGPASSWORD", password).output().unwrap()
    };
    assert_eq!(String::from_utf8_lossy(&ask("pencil £").stdout), "1\n");
    for wrong in ["pencil", ""] {
        let refused = ask(wrong);
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{refused:?}");
    }
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(!log.contains("pencil"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_address_that_is_taken_is_done_without_and_one_asked_for_is_not() {
    // Whoever has the address now, the test's own listener or another program: it is taken.
    let _taken = std::net::TcpListener::bind("127.0.0.1:5432");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = |wal: &str| {
        let data = data.to_str().unwrap().to_owned();
        let free = "127.0.0.1:0".to_owned();
        [
            "serve".into(),
            "--data".into(),
            data,
            "--wal".into(),
            folder.path().join(wal).to_str().unwrap().to_owned(),
            "--otlp-grpc".into(),
            free.clone(),
            "--otlp-http".into(),
            free.clone(),
            "--http".into(),
            free,
        ]
    };
    let asked = Command::new(crate::server::BINARY)
        .args(arguments("a"))
        .args(["--postgres", "127.0.0.1:5432"])
        .output()
        .unwrap();
    assert!(!asked.status.success());
    assert!(String::from_utf8_lossy(&asked.stderr).contains("127.0.0.1:5432"), "{asked:?}");
    let open =
        Command::new(crate::server::BINARY).args(arguments("b")).args(["--postgres", "0.0.0.0:0"]).output().unwrap();
    assert!(!open.status.success());
    assert!(String::from_utf8_lossy(&open.stderr).contains("postgres.password"), "{open:?}");
    let mut server =
        Command::new(crate::server::BINARY).args(arguments("c")).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let endpoint = folder.path().join("c/endpoint");
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let text = loop {
        match std::fs::read_to_string(&endpoint) {
            Ok(text) => break text,
            Err(_) => assert!(std::time::Instant::now() < deadline, "the server does not start"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(text.starts_with("http://") && !text.contains("postgres"), "{text}");
    server.kill().unwrap();
    let mut said = String::new();
    server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("127.0.0.1:5432") && said.contains("--postgres"), "{said}");
    server.wait().unwrap();
}

/// A connection that speaks the protocol by itself.
struct Raw(TcpStream);

impl Raw {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.postgres.trim_start_matches("postgresql://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Sends a message of a kind, or one without a kind.
    fn message(&mut self, kind: Option<u8>, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        let packet: Vec<u8> = kind.into_iter().chain(length).chain(body.iter().copied()).collect();
        self.send(&packet);
    }

    /// Says who it is, and waits until it may ask; the key for cancel requests.
    fn start(&mut self) -> Vec<u8> {
        self.message(None, b"\0\x03\0\0user\0test\0\0");
        let mut key = Vec::new();
        loop {
            match self.receive() {
                (b'K', body) => key = body,
                (b'Z', _) => return key,
                (b'E', body) => panic!("{}", String::from_utf8_lossy(&body)),
                _ => {}
            }
        }
    }

    /// Whether the server has no place for it.
    fn refused(mut self) -> bool {
        self.message(None, b"\0\x03\0\0user\0test\0\0");
        let mut kind = [0];
        self.0.read_exact(&mut kind).is_err() || kind[0] == b'E'
    }

    fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        let mut body = vec![0; length as usize - 4];
        self.0.read_exact(&mut body).unwrap();
        (head[0], body)
    }

    /// What comes until the server closes.
    fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = self.0.read_to_end(&mut rest);
        rest
    }
}
