"""What SciPy and statsmodels say of the cases on standard input; JSON in, JSON out, in the same order."""

import json
import sys
import warnings

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

warnings.simplefilter("ignore")


def tango(n, broke, mended, confidence):
    """The score interval of a paired difference, with the likeliest rates found by numeric search."""

    def score(delta):
        def unlikely(rate):
            rates = [rate + delta, rate, 1 - 2 * rate - delta]
            counts = [mended, broke, n - broke - mended]
            return -sum(c * np.log(max(r, 1e-300)) for c, r in zip(counts, rates) if c)

        low, high = max(0.0, -delta), (1 - delta) / 2
        rate = optimize.minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
        variance = n * (2 * rate + delta * (1 - delta))
        return (mended - broke - n * delta) / np.sqrt(max(variance, 1e-300))

    z = stats.norm.ppf(0.5 + confidence / 2)
    middle, edge = (mended - broke) / n, 1 - 1e-9
    low = -1.0 if middle <= -edge else optimize.brentq(lambda d: score(d) - z, -edge, middle - 1e-12)
    high = 1.0 if middle >= edge else optimize.brentq(lambda d: score(d) + z, middle + 1e-12, edge)
    return [low, high]


def bca(values, means, confidence):
    """The interval of our resamples, as SciPy reads them; and of its own."""
    given = type("Given", (), {"bootstrap_distribution": np.array(means)})()
    arguments = dict(confidence_level=confidence, method="BCa", vectorized=True)
    same = stats.bootstrap((np.array(values),), np.mean, n_resamples=0, bootstrap_result=given, **arguments)
    own = stats.bootstrap((np.array(values),), np.mean, n_resamples=20000, rng=1, **arguments)
    return {
        "same": list(same.confidence_interval),
        "own": list(own.confidence_interval),
        "standard_error": float(own.standard_error),
    }


def answer(case):
    match case["what"]:
        case "wilson":
            return list(proportion_confint(case["k"], case["n"], 1 - case["confidence"], "wilson"))
        case "mcnemar":
            table = [[case["n"] - case["broke"] - case["mended"], case["broke"]], [case["mended"], 0]]
            smaller = int(mcnemar(table, exact=True).statistic)
            split = stats.binom(case["broke"] + case["mended"], 0.5)
            tail = split.pmf(range(smaller + 1))
            return {
                "mid_p": min(1.0, float(2 * sum(tail[:-1]) + tail[-1])),
                "interval": tango(case["n"], case["broke"], case["mended"], case["confidence"]),
            }
        case "adjust":
            methods = {"holm": "holm", "benjamini-hochberg": "fdr_bh"}
            return list(multipletests(case["p"], method=methods[case["correction"]])[1])
        case "cohen":
            labels = sorted({label for pair in case["items"] for label in pair})
            table = np.zeros((len(labels), len(labels)))
            for first, second in case["items"]:
                table[labels.index(first), labels.index(second)] += 1
            return cohens_kappa(table, return_results=False)
        case "fleiss":
            return fleiss_kappa(np.array(case["items"]), method="fleiss")
        case "bca":
            return bca(case["values"], case["means"], case["confidence"])


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout, default=float)
