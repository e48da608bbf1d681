"""Asks over the PostgreSQL protocol as psycopg 3 does: text and binary, prepared, server-side cursors, cancel, errors.

Usage: postgres_psycopg.py URL QUESTION. Prints the answer to the question as JSON, from four ways of asking it.
"""

import datetime
import decimal
import json
import sys
import threading
import time

import psycopg
from psycopg import errors

url, question = sys.argv[1], sys.argv[2]
# Nobody waits for its end.
ENDLESS = "SELECT sum(a.value + b.value) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"
START = datetime.datetime(2025, 3, 30, 0, 30, 0, 123456, tzinfo=datetime.timezone.utc)

TYPES = """
SELECT 1::smallint AS i2, 2 AS i8, 3::int AS i4, 1.5::real AS f4, 0.1::double precision AS f8, true AS yes, NULL AS nothing,
       12345.678::numeric(12, 3) AS n, 'grüße' AS t, DATE '2025-03-30' AS d,
       TIMESTAMP '2025-03-30 01:02:03.004005' AS ts, start_time AS tz, INTERVAL '1 day 2 hours' AS i,
       ARRAY['a', 'b "c",', NULL] AS list, ARRAY[1, 2] AS numbers, attributes AS map, CAST('x' AS BYTEA) AS bytes
FROM spans WHERE trace_id = %s ORDER BY start_time LIMIT 1
"""


def fails(connection, sql, expected, **diagnosis):
    """The error of a query, which has to be `expected`."""
    try:
        connection.execute(sql)
    except expected as error:
        for name, value in diagnosis.items():
            found = getattr(error.diag, name)
            assert found == value, f"{sql}: {name} is {found}, not {value}"
        return error
    raise AssertionError(f"{sql}: no error")


def types(connection):
    wanted = {
        "i2": 1, "i8": 2, "i4": 3, "f4": 1.5, "f8": 0.1, "yes": True, "nothing": None,
        "n": decimal.Decimal("12345.678"), "t": "grüße", "d": datetime.date(2025, 3, 30),
        "ts": datetime.datetime(2025, 3, 30, 1, 2, 3, 4005), "tz": START, "i": datetime.timedelta(days=1, hours=2),
        "list": ["a", 'b "c",', None], "numbers": [1, 2], "bytes": b"x",
    }
    for binary in (False, True):
        with connection.cursor(binary=binary, row_factory=psycopg.rows.dict_row) as cursor:
            row = cursor.execute(TYPES, (f"{1:032x}",)).fetchone()
        attributes = row.pop("map")
        assert attributes["kept"] == "as sent", attributes
        assert row == wanted, f"binary={binary}: {row}"


def parameters(connection):
    sql = """SELECT count(*) FROM spans WHERE trace_id = ANY(%s) AND input_tokens >= %s AND start_time >= %s
             AND date = %s AND request_model = %s AND input_tokens > %s AND (%s OR %s IS NULL)"""
    values = ([f"{1:032x}", "none"], 200, START, START.date(), "a-1", decimal.Decimal("199.5"), True, None)
    for _ in range(7):
        assert connection.execute(sql, values, prepare=True).fetchone() == (2,)
    for binary in ("%b", "%t"):
        found = connection.execute(f"SELECT {binary}::bigint + 1, {binary}::text", (41, "x")).fetchone()
        assert found == (42, "x"), found
    # A naive time is of the session's time zone.
    sql = "SELECT count(*) FROM spans WHERE start_time < '2025-03-30 01:30:00.5'"
    found = connection.execute(sql).fetchone()
    assert found == (2,), found
    connection.execute("SET TIME ZONE 'Europe/Berlin'")
    found = connection.execute(sql).fetchone()
    assert found == (1,), found
    hours = connection.execute("SELECT date_trunc('hour', min(start_time))::text FROM spans").fetchone()
    assert hours == ("2025-03-30 01:00:00+01",), hours
    connection.execute("RESET TIME ZONE")


def exact(connection):
    n = decimal.Decimal("123456789012345678.123456789")
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            found = cursor.execute(f"SELECT {n}, '{n}'::numeric, %s::numeric, 0.1 + 0.2", (n,)).fetchone()
            assert found == (n, n, n, decimal.Decimal("0.3")), found
    sql = '''SELECT '{"a":{"b":[1,"x"]}}' -> 'a' ->> 'b', '{"a":[1,"x"]}' #>> '{a,1}', attributes ->> 'kept', attributes ? 'none'
             FROM spans LIMIT 1'''
    found = connection.execute(sql).fetchone()
    assert found == ('[1,"x"]', "x", "as sent", False), found
    found = connection.execute("SELECT '\\x6869'::bytea, %s::bytea", (b"\x00\xff",)).fetchone()
    assert found == (b"hi", b"\x00\xff"), found
    found = connection.execute("SELECT '{\"b c\",NULL}'::text[], 'b c' = ANY('{\"b c\"}'::text[])").fetchone()
    assert found == (["b c", None], True), found


