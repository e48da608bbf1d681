"""Asks DuckDB what tests/queries/*.slt ask Tracewell, over the Parquet files of the same tables, which are settled.

Usage: sqllogic_duckdb.py DATA FILE.slt…. Records behind `onlyif tracewell` or `skipif duckdb` are left out, as are
those that expect an error.
"""

import datetime
import decimal
import pathlib
import re
import sys

# A build watches that folder.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "queries"))
import duckdb_views

data, files = sys.argv[1], sys.argv[2:]
database = duckdb_views.connect(data)


def written(value) -> str:
    """A value as Tracewell's side of the test writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value or "(empty)"
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(written(item) for item in value)}]"
    if isinstance(value, (float, decimal.Decimal)):
        return f"{value:f}" if isinstance(value, decimal.Decimal) else repr(value)
    return str(value)


def same(found: str, wanted: str) -> bool:
    if found == wanted:
        return True
    try:
        return abs(decimal.Decimal(found) - decimal.Decimal(wanted)) < decimal.Decimal("1e-9")
    except decimal.InvalidOperation:
        return False


def records(text: str):
    """The queries that are for everybody: SQL, how rows are sorted, expected words."""
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        if not lines or any(re.match(r"(onlyif tracewell|skipif duckdb)\b", line) for line in lines):
            continue
        if lines[0].startswith("statement ok") and lines[1].startswith("SET TIME ZONE"):
            yield lines[1].replace("SET TIME ZONE", "SET TimeZone ="), None, None
        if lines[0].startswith("query") and "error" not in lines[0]:
            end = lines.index("----")
            yield "\n".join(lines[1:end]), "rowsort" in lines[0], lines[end + 1:]


asked = 0
for file in files:
    database.execute("SET TimeZone = 'UTC'")
    for sql, sort, expected in records(open(file, encoding="utf-8").read()):
        result = database.execute(sql)
        if expected is None:
            continue
        rows = [" ".join(written(value) for value in row) for row in result.fetchall()]
        if sort:
            rows, expected = sorted(rows), sorted(expected)
        found = [word for row in rows for word in row.split()]
        wanted = [word for row in expected for word in row.split()]
        if len(found) != len(wanted) or not all(map(same, found, wanted)):
            sys.exit(f"{file}: {sql}\nDuckDB says {rows}\nexpected {expected}")
        asked += 1
assert asked > 0
print(f"{asked} records agree")
