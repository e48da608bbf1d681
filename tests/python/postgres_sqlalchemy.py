"""Asks over the PostgreSQL protocol as SQLAlchemy and pandas do, and looks at the schema by reflection.

Usage: postgres_sqlalchemy.py URL QUESTION. Prints the answer to the question as JSON, as pandas has it.
"""

import json
import sys

import pandas
import sqlalchemy
from sqlalchemy.dialects import postgresql

url, question = sys.argv[1].replace("postgresql://", "postgresql+psycopg://"), sys.argv[2]
engine = sqlalchemy.create_engine(url)

inspector = sqlalchemy.inspect(engine)
assert {"spans", "logs", "contents", "scores"} <= set(inspector.get_table_names()), inspector.get_table_names()
assert {"llm_calls", "traces", "messages"} <= set(inspector.get_view_names()), inspector.get_view_names()
assert inspector.get_schema_names() == ["information_schema", "public"], inspector.get_schema_names()
assert "FROM" in inspector.get_view_definition("traces")
columns = {column["name"]: column for column in inspector.get_columns("spans")}
assert isinstance(columns["start_time"]["type"], postgresql.TIMESTAMP) and columns["start_time"]["type"].timezone
assert isinstance(columns["input_tokens"]["type"], sqlalchemy.BigInteger)
assert isinstance(columns["attributes"]["type"], postgresql.JSONB)
assert isinstance(columns["finish_reasons"]["type"], postgresql.ARRAY)
assert not columns["trace_id"]["nullable"] and columns["name"]["comment"], columns["name"]
assert inspector.get_table_comment("spans")["text"]
assert inspector.get_pk_constraint("spans")["constrained_columns"] == []
assert inspector.get_foreign_keys("spans") == inspector.get_indexes("spans") == []

spans = sqlalchemy.Table("spans", sqlalchemy.MetaData(), autoload_with=engine)
with engine.connect() as connection:
    query = sqlalchemy.select(sqlalchemy.func.count()).where(spans.c.request_model.in_(["a-1", "b-2"]))
    assert connection.execute(query).scalar() == 5
    parts = list(pandas.read_sql("SELECT value FROM generate_series(1, 5000)", connection.execution_options(
        stream_results=True, max_row_buffer=500), chunksize=1000))
    assert [len(part) for part in parts] == [1000] * 5 and sum(part["value"].sum() for part in parts) == 12502500

with engine.connect() as connection:
    frame = pandas.read_sql(sqlalchemy.text(question), connection)
    times = pandas.read_sql(sqlalchemy.text("SELECT start_time FROM spans ORDER BY 1"), connection)
assert str(times["start_time"].dtype).startswith("datetime64[") and "UTC" in str(times["start_time"].dtype), times.dtypes
print(json.dumps(frame.values.tolist(), default=str))
