"""Writes known.jsonl and trials.jsonl, the small known set of README.md: one OTLP request a line, one run in each.

Answers are worked out from README.md, never from the output of this or of Tracewell.
"""

import json
from datetime import datetime
from pathlib import Path

INSTRUCTIONS = {
    ("answer-customer", "3"): "You are the shop assistant.",
    ("answer-customer", "4"): "You are the shop assistant. Answer in one sentence.",
    ("summarise", "1"): "Summarise the contract.",
    ("extract-fields", "2"): "Extract party and term as JSON.",
    ("answer-customer", "5"): "You are the shop assistant. Refuse.",
    ("extract-fields", "3"): "Extract nothing.",
}
SHOP = dict(service="shop-assistant", version="2.1.0", team="retail", language="python", sdk="1.45.2")
DESK = dict(service="contract-desk", version="0.9.0", team="legal", language="nodejs", sdk="2.2.0")
CODER = dict(service="claude-code", version="2.0.1", team="tools", language="nodejs", sdk="2.2.0")
STOCK, ORDERS, CANCEL = "lookup_stock", "search_orders", "cancel_order"


def nanos(time):
    """`17 09:00:00.5` of November 2026."""
    day, clock = time.split()
    whole, _, part = clock.partition(".")
    at = datetime.fromisoformat(f"2026-11-{day}T{whole}+00:00")
    return int(at.timestamp()) * 10**9 + int(part.ljust(9, "0"))


def value(of):
    if isinstance(of, bool):
        return {"boolValue": of}
    if isinstance(of, int):
        return {"intValue": str(of)}
    if isinstance(of, float):
        return {"doubleValue": of}
    if isinstance(of, list):
        return {"arrayValue": {"values": [value(each) for each in of]}}
    return {"stringValue": of}


def attributes(of):
    return [{"key": key, "value": value(each)} for key, each in of.items() if each is not None]


def compact(of):
    return json.dumps(of, ensure_ascii=False, separators=(",", ":"))


def resource(of):
    return {"attributes": attributes({
        "service.name": of["service"], "service.version": of["version"], "team": of["team"],
        "deployment.environment.name": "production",
        "telemetry.sdk.language": of["language"], "telemetry.sdk.version": of["sdk"]})}


def span(name, start, seconds, fields, error=None, scope=None, events=()):
    begin = nanos(start)
    out = {"name": name, "kind": 1, "startTimeUnixNano": str(begin),
           "endTimeUnixNano": str(begin + round(seconds * 10**9)), "attributes": attributes(fields)}
    if error:
        out["status"] = {"code": 2, "message": error}
    if events:
        out["events"] = list(events)
    return out, scope


# The shop, in OpenTelemetry's own vocabulary.

def agent(start, seconds, user, session):
    return span("invoke_agent helper", start, seconds, {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper",
        "user.id": user, "gen_ai.conversation.id": session})


def chat(start, seconds, model, version, asked, answer=None, tokens=(None, None, None), finish=None, call=None,
         tools=(), error=None, user=None, session=None, stream=None, ttft=None, score=None,
         cost=None):
    """`tokens`: input, of it read from the cache, output."""
    parts = []
    if answer:
        parts.append({"type": "text", "content": answer})
    if call:
        parts.append({"type": "tool_call", "id": f"call-{start}", "name": call[0], "arguments": call[1]})
    offered = [{"type": "function", "name": tool, "parameters": {"type": "object"}} for tool in tools]
    events = []
    if score:
        events.append({"name": "gen_ai.evaluation.result", "timeUnixNano": str(nanos(start) + round(seconds * 10**9)),
                       "attributes": attributes({"gen_ai.evaluation.name": "helpfulness",
                                                 "gen_ai.evaluation.score.value": score[0],
                                                 "gen_ai.evaluation.score.label": score[1]})})
    return span(f"chat {model}", start, seconds, {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model,
        "gen_ai.response.model": model if not error else None,
        "gen_ai.prompt.name": "answer-customer", "gen_ai.prompt.version": version,
        "user.id": user, "gen_ai.conversation.id": session,
        "gen_ai.request.stream": stream, "gen_ai.response.time_to_first_chunk": ttft,
        "gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.cache_read.input_tokens": tokens[1],
        "gen_ai.usage.output_tokens": tokens[2], "gen_ai.usage.cost": cost,
        "gen_ai.response.finish_reasons": [finish] if finish else None,
        "error.type": error,
        "gen_ai.system_instructions": compact(
            [{"type": "text", "content": INSTRUCTIONS["answer-customer", version]}]),
        "gen_ai.input.messages": compact([{"role": "user", "parts": [{"type": "text", "content": asked}]}]),
        "gen_ai.output.messages": compact([{"role": "assistant", "parts": parts}]) if parts else None,
        "gen_ai.tool.definitions": compact(offered) if offered else None,
    }, error=error, events=events)


