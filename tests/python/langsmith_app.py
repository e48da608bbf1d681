"""An application traced by the real LangSmith SDK over OpenTelemetry, of which only the host is changed.

Prints the id of its trace. Whatever else the SDK asks LangSmith for is not here; the application has to go on all
the same.
"""

import fake_openai
from langsmith import Client, trace, traceable
from langsmith.wrappers import wrap_openai
from opentelemetry import trace as otel

langsmith = Client()


@traceable(run_type="tool", client=langsmith)
def lookup_stock(sku: str) -> dict:
    assert sku == "BL-42"
    return fake_openai.STOCK


@traceable(run_type="retriever", client=langsmith)
def notes(query: str) -> list:
    return [{"page_content": "Blue lantern: shelf 7.", "type": "Document", "metadata": {"id": "doc-11"}}]


@traceable(run_type="chain", name="seed agent", client=langsmith)
def seed_agent(question: str) -> str:
    print(f"{otel.get_current_span().get_span_context().trace_id:032x}")
    notes("blue lantern")
    return fake_openai.converse(wrap_openai(fake_openai.client(), tracing_extra={"client": langsmith}), lookup_stock)


metadata = {"session_id": "sess-7f3a", "user_id": "user-042", "plan": "garden"}
assert seed_agent("Which shelf?", langsmith_extra={"metadata": metadata, "tags": ["night", "shop"]}) == (
    "Shelf 7 is in the north aisle."
)
try:
    with trace("broken", run_type="tool", client=langsmith):
        raise ValueError("no such shelf")
except ValueError:
    pass
langsmith.flush()
otel.get_tracer_provider().force_flush(10_000)
