"""Puts spans and log records together again from the tables alone, by the rule in docs/tables.md ("What was sent,
again"), and compares them with the exports that were sent.

Usage: rebuild.py DATA FIXTURES, where every *.traces.pb and *.logs.pb below FIXTURES was sent once.
"""

import json
import os
import sys
from base64 import b64encode
from collections import defaultdict
from pathlib import Path

from deltalake import DeltaTable
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

data, fixtures = sys.argv[1], Path(sys.argv[2])


def rows(table: str) -> list[dict]:
    return DeltaTable(f"{data}/{table}").to_pyarrow_table().to_pylist()


CONTENTS = {(row["tenant"], row["date"], row["hash"]): row["content"] for row in rows("contents")}


def pieces(row: dict) -> list[tuple[str, str, str]]:
    """Source, form and text of what was moved away from a row."""
    lists = [row["input_refs"], row["output_refs"], [row["tools_ref"]], row.get("payload_refs")]
    refs = [ref for refs in lists for ref in refs or [] if ref]
    system = row["system_ref"]
    if system and all(ref["source"] != system["source"] for ref in row["input_refs"] or []):
        refs.append(system)
    return [(ref["source"], ref["form"], CONTENTS[row["tenant"], row["date"], ref["hash"]]) for ref in refs]


def rebuilt(row: dict) -> dict[str, str]:
    """What was moved away from a row, by key."""
    values, arrays, cuts, flat = {}, defaultdict(list), defaultdict(list), []
    for source, form, text in pieces(row):
        if form in ("value", "event"):
            values[source] = text
        elif form in ("array", "array_spaced"):
            arrays[source, ", " if form == "array_spaced" else ","].append(text)
        elif form == "spliced":
            key, _, offset = source.partition("@")
            cuts[key].append((int(offset or -1), text.encode()))
        else:
            flat.append((source, json.loads(text)))
    for (key, separator), elements in arrays.items():
        values[key] = "[" + separator.join(elements) + "]"
    for key, parts in cuts.items():
        (_, residual), *parts = sorted(parts, key=lambda part: part[0])
        text, copied = b"", 0
        for offset, part in parts:
            text += residual[copied:offset] + part
            copied = offset
        values[key] = (text + residual[copied:]).decode()
    for prefix, value in flat:
        numbered = {prefix: value} if isinstance(value, dict) else {f"{prefix}{at}.": one for at, one in enumerate(value)}
        for start, members in numbered.items():
            for name, member in members.items():
                values[start + name] = member if isinstance(member, str) else json.dumps(member)
    return values


def typed(text: str | None, kind: str | None):
    """A stored text as what it was before."""
    if kind == "empty" or text is None:
        return None
    return text if kind in (None, "string") else json.loads(text)


def sent(value):
    """An OTLP value as Python has it from JSON."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [sent(element) for element in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: sent(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind else None


def by_key(pairs) -> dict:
    return {pair.key: sent(pair.value) for pair in pairs}


def attributes(row: dict, moved: dict[str, str]) -> dict:
    types = dict(row["attribute_types"] or [])
    texts = dict(row["attributes"] or []) | {key: text for key, text in moved.items() if not key.startswith("event:")}
    return {key: typed(text, types.get(key)) for key, text in texts.items()}


def events(row: dict, moved: dict[str, str]) -> list:
    """Events, whose attributes are texts whatever they were."""
    found = []
    for at, event in enumerate(row["events"] or []):
        start = f"event:{at}:{event['name']}:"
        back = {key.removeprefix(start): text for key, text in moved.items() if key.startswith(start)}
        found.append((event["time_unix_nano"], event["name"], dict(event["attributes"] or []) | back))
    return found


def same_texts(stored: dict, given: dict) -> bool:
    return stored.keys() == given.keys() and all(
        stored[key] == value if isinstance(value, str) else json.loads(stored[key]) == value for key, value in given.items()
    )


spans = defaultdict(list)
for row in rows("spans"):
    moved = rebuilt(row)
    spans[row["trace_id"], row["span_id"]].append((attributes(row, moved), events(row, moved)))
records = defaultdict(list)
for row in rows("logs"):
    moved = rebuilt(row)
    body = row["body"]
    if body is None and row["body_type"]:
        body = moved.pop("body", None)
    body = typed(body, row["body_type"])
    records[row["trace_id"], row["span_id"], row["sent_unix_nano"]].append((attributes(row, moved), body))

count = 0
for path in sorted(fixtures.rglob("*.traces.pb")):
    for of_resource in ExportTraceServiceRequest.FromString(path.read_bytes()).resource_spans:
        for span in (span for of_scope in of_resource.scope_spans for span in of_scope.spans):
            given = [(event.time_unix_nano, event.name, by_key(event.attributes)) for event in span.events]
            stored = spans[span.trace_id.hex(), span.span_id.hex()]
            equal = any(
                found == by_key(span.attributes)
                and [event[:2] for event in told] == [event[:2] for event in given]
                and all(same_texts(one[2], other[2]) for one, other in zip(told, given))
                for found, told in stored
            )
            if not equal:
                sys.exit(f"{path}: span {span.name}: sent {by_key(span.attributes)} {given}, stored {stored}")
            count += 1
for path in sorted(fixtures.rglob("*.logs.pb")):
    for of_resource in ExportLogsServiceRequest.FromString(path.read_bytes()).resource_logs:
        for record in (record for of_scope in of_resource.scope_logs for record in of_scope.log_records):
            given = (by_key(record.attributes), sent(record.body))
            ids = (record.trace_id.hex() or None, record.span_id.hex() or None, record.time_unix_nano or None)
            if given not in records[ids]:
                sys.exit(f"{path}: record {record.event_name}: sent {given}, stored {records[ids]}")
            count += 1
print(count)

# Threads of the libraries that outlive the interpreter may abort the process when it ends.
sys.stdout.flush()
os._exit(0)
