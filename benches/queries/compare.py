"""Asks a month of agent runs: Tracewell over HTTP, DuckDB and chDB in this process over the same Parquet files.

`tracewell-benches queries` makes the data and runs this. Each question is asked of all engines in turns, after one turn
that is not counted, and its figure is the median. What is looked up is another one in each turn. Answers are compared.
"""

import argparse
import atexit
import decimal
import http.client
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time

import chdb.session
import duckdb
import pyarrow as pa

TURNS = 7
LOOKUPS = 21
# Of what the other engines read all contents for.
SLOW = 2
REPORTS = 3


class Tracewell:
    """A server over the data, asked as any client would."""

    name = "Tracewell"

    def __init__(self, binary, data):
        ports = [free_port() for _ in range(5)]
        otlp_grpc, otlp_http, self.port, postgres, flight = ports
        address = "127.0.0.1:{}".format
        self.process = subprocess.Popen(
            [binary, "serve", "--data", data, "--otlp-grpc", address(otlp_grpc), "--otlp-http", address(otlp_http)]
            + ["--http", address(self.port), "--postgres", address(postgres), "--flight", address(flight)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        atexit.register(self.process.kill)
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()
        deadline = time.time() + 300
        while True:
            try:
                ready = http.client.HTTPConnection("127.0.0.1", otlp_http, timeout=5)
                ready.request("GET", "/readyz")
                if ready.getresponse().status == 200:
                    break
            except OSError:
                pass
            if self.process.poll() is not None or time.time() > deadline:
                sys.exit("the server does not get ready")
            time.sleep(0.1)
        self.connection = self.connect()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def stream(self, sql, connection=None):
        connection = connection or self.connection
        headers = {"content-type": "application/json", "accept": "application/vnd.apache.arrow.stream"}
        connection.request("POST", "/v1/sql", json.dumps({"sql": sql, "timeout_seconds": 300}), headers)
        answer = connection.getresponse()
        if answer.status != 200:
            sys.exit(f"Tracewell: {answer.read().decode()}\n{sql}")
        yield from pa.ipc.open_stream(pa.PythonFile(answer, mode="r"))
        answer.read()

    def ask(self, sql, connection=None):
        if sql.startswith("/"):
            self.connection.request("GET", sql, headers={"accept": "application/json"})
            told = json.loads(self.connection.getresponse().read())
            return pa.Table.from_pydict({"run": [json.dumps(run) for run in told.get("runs", [told])]})
        return pa.Table.from_batches(list(self.stream(sql, connection)) or [pa.RecordBatch.from_pydict({})])

    def memory(self):
        return status(self.process.pid, "VmHWM"), status(self.process.pid, "VmRSS")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Duck:
    """DuckDB, with what it read of the files' footers kept."""

    name = "DuckDB"

    def __init__(self, data):
        self.connection = duckdb.connect()
        self.connection.execute("SET parquet_metadata_cache = true; SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        for table in ("spans", "contents", "calls", "traces"):
            files = f"{data}/{table}/date=*/*.parquet"
            self.connection.execute(
                f"CREATE VIEW {table}_files AS SELECT * FROM read_parquet('{files}', hive_partitioning = true)"
            )

    def ask(self, sql):
        return self.connection.execute(sql).to_arrow_table()

    def stream(self, sql):
        yield from self.connection.execute(sql).to_arrow_reader()


class Click:
    """chDB: ClickHouse in this process, with its own reader of Parquet and what it offers to prune."""

    name = "chDB"

    def __init__(self, data):
        self.data = data
        self.session = chdb.session.Session()
        for setting in (
            "input_format_parquet_use_native_reader_v3 = 1",
            "input_format_parquet_bloom_filter_push_down = 1",
            "input_format_parquet_filter_push_down = 1",
            "input_format_parquet_page_filter_push_down = 1",
            "use_hive_partitioning = 1",
            "session_timezone = 'UTC'",
        ):
            try:
                self.session.query(f"SET {setting}")
            except Exception as error:  # Settings come and go with versions.
                print(f"chDB knows no {setting}: {str(error)[:100]}", file=sys.stderr)

    def over_files(self, sql):
        for table in ("spans", "contents", "calls", "traces"):
            sql = sql.replace(f"{table}_files", f"file('{self.data}/{table}/date=*/*.parquet', Parquet)")
        return sql

    def ask(self, sql):
        return pa.ipc.open_file(self.session.query(self.over_files(sql), "Arrow").bytes()).read_all()

    def stream(self, sql):
        with self.session.send_query(self.over_files(sql), "ArrowStream") as chunks:
            for chunk in chunks:
                yield from pa.ipc.open_stream(chunk.bytes())


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def status(pid, what):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def questions(facts):
    """(name, gate in ms, turns, SQL of an engine in a turn)."""
    runs, sessions, days, phrases = facts["runs"], facts["sessions"], facts["days"], facts["phrases"]
    of_run = "span_id, parent_span_id, name, kind, duration_ns, status, request_model, input_tokens, input_preview"
    of_list = "trace_id, start_time, service, call_count, input_tokens, output_tokens, input_preview"
    tokens = "count(*) AS calls, sum(input_tokens) AS input, sum(output_tokens) AS output"
    day = days[len(days) // 2]

    def messages(engine, where):
        """Messages of spans by hand: their references, one row each, joined to the contents of the same day."""
        if engine == "chDB":
            return f"""
                SELECT m.1 AS role, c.content AS content
                FROM (SELECT date, arrayJoin(arrayConcat(
                        arrayMap(r -> (r.role, r.hash), input_refs), arrayMap(r -> (r.role, r.hash), output_refs))) AS m
                    FROM spans_files WHERE {where} AND kind NOT IN ('tool', 'retrieval')) AS s
                JOIN (SELECT date, hash, content FROM contents_files) AS c ON c.date = s.date AND c.hash = s.m.2"""
        return f"""
            SELECT s.m.role AS role, c.content AS content
            FROM (SELECT date, unnest(list_concat(input_refs, output_refs)) AS m
                FROM spans_files WHERE {where} AND kind NOT IN ('tool', 'retrieval')) AS s
            JOIN contents_files AS c ON c.date = s.date AND c.hash = s.m.hash"""

    def by_engine(tracewell, duck, click=None):
        return lambda engine, turn: {"Tracewell": tracewell, "DuckDB": duck, "chDB": click or duck}[engine](turn)

    return [
        ("run by id", 30, LOOKUPS, by_engine(
            lambda turn: f"SELECT {of_run} FROM spans WHERE trace_id = '{runs[turn]}' ORDER BY start_time",
            lambda turn: f"SELECT {of_run} FROM spans_files WHERE trace_id = '{runs[turn]}' ORDER BY start_time")),
        ("latest 50 runs", 60, TURNS, by_engine(
            lambda turn: f"SELECT {of_list} FROM runs ORDER BY start_time DESC LIMIT 50",
            lambda turn: f"SELECT {of_list} FROM traces_files ORDER BY start_time DESC LIMIT 50")),
        ("latest 50, GET /v1/runs", 60, TURNS, by_engine(
            lambda turn: "/v1/runs?limit=50",
            lambda turn: f"SELECT {of_list} FROM traces_files ORDER BY start_time DESC LIMIT 50")),
        ("record, GET /v1/runs/ID", None, LOOKUPS, by_engine(lambda turn: f"/v1/runs/{runs[turn]}", None)),
        ("tokens by day and model", 250, TURNS, by_engine(
            lambda turn: f"SELECT date, response_model, {tokens} FROM llm_calls GROUP BY 1, 2 ORDER BY 1, 2",
            lambda turn: f"SELECT date, response_model, {tokens} FROM calls_files GROUP BY 1, 2 ORDER BY 1, 2")),
        ("p99 latency by model", 250, TURNS, by_engine(
            lambda turn: "SELECT response_model, approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ns) AS p99 FROM llm_calls GROUP BY 1 ORDER BY 1",
            lambda turn: "SELECT response_model, approx_quantile(duration_ns, 0.99) AS p99 FROM calls_files GROUP BY 1 ORDER BY 1",
            lambda turn: "SELECT response_model, quantileTDigest(0.99)(duration_ns) AS p99 FROM calls_files GROUP BY 1 ORDER BY 1")),
        ("p99 latency, exact", None, TURNS, by_engine(
            lambda turn: "SELECT response_model, percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ns) AS p99 FROM llm_calls GROUP BY 1 ORDER BY 1",
            lambda turn: "SELECT response_model, quantile_cont(duration_ns, 0.99) AS p99 FROM calls_files GROUP BY 1 ORDER BY 1",
            lambda turn: "SELECT response_model, quantileExactInclusive(0.99)(duration_ns) AS p99 FROM calls_files GROUP BY 1 ORDER BY 1")),
        ("messages of a session", 50, SLOW, by_engine(
            lambda turn: f"SELECT role, content FROM messages WHERE trace_id IN (SELECT trace_id FROM spans WHERE conversation_id = '{sessions[turn]}') AND direction <> 'system'",
            lambda turn: messages("DuckDB", f"conversation_id = '{sessions[turn]}'"),
            lambda turn: messages("chDB", f"conversation_id = '{sessions[turn]}'"))),
        ("phrase in a day's messages", 1000, TURNS, by_engine(
            lambda turn: f"SELECT count(*) AS n, min(hash) AS first FROM contents WHERE date = '{day}' AND content LIKE '%{phrases[turn]}%'",
            lambda turn: f"SELECT count(*) AS n, min(hash) AS first FROM contents_files WHERE date = '{day}' AND content LIKE '%{phrases[turn]}%'")),
        ("cost by day, model, prompt", 500, TURNS, by_engine(
            lambda turn: "SELECT date, model, prompt_name, prompt_version, count(*) AS calls, sum(cost_usd) AS cost FROM span_costs GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
            None)),
    ], (day, by_engine(
        lambda day: f"SELECT role, content FROM messages WHERE date = '{day}' AND direction <> 'system'",
        lambda day: messages("DuckDB", f"date = '{day}'"),
        lambda day: messages("chDB", f"date = '{day}'")))


def export(engines, day, sql, runs):
    """All messages of a day's runs, read as they come; a reader looks runs up meanwhile."""
    for engine in engines:
        looked_up, done = [], threading.Event()

        def look_up(connection):
            while not done.wait(0.1):
                start = time.perf_counter()
                engine.ask(f"SELECT name FROM spans WHERE trace_id = '{runs[len(looked_up) % len(runs)]}'", connection)
                looked_up.append((time.perf_counter() - start) * 1000)

        reader = None
        if engine.name == "Tracewell":
            reader = threading.Thread(target=look_up, args=(engine.connect(),))
            reader.start()
        start, size, messages = time.perf_counter(), 0, 0
        for batch in engine.stream(sql(engine.name, day)):
            messages += batch.num_rows
            size += batch.column("content").get_total_buffer_size()
        took = time.perf_counter() - start
        done.set()
        line = f"export of {day}: {engine.name:<10} {messages:>12,} messages, {size / 1e6:>8,.0f} MB, {size / took / 1e6:>6,.0f} MB/s"
        if reader:
            reader.join()
            line += f"; runs by id meanwhile {statistics.median(looked_up):.1f} ms" if looked_up else ""
        print(line, flush=True)


# A process of its own, and a small one: a child has at least the memory that its parent had when it was started.
MEASURE = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)
"""


def leadership(binary, data, month):
    """The report on the month, by a command of its own that begins with nothing at hand."""
    command = [binary, "report", "leadership", "--data", data, "--period", month, "--format", "json"]
    figures = []
    for _ in range(REPORTS):
        told = subprocess.run([sys.executable, "-c", MEASURE, *command], stdout=subprocess.PIPE, check=True, text=True)
        figures.append([float(figure) for figure in told.stdout.split()])
    seconds, memory = (statistics.median(figure) for figure in zip(*figures))
    print(f"leadership report on {month}: {seconds:.1f} s (10 asked for), {memory:.2f} GiB at most (1 asked for)")


def plain(table):
    """Rows to compare: names and types differ between engines."""
    def value(one):
        if isinstance(one, bytes):
            one = one.decode()
        if isinstance(one, decimal.Decimal) and one == int(one):
            one = int(one)
        return str(one) if not isinstance(one, (int, float)) else one
    return [[value(cell) for cell in row.values()] for row in table.to_pylist()]


def agree(name, ours, theirs):
    if name.startswith("p99"):
        return all(abs(a[1] - b[1]) <= 0.02 * b[1] for a, b in zip(ours, theirs, strict=True))
    if name.startswith(("run by id", "latest 50", "messages of a session")):
        return len(ours) == len(theirs)
    return [row[-3:] for row in ours] == [row[-3:] for row in theirs]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("data")
    arguments.add_argument("--only")
    arguments = arguments.parse_args()
    tracewell = Tracewell(arguments.binary, arguments.data)
    engines = [tracewell, Duck(arguments.data), Click(arguments.data)]
    rows = lambda sql: tracewell.ask(sql).to_pylist()
    # Whatever is looked up comes from all days.
    days = [str(row["date"]) for row in rows("SELECT DISTINCT date FROM spans ORDER BY 1")]
    of_each_day = -(-(LOOKUPS + 1) // len(days))
    picked = [
        row
        for day in days
        for row in rows(f"SELECT trace_id, conversation_id FROM spans WHERE date = '{day}' AND parent_span_id IS NULL LIMIT {of_each_day}")
    ]
    day = days[len(days) // 2]
    contents = rows(f"SELECT content FROM contents WHERE date = '{day}' AND role = 'assistant' AND bytes > 600 LIMIT {TURNS + 1}")
    phrases = [" ".join(json.loads(row["content"])["parts"][0]["content"].split()[5:9]) for row in contents]
    facts = {
        "days": days,
        "runs": [row["trace_id"] for row in picked],
        "sessions": [row["conversation_id"] for row in picked],
        "phrases": phrases,
    }
    total = rows("SELECT count(*) AS spans, count(DISTINCT trace_id) AS runs FROM spans")[0]
    print(f"{total['spans']:,} spans, {total['runs']:,} runs, {len(days)} days; milliseconds, medians\n", flush=True)
    print(f"{'question':<28}{'asked for':>10}" + "".join(f"{engine.name:>12}" for engine in engines) + "   to the faster", flush=True)
    asked_of_all, (day, exported) = questions(facts)
    for name, gate, turns, sql in asked_of_all:
        if arguments.only and arguments.only not in name:
            continue
        took = {engine.name: [] for engine in engines}
        answers = {}
        for turn in range(turns + 1):
            # Others take minutes for some questions, and a server closes a connection that nobody uses.
            tracewell.connection.close()
            for engine in engines:
                try:
                    asked = sql(engine.name, turn)
                except TypeError:
                    continue  # An engine that cannot be asked this.
                start = time.perf_counter()
                answer = engine.ask(asked)
                if turn > 0:
                    took[engine.name].append((time.perf_counter() - start) * 1000)
                answers[engine.name] = answer
        figures = [statistics.median(took[engine.name]) if took[engine.name] else None for engine in engines]
        line = f"{name:<28}{gate or '':>10}" + "".join(f"{'—' if f is None else format(f, '.1f'):>12}" for f in figures)
        others = [figure for figure in figures[1:] if figure is not None]
        if others:
            line += f"{figures[0] / min(others):>14.2f}x"
        ours = plain(answers["Tracewell"])
        for other, answer in answers.items():
            theirs = plain(answer)
            if other != "Tracewell" and not agree(name, ours, theirs):
                line += f"   {other} DIFFERS: {len(ours)} and {len(theirs)} rows"
        print(line, flush=True)
    if not arguments.only or arguments.only in "export":
        export(engines, day, exported, facts["runs"])
    peak, now = tracewell.memory()
    print(f"\nmemory of the server: {peak:,.0f} MiB at most, {now:,.0f} now", flush=True)
    tracewell.stop()
    if not arguments.only or arguments.only in "leadership report":
        leadership(arguments.binary, arguments.data, days[0][:7])


main()