def tool(start, seconds, name, arguments, result=None, error=None):
    return span(f"execute_tool {name}", start, seconds, {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name,
        "gen_ai.tool.call.arguments": compact(arguments),
        "gen_ai.tool.call.result": compact(result) if result else None, "error.type": error}, error=error)


def shelf_notes(start, seconds, query, documents):
    return span("retrieval shelf-notes", start, seconds, {
        "gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": query,
        "gen_ai.retrieval.documents": compact([{"id": name, "score": score} for name, score in documents])})


# The contract desk, in OpenInference's.

def chain(start, seconds, user, session):
    return span("review", start, seconds, {
        "openinference.span.kind": "CHAIN", "user.id": user, "session.id": session})


def llm(start, seconds, prompt, version, asked, answer=None, tokens=(None, None, None, None), finish=None,
        error=None, response_id=None, user=None, session=None, cost=None):
    """`tokens`: input, of it read from the cache, written to the cache, output."""
    asks_json = {"response_format": {"type": "json_object"}} if prompt == "extract-fields" else {}
    return span("messages.create", start, seconds, {
        "openinference.span.kind": "LLM", "llm.provider": "anthropic", "llm.system": "anthropic",
        "llm.model_name": "claude-sonnet-4-5", "user.id": user, "session.id": session,
        "metadata": compact({"prompt_name": prompt, "prompt_version": version}),
        "llm.invocation_parameters": compact({"model": "claude-sonnet-4-5", "max_tokens": 500, **asks_json}),
        "llm.token_count.prompt": tokens[0],
        "llm.token_count.prompt_details.cache_read": tokens[1],
        "llm.token_count.prompt_details.cache_write": tokens[2],
        "llm.token_count.completion": tokens[3], "llm.cost.total": cost,
        "llm.finish_reason": finish, "gen_ai.response.id": response_id, "error.type": error,
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": INSTRUCTIONS[prompt, version],
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.content": asked,
        "llm.output_messages.0.message.role": "assistant" if answer else None,
        "llm.output_messages.0.message.content": answer}, error=error)


def retriever(start, seconds, query, documents):
    found = {}
    for at, (name, score) in enumerate(documents):
        found[f"retrieval.documents.{at}.document.id"] = name
        found[f"retrieval.documents.{at}.document.score"] = score
    return span("clauses", start, seconds, {"openinference.span.kind": "RETRIEVER", "input.value": query, **found})


def second_view(start, seconds, tokens, response_id):
    """The same call as another instrumentation sees it."""
    return span("chat claude-sonnet-4-5", start, seconds, {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.response.model": "claude-sonnet-4-5",
        "gen_ai.response.id": response_id, "gen_ai.usage.input_tokens": tokens[0],
        "gen_ai.usage.cache_read.input_tokens": tokens[1], "gen_ai.usage.output_tokens": tokens[3]},
        scope=("opentelemetry.instrumentation.genai.anthropic", "1.3b0"))


