"""How good are the estimates? Errors with their intervals, a paired comparison, the best error possible.

Arrays only: prices and estimates of the same B items, in one currency. It knows no model and reads no catalog. What a
score holds and how it prints is in ``scores``, the intervals are in ``bootstrap``. Notebook 03 introduces it.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pricelab.bootstrap import Interval, mean_interval, median_interval, share_interval
from pricelab.leaderboard import Leaderboard
from pricelab.scores import HIT_TOLERANCE, Difference, Score, ScoreTable

__all__ = ["Difference", "Leaderboard", "Score", "ScoreTable", "crps", "evaluate", "floor_mae", "paired_difference"]

Numbers = Sequence[float] | np.ndarray


def evaluate(
    prices: Numbers, estimates: Numbers, low: Numbers | None = None, high: Numbers | None = None, *,
    distribution: np.ndarray | None = None, support: np.ndarray | None = None, groups: Sequence[str] | None = None,
    name: str = "model", currency: str = "USD", seed: int = 0,
) -> Score:  # fmt: skip
    """Score B ``estimates`` of B ``prices``; NaN is an answer without a price.

    Args:
        prices: (B,), above 0.
        estimates: (B,), in the same currency.
        low: lower ends (B,) of 80 % prediction intervals, where the model gives them.
        high: upper ends.
        distribution: (B, P), probability of each price of ``support``, where the model gives it.
        support: (P,), ascending; by default whole prices from 1 on.
        groups: (B,), such as product families, where the question is about items of *other* groups: the intervals of
            means are then between groups, see ``mean_interval``; those of the median and of shares ignore groups.
        name: whose estimates they are.
        currency: ISO 4217 code of all amounts, for the tables.
        seed: of the resamples behind the errors' own 95 % intervals, see ``bootstrap``.

    Raises:
        ValueError: arrays that do not fit together, or no estimate at all.
    """
    prices, estimates = _prices(prices), _amounts("estimates", estimates, np.size(prices), nan=True)
    parsed = ~np.isnan(estimates)
    if not parsed.any():
        raise ValueError(f"none of the {len(prices)} estimates is a number, so there is no error to report")
    price, estimate = prices[parsed], estimates[parsed]
    errors, hits = np.abs(estimate - price), np.abs(estimate - price) <= HIT_TOLERANCE * price
    among = None if groups is None else _groups(groups, len(prices))[parsed]
    squared_log = (np.log1p(estimate) - np.log1p(price)) ** 2
    ranked = errors if distribution is None else crps(price, np.asarray(distribution)[parsed], support)
    return Score(
        name=name,
        n=len(prices),
        unparsed=int((~parsed).sum()),
        mae=_above_zero(mean_interval(errors, groups=among, seed=seed)),
        median_ae=float(np.median(errors)),
        rmsle=float(np.sqrt(squared_log.mean())),
        hit_rate=float(hits.mean()),
        **_coverage(prices, low, high, parsed),
        median_interval=median_interval(errors),
        rmsle_interval=_root(_above_zero(mean_interval(squared_log, groups=among, seed=seed))),
        hit_interval=share_interval(int(hits.sum()), len(hits)),
        crps=_above_zero(mean_interval(ranked, groups=among, seed=seed)),
        items=hashlib.sha256(prices.tobytes()).hexdigest()[:12],
        currency=currency,
    )


def paired_difference(
    prices: Numbers, estimates: Numbers, reference: Numbers, *, groups: Sequence[str] | None = None,
    currency: str = "USD", seed: int = 0,
) -> Difference:  # fmt: skip
    """Mean of |reference − price| − |estimate − price| over the items that both priced; positive: nearer than it.

    Pairing removes what makes an item hard for everybody, which at these heavy tails is most of the variation. Items
    where either has no price (NaN) are left out, and ``n`` says how many remain. ``groups`` as for ``evaluate``.
    """
    prices, size = _prices(prices), np.size(prices)
    estimates = _amounts("estimates", estimates, size, nan=True)
    reference = _amounts("reference", reference, size, nan=True)
    both = ~(np.isnan(estimates) | np.isnan(reference))
    if not both.any():
        raise ValueError(f"no item of {size} has both an estimate and a reference, so there is nothing to compare")
    saved = np.abs(reference[both] - prices[both]) - np.abs(estimates[both] - prices[both])
    mean = mean_interval(saved, groups=None if groups is None else _groups(groups, size)[both], seed=seed)
    return Difference(mean.value, mean.low, mean.high, int(both.sum()), currency)


def crps(prices: Numbers, distribution: np.ndarray, support: np.ndarray | None = None) -> np.ndarray:
    """Continuous ranked probability score (B,) of distributions (B, P) over the prices ``support``, by default 1…P.

    The area between two step functions squared: the distribution F and the step at the true price y. It is 0 for a
    model that is sure and right, and for a model that names one price the absolute error. Computed as E|X − y| − ½ E|X
    − X′| (Gneiting & Raftery 2007), where ½ E|X − X′| = Σ F(x)·(1 − F(x))·(x⁺ − x) over the prices x, x⁺ the next one:
    exact, also for a y between them.

    Raises:
        ValueError: another number of distributions than prices, or a row that does not sum to 1.
    """
    price, mass = np.asarray(prices, dtype=np.float64), np.asarray(distribution, dtype=np.float64)
    if mass.ndim != 2 or len(mass) != len(price):
        raise ValueError(f"distributions have the shape {mass.shape}; expected one row for each of {len(price)} prices")
    if not (mass >= 0).all() or not np.allclose(mass.sum(1), 1, atol=1e-6):
        raise ValueError("each distribution must hold probabilities that sum to 1")
    points = np.arange(1, mass.shape[1] + 1) if support is None else np.asarray(support)
    if points.shape != mass.shape[1:]:
        raise ValueError(f"distributions over {mass.shape[1]} prices don't fit a support of {points.size}")
    below, distance = mass.cumsum(1), np.abs(points - price[:, None])
    steps = np.diff(points, append=points[-1])
    return (mass * distance).sum(1) - (below * (1 - below) * steps).sum(1).clip(0)


def floor_mae(expected_price: Numbers, noise_sigma: Numbers) -> np.ndarray:
    """Least mean absolute error reachable per item, (B,) US dollars, for somebody who knows the price formula.

    With price = m · exp(σZ − σ²/2), Z standard normal, the mean is m and the best estimate the median m · exp(−σ²/2);
    its mean absolute error is m · (2Φ(σ) − 1) = m · erf(σ/√2).
    """
    from scipy.special import erf

    expected, sigma = np.asarray(expected_price, dtype=np.float64), np.asarray(noise_sigma, dtype=np.float64)
    if expected.shape != sigma.shape or not ((expected > 0).all() and (sigma >= 0).all()):
        raise ValueError("expected prices must be above $0, and each needs a noise sigma of 0 or more")
    return expected * erf(sigma / np.sqrt(2))


def _prices(prices: Numbers) -> np.ndarray:
    array = _amounts("prices", prices, np.size(prices))
    if not len(array) or not (array > 0).all():
        raise ValueError("prices must be above $0, and there must be at least one; leave the other rows out")
    return array


def _amounts(what: str, values: Any, size: int, nan: bool = False) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"{what} have the shape {array.shape}; expected one number for each of {size} prices")
    usable = np.isfinite(array) & (array >= 0) | (np.isnan(array) if nan else False)
    if not usable.all():
        raise ValueError(f"{what} must be dollars of 0 or more, got {array[~usable][0]}{'; NaN means no answer' * nan}")
    return array


def _groups(groups: Sequence[str], size: int) -> np.ndarray:
    array = np.asarray(groups)
    if array.shape != (size,):
        raise ValueError(f"groups have the shape {array.shape}; expected one name for each of {size} prices")
    return array


def _above_zero(interval: Interval) -> Interval:
    """The interval of a mean of numbers that are never negative."""
    return Interval(interval.value, max(interval.low, 0.0), interval.high)


def _root(interval: Interval) -> Interval:
    return Interval(*(float(np.sqrt(end)) for end in (interval.value, interval.low, interval.high)))


def _coverage(prices: np.ndarray, low: Any, high: Any, parsed: np.ndarray) -> dict[str, Any]:
    """Share of prices inside their interval, its 95 % interval, and the median width, over the parsed items."""
    if low is None and high is None:
        return {}
    if low is None or high is None:
        raise ValueError("an interval has two ends; give both low and high, or neither")
    bottom, top = (_amounts(w, v, len(prices), nan=True)[parsed] for w, v in (("low", low), ("high", high)))
    if not (bottom <= top).all():  # NaN fails here too
        raise ValueError("each item with an estimate needs low ≤ high; an end is missing or the two are swapped")
    inside = (bottom <= prices[parsed]) & (prices[parsed] <= top)
    interval = share_interval(int(inside.sum()), len(inside))
    return {"coverage": float(inside.mean()), "coverage_interval": interval, "width": float(np.median(top - bottom))}
