"""An application that answers questions about refunds: the OpenAI client, traced by the real Langfuse SDK, of which only
the host is changed (in the environment).

Usage: refund_app.py MODEL_URL VERSION INSTRUCTIONS QUESTION... Prints a line of JSON for each question: the id of its
trace, and the answer.
"""

import json
import sys

from langfuse import get_client
from langfuse.openai import OpenAI

url, version, instructions, *questions = sys.argv[1:]
langfuse = get_client()
client = OpenAI(base_url=url, api_key="secret", max_retries=0)
for question in questions:
    with langfuse.start_as_current_observation(name="request", input=question) as request:
        completion = client.chat.completions.create(
            model="gpt-4.1-mini",
            temperature=0.5,
            messages=[{"role": "system", "content": instructions}, {"role": "user", "content": question}],
            metadata={"prompt_name": "refund-helper", "prompt_version": version},
        )
        answer = completion.choices[0].message.content
        request.update(output=answer)
        print(json.dumps({"trace_id": request.trace_id, "answer": answer}))
langfuse.shutdown()