def cursors(connection):
    with connection.transaction(), connection.cursor(name="big") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT value FROM generate_series(1, 5000)")
        assert sum(value for (value,) in cursor) == 12502500
    with connection.transaction(), connection.cursor(name="held", binary=True) as cursor:
        cursor.execute("SELECT value, %s::text FROM generate_series(1, 10)", ("x",))
        assert cursor.fetchmany(3) == [(1, "x"), (2, "x"), (3, "x")]
        cursor.scroll(5)
        assert cursor.fetchall() == [(9, "x"), (10, "x")]


def transactions(connection):
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute("SELECT nothing_such FROM spans")
        except errors.UndefinedColumn:
            pass
        assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.execute("BEGIN")
    fails(connection, "SELEC 1", errors.SyntaxError)
    fails(connection, "SELECT 1", errors.InFailedSqlTransaction)
    connection.execute("ROLLBACK")
    connection.execute("BEGIN; SET LOCAL statement_timeout = '5s'; COMMIT")
    assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", (number,)) for number in range(50)]
    assert [cursor.fetchone()[0] for cursor in cursors] == list(range(50))


def mistakes(connection):
    error = fails(connection, "SELECT\n  input_token FROM spans", errors.UndefinedColumn, statement_position="10")
    assert "input_tokens" in f"{error.diag.message_primary} {error.diag.message_hint}", error
    fails(connection, "SELECT 1 FROM span", errors.UndefinedTable, statement_position="15")
    fails(connection, "SELECT ('é' FROM spans", errors.SyntaxError, statement_position="13")
    fails(connection, "SELECT nothing(1)", errors.UndefinedFunction)
    fails(connection, "SELECT 'x'::bigint", errors.InvalidTextRepresentation)
    fails(connection, "SELECT 1 / 0", errors.DivisionByZero)
    fails(connection, "SELECT 1 / (input_tokens - input_tokens) FROM spans", errors.DivisionByZero)
    fails(connection, "SELECT name::bigint FROM spans", errors.InvalidTextRepresentation)
    fails(connection, "SELECT 9223372036854775807 + input_tokens FROM spans", errors.NumericValueOutOfRange)
    fails(connection, "SELECT sum(9223372036854775807 - n) FROM (VALUES (0), (0)) AS t(n)", errors.NumericValueOutOfRange)
    fails(connection, "SELECT 'soon'::timestamptz", errors.InvalidDatetimeFormat)
    fails(connection, "SELECT count(*) FROM spans WHERE regexp_like(name, '(')", errors.InvalidRegularExpression)
    fails(connection, "SELECT (SELECT name FROM spans)", errors.CardinalityViolation)
    fails(connection, "SELECT current_setting('nothing.such')", errors.UndefinedObject)
    fails(connection, "SET nonsense = 1", errors.UndefinedObject)
    fails(connection, "FETCH 1 FROM nothing", errors.InvalidCursorName)


def writes(connection):
    for sql in [
        "INSERT INTO spans (name) VALUES ('x')",
        "EXPLAIN ANALYZE INSERT INTO spans (name) VALUES ('x')",
        "EXPLAIN INSERT INTO spans (name) VALUES ('x')",
        "UPDATE spans SET name = 'x'",
        "DELETE FROM spans",
        "TRUNCATE spans",
        "CREATE TABLE t AS SELECT 1",
        "CREATE TABLE t (a int)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "DROP TABLE spans",
        "COPY spans TO '/tmp/x'",
        "COPY (SELECT 1) TO STDOUT",
        "PREPARE p AS INSERT INTO spans (name) VALUES ('x')",
        "SET TRANSACTION READ WRITE",
        "/* SELECT */ INSERT INTO spans (name) VALUES ('x')",
    ]:
        fails(connection, sql, errors.ReadOnlySqlTransaction)
    for sql in [
        "SELECT * INTO t FROM spans",
        "WITH x AS (INSERT INTO spans (name) VALUES ('x') RETURNING 1) SELECT * FROM x",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "EXECUTE p",
    ]:
        fails(connection, sql, psycopg.Error)
    assert connection.execute("SELECT count(*) FROM spans").fetchone() == (5,)


def stops(connection):
    connection.execute("SET statement_timeout = '300ms'")
    fails(connection, ENDLESS, errors.QueryCanceled)
    connection.execute("RESET statement_timeout")
    for cancel in (connection.cancel, connection.cancel_safe):
        threading.Thread(target=lambda: (time.sleep(0.3), cancel())).start()
        fails(connection, ENDLESS, errors.QueryCanceled)
    assert connection.execute("SELECT 1").fetchone() == (1,)


with psycopg.connect(url, autocommit=True) as connection:
    answers = [connection.execute(question).fetchall()]
    answers += [connection.execute(question, prepare=True).fetchall()]
    with connection.cursor(binary=True) as cursor:
        answers += [cursor.execute(question).fetchall()]
    with connection.transaction(), connection.cursor(name="question") as cursor:
        answers += [cursor.execute(question).fetchall()]
    for check in (types, parameters, exact, cursors, transactions, mistakes, writes, stops):
        check(connection)
with psycopg.connect(url, options="-c statement_timeout=1234ms", application_name="test") as connection:
    shown = [connection.execute(f"SHOW {name}").fetchone()[0] for name in ("statement_timeout", "application_name")]
    assert shown == ["1234", "test"], shown
assert all(answer == answers[0] for answer in answers), answers
print(json.dumps(answers[0], default=str))
