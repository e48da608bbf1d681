//! What clients send over HTTP and Arrow Flight SQL.

use std::sync::Arc;

use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::sql::{Any, Command, CommandStatementQuery, ProstMessageExt};
use datafusion_common::arrow::array::{Int64Array, ListArray, RecordBatch, StringArray, StringDictionaryBuilder};
use datafusion_common::arrow::datatypes::{DataType, Int32Type};
use futures::executor::block_on;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use tracewell_requests::body::Asked;
use tracewell_requests::credentials::credentials;
use tracewell_requests::flight;

use crate::cost;

/// A member of a list takes 2 bytes of JSON and 80 of memory, as JSON and then as a value, in vectors that double.
const FACTOR: usize = 512;

/// A byte that says whether it is JSON, then the body of `POST /v1/sql`.
pub(crate) fn check_body(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    cost::bounded(body.len(), FACTOR, || {
        let Ok(mut asked) = Asked::read(body, first & 1 == 1) else { return };
        if let Ok(Some(zone)) = asked.time_zone() {
            assert!(!zone.is_empty());
        }
        if let Ok(Some(timeout)) = asked.timeout() {
            assert!(!timeout.is_zero());
        }
        let values = asked.values();
        for (name, data_type) in values.types() {
            let value = values.value(name, &DataType::Utf8).expect("what has a type has a value");
            assert_eq!(value.data_type(), data_type);
        }
        for name in values.names() {
            drop(values.value(name, &DataType::Int64));
        }
        assert!(values.value("no parameter at all", &DataType::Utf8).is_err());
    });
}

/// A header `authorization`, a command of Flight SQL, and a stream of parameters, cut out of the same bytes.
pub(crate) fn check_flight(data: &[u8]) {
    if let Ok(header) = str::from_utf8(data) {
        let _ = credentials(header);
    }
    if let Ok(any) = Any::decode(data) {
        let _ = Command::try_from(any);
    }
    let parts = parts(data);
    let read = || block_on(flight::row(stream::iter(parts.clone().into_iter().map(Ok))));
    // Where Arrow's reader panics, the trace of it takes more than any parameters may.
    if read().is_err_and(|refusal| refusal.message().contains("contradict")) {
        return;
    }
    let Ok(row) = cost::bounded(data.len(), FACTOR, read) else { return };
    assert_eq!(row.num_rows(), 1);
    let names: Vec<String> = row.schema().fields().iter().rev().map(|field| field.name().clone()).collect();
    if let Ok(values) = flight::values(&row, names.iter().map(String::as_str)) {
        assert_eq!(values.len(), row.num_columns());
        values.iter().for_each(|value| drop(value.to_string()));
    }
}

/// Messages of two lengths of two bytes, a header and a body.
fn parts(mut data: &[u8]) -> Vec<FlightData> {
    let mut parts = Vec::new();
    while let Some(([a, b, c, d], rest)) = data.split_first_chunk() {
        let header = usize::from(u16::from_be_bytes([*a, *b])).min(rest.len());
        let (header, rest) = rest.split_at(header);
        let body = usize::from(u16::from_be_bytes([*c, *d])).min(rest.len());
        let (body, rest) = rest.split_at(body);
        parts.push(FlightData::new().with_data_header(header.to_vec()).with_data_body(body.to_vec()));
        data = rest;
    }
    parts
}

fn whole(parts: &[FlightData]) -> Vec<u8> {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    let parts = parts.iter().map(|part| {
        let (header, body) = (&part.data_header[..], &part.data_body[..]);
        [&length(header)[..], &length(body), header, body].concat()
    });
    parts.collect::<Vec<_>>().concat()
}

pub(crate) fn body_seeds() -> Vec<Vec<u8>> {
    let bodies = [
        r#"{"sql": "SELECT $1, $2", "parameters": [1, 1.5, "x", null, true, [1, 2], ["a"], [], {}]}"#,
        r#"{"sql": "SELECT $a", "parameters": {"a": "b", "c": [1, "x"]}, "time_zone": "Europe/Berlin"}"#,
        r#"{"sql": "SELECT 1", "timeout_seconds": 1.5e-3, "prices": "2026-11", "time_zone": "+02:00"}"#,
        r#"{"sql": "SELECT 1", "parameters": [18446744073709551615, -9223372036854775809, 1e400]}"#,
        "SELECT 1",
    ];
    bodies.iter().flat_map(|body| [[&[0], body.as_bytes()].concat(), [&[1], body.as_bytes()].concat()]).collect()
}

pub(crate) fn flight_seeds() -> Vec<Vec<u8>> {
    let mut words = StringDictionaryBuilder::<Int32Type>::new();
    words.append_value("gpt-4.1");
    let rows = [
        RecordBatch::try_from_iter([("1", Arc::new(Int64Array::from(vec![Some(7)])) as _)]),
        RecordBatch::try_from_iter([
            ("since", Arc::new(StringArray::from(vec!["2026-01-01"])) as _),
            ("model", Arc::new(words.finish()) as _),
            ("ids", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None])])) as _),
        ]),
    ];
    let mut seeds = vec![
        b"Basic YWRhOmh1bnRlcjI=".to_vec(),
        b"Bearer 0123456789abcdef".to_vec(),
        CommandStatementQuery { query: "SELECT 1".into(), transaction_id: None }.as_any().encode_to_vec(),
    ];
    for row in rows {
        let row = row.expect("columns of one row");
        let encoded = FlightDataEncoderBuilder::new().build(stream::iter([Ok(row)]));
        let parts: Vec<FlightData> = block_on(encoded.boxed().try_collect()).expect("a row is encoded");
        seeds.push(whole(&parts));
    }
    seeds
}
