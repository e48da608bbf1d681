"""Asks Tracewell by ADBC over Arrow Flight SQL: python flight.py URL PASSWORD QUERY; prints the rows of QUERY as JSON."""

import json
import sys

import adbc_driver_flightsql.dbapi as flight
import pyarrow
from adbc_driver_manager import ProgrammingError

url, password, query = sys.argv[1:]
login = {"username": "ada", "password": password} if password else {}


def refused(cursor, sql, word, parameters=None):
    try:
        cursor.execute(sql, parameters)
        cursor.fetchall()
    except Exception as error:
        assert word in str(error), f"{sql}: {error}"
        return
    raise AssertionError(f"{sql} was not refused")


with flight.connect(url, db_kwargs=login, autocommit=True) as connection, connection.cursor() as cursor:
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "Tracewell", info
    assert connection.adbc_get_table_types() == ["TABLE", "VIEW"]
    objects = connection.adbc_get_objects(depth="columns").read_all().to_pylist()
    (catalog,) = objects
    (schema,) = catalog["catalog_db_schemas"]
    assert (catalog["catalog_name"], schema["db_schema_name"]) == ("tracewell", "public")
    tables = {table["table_name"]: table for table in schema["db_schema_tables"]}
    assert (tables["spans"]["table_type"], tables["llm_calls"]["table_type"]) == ("TABLE", "VIEW")
    columns = [column["column_name"] for column in tables["spans"]["table_columns"]]
    assert "trace_id" in columns and "input_tokens" in columns, columns
    assert connection.adbc_get_table_schema("spans").field("start_time").type == pyarrow.timestamp("us", "UTC")

    cursor.execute("SELECT $1 + 1 AS n, upper($2) AS t", (41, "x"))
    assert cursor.fetchall() == [(42, "X")]
    # Columns that are called as the parameters are may come in any order.
    cursor.adbc_prepare("SELECT $a::bigint AS a, $b::bigint AS b")
    cursor.execute("SELECT $a::bigint AS a, $b::bigint AS b", pyarrow.record_batch({"b": [2], "a": [1]}))
    assert cursor.fetchall() == [(1, 2)]
    cursor.execute("SELECT count(*) FROM spans WHERE name = $1", ("nobody",))
    assert cursor.fetchone() == (0,)
    # Many batches, as columns.
    cursor.execute("SELECT value, 'text ' || value AS t FROM generate_series(1, 100000) ORDER BY value")
    table = cursor.fetch_arrow_table()
    assert (table.num_rows, pyarrow.compute.sum(table["value"]).as_py()) == (100_000, 5_000_050_000)
    assert table.column("t")[99_999].as_py() == "text 100000"

    # The clocks of a call are those of its header.
    berlin = "SELECT date_trunc('day', TIMESTAMPTZ '2026-03-30 12:00:00+02:00') = TIMESTAMPTZ '2026-03-29 22:00:00+00:00'"
    cursor.execute(berlin)
    assert cursor.fetchone() == (False,)
    there = {**login, "adbc.flight.sql.rpc.call_header.tracewell-time-zone": "Europe/Berlin"}
    with flight.connect(url, db_kwargs=there, autocommit=True) as abroad, abroad.cursor() as clocks:
        clocks.execute(berlin)
        assert clocks.fetchone() == (True,)

    refused(cursor, "SELECT nothing FROM spans", "nothing")
    refused(cursor, "SELECT 1 / 0", "zero")
    refused(cursor, "DELETE FROM spans", "not supported")
    refused(cursor, "SELECT $1 + 1", "parameter")
    # Told by where it stands, it is a whole number.
    refused(cursor, "SELECT $1 + 1", "no whole number", (1.5,))
    cursor.execute("SELECT $1 + 1", (2.0,))
    assert cursor.fetchone() == (3,)
    try:
        cursor.executemany("SELECT $1 + 1", [(1,), (2,)])
        raise AssertionError("an update was taken")
    except ProgrammingError as error:
        assert "nothing can be changed" in str(error), error

    cursor.execute(query)
    rows = cursor.fetch_arrow_table().to_pylist()

print(json.dumps([list(row.values()) for row in rows], default=str))
