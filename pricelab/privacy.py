"""Did the model learn its training items by heart? A membership attack in its simplest form.

Whoever has the adapter can ask how probable it finds the true price of a listing. If training items look more probable
than new ones, the adapter gives away what it was trained on (Yeom et al. 2018, arXiv 1709.01604). What to do about it
stands in notebook 12, which introduces this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pricelab.bootstrap import CONFIDENCE, RESAMPLES
from pricelab.price_format import edges_of, place_of

LEAST_PROBABILITY = 1e-9


@dataclass(frozen=True)
class Leak:
    """How often the attack guesses right, of a training item and a new one, which is which: 0.5 is pure chance."""

    value: float
    low: float  # 95 % interval
    high: float
    n: int  # items of the smaller group

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}], n = {self.n} of each at least"


def log_probabilities(estimates: Sequence[Any], prices: Sequence[float]) -> np.ndarray:
    """(B,) natural logarithms of the probability that each estimate gives to the true price, as the model writes it."""
    places = [place_of(edges_of(e.prices), price) for e, price in zip(estimates, prices, strict=True)]
    chances = np.array([e.distribution[place] for e, place in zip(estimates, places, strict=True)])
    return np.log(np.maximum(chances, LEAST_PROBABILITY))


def membership_leak(seen: np.ndarray, new: np.ndarray, *, seed: int = 0) -> Leak:
    """The chance that a training item's log probability is above a new item's, ties counted half (the AUC).

    Args:
        seen: log probabilities of training items, (n,).
        new: those of items never trained on, (m,), drawn from the same catalog.
        seed: of the resamples behind the interval.

    Raises:
        ValueError: fewer than two items in a group.
    """
    from scipy.stats import bootstrap

    if min(len(seen), len(new)) < 2:
        raise ValueError(f"got {len(seen)} seen and {len(new)} new items; at least 2 of each are needed")
    found = bootstrap(
        (seen, new), _auc, vectorized=False, n_resamples=RESAMPLES // 2, method="percentile",
        confidence_level=CONFIDENCE, rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Leak(_auc(seen, new), float(found.low), float(found.high), min(len(seen), len(new)))


def _auc(seen: np.ndarray, new: np.ndarray) -> float:
    difference = np.subtract.outer(np.asarray(seen), np.asarray(new))
    return float(np.mean(difference > 0) + np.mean(difference == 0) / 2)
