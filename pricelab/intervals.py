"""Intervals that hold what they promise: quantiles of the price distribution, widened on held-out items.

Split conformal quantile regression on log price (Romano, Patterson & Candès 2019, arXiv 1905.03222), and the same by
price band where there are items enough (group-conditional or Mondrian; Vovk, Gammerman & Shafer 2005, chapter 4.5). A
band is one of *estimates*, since nobody knows the price of a new item.

What is guaranteed, for new items like the calibration items (exchangeable with them) and whatever the model: drawn over
calibration sets, the interval holds the price in at least ``level`` of the cases, for all items together and with bands
also for the items of each band. Not for one calibration set: there the share varies as `likely_share` says. Not for one
item or one category, nor for *prices* of some size: among truly dear items, those estimated too low lie in a cheaper
band. Introduced in notebook 10. B is a number of items, prices are in US dollars.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pricelab.price_format import edges_of
from pricelab.stored import check_number

LEVEL = 0.8
EDGES_USD = (10, 20, 50, 100, 200, 500)  # between the bands before any are joined
FURTHEST = 20.0  # of log price: no two prices that can be written lie so far apart
FEWEST_IN_BAND = 60  # calibration items; with fewer, chance moves coverage more than an own width may mend it


@dataclass(frozen=True)
class Band:
    """How the intervals of one price band are moved."""

    start: float  # US dollars: the band holds the estimates from here up to the next band's start
    offset: float  # as `Calibration.offset`
    n: int  # calibration items in it

    def __post_init__(self) -> None:
        check_number("start", self.start, 0)
        _check_move(self)


@dataclass(frozen=True)
class Calibration:
    """What the calibration items taught about the width of the intervals."""

    offset: float  # added to both ends on log price; negative when the raw interval was too wide
    n: int  # calibration items
    level: float = LEVEL  # share of new prices that the interval shall hold
    bands: tuple[Band, ...] = ()  # by rising start, the first from $0; none: one offset for all

    def __post_init__(self) -> None:
        bands = tuple(Band(**band) if isinstance(band, dict) else band for band in self.bands)  # as JSON has them
        object.__setattr__(self, "bands", bands)
        if odd := [band for band in bands if not isinstance(band, Band)]:
            raise TypeError(f"bands hold {odd[0]!r}, expected a start, an offset and a number of items")
        starts = [band.start for band in bands]
        if starts and (starts[0] != 0 or sorted(set(starts)) != starts):
            raise ValueError(f"the bands start at {starts}, expected rising dollars from 0 on")
        check_number("level", self.level, 0, 1)
        _check_move(self)

    def as_dict(self) -> dict[str, Any]:
        """What a manifest keeps, as JSON gives it back; without bands the same as before there were any."""
        kept = {**vars(self), "bands": [vars(band) for band in self.bands]}
        return {name: value for name, value in kept.items() if value != []}

    def widen(self, low: Any, high: Any, estimate: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated ends (B,) from raw ones, in US dollars; by band where the estimates (B,) are given."""
        offset: Any = self.offset
        if self.bands and estimate is not None:
            starts, offsets = np.array([(band.start, band.offset) for band in self.bands]).T
            offset = offsets[band_of(estimate, starts)]
        return low * np.exp(-offset), high * np.exp(offset)


def _check_move(one: Band | Calibration) -> None:
    check_number("offset", one.offset, -FURTHEST, FURTHEST)
    check_number("n", one.n, 1)


def quantile(distribution: np.ndarray, share: float, prices: np.ndarray | None = None) -> np.ndarray:
    """The ``share`` quantile (B,) in US dollars of distributions (B, P), each price's mass spread half way to the next.

    ``prices`` (P,) are those that the distributions are over, ascending; by default whole dollars from 1 on.
    """
    edges = edges_of(np.arange(1, distribution.shape[1] + 1) if prices is None else prices)
    below = np.concatenate([np.zeros((len(distribution), 1)), distribution.cumsum(1)], axis=1)
    return np.array([np.interp(share, row, edges) for row in below])


