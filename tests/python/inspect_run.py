"""Runs a file of samples with Inspect AI against a model server: FILE BASE_URL; prints id and score of each sample."""

import json
import sys
import tempfile

from inspect_ai import Task, eval
from inspect_ai.dataset import json_dataset
from inspect_ai.model import get_model
from inspect_ai.scorer import exact
from inspect_ai.solver import generate

model = get_model("openai/gpt-4.1-mini", base_url=sys.argv[2], api_key="secret", memoize=False)
task = Task(dataset=json_dataset(sys.argv[1]), solver=generate(), scorer=exact())
with tempfile.TemporaryDirectory() as folder:
    [log] = eval(task, model=model, log_dir=folder, display="none", max_retries=0)
    # The samples are read from the log when they are asked for.
    assert log.status == "success", log.error
    print(json.dumps({sample.id: sample.scores["exact"].value for sample in log.samples}))
