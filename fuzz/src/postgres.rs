//! What clients of the PostgreSQL protocol send: their stream of messages, values of parameters, SQL.

use bytes::Bytes;
use datafusion_common::arrow::datatypes::{DataType, Field, TimeUnit};
use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};
use tracewell_requests::postgres::command::{Command, command, statements};
use tracewell_requests::postgres::message::{Format, Message, Opening, length, message, most, opening};
use tracewell_requests::postgres::numeric::{numeric, numeric_digits};
use tracewell_requests::postgres::parameters::read;
use tracewell_requests::postgres::translate::translate;
use tracewell_requests::postgres::types::{format_of, of_parameter};
use tracewell_requests::postgres::{absent, scram, settings, startup};

use crate::cost;

/// A value of a message takes 4 bytes of it and 40 of memory, in a vector that doubles as it grows.
const FACTOR: usize = 64;

/// What a client sends from the first byte on, as long as it makes sense.
pub(crate) fn check_stream(data: &[u8]) {
    let mut left = data;
    let Some(body) = packet(&mut left, 0) else { return };
    match cost::bounded(body.len(), FACTOR, || opening(body.clone())) {
        Ok(Opening::Start { parameters, .. }) => check_start(&parameters),
        Ok(_) | Err(_) => {}
    }
    let mut declared = Vec::new();
    while let Some(kind) = left.first().copied() {
        let Some(body) = packet(&mut left, 1) else { return };
        match cost::bounded(body.len(), FACTOR, || message(kind, body.clone())) {
            Ok(Message::Query(sql)) => check_sql(&sql),
            Ok(Message::Parse { sql, types, .. }) => {
                check_sql(&sql);
                declared = types;
            }
            Ok(Message::Bind { formats, values, .. }) => {
                for (position, value) in values.iter().enumerate() {
                    let oid = declared.get(position).copied().unwrap_or(0);
                    check_value(value.as_deref(), oid, &DataType::Utf8, format_of(&formats, position));
                }
            }
            Ok(Message::Password(bytes)) => check_password(bytes),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Two bytes that choose a type and how it is written, then a value.
pub(crate) fn check_values(data: &[u8]) {
    let Some(([declared, wanted], value)) = data.split_first_chunk() else { return };
    let format = if declared & 1 == 0 { Format::Text } else { Format::Binary };
    let oid = OIDS[usize::from(declared >> 1) % OIDS.len()];
    let types = types();
    check_value(Some(value), oid, &types[usize::from(*wanted) % types.len()], format);
    if let Some(digits) = cost::bounded(value.len(), FACTOR, || numeric_digits(value)) {
        let mut written = bytes::BytesMut::new();
        numeric(&mut written, &digits);
        let expected = if digits.trim_start_matches('-').bytes().all(|byte| matches!(byte, b'0' | b'.')) {
            digits.trim_start_matches('-').to_owned()
        } else {
            digits
        };
        assert_eq!(numeric_digits(&written).as_deref(), Some(expected.as_str()), "a decimal comes back");
    }
}

/// A text of SQL.
pub(crate) fn check_text(data: &[u8]) {
    if let Ok(sql) = str::from_utf8(data) {
        check_sql(sql);
        check_translation(sql);
    }
}

/// The next packet, as a connection takes it off its input.
fn packet(left: &mut &[u8], kinds: usize) -> Option<Bytes> {
    let whole = length(left, kinds, most).ok()??;
    let (packet, rest) = left.split_at_checked(whole)?;
    *left = rest;
    Some(Bytes::copy_from_slice(&packet[kinds + 4..]))
}

fn check_start(parameters: &[(String, String)]) {
    let Ok((settings, _)) = startup::read(parameters) else { return };
    for (name, value) in settings.all() {
        assert_eq!(settings.get(name).as_deref().ok(), Some(value), "a setting has its value");
    }
    assert!(settings.reported().iter().all(|(name, _)| settings.get(name).is_ok()));
    let _ = settings.statement_timeout();
}

fn check_password(bytes: Bytes) {
    let last = bytes.clone();
    let Some(first) = scram::initial(bytes) else { return };
    if let Some(exchange) = scram::Exchange::begin(&first) {
        assert!(exchange.challenge().starts_with("r="));
        let proof = str::from_utf8(&last).ok().and_then(|last| exchange.finish(last, "hunter2"));
        assert_eq!(proof, None, "nobody guesses the nonce");
    }
}

fn check_value(value: Option<&[u8]>, oid: u32, wanted: &DataType, format: Format) {
    let length = value.map_or(0, <[u8]>::len);
    let Ok(found) = cost::bounded(length, 4 * FACTOR, || read(value, oid, wanted, format)) else { return };
    assert_eq!(found.is_null(), value.is_none(), "{found:?}");
    // It can be shown, which looks at every part of it.
    let _ = found.to_string();
}

/// Where statements end is where the parser finds it, and what they are is told without panic.
fn check_sql(sql: &str) {
    let found = cost::bounded(sql.len(), FACTOR, || statements(sql));
    let mut behind = 0;
    for (characters, text) in &found {
        let start = text.as_ptr() as usize - sql.as_ptr() as usize;
        assert!(start >= behind, "they follow each other");
        behind = start + text.len();
        assert_eq!(*characters, sql[..start].chars().count(), "characters before it");
        let again: Vec<_> = statements(text).into_iter().map(|(_, again)| again).collect();
        assert_eq!(again, [*text], "a statement is one");
        match command(text) {
            Ok(Command::Declare { query, .. }) => drop(command(&query)),
            Ok(Command::Set { name, value: Some(value), local }) => {
                let mut settings = settings::Settings::new("ada");
                if settings.set(&name, &value, local).is_ok() {
                    assert!(settings.get(&name).is_ok());
                }
            }
            Ok(_) | Err(_) => {}
        }
    }
    if let Some(count) = by_tokens(sql) {
        assert_eq!(found.len(), count, "statements of {sql:?}: {found:?}");
    }
}

/// How many statements there are to the parser, where it can read the text at all.
fn by_tokens(sql: &str) -> Option<usize> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().ok()?;
    let statements = tokens.split(|token| *token == Token::SemiColon);
    Some(statements.filter(|tokens| tokens.iter().any(|token| !matches!(token, Token::Whitespace(_)))).count())
}

/// What is translated is still SQL.
fn check_translation(sql: &str) {
    let _ = absent::types_of_asyncpg(sql);
    let Ok(parsed) = Parser::parse_sql(&PostgreSqlDialect {}, sql) else { return };
    for statement in parsed {
        // What the parser writes otherwise than it reads is not ours to judge.
        let written = statement.to_string();
        if parse(&written).is_none_or(|again| again.to_string() != written) {
            continue;
        }
        let mut translated = statement;
        translate(&mut translated);
        assert!(parse(&translated.to_string()).is_some(), "{written} became {translated}");
    }
}

fn parse(sql: &str) -> Option<Statement> {
    Parser::parse_sql(&PostgreSqlDialect {}, sql).ok()?.pop()
}

/// Types that clients declare: all that have a form of their own, text, and one that nobody knows.
const OIDS: [u32; 34] = [
    0, 16, 17, 18, 19, 20, 21, 23, 25, 26, 114, 700, 701, 1000, 1005, 1007, 1009, 1016, 1021, 1022, 1042, 1043, 1082,
    1083, 1114, 1115, 1182, 1184, 1185, 1186, 1231, 1700, 2950, 3802,
];

/// Types that queries take.
fn types() -> Vec<DataType> {
    let mut types: Vec<DataType> = OIDS.iter().filter_map(|oid| of_parameter(*oid)).collect();
    types.extend([
        DataType::Utf8,
        DataType::Decimal128(30, 15),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into())),
        DataType::List(Field::new_list_field(DataType::Decimal128(38, 20), true).into()),
    ]);
    types
}

