"""An application traced by the real Langfuse SDK, of which only the host is changed (in the environment).

Prints the id of its trace. What else the SDK asks Langfuse for (its login, a prompt, a score) is not here; the
application has to go on all the same.
"""

import sys

import fake_openai
from langfuse import get_client, observe, propagate_attributes
from langfuse.openai import OpenAI

langfuse = get_client()


@observe(as_type="tool")
def lookup_stock(sku: str) -> dict:
    assert sku == "BL-42"
    return fake_openai.STOCK


@observe(as_type="agent")
def seed_agent(question: str) -> str:
    with langfuse.start_as_current_observation(name="notes", as_type="retriever", input="blue lantern") as notes:
        notes.update(output=[{"id": "doc-11", "score": 0.91}])
    answer = fake_openai.converse(fake_openai.client(OpenAI), lookup_stock)
    with langfuse.start_as_current_observation(
        name="house call",
        as_type="generation",
        model="house-model",
        input=[{"role": "user", "content": question}],
        model_parameters={"temperature": 0.5},
        usage_details={"input": 31, "output": 12, "cache_read_input_tokens": 5},
        cost_details={"total": 0.003},
    ) as call:
        call.update(output="Shelf 7.", level="ERROR", status_message="the house model stumbled")
    langfuse.score_current_trace(name="helpful", value=1.0)
    return answer


try:
    sys.exit(f"auth_check says {langfuse.auth_check()}")
except Exception as error:
    print(f"auth_check: {type(error).__name__}", file=sys.stderr)
prompt = langfuse.get_prompt("seed-helper", fallback="Answer in one sentence.", max_retries=0)
assert prompt.is_fallback

session = {"session_id": "sess-7f3a", "user_id": "user-042", "tags": ["night", "shop"], "metadata": {"plan": "garden"}}
with propagate_attributes(trace_name="seed run", **session):
    with langfuse.start_as_current_observation(name="request", input={"from": "web"}) as request:
        assert seed_agent("Which shelf?") == "Shelf 7 is in the north aisle."
        print(request.trace_id)
langfuse.shutdown()
