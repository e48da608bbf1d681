"""Reads exported examples with the tools they are meant for; JSON in, JSON out: per file what the tool understood."""

import json
import sys
import tempfile


def openai_fine_tuning(text):
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
    from pydantic import TypeAdapter

    messages, tools = TypeAdapter(list[ChatCompletionMessageParam]), TypeAdapter(list[ChatCompletionToolParam])
    understood = []
    for line in text.split("\n")[:-1]:
        example = json.loads(line)
        messages.validate_python(example["messages"])
        tools.validate_python(example.get("tools", []))
        understood.append([example["messages"][-1]["role"], len(example["messages"])])
    return understood


def langfuse(text):
    from langfuse.api.core.pydantic_utilities import parse_obj_as
    from langfuse.api.dataset_items import CreateDatasetItemRequest

    items = [parse_obj_as(CreateDatasetItemRequest, json.loads(line)) for line in text.split("\n")[:-1]]
    return [[item.id, item.dataset_name, item.source_trace_id, item.expected_output] for item in items]


def yaml(text):
    import yaml

    return yaml.safe_load(text)


def csv(text):
    import csv
    import io

    return list(csv.DictReader(io.StringIO(text, newline="")))


def inspect(text):
    from inspect_ai.dataset import json_dataset

    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        samples = list(json_dataset(file.name))
    told = lambda message: [message.role, message.text, [[c.function, c.arguments] for c in getattr(message, "tool_calls", None) or []]]
    return [[sample.id, [told(message) for message in sample.input], sample.target] for sample in samples]


json.dump([globals()[format](text) for format, text in json.load(sys.stdin)], sys.stdout)
