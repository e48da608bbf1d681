"""Asks over the PostgreSQL protocol as asyncpg does: binary, prepared, with cursors.

Usage: postgres_asyncpg.py URL QUESTION. Prints the answer to the question as JSON.
"""

import asyncio
import datetime
import decimal
import json
import sys

import asyncpg

url, question = sys.argv[1], sys.argv[2]
ENDLESS = "SELECT sum(a.value + b.value) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"
START = datetime.datetime(2025, 3, 30, 0, 30, 0, 123456, tzinfo=datetime.timezone.utc)


async def main() -> None:
    connection = await asyncpg.connect(url)
    answer = [list(row) for row in await connection.fetch(question)]
    sql = """SELECT start_time, input_tokens, name, date, attributes, finish_reasons, 1.5::numeric(5, 2) AS n
             FROM spans WHERE trace_id = $1 AND input_tokens >= $2 AND start_time >= $3 AND date = $4
             AND request_model = ANY($5) ORDER BY start_time LIMIT $6"""
    statement = await connection.prepare(sql)
    for _ in range(3):
        row = await statement.fetchrow(f"{1:032x}", 100, START, START.date(), ["a-1", "b-2"], 1)
        assert row["start_time"] == START, row
        assert row["input_tokens"] == 100 and row["date"] == START.date(), row
        assert row["n"] == decimal.Decimal("1.50"), row
        assert json.loads(row["attributes"])["kept"] == "as sent", row
        assert row["finish_reasons"] in (None, []), row
    for sql, value in [
        ("SELECT $1::int[]", [1, 2]),
        ("SELECT $1::float8[]", [1.5, 2.0]),
        ("SELECT $1::timestamptz[]", [START]),
        ("SELECT $1::date[]", [START.date()]),
        ("SELECT $1::numeric", decimal.Decimal("123456789012345678.123456789")),
        ("SELECT $1::bytea", b"\x00\xff"),
    ]:
        found = await connection.fetchval(sql, value)
        assert found == value, f"{sql}: {found}"
    found = await connection.fetchval(
        "SELECT count(*) FROM spans WHERE input_tokens = ANY($1) AND start_time = ANY($2)", [100, 200], [START])
    assert found == 1, found
    async with connection.transaction():
        values = [row["value"] async for row in connection.cursor("SELECT value FROM generate_series(1, 1000)")]
        assert values == list(range(1, 1001))
    try:
        await connection.fetch(ENDLESS, timeout=0.3)
        raise AssertionError("the query ended")
    except asyncio.TimeoutError:
        pass
    for sql, expected in [
        ("SELECT nothing_such FROM spans", asyncpg.UndefinedColumnError),
        ("SELECT 1 FROM nothing_such", asyncpg.UndefinedTableError),
        ("INSERT INTO spans (name) VALUES ('x')", asyncpg.ReadOnlySQLTransactionError),
    ]:
        try:
            await connection.fetch(sql)
            raise AssertionError(f"{sql}: no error")
        except expected:
            pass
    assert await connection.fetchval("SELECT 1") == 1
    # What a pool sends before it gives the connection to the next.
    await connection.reset()
    await connection.close()
    pool = await asyncpg.create_pool(url, min_size=2, max_size=4)
    assert [await pool.fetchval("SELECT $1::int", number) for number in range(10)] == list(range(10))
    await pool.close()
    print(json.dumps(answer, default=str))


asyncio.run(main())
