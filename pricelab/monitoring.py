"""When prices drift: how coverage falls, and a monitor that tells drift from chance.

A calibrated interval of level L holds new prices with a chance that is itself uncertain: over calibration sets of n
items it follows a Beta(r, n + 1 − r) law with r = ⌈(n + 1)·L⌉ (V. Vovk, Conditional validity of inductive conformal
predictors, 2012), so the number of m sold prices inside is beta-binomial. A plain binomial limit would cry wolf after a
small calibration set. Introduced in notebook 12. Prices in US dollars.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pricelab.intervals import Calibration

FALSE_ALARMS = 0.01  # chance of an alarm where nothing has changed


@dataclass(frozen=True)
class Reading:
    """One look at the sold prices."""

    sold: int  # items
    inside: int  # of them, inside their interval
    fewest: int  # fewer than that are no chance any more

    @property
    def alarm(self) -> bool:
        """Whether it is time to look, and probably to retrain."""
        return self.inside < self.fewest

    def __str__(self) -> str:
        told = "ALARM: retrain, or at least recalibrate" if self.alarm else "no alarm"
        return f"{self.inside} of {self.sold} sold prices inside, alarm below {self.fewest}: {told}"


@dataclass(frozen=True)
class Monitor:
    """Watches the share of sold prices inside the predictor's intervals."""

    calibration: Calibration  # of the predictor
    false_alarms: float = FALSE_ALARMS

    def fewest_inside(self, sold: int) -> int:
        """The least number of ``sold`` prices inside that chance explains, but for ``false_alarms`` of the cases."""
        from scipy.stats import betabinom

        if sold < 1:
            raise ValueError(f"{sold} sold items say nothing; wait for the first")
        n = self.calibration.n
        rank = math.ceil((n + 1) * self.calibration.level)
        return int(betabinom.ppf(self.false_alarms, sold, rank, n + 1 - rank))

    def look(self, prices: Sequence[float], low: Sequence[float], high: Sequence[float]) -> Reading:
        """Compare sold ``prices`` with the intervals [low, high] that were given for them."""
        inside = is_inside(prices, low, high)
        return Reading(len(inside), int(inside.sum()), self.fewest_inside(len(inside)))


def is_inside(prices: Sequence[float] | np.ndarray, low: Sequence[float], high: Sequence[float]) -> np.ndarray:
    """(B,) bool: whether each price lies in its interval. Raises ``ValueError`` for lengths that differ."""
    price, bottom, top = (np.asarray(values, dtype=float) for values in (prices, low, high))
    if not price.shape == bottom.shape == top.shape or price.ndim != 1:
        raise ValueError(f"got {price.size} prices, {bottom.size} and {top.size} ends; give one of each an item")
    return (bottom <= price) & (price <= top)


def coverage_after(
    factors: Sequence[float], prices: Sequence[float], low: Sequence[float], high: Sequence[float]
) -> list[float]:
    """Share of prices inside once all prices are multiplied by each factor and the intervals stay as they were."""
    before = np.asarray(prices, dtype=float)
    return [float(is_inside(before * factor, low, high).mean()) for factor in factors]