/// What drivers send.
pub(crate) fn stream_seeds() -> Vec<Vec<u8>> {
    let start =
        start(&[("user", "ada"), ("database", "tracewell"), ("options", "-c timezone=Europe/Berlin"), ("_pq_.x", "1")]);
    let mut seeds = vec![
        [8_u32.to_be_bytes(), 80_877_103_u32.to_be_bytes()].concat(),
        [&16_u32.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &7_u32.to_be_bytes(), &[1, 2, 3, 4]].concat(),
        [&start[..], &packet_of(b'p', b"SCRAM-SHA-256\0\0\0\0\x13n,,n=user,r=rOprNGfwE")].concat(),
    ];
    for sql in SQL {
        seeds.push([&start[..], &packet_of(b'Q', &[sql.as_bytes(), b"\0"].concat()), &packet_of(b'X', b"")].concat());
    }
    let mut extended = start;
    extended.extend(packet_of(b'P', b"s\0SELECT $1, $2, $3\0\0\x03\0\0\0\x17\0\0\x04\x16\0\0\x03\xf1"));
    extended.extend(packet_of(b'D', b"Ss\0"));
    extended.extend(packet_of(
        b'B',
        b"p\0s\0\0\x01\0\x01\0\x03\0\0\0\x04\0\0\0\x07\0\0\0\x0e\0\x03\0\x01\0\0\0\x03\0\x01\x09\x29\x1a\x7c\xff\xff\xff\xff\0\0",
    ));
    extended.extend(packet_of(b'E', b"p\0\0\0\0\0"));
    extended.extend(packet_of(b'C', b"Pp\0"));
    extended.extend(packet_of(b'S', b""));
    seeds.push(extended);
    seeds
}

