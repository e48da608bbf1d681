"""The OpenAI client with a model that is on no network: each answer is decided by the request.

The first call asks for the tool `lookup_stock`; once the tool has answered, the text comes. A request with `stream`
gets the text in three chunks and then the usage.
"""

import json

import httpx2
import openai

MODEL = "gpt-4.1-mini"
ANSWERED_BY = "gpt-4.1-mini-2026-01-15"
SYSTEM = {"role": "system", "content": "You look after a seed shop – grüß jeden Kunden 🌱."}
QUESTION = {"role": "user", "content": "Which shelf has the blue lantern seeds?"}
TOOL = {
    "type": "function",
    "function": {
        "name": "lookup_stock",
        "description": "How many packets are left, and where.",
        "parameters": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]},
    },
}
STOCK = {"sku": "BL-42", "packets": 42, "shelf": 7}


def usage(prompt: int, cached: int, completion: int, reasoning: int) -> dict:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def answer(request: httpx2.Request) -> httpx2.Response:
    asked = json.loads(request.content)
    head = {"created": 1767225600, "model": ANSWERED_BY}
    if asked.get("stream"):
        head |= {"id": "chatcmpl-3", "object": "chat.completion.chunk"}
        deltas = [{"role": "assistant", "content": ""}, {"content": "Shelf 7 is "}, {"content": "in the north aisle."}]
        chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        chunks.append({"choices": [], "usage": usage(1303, 33, 221, 23)})
        lines = [f"data: {json.dumps(head | chunk)}\n\n" for chunk in chunks]
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text="".join(lines) + "data: [DONE]\n\n")
    if asked["messages"][-1]["role"] == "tool":
        message = {"role": "assistant", "content": "They are on shelf 7."}
        choice, counts = {"message": message, "finish_reason": "stop"}, usage(1202, 23, 214, 22)
        head["id"] = "chatcmpl-2"
    else:
        function = {"name": "lookup_stock", "arguments": '{"sku":"BL-42"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice, counts = {"message": message, "finish_reason": "tool_calls"}, usage(1101, 13, 207, 21)
        head["id"] = "chatcmpl-1"
    body = head | {"object": "chat.completion", "choices": [{"index": 0} | choice], "usage": counts}
    return httpx2.Response(200, json=body)


def client(kind: type = openai.OpenAI) -> openai.OpenAI:
    """A client of `kind`, which an SDK may have wrapped."""
    return kind(api_key="none", base_url="http://model.test/v1", http_client=httpx2.Client(transport=httpx2.MockTransport(answer)))


def converse(client: openai.OpenAI, lookup_stock) -> str:
    """Asks, has the tool called, and asks again; then once more as a stream. Returns the last text."""
    messages = [SYSTEM, QUESTION]
    settings = {"model": MODEL, "temperature": 0.2, "max_completion_tokens": 256, "tools": [TOOL]}
    asked = client.chat.completions.create(messages=messages, **settings).choices[0].message
    call = asked.tool_calls[0]
    stock = lookup_stock(**json.loads(call.function.arguments))
    messages += [asked.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": json.dumps(stock)}]
    client.chat.completions.create(messages=messages, **settings)
    stream = client.chat.completions.create(
        model=MODEL, messages=[QUESTION], stream=True, stream_options={"include_usage": True}
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
