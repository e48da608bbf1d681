"""Tracewell's tables and views in DuckDB: what differs stands at the head of `duckdb.sql`, beside this file.

Usage: python queries/duckdb_views.py DATA "SELECT …", or from Python `duckdb_views.connect(DATA)`. Needs the packages
`duckdb`, `deltalake` and `pyarrow`.
"""

import pathlib
import re
import sys

import duckdb
from deltalake import DeltaTable

HERE = pathlib.Path(__file__).parent
TABLES = {name: name for name in ("spans", "logs", "contents", "scores")}
# Views that code has a part in, and the tables that hold their rows of settled dates.
TABLES |= {"llm_calls": "calls", "trace_parts": "traces"}
# The others, each behind those it reads.
VIEWS = (
    "texts", "span_records", "span_costs", "tool_executions", "run_facts", "traces", "evaluations", "runs", "sessions",
    "prompt_usage", "tool_calls", "retrievals", "messages", "trials",
)
# Those over a table that is there once a prompt was released.
OF_RELEASES = ("live_releases", "span_releases")


def in_duckdb(sql: str) -> str:
    """A view's SQL with what no macro can stand for written as DuckDB has it."""
    sql = re.sub(r"\b(first|last)_value\(", r"\1(", sql)
    # The calls in views have no parentheses within.
    members = re.compile(r"'(\w+)',")
    return re.sub(r"named_struct(\([^()]*\))", lambda call: "struct_pack" + members.sub(r"\1 :=", call[1]), sql)


def connect(data: str) -> duckdb.DuckDBPyConnection:
    """A connection that has the tables at `data` and the views over them."""
    database = duckdb.connect()
    database.execute((HERE / "duckdb.sql").read_text(encoding="utf-8"))
    released = DeltaTable.is_deltatable(f"{data}/releases")
    for name, table in (TABLES | ({"releases": "releases"} if released else {})).items():
        delta = DeltaTable(f"{data}/{table}")
        # DuckDB's delta extension cannot be fetched everywhere: the files of the snapshot are handed to it by name.
        files = delta.file_uris()
        if files:
            # Files of an older version lack columns.
            options = "hive_partitioning = true, union_by_name = true"
            database.execute(f"CREATE VIEW {name} AS FROM read_parquet({files!r}, {options})")
        else:
            database.from_arrow(delta.to_pyarrow_table()).create(name)
    for view in VIEWS + (OF_RELEASES if released else ()):
        sql = (HERE / "views" / f"{view}.sql").read_text(encoding="utf-8")
        database.execute(f"CREATE VIEW {view} AS {in_duckdb(sql)}")
    return database


if __name__ == "__main__":
    print(connect(sys.argv[1]).sql(sys.argv[2]))
