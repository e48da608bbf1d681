"""Asks DuckDB and a server for the views that both have, and compares the rows.

Usage: views_in_duckdb.py DATA URL, where the server at URL answers over the settled tables at DATA.
"""

import decimal
import http.client
import os
import pathlib
import sys

import pyarrow as pa

# A build watches that folder.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "queries"))
import duckdb_views

data, url = sys.argv[1:]
# What only Tracewell can work out.
PRICES = {
    "cost_usd", "cost_parts", "uncached_cost_usd", "cost_difference_usd", "unpriced_calls", "unpriced_reason",
    "currency", "price_rule", "price_source", "catalogue", "catalogue_version", "prices_version", "price_tier",
    "price_context_over", "model_reading", "count_reading",
}
# What other views show whole is compared there.
WITHIN = {"texts", "span_records", "tool_executions", "run_facts"}


def asked(sql: str) -> pa.Table:
    server = http.client.HTTPConnection(url.removeprefix("http://"))
    server.request("POST", "/v1/sql", sql, {"Accept": "application/vnd.apache.arrow.stream"})
    answer = server.getresponse()
    if answer.status != 200:
        sys.exit(f"{sql}: {answer.read().decode()}")
    return pa.ipc.open_stream(answer.read()).read_all()


def same_form(value):
    """A value in a form in which equal ones are equal: whole numbers have other types in DuckDB."""
    if isinstance(value, dict):
        return sorted((name, same_form(member)) for name, member in value.items())
    if isinstance(value, (list, tuple)):
        return [same_form(item) for item in value]
    if isinstance(value, (int, decimal.Decimal)) and not isinstance(value, bool):
        return f"{decimal.Decimal(value):.24f}"
    return f"{value:.9g}" if isinstance(value, float) else value


def lines(table: pa.Table, columns: list[str]) -> list[str]:
    return sorted(repr([same_form(row[column]) for column in columns]) for row in table.select(columns).to_pylist())


database = duckdb_views.connect(data)
views = [view for view in duckdb_views.VIEWS + duckdb_views.OF_RELEASES if view not in WITHIN]
for view in views:
    ours, theirs = asked(f"SELECT * FROM {view}"), database.sql(f"FROM {view}").to_arrow_table()
    if ours.column_names != theirs.column_names:
        sys.exit(f"{view} has the columns {ours.column_names}, in DuckDB {theirs.column_names}")
    columns = [column for column in ours.column_names if column not in PRICES]
    ours, theirs = lines(ours, columns), lines(theirs, columns)
    if ours != theirs:
        one = next((pair for pair in zip(ours, theirs) if pair[0] != pair[1]), ("", ""))
        sys.exit(f"{view} has {len(ours)} rows, in DuckDB {len(theirs)}; the first that differs:\n{one[0]}\n{one[1]}")
    if not ours:
        sys.exit(f"{view} has no rows, so that nothing is compared")
print(f"{len(views)} views agree")

# Threads of the libraries that outlive the interpreter may abort the process when it ends.
sys.stdout.flush()
os._exit(0)
