"""Intervals that hold what they promise: quantiles of the price distribution, widened on held-out items.

Split conformal quantile regression on log price (Romano, Patterson & Candès 2019, arXiv 1905.03222). The guarantee is
marginal: over new items like the calibration items, the interval holds the price in at least ``level`` of the cases on
average, not for each kind of item. Introduced in notebook 10. B is a number of items, prices are in US dollars.
"""

from dataclasses import dataclass

import numpy as np

LEVEL = 0.8


@dataclass(frozen=True)
class Calibration:
    """What the calibration items taught about the width of the intervals."""

    offset: float  # added to both ends on log price; negative when the raw interval was too wide
    n: int  # calibration items
    level: float = LEVEL  # share of new prices that the interval shall hold

    def widen(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated ends from raw ones, in US dollars."""
        return low * np.exp(-self.offset), high * np.exp(self.offset)


def quantile(distribution: np.ndarray, share: float) -> np.ndarray:
    """The ``share`` quantile (B,) in US dollars of distributions (B, 999), each dollar's mass spread over ±$0.50."""
    edges = np.arange(distribution.shape[1] + 1) + 0.5
    below = np.concatenate([np.zeros((len(distribution), 1)), distribution.cumsum(1)], axis=1)
    return np.array([np.interp(share, row, edges) for row in below])


def raw_interval(distribution: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The central ``level`` of each distribution, uncalibrated: low (B,) and high (B,)."""
    return quantile(distribution, (1 - level) / 2), quantile(distribution, (1 + level) / 2)


def calibrate(prices: np.ndarray, low: np.ndarray, high: np.ndarray, level: float = LEVEL) -> Calibration:
    """How far raw intervals must move on log price to hold ``level`` of the calibration prices.

    Raises:
        ValueError: too few items for the finite-sample correction to exist.
    """
    n = len(prices)
    rank = int(np.ceil((n + 1) * level))
    if rank > n:
        least = fewest_items(level)
        raise ValueError(f"{n} calibration items are too few for an interval of {level:.0%}; give at least {least}")
    price = np.log(prices)
    misses = np.maximum(np.log(low) - price, price - np.log(high))
    return Calibration(float(np.sort(misses)[rank - 1]), n, level)


def fewest_items(level: float) -> int:
    """The least number of calibration items for which an interval of ``level`` exists."""
    return int(np.ceil(round(level / (1 - level), 9)))  # 0.8 / 0.2 is a little more than 4 in floating point