def raw_interval(
    distribution: np.ndarray, level: float = LEVEL, prices: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The central ``level`` of each distribution, uncalibrated: low (B,) and high (B,); ``prices`` as in `quantile`."""
    return quantile(distribution, (1 - level) / 2, prices), quantile(distribution, (1 + level) / 2, prices)


def calibrate(
    prices: np.ndarray, low: np.ndarray, high: np.ndarray, level: float = LEVEL,
    estimates: np.ndarray | None = None, fewest: int = FEWEST_IN_BAND,
) -> Calibration:  # fmt: skip
    """How far raw intervals must move on log price to hold ``level`` of the calibration prices.

    Args:
        prices: (B,), of the calibration items.
        low: (B,), raw lower ends.
        high: (B,), raw upper ends.
        level: the share to hold.
        estimates: (B,), what puts an item into a band; None calibrates all items together only.
        fewest: bands are joined until each has so many items, see `band_starts`; with one band left there are none.

    Raises:
        ValueError: too few items for the finite-sample correction to exist.
    """
    n = len(prices)
    if n < (least := fewest_items(level)):
        raise ValueError(f"{n} calibration items are too few for an interval of {level:.0%}; give at least {least}")
    price = np.log(prices)
    misses = np.maximum(np.log(low) - price, price - np.log(high))
    bands = () if estimates is None else _bands(misses, np.asarray(estimates), level, max(fewest, least))
    return Calibration(_offset(misses, level), n, level, bands)


def band_starts(estimates: np.ndarray, fewest: int = FEWEST_IN_BAND) -> np.ndarray:
    """Where bands begin, in US dollars, so that each holds ``fewest`` of the estimates (B,) or there is only one.

    The rule: begin with the bands between `EDGES_USD`; as long as one has too few items, join the smallest with the
    smaller of its neighbours. It looks at estimates only, never at prices.
    """
    starts = np.array([0.0, *EDGES_USD])
    sizes = np.bincount(band_of(estimates, starts), minlength=len(starts))
    while len(starts) > 1 and sizes.min() < fewest:
        smallest = int(sizes.argmin())
        neighbours = [place for place in (smallest - 1, smallest + 1) if 0 <= place < len(sizes)]
        upper = max(smallest, min(neighbours, key=lambda place: sizes[place]))
        sizes[upper - 1] += sizes[upper]
        starts, sizes = np.delete(starts, upper), np.delete(sizes, upper)
    return starts


def band_of(estimates: Any, starts: np.ndarray) -> np.ndarray:
    """The band (B,) of each estimate, 0 … bands − 1."""
    return (np.searchsorted(starts, estimates, side="right") - 1).clip(0)


def likely_share(n: int, level: float = LEVEL, new: int | None = None, chance: float = 0.95) -> tuple[float, float]:
    """Between which shares of new prices inside lies with probability ``chance``, after calibrating on ``n`` items.

    The share of infinitely many follows a Beta(r, n + 1 − r) law with r = ⌈(n + 1)·level⌉ (Vovk 2012), that of ``new``
    items a beta-binomial one; exact for prices without ties. A small calibration set is why a good interval can miss
    its level.
    """
    from scipy.stats import beta, betabinom

    rank, tail = _rank(n, level), (1 - chance) / 2
    shape = rank, n + 1 - rank
    if new is None:
        return float(beta.ppf(tail, *shape)), float(beta.ppf(1 - tail, *shape))
    return float(betabinom.ppf(tail, new, *shape)) / new, float(betabinom.ppf(1 - tail, new, *shape)) / new


def fewest_items(level: float) -> int:
    """The least number of calibration items for which an interval of ``level`` exists."""
    return int(np.ceil(round(level / (1 - level), 9)))  # 0.8 / 0.2 is a little more than 4 in floating point


def _rank(n: int, level: float) -> int:
    return int(np.ceil(round((n + 1) * level, 9)))


def _offset(misses: np.ndarray, level: float) -> float:
    return float(np.sort(misses)[_rank(len(misses), level) - 1])


def _bands(misses: np.ndarray, estimates: np.ndarray, level: float, fewest: int) -> tuple[Band, ...]:
    starts = band_starts(estimates, fewest)
    if len(starts) == 1:
        return ()
    groups = [misses[band_of(estimates, starts) == place] for place in range(len(starts))]
    return tuple(
        Band(float(start), _offset(group, level), len(group)) for start, group in zip(starts, groups, strict=True)
    )
