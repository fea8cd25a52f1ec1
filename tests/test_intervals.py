"""Intervals: the finite-sample rank, the coverage it buys, and quantiles of a distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.intervals import LEVEL, Calibration, calibrate, fewest_items, quantile, raw_interval


def point_mass(dollars: int) -> np.ndarray:
    distribution = np.zeros((1, 999))
    distribution[0, dollars - 1] = 1
    return distribution


def test_the_offset_is_the_miss_of_the_finite_sample_rank():
    """Of 9 items at 80 %, the 8th smallest miss: ceil(10 · 0.8)."""
    misses = np.array([0.3, -0.2, 0.9, 0.1, 0.5, -0.4, 0.7, 0.2, 0.0])
    found = calibrate(np.exp(misses), low=np.full(9, 1e-9), high=np.ones(9))
    assert found.offset == pytest.approx(np.sort(misses)[7])
    assert (found.n, found.level) == (9, LEVEL)


@pytest.mark.parametrize(("level", "least"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19)])
def test_too_few_items_are_refused_and_the_number_named_is_enough(level, least):
    assert fewest_items(level) == least
    ones = np.ones(least)
    assert calibrate(ones, ones, ones, level).n == least
    if least > 1:
        with pytest.raises(ValueError, match=f"{least - 1} calibration items are too few.*at least {least}"):
            calibrate(ones[1:], ones[1:], ones[1:], level)


@pytest.mark.parametrize("width", [0.05, 3.0])  # raw intervals far too narrow, and far too wide
@pytest.mark.parametrize("n", [10, 50])
def test_coverage_reaches_the_level_on_average_and_not_much_more(width, n):
    """Exchangeable items: at least 80 %, at most 80 % + 1/(n+1), within four standard errors over 2,000 draws."""
    rng = np.random.default_rng(n)
    covered = []
    for _ in range(2000):
        price = np.exp(rng.normal(4, 1, n + 1))
        centre = price * np.exp(rng.normal(0, 0.6, n + 1))
        low, high = centre * np.exp(-width), centre * np.exp(width)
        calibration = calibrate(price[:n], low[:n], high[:n])
        (left,), (right,) = calibration.widen(low[n:], high[n:])
        covered.append(left <= price[n] <= right)
    tolerance = 4 * np.sqrt(LEVEL * (1 - LEVEL) / 2000)
    assert LEVEL - tolerance <= np.mean(covered) <= LEVEL + 1 / (n + 1) + tolerance


def test_a_negative_offset_narrows():
    low, high = Calibration(offset=-np.log(2), n=10).widen(np.array([10.0]), np.array([90.0]))
    assert (low[0], high[0]) == pytest.approx((20, 45))


@given(dollars=st.integers(1, 999), share=st.floats(0.001, 0.999))
def test_a_whole_dollar_spreads_from_half_a_dollar_below_to_half_above(dollars, share):
    assert quantile(point_mass(dollars), share)[0] == pytest.approx(dollars - 0.5 + share)


@given(seed=st.integers(0, 1000), share=st.floats(0.01, 0.99))
def test_the_quantile_inverts_the_cumulative_distribution(seed, share):
    distribution = np.random.default_rng(seed).dirichlet(np.ones(999) * 0.5, size=2)
    found = quantile(distribution, share)
    below = [
        np.interp(q, np.arange(1000) + 0.5, [0, *row.cumsum()]) for q, row in zip(found, distribution, strict=True)
    ]
    np.testing.assert_allclose(below, share, atol=1e-9)


def test_the_raw_interval_leaves_a_tenth_on_either_side():
    uniform = np.full((1, 999), 1 / 999)
    low, high = raw_interval(uniform)
    assert (low[0], high[0]) == pytest.approx((0.5 + 99.9, 0.5 + 899.1))
