"""What the definitions and `rouge-score` say of the pairs of texts on standard input; JSON in, JSON out."""

import json
import re
import string
import sys
from collections import Counter

from rouge_score import rouge_scorer, tokenizers


class Words(tokenizers.Tokenizer):
    """Runs of letters and digits of any script; the package's own tokenizer keeps ASCII alone."""

    def tokenize(self, text):
        return re.findall(r"[^\W_]+", text.lower())


ascii_rouge = rouge_scorer.RougeScorer(["rougeL"])
rouge = rouge_scorer.RougeScorer(["rougeL"], tokenizer=Words())


def squad_words(text):
    """Lower case, no punctuation, no articles: as P. Rajpurkar and others (2016) compare answers."""
    kept = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\b(?:a|an|the)\b", " ", kept).split()


def squad_f1(answered, expected):
    one, other = Counter(squad_words(answered)), Counter(squad_words(expected))
    if not one or not other:
        return float(one == other)
    common = (one & other).total()
    if not common:
        return 0.0
    precision, recall = common / one.total(), common / other.total()
    return 2 * precision * recall / (precision + recall)


def edits(one, other):
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def answer(answered, expected):
    longer = max(len(answered), len(expected))
    scorer = ascii_rouge if answered.isascii() and expected.isascii() else rouge
    return {
        "rouge_l": scorer.score(expected, answered)["rougeL"].fmeasure,
        "token_f1": squad_f1(answered, expected),
        "edit": 1 - edits(answered, expected) / longer if longer else 1.0,
    }


json.dump([answer(*pair) for pair in json.load(sys.stdin)], sys.stdout)