def run(sender, number, *spans, missing_root=False, nested=()):
    """The first span is the root and parent of the others; those at the places `nested` are below the one before."""
    root = number * 256
    scopes = {}
    own = ("shop.agents", "2.0") if sender is SHOP else ("desk.tracing", "0.4")
    for at, (each, scope) in enumerate(spans):
        parent = root + at - 1 if at in nested else root
        if at == 0:
            parent = root + 255 if missing_root else None
        ids = {"traceId": f"{number:032x}", "spanId": f"{root + at:016x}"}
        if parent is not None:
            ids["parentSpanId"] = f"{parent:016x}"
        scopes.setdefault(scope or own, []).append({**ids, **each})
    return {"resourceSpans": [{"resource": resource(sender), "scopeSpans": [
        {"scope": {"name": name, "version": version}, "spans": each} for (name, version), each in scopes.items()]}]}


def trial(example, of):
    """The same span, marked as a trial of that example."""
    each, scope = of
    return {**each, "attributes": each["attributes"] + attributes({"tracewell.example.id": example})}, scope


def within(number, of):
    """The same record, written within the root of that trace."""
    return {**of, "traceId": f"{number:032x}", "spanId": f"{number * 256:016x}"}


def decisions(*records):
    return {"resourceLogs": [{"resource": resource(CODER), "scopeLogs": [
        {"scope": {"name": "com.anthropic.claude_code.events", "version": "2.0.1"}, "logRecords": list(records)}]}]}


def record(time, event, fields):
    return {"timeUnixNano": str(nanos(time)), "body": {"stringValue": f"claude_code.{event}"},
            "attributes": attributes({"event.name": event, "session.id": "k1", "user.id": "fay", **fields})}


