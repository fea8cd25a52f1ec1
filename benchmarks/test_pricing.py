"""Pricing in batches by digit probabilities against one `generate` after another: `make bench`."""

import time

import numpy as np
import pytest

from pricelab import need
from pricelab.files import write_json_atomic
from pricelab.normalise import this_machine

ITEMS = 48
REPEATS = 3


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.benchmark
@pytest.mark.weights
@pytest.mark.timeout(1800)
def test_estimate_is_faster_than_generating_one_at_a_time(capsys):
    from benchmarks.results import RESULTS

    pricer = need("small adapter")
    texts = [item.text for item in need("catalog")["test"][:ITEMS]]
    pricer.estimate(texts[:16]), pricer.write(texts[:2])  # warm-up
    pairs = [(seconds(lambda: pricer.estimate(texts)), seconds(lambda: pricer.write(texts))) for _ in range(REPEATS)]
    ratios = [one_by_one / batched for batched, one_by_one in pairs]
    facts = {
        "items": ITEMS, "repeats": REPEATS, "machine": this_machine(), "predictor": pricer.name,
        "items_per_second": round(ITEMS / float(np.median([pair[0] for pair in pairs])), 2),
        "times_faster": {"median": round(float(np.median(ratios)), 2), "all": [round(r, 2) for r in ratios]},
    }  # fmt: skip
    write_json_atomic(RESULTS / "pricing-speed.json", facts)
    with capsys.disabled():
        print(f"\nwhole distributions, batched, against one generate after another: {facts['times_faster']}")
    assert min(ratios) > 1