fn start(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = (3_u32 << 16).to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    [&u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes()[..], &body].concat()
}

fn packet_of(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes(), body].concat()
}

pub(crate) fn value_seeds() -> Vec<Vec<u8>> {
    let texts = ["7", "-12.3400", "t", "2026-03-29 02:30:00+01", "{a,\"b \\\"c\",NULL}", "\\x00ff", "1 day 02:00:00"];
    let mut seeds = Vec::new();
    for (position, text) in texts.iter().enumerate() {
        for wanted in 0..30 {
            seeds.push([&[u8::try_from(position).unwrap_or(0) * 2, wanted][..], text.as_bytes()].concat());
        }
    }
    let binary: [&[u8]; 6] = [
        &[0, 0, 0, 7],
        &[0, 0, 0, 0, 0, 0, 0, 7],
        &[0, 3, 0, 1, 0x40, 0, 0, 3, 0, 1, 9, 41, 26, 124],
        &[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9, 255, 255, 255, 255],
        &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6, 164, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 1, 0, 0, 0, 2],
    ];
    for value in binary {
        for (position, _) in OIDS.iter().enumerate() {
            seeds.push([&[u8::try_from(position).unwrap_or(0) * 2 + 1, 0], value].concat());
        }
    }
    seeds
}

pub(crate) fn text_seeds() -> Vec<Vec<u8>> {
    SQL.iter().map(|sql| sql.as_bytes().to_vec()).collect()
}

/// What clients ask, and what makes it hard to tell where it ends.
const SQL: [&str; 26] = [
    "SELECT ';' ; SELECT \";\";;",
    "SELECT 1 -- ;\n; /* ; /* ; */ ; */",
    "SELECT $a$ ; $a$, E'\\';', $1;x",
    "SELECT U&'d\\0061t', N'x', B'01', X'1F', 'a''b' \n 'c'",
    "é; b",
    "/* driver */ BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SELECT 1; COMMIT",
    "SET LOCAL search_path = a, \"B\"; SHOW search_path",
    "SET SESSION TIME ZONE 'Europe/Berlin'; SET statement_timeout TO '2s'; RESET ALL",
    "DECLARE \"My\" NO SCROLL CURSOR WITH HOLD FOR SELECT ';' ; FETCH FORWARD 100 FROM \"My\"; CLOSE ALL",
    "PREPARE p AS INSERT INTO spans VALUES (1); EXECUTE p; DEALLOCATE p",
    "COPY spans TO STDOUT WITH (FORMAT csv); COPY spans FROM '/tmp/x'",
    "SELECT 'public.spans'::regclass, $1::pg_catalog.regclass::oid, oid::regclass::text FROM pg_catalog.pg_class",
    "SELECT NULL, 1, NULL UNION SELECT 1, 2, 3",
    "SELECT (SELECT d.x FROM pg_catalog.pg_am AS d WHERE d.adnum = a.n ORDER BY 1 LIMIT 1) FROM a",
    "SELECT (SELECT d.x FROM pg_catalog.pg_attrdef AS d WHERE d.adnum = a.n) FROM a",
    "SELECT array(SELECT x FROM pg_catalog.pg_roles ORDER BY 1), array_to_string(t.typacl, ',') FROM pg_catalog.pg_type t",
    "SELECT (information_schema._pg_expandarray(i.indkey)).n, generate_subscripts(x, 1), array_upper(y, 1) FROM i",
    "SELECT a LIKE 'x!%' ESCAPE '!', b ILIKE $1 FROM t WHERE a IN (SELECT s FROM y WHERE 'search_path' = z)",
    "SELECT n.nspname AS \"Schema\", c.relname AS \"Name\" FROM pg_catalog.pg_language c ORDER BY 1, 2",
    "SELECT DISTINCT tt.relname AS \"Name\" FROM (SELECT pgc.oid AS oid, pgc.tableoid AS tableoid FROM x) AS tt",
    "EXPLAIN ANALYZE SELECT date_trunc('day', start_time) FROM spans WHERE a = ANY($1) LIMIT $2 OFFSET $3",
    "WITH RECURSIVE typeinfo_tree(oid) AS (SELECT 1) SELECT * FROM typeinfo_tree",
    "SELECT count(*) FILTER (WHERE x) OVER (PARTITION BY a ORDER BY b ROWS 1 PRECEDING) FROM t GROUP BY ROLLUP (a)",
    "SELECT attributes ->> 'a.b', x #> '{a,b}', y ? 'z', a @> b, a ~* 'x', a !~ 'y', a OPERATOR(pg_catalog.~) 'z' FROM t",
    "VALUES (1, 1e6), (0.1, 'NaN'::float8)",
    "SELECT 1e5, .5, 1_000, 0x1F, $$it's$$, 'a' COLLATE \"C\", CAST(x AS numeric), x::numeric(10,2)[] FROM t",
];
