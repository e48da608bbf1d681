"""Agreement of reviewers by statsmodels. Reads a file [[category of reviewer 1, of reviewer 2, …], …]."""

import json
import sys

import numpy
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa, to_table

with open(sys.argv[1]) as file:
    words = numpy.array(json.load(file))
_, codes = numpy.unique(words, return_inverse=True)
codes = codes.reshape(words.shape)
table, _ = aggregate_raters(codes)
size = codes.max() + 1
pairs = {}
for first in range(words.shape[1]):
    for second in range(first + 1, words.shape[1]):
        counts, _ = to_table(codes[:, [first, second]], bins=numpy.arange(size + 1) - 0.5)
        pairs[f"{first} {second}"] = cohens_kappa(counts).kappa
json.dump({"fleiss": fleiss_kappa(table, method="fleiss"), "cohen": pairs}, sys.stdout)