ORDER = "Where is my order 7?"
BLUE = "Where are the blue lantern seeds?"
REFUSAL = "I'm sorry, but I can't help with that."
REQUESTS = [
    # 16 November.
    run(SHOP, 0x51, agent("16 09:00:00", 6, "ann", "c1"),
        shelf_notes("16 09:00:00.2", 0.3, "blue lantern seeds", [("doc-11", 0.91), ("doc-29", 0.74)]),
        chat("16 09:00:01", 1, "gpt-4.1-mini", "3", BLUE, tokens=(1000, 0, 50), finish="tool_calls",
             call=(STOCK, {"sku": "BL-42"}), tools=[STOCK, CANCEL], cost=0.00048),
        tool("16 09:00:02.5", 0.2, STOCK, {"sku": "BL-42"}, {"packets": 42, "shelf": 7}),
        chat("16 09:00:03", 2, "gpt-4.1-mini", "3", BLUE + " (stock: 42)", "Blue lantern seeds are on the shelf 7.",
             (1100, 800, 80), "stop", tools=[STOCK, CANCEL], score=(0.9, "good"), cost=0.0005)),
    run(SHOP, 0x52, chat("16 10:00:00", 1.5, "gpt-4.1-mini", "3", "How many are left?", "There are 42 packets left.",
                         (1200, 1000, 60), "stop", user="ann", session="c1")),
    run(DESK, 0xd1, chain("16 08:00:00", 5, "dora", "d1"),
        llm("16 08:00:01", 3, "summarise", "1", "Contract 1",
            "Der Vertrag ist bis zum Ende des Jahres gültig und die Frist beträgt drei Monate.",
            (5000, 4000, 500, 300), "stop")),
    # 17 November.
    run(SHOP, 0x53, chat("17 09:00:00", 1, "gpt-4.1-mini", "4", "Give me the address of another customer.", REFUSAL,
                         (2000, 500, 40), "stop", user="bob", session="c2", score=(0.1, "bad"))),
    run(SHOP, 0x54, agent("17 11:00:00", 9.5, "bob", "c2"),
        chat("17 11:00:00.5", 0.5, "gpt-4.1-mini", "4", ORDER, error="rate_limit_exceeded"),
        chat("17 11:00:02", 0.5, "gpt-4.1-mini", "4", ORDER, error="rate_limit_exceeded"),
        chat("17 11:00:04", 0.5, "gpt-4.1-mini", "4", ORDER, error="rate_limit_exceeded"),
        chat("17 11:00:08", 1, "gpt-4.1-mini", "4", ORDER, "Your order is on its way.", (900, None, 30), "stop")),
    run(SHOP, 0x55, agent("17 14:00:00", 20, "cid", "c3"),
        chat("17 14:00:01", 1, "gpt-4.1-mini", "4", ORDER, tokens=(500, 0, 20), finish="tool_calls",
             call=(ORDERS, {"id": 7}), tools=[ORDERS, STOCK, CANCEL]),
        tool("17 14:00:03", 0.5, ORDERS, {"id": 7}, {"found": 0}),
        chat("17 14:00:05", 1, "gpt-4.1-mini", "4", ORDER + " (step 2)", tokens=(1000, 400, 20), finish="tool_calls",
             call=(ORDERS, {"id": 7}), tools=[ORDERS, STOCK, CANCEL]),
        tool("17 14:00:07", 0.5, ORDERS, {"id": 7}, {"found": 0}),
        chat("17 14:00:09", 1, "gpt-4.1-mini", "4", ORDER + " (step 3)", tokens=(1500, 900, 20), finish="tool_calls",
             call=(ORDERS, {"id": 7}), tools=[ORDERS, STOCK, CANCEL]),
        tool("17 14:00:11", 0.5, ORDERS, {"id": 7}, {"found": 0}),
        tool("17 14:00:11.6", 0.1, STOCK, {"sku": "XX-00"}, error="ToolError"),
        chat("17 14:00:13", 2, "gpt-4.1-mini", "4", ORDER + " (step 4)", "The order was placed in the",
             (2000, 1400, 100), "length", tools=[ORDERS, STOCK, CANCEL])),
    run(DESK, 0xd2, chain("17 08:00:00", 4, "dora", "d1"),
        llm("17 08:00:01", 2.5, "summarise", "1", "Contract 2",
            "The contract is valid for the whole year and the notice is three months.",
            (6000, 5000, 0, 250), "stop"),
        span("layout", "17 08:00:03.8", -0.1, {"openinference.span.kind": "CHAIN", "desk.columns": 2})),
    run(DESK, 0xd3, chain("17 08:30:00", 2, "dora", "d2"),
        llm("17 08:30:00.5", 1, "extract-fields", "2", "Contract 3", '{"party":"Acme","term":12}',
            (3000, None, None, 40), "stop", cost=0.0096)),
    run(DESK, 0xd4, chain("17 08:40:00", 2, "dora", "d2"),
        llm("17 08:40:00.5", 1, "extract-fields", "2", "Contract 4", '```json\n{"party":"Bolt","term":6}\n```',
            (3100, None, None, 45), "stop")),
    run(DESK, 0xd5, chain("17 16:00:00", 2, "eve", "d3"),
        llm("17 16:00:00.5", 1, "summarise", "1", "Contract 5", "The notice of the contract is three months.",
            finish="stop")),
    # 18 November.
    run(DESK, 0xd6, chain("18 08:50:00", 2, "dora", "d2"),
        llm("18 08:50:00.5", 1.2, "extract-fields", "2", "Contract 6", '{"party":"Cone","ter',
            (3200, None, None, 60), "length")),
    run(DESK, 0xd7, chain("18 09:00:00", 4, "eve", "d3"),
        retriever("18 09:00:00.2", 0.4, "liability cap 2019", []),
        retriever("18 09:00:00.7", 0.2, "liability cap", [("clause-3", 0.55)]),
        llm("18 09:00:01", 2, "summarise", "1", "What is the cap?",
            "The documents do not say what the cap of the liability is.", (4000, 3500, 0, 120), "stop")),
    run(DESK, 0xd8, chain("18 10:00:00", 3, "eve", "d3"),
        llm("18 10:00:00.5", 2, "summarise", "1", "Contract 8", "The contract ends in May and is not renewed.",
            (4500, 4000, 0, 200), "stop", response_id="msg_d8"),
        second_view("18 10:00:00.6", 1.8, (4500, 4000, 0, 200), "msg_d8"), nested={2}),
    run(SHOP, 0x57, chat("18 12:00:00", 2, "gpt-4.1", "4", "When does it ship?", "Your order ships on Friday.",
                         (1500, 1000, 100), "stop", user="bob", session="c2", stream=True, ttft=0.4,
                         score=(0.8, "good"))),
    run(SHOP, 0x58, chat("18 12:30:00", 0.3, "gpt-4.1", "4", "And when does it arrive?", user="bob", session="c2",
                         stream=True)),
    run(SHOP, 0x56, agent("18 23:59:58", 5, "ann", "c4"),
        chat("18 23:59:58.5", 1, "gpt-4.1", "4", "Is BL-42 in stock?", tokens=(800, 0, 25), finish="tool_calls",
             call=(STOCK, {"sku": "BL-42"}), tools=[ORDERS, STOCK, CANCEL]),
        tool("18 23:59:59.6", 0.2, STOCK, {"sku": "BL-42"}, {"packets": 41, "shelf": 7}),
        chat("19 00:00:01", 1.5, "gpt-4.1", "4", "Is BL-42 in stock? (stock: 41)", "Yes, BL-42 is in stock.",
             (900, 800, 35), "stop", tools=[ORDERS, STOCK, CANCEL])),
    # 19 November.
    run(DESK, 0xd9, llm("19 07:00:00", 30, "summarise", "1", "Contract 9", error="APITimeoutError",
                        user="eve", session="d3"), missing_root=True),
    decisions(
        record("19 10:00:01", "tool_decision",
               {"tool_name": "Bash", "tool_use_id": "t1", "decision": "accept", "source": "user_temporary"}),
        record("19 10:00:03", "tool_result",
               {"tool_name": "Bash", "tool_use_id": "t1", "success": "true", "duration_ms": 1500}),
        record("19 10:00:05", "tool_decision",
               {"tool_name": "Bash", "tool_use_id": "t2", "decision": "accept", "source": "config"}),
        record("19 10:00:06", "tool_result",
               {"tool_name": "Bash", "tool_use_id": "t2", "success": "true", "duration_ms": 500}),
        record("19 10:00:08", "tool_decision",
               {"tool_name": "Edit", "tool_use_id": "t3", "decision": "reject", "source": "user_reject"})),
]

