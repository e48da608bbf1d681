"""Opens the tables with other programs and compares with what Tracewell says.

Usage: readers.py DATA EXPECTED.json, where EXPECTED holds {TABLE: {"sums": SQL, "said": {"count": n, …}}}: sums over a
table, and what `tracewell sql` says they are.
"""

import json
import os
import sys

import duckdb
from deltalake import DeltaTable

data, expected = sys.argv[1], json.load(open(sys.argv[2]))


def check(program: str, what: str, found, wanted) -> None:
    if found != wanted:
        sys.exit(f"{program}: {what} is {found}, Tracewell says {wanted}")
    print(f"{program}: {what} = {found}")


for table, asked in expected.items():
    delta = DeltaTable(f"{data}/{table}")
    # DuckDB's delta extension cannot be fetched everywhere: the files of the snapshot are handed to it by name.
    files = delta.file_uris()
    rows = duckdb.sql(f"SELECT {asked['sums']} FROM read_parquet({files!r}, hive_partitioning = true)")
    for name, value in zip(rows.columns, rows.fetchall()[0]):
        check("duckdb", f"{table}.{name}", int(value), asked["said"][name])
    arrow = delta.to_pyarrow_table()
    check("deltalake", f"{table}.count", arrow.num_rows, asked["said"]["count"])
    descriptions = [field.metadata for field in delta.schema().fields]
    check("deltalake", f"{table} columns without a description", sum(not d.get("comment") for d in descriptions), 0)

# Threads of the libraries that outlive the interpreter may abort the process when it ends.
sys.stdout.flush()
os._exit(0)
