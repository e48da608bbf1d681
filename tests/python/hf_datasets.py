"""Opens an exported folder with Hugging Face `datasets`: per split, what each row holds. Offline, with a cache of its own."""

import json
import os
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HOME=tempfile.mkdtemp())

from datasets import load_dataset

folder = sys.argv[1]
splits = load_dataset(folder)
told = {
    name: [[row["id"], row["question"], row["answer"], [message["role"] for message in row["messages"]]] for row in rows]
    for name, rows in splits.items()
}
json.dump(told, sys.stdout)
