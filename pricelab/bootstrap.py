"""How sure is a number from n items? 95 % intervals of a mean, a median and a share, fit for heavy-tailed errors.

What is averaged is left to ``evaluation``; how often these intervals hold what they promise is measured by
``coverage`` and ``benchmarks/interval_coverage.py``. Notebook 03 introduces it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
RESAMPLES = 2_000
FEWEST_TO_RESAMPLE = 5
_NUMBERS_IN_MEMORY = 2_000_000  # resampled values held at once, 8 bytes each


@dataclass(frozen=True)
class Interval:
    """A number and its 95 % interval; prints as US dollars."""

    value: float
    low: float
    high: float

    def text(self, form: Callable[[float], str]) -> str:
        """``"value [low, high]"``, each written by ``form``; an interval without any width says nothing: a dash."""
        if self.low == self.high:
            return f"{form(self.value)} [–]"
        return f"{form(self.value)} [{form(self.low)}, {form(self.high)}]"

    def __str__(self) -> str:
        return self.text(money)


def mean_interval(
    values: Sequence[float] | np.ndarray, *, groups: Sequence[str] | np.ndarray | None = None, seed: int = 0
) -> Interval:
    """Mean of n values and its 95 % interval, by the method that held best in simulation for values of their kind.

    Errors, which are never negative, are skewed: the studentised bootstrap ("bootstrap-t", Efron 1981), which
    resamples (mean − true mean) / standard error. Values of both signs, such as paired differences, have two heavy
    tails: Student's t, because what mends skewness there makes the interval too narrow. How far both still fall short
    of 95 % for a few hundred items stands in ``data/results/interval-coverage.json``; notebook 03 draws it.

    Below five values resampling says nothing, and Student's t is used. Where all values agree, as with n = 1, the
    interval shrinks onto the value and says nothing either.

    Args:
        values: (n,).
        groups: (n,), the group of each value, where the question is about *other groups*, such as product families
            never seen: values of a group resemble each other, so n of them tell less than n alone. The interval is
            then Student's t with a standard error between groups (Liang & Zeger 1986), whatever the signs.
        seed: of the resamples.
    """
    values = np.asarray(values, dtype=np.float64)
    n, mean, spread = len(values), float(values.mean()), float(np.ptp(values))
    if spread <= 1e-12 * np.abs(values).max():
        return Interval(mean, mean, mean)
    unit = (values - mean) / spread  # the interval moves and scales along; this way nothing underflows
    if groups is not None:
        return _between_groups(mean, unit, spread, groups)
    both_signs = bool((values < 0).any())
    low, high = _student(n) if both_signs or n < FEWEST_TO_RESAMPLE else _studentised(unit, np.random.default_rng(seed))
    error = float(unit.std(ddof=1)) / n**0.5 * spread
    return Interval(mean, mean - error * max(high, 0.0), mean - error * min(low, 0.0))


def independent_difference(one: Interval, other: Interval) -> Interval:
    """``one − other`` of two numbers from different items, from their own 95 % intervals (Zou & Donner 2008).

    Each end takes the reach of both on the side that matters, as a sum of squares, so skewed intervals stay skewed. For
    numbers from the *same* items use a paired difference: it is far narrower.
    """
    value = one.value - other.value
    down = float(np.hypot(one.value - one.low, other.high - other.value))
    up = float(np.hypot(one.high - one.value, other.value - other.low))
    return Interval(value, value - down, value + up)


def median_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Median of n values and its 95 % interval from the ordered values themselves: exact for every distribution.

    Each value lies above the true median with probability ½, so how many do is binomial, and the ends are the l-th
    smallest and l-th largest value with the largest l that keeps both tails at 2.5 %. Below n = 6 no such l exists;
    the interval is then the range, and holds less than it promises.
    """
    from scipy.stats import binom

    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ordered)
    rank = max(int(binom.ppf(TAIL, n, 0.5)), 1)
    if binom.cdf(rank - 1, n, 0.5) > TAIL:
        rank = max(rank - 1, 1)
    return Interval(float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[n - rank]))


def share_interval(hits: int, n: int) -> Interval:
    """The share of ``hits`` among n and its 95 % interval by Wilson (1927), which never leaves 0…1.

    Raises:
        ValueError: no items, or more hits than items.
    """
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"{hits} hits of {n} items; there must be an item, and no more hits than items")
    from scipy.stats import norm

    z, share = float(norm.ppf(1 - TAIL)), hits / n
    centre, spread = share + z**2 / (2 * n), z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    low, high = ((centre + sign * spread) / (1 + z**2 / n) for sign in (-1, 1))
    return Interval(share, min(max(low, 0.0), share), max(min(high, 1.0), share))


def money(amount: float, currency: str = "USD") -> str:
    """``"$1,299.00"``, ``"−$3.50"``; another currency by its code, ``"−3.50 EUR"``."""
    sign, number = "−" if amount < 0 else "", f"{abs(amount):,.2f}"
    return f"{sign}${number}" if currency == "USD" else f"{sign}{number} {currency}"


def dollars(amount: float) -> str:
    """``"$1,299.00"``, ``"−$3.50"``."""
    return money(amount)


def _between_groups(mean: float, unit: np.ndarray, spread: float, groups: Sequence[str] | np.ndarray) -> Interval:
    """Student's t with the standard error between G groups: √(G/(G−1) · Σ (sum of a group's deviations)²) / n."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    if member.shape != unit.shape or len(names) < 2:
        raise ValueError(
            f"got {member.size} names of {len(names)} groups for {unit.size} values; give 2 groups or more"
        )
    sums = np.bincount(member, weights=unit)
    error = float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum())) / len(unit) * spread
    reach = error * _student(len(sums))[1]
    return Interval(mean, mean - reach, mean + reach)


def _student(n: int) -> tuple[float, float]:
    from scipy.stats import t

    high = float(t.ppf(1 - TAIL, n - 1))
    return -high, high


def _studentised(values: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """2.5 % and 97.5 % points of (resampled mean − mean) / its own standard error, for values of mean 0."""
    n, found = len(values), []
    at_once = max(1, _NUMBERS_IN_MEMORY // n)
    for start in range(0, RESAMPLES, at_once):
        picked = values[rng.integers(n, size=(min(at_once, RESAMPLES - start), n))]
        spread = picked.std(axis=1, ddof=1)
        usable = spread > 1e-9
        found.append(picked.mean(axis=1)[usable] * n**0.5 / spread[usable])
    low, high = np.quantile(np.concatenate(found), (TAIL, 1 - TAIL))
    return float(low), float(high)
