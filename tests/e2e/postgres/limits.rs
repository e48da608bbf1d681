//! What a query may take, and that it takes it from nobody else.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::hostile::{ENDLESS, falls_silent, still_answers, works};
use super::{Raw, psql_prints, started};
use crate::server::{Server, client};
use crate::skipped::skipped;

async fn limited(folder: &tempfile::TempDir, environment: &[(&str, &str)]) -> Server {
    let data = folder.path().join("data");
    Server::start_at(data.to_str().unwrap(), &data, &[], environment).await
}

/// Asks in a client of its own, until an error comes; its code.
fn refused(client: &mut Raw, sql: &str) -> String {
    client.message(Some(b'Q'), format!("{sql}\0").as_bytes());
    loop {
        match client.receive() {
            (b'E', body) => {
                let fields = body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
                return fields.filter_map(|field| field.strip_prefix('C').map(str::to_owned)).next().unwrap();
            }
            (b'Z', _) => panic!("{sql}: no error"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_so_many_rows_and_bytes_and_a_refusal_names_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("TRACEWELL_QUERY_ROWS", "1000"), ("TRACEWELL_QUERY_BYTES", "1MiB")];
    let server = limited(&folder, &environment).await;
    let ask = async |sql: &str| {
        let answer = client().post(format!("{}/v1/sql", server.api)).body(sql.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, rows) = ask("SELECT value FROM generate_series(1, 1000)").await;
    assert_eq!((status, rows.as_array().unwrap().len()), (200, 1000));
    let (status, error) = ask("SELECT value FROM generate_series(1, 1001)").await;
    let told = error["error"].as_str().unwrap();
    assert!(status == 422 && told.contains("1000") && told.contains("query.rows") && told.contains("LIMIT"), "{told}");
    let (status, error) = ask("SELECT repeat('x', 3000) AS x FROM generate_series(1, 999)").await;
    let told = error["error"].as_str().unwrap();
    assert!(status == 422 && told.contains("1048576") && told.contains("query.bytes"), "{told}");
    let mut client = Raw::connect(&server);
    client.start();
    assert_eq!(refused(&mut client, "SELECT value FROM generate_series(1, 1001)"), "54000");
    still_answers(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_queries_leave_the_places_of_short_ones() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("TRACEWELL_QUERY_CONCURRENT", "1"), ("TRACEWELL_QUERY_LONG", "1")];
    let server = limited(&folder, &environment).await;
    let asking = |sql: &[u8]| {
        let mut client = Raw::connect(&server);
        client.start();
        client.message(Some(b'Q'), sql);
        client
    };
    // One goes on as the long one, the others wait to.
    let _long = [asking(ENDLESS), asking(ENDLESS_AHEAD), asking(ENDLESS_AHEAD), asking(ENDLESS)];
    for _ in 0..3 {
        still_answers(&server);
    }
}

/// Its subquery is answered before the query begins, which takes for ever.
const ENDLESS_AHEAD: &[u8] =
    b"SELECT count(*) FROM spans WHERE trace_id IN (SELECT CAST(sum(a.value + b.value) AS text)
    FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b)\0";

#[tokio::test(flavor = "multi_thread")]
async fn a_query_has_memory_and_disk_of_its_own_and_leaves_the_rest_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("TRACEWELL_QUERY_MEMORY", "512MiB"),
        ("TRACEWELL_QUERY_MEMORY_PER_QUERY", "128MiB"),
        ("TRACEWELL_QUERY_SPILL", folder.path().join("spill").to_str().unwrap()),
        ("TRACEWELL_QUERY_SPILL_SIZE", "768MiB"),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let server = limited(&folder, &environment).await;
    let ask = async |sql: &str| {
        let answer = client().post(format!("{}/v1/sql", server.api)).body(sql.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    // 250 MB of texts cannot be kept for a join, and four times as many are too many for the disk.
    let texts =
        |rows: u32| format!("(SELECT value, repeat(md5(value::text), 4) AS text FROM generate_series(1, {rows}))");
    let sorted =
        |rows| format!("SELECT max(n) AS n FROM (SELECT row_number() OVER (ORDER BY text) AS n FROM {})", texts(rows));
    let joined = format!("SELECT count(*) FROM {0} AS a JOIN {0} AS b ON a.text = b.text", texts(2_000_000));
    let (status, error) = ask(&joined).await;
    let told = error["error"].as_str().unwrap();
    assert!(status == 422 && told.contains("query.memory_per_query"), "{told}");
    let (status, error) = ask(&sorted(8_000_000)).await;
    let told = error["error"].as_str().unwrap();
    assert!(status == 422 && told.contains("query.spill_size"), "{told}");
    let spilled = std::fs::read_dir(folder.path().join("spill")).unwrap().count();
    assert!(spilled > 0, "nothing was spilled where it should be");
    still_answers(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_are_sorted_on_disk_where_memory_is_too_small_for_a_batch_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill");
    let environment = [
        ("TRACEWELL_QUERY_MEMORY", "512MiB"),
        ("TRACEWELL_QUERY_MEMORY_PER_QUERY", "128MiB"),
        ("TRACEWELL_QUERY_SPILL", spill.to_str().unwrap()),
    ];
    let server = limited(&folder, &environment).await;
    // 256 MB in 8,000 texts, which are one batch to DataFusion.
    let sql = "SELECT max(n) AS n FROM (SELECT row_number() OVER (ORDER BY text) AS n
               FROM (SELECT repeat(md5(value::text), 1000) AS text FROM generate_series(1, 8000)))";
    let answer = client().post(format!("{}/v1/sql", server.api)).body(sql).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap().trim(), r#"[{"n":8000}]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_over_http_ends_with_its_client() {
    let folder = tempfile::tempdir().unwrap();
    let server = limited(&folder, &[]).await;
    let endless = String::from_utf8_lossy(ENDLESS).trim_end_matches('\0').to_owned();
    let asked = tokio::spawn(client().post(format!("{}/v1/sql", server.api)).body(endless).send());
    works(&server).await;
    asked.abort();
    falls_silent(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_stops_within_its_batch() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let mut client = Raw::connect(&server);
    client.start();
    client.message(Some(b'Q'), b"SET statement_timeout = '500ms'\0");
    while client.receive().0 != b'Z' {}
    // Minutes of work, all of it within a few batches.
    let texts = "(SELECT repeat(md5(value::text), 1000) AS a, repeat(md5((value + 1)::text), 1000) AS b
                  FROM generate_series(1, 16000)) AS t";
    for work in ["sum(similarity(a, b))", "max(length(text_diff(a, b)))", "max(regexp_count(a, '(a|b|[0-9])+?(c|d)'))"]
    {
        assert_eq!(refused(&mut client, &format!("SELECT {work} FROM {texts}")), "57014", "{work}");
        while client.receive().0 != b'Z' {}
        falls_silent(&server).await;
    }
    // A pattern that has to remember where each letter was, over texts without an end in sight.
    let texts = "(SELECT a || value::text AS b FROM generate_series(1, 4000),
                  (SELECT string_agg(md5(value::text), '') AS a FROM generate_series(1, 1000)))";
    let pattern = "'[a-f][a-f0-9]{500}[^a-f0-9]{2}'";
    for asked in [
        format!("SELECT count(*) FROM {texts} WHERE b ~ {pattern}"),
        format!("SELECT count(*) FILTER (WHERE b !~* {pattern}) FROM {texts}"),
        format!("SELECT max(length(b)) FROM {texts} GROUP BY b ~ {pattern}"),
    ] {
        assert_eq!(refused(&mut client, &asked), "57014", "{asked}");
        while client.receive().0 != b'Z' {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_finds_nothing_stops_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let mut client = Raw::connect(&server);
    client.start();
    client.message(Some(b'Q'), b"SET statement_timeout = '1s'\0");
    while client.receive().0 != b'Z' {}
    // Hours of work: a million millions of pairs, none of which is found.
    let series = "generate_series(1, 1000000)";
    for joined in [
        format!("{series} AS a JOIN {series} AS b ON a.value + b.value < 0"),
        format!("{series} AS a JOIN {series} AS b ON a.value % 2 = b.value % 2 AND a.value + b.value < 0"),
        format!("{series} AS a WHERE EXISTS (SELECT 1 FROM {series} AS b WHERE a.value + b.value < 0)"),
    ] {
        let since = Instant::now();
        assert_eq!(refused(&mut client, &format!("SELECT count(*) FROM {joined}")), "57014", "{joined}");
        while client.receive().0 != b'Z' {}
        assert!(since.elapsed() < Duration::from_secs(15), "{joined}: after {:?}", since.elapsed());
    }
    falls_silent(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_may_connect_and_a_refusal_names_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let server = limited(&folder, &[("TRACEWELL_POSTGRES_CONNECTIONS", "3")]).await;
    let connected = || {
        let mut client = Raw::connect(&server);
        client.start();
        client
    };
    let mut idle = [connected(), connected(), connected()];
    let told = String::from_utf8_lossy(&Raw::connect(&server).rest()).into_owned();
    assert!(
        told.contains("53300") && told.contains("3 may connect") && told.contains("postgres.connections"),
        "{told}"
    );
    // Those that are in are served, and so is OTLP.
    idle[0].message(Some(b'Q'), b"SELECT 42\0");
    assert_eq!(idle[0].receive().0, b'T');
    super::filled(&server).await;
    drop(idle);
    let deadline = Instant::now() + Duration::from_secs(30);
    while Raw::connect(&server).refused() {
        assert!(Instant::now() < deadline, "their places are not given back");
    }
    still_answers(&server);
}

/// Machines that go away say nothing. The system asks for them: timer 2 of a connection is that of keep-alive.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_asked_whether_it_is_still_there() {
    let Ok(_) = std::fs::read_to_string("/proc/net/tcp") else {
        skipped("a_silent_client_is_asked_whether_it_is_still_there", "there is no /proc/net/tcp");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = limited(&folder, &[]).await;
    let mut client = Raw::connect(&server);
    client.start();
    let port: u16 = server.postgres.rsplit_once(':').unwrap().1.parse().unwrap();
    let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = connections.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut of_server = fields.filter(|fields| fields[1].ends_with(&format!(":{port:04X}")) && fields[3] == "01");
    let found = of_server.next().expect("the client's connection");
    assert!(found[5].starts_with("02:"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_statement_stands_still_while_its_client_thinks() {
    if !super::has("psql", "the_time_of_a_statement_stands_still_while_its_client_thinks") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let script = folder.path().join("script.sql");
    let wait = Duration::from_secs(3).as_secs();
    let sql = format!(
        "BEGIN;\nSET LOCAL statement_timeout = '2s';\nDECLARE c CURSOR FOR SELECT value FROM generate_series(1, 200000);\n\
         FETCH 1 FROM c;\n\\! sleep {wait}\nMOVE 199998 FROM c;\nFETCH ALL FROM c;\nCOMMIT;\n"
    );
    std::fs::write(&script, sql).unwrap();
    let printed = psql_prints(&server, &["-q", "-A", "-t", "-f", script.to_str().unwrap()]);
    assert_eq!(printed, "1\n200000\n");
}