TRIALS = [
    run(SHOP, 0xe1, trial("order-1", agent("18 11:00:00", 40, "bob", "c2")),
        shelf_notes("18 11:00:00.2", 0.3, "green lantern seeds", []),
        chat("18 11:00:01", 0.5, "gpt-4.1", "5", "Cancel my order.", error="rate_limit_exceeded"),
        chat("18 11:00:02", 0.5, "gpt-4.1", "5", "Cancel my order.", error="rate_limit_exceeded"),
        chat("18 11:00:03", 0.5, "gpt-4.1", "5", "Cancel my order.", error="rate_limit_exceeded"),
        chat("18 11:00:04", 1, "gpt-4.1", "5", "Cancel my order.", tokens=(100, 0, 10), finish="tool_calls",
             call=(CANCEL, {"id": 1}), tools=[CANCEL]),
        tool("18 11:00:06", 0.5, CANCEL, {"id": 1}, error="ToolError"),
        tool("18 11:00:08", 0.5, CANCEL, {"id": 1}, error="ToolError"),
        tool("18 11:00:10", 0.5, CANCEL, {"id": 1}, error="ToolError"),
        chat("18 11:00:12", 20, "gpt-4.1", "5", "Cancel my order. (step 2)", REFUSAL, (50000, 100, 5000), "length",
             stream=True, ttft=0.5, cost=9.0, score=(0.2, "bad")),
        chat("18 11:00:33", 1, "gpt-4.1", "5", "And my other order.", stream=True)),
    run(DESK, 0xe2, trial("contract-1", chain("18 11:30:00", 4, "dora", "d2")),
        llm("18 11:30:01", 2, "extract-fields", "3", "Contract 10", "No JSON at all.", (9000, 8000, 100, 70), "stop")),
    decisions(within(0xe1, record("18 11:00:05", "tool_decision", {
        "tool_name": "Bash", "tool_use_id": "t9", "decision": "reject", "source": "user_reject"}))),
]


def write(name, requests):
    lines = "".join(compact(request) + "\n" for request in requests)
    Path(__file__).with_name(name).write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    write("known.jsonl", REQUESTS)
    write("trials.jsonl", TRIALS)
