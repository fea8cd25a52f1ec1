"""Intervals of means, medians and shares hold what they promise, as far as a short simulation can tell."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_1samp, ttest_ind

from pricelab.bootstrap import (
    Interval,
    dollars,
    independent_difference,
    mean_interval,
    median_interval,
    money,
    share_interval,
)

QUICK = settings(max_examples=50, deadline=None)


def test_an_interval_without_width_is_written_as_none():
    assert str(mean_interval([24.0])) == "$24.00 [–]"
    assert str(mean_interval([24.0, 26.0])).startswith("$25.00 [")


@pytest.mark.parametrize("values", [[3.0], [0.1] * 7, [0.0] * 5, [1e300] * 3])
def test_equal_values_give_a_point_without_a_warning(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = mean_interval(values)
    assert interval.low == interval.high == interval.value == pytest.approx(values[0])


@QUICK
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_the_interval_of_a_mean_holds_it_and_is_finite(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = mean_interval(values)
    assert -math.inf < interval.low <= interval.value <= interval.high < math.inf


def test_differences_get_students_t():
    values = np.random.default_rng(0).normal(1, 5, 80)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    found = mean_interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_difference_of_independent_means_is_welchs_for_symmetric_intervals():
    rng = np.random.default_rng(2)
    one, other = rng.normal(5, 2, 400), rng.normal(3, 4, 300)
    found = independent_difference(mean_interval(one - 100), mean_interval(other - 100))
    expected = ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=0.01)


def test_a_skewed_interval_makes_a_skewed_difference():
    found = independent_difference(Interval(10, 8, 20), Interval(4, 4, 4))
    assert (found.value, found.low, found.high) == pytest.approx((6, 4, 16))
    assert independent_difference(Interval(4, 4, 4), Interval(10, 8, 20)).low == pytest.approx(-16)


def test_errors_get_an_interval_that_reaches_farther_up_and_is_seeded():
    values = np.random.default_rng(0).lognormal(0, 1, 60)
    one = mean_interval(values, seed=3)
    assert one.high - one.value > 1.2 * (one.value - one.low)
    assert one == mean_interval(values, seed=3) != mean_interval(values, seed=4)
    scaled = mean_interval(1000 * values, seed=3)
    assert (scaled.low, scaled.high) == pytest.approx((1000 * one.low, 1000 * one.high))


def test_skewed_means_are_held_more_often_than_by_the_textbook():
    rng, true_mean, held, plain = np.random.default_rng(1), float(np.exp(0.5 * 1.3**2)), 0, 0
    for _ in range(150):
        values = rng.lognormal(0, 1.3, 60)
        found, textbook = mean_interval(values), ttest_1samp(values, 0).confidence_interval(0.95)
        held += found.low <= true_mean <= found.high
        plain += textbook.low <= true_mean <= textbook.high
    assert held > plain and held >= 0.85 * 150


def test_groups_count_as_what_they_are():
    rng, held, naive = np.random.default_rng(0), 0, 0
    groups = np.repeat(np.arange(30), 8)
    for _ in range(200):
        values = np.repeat(rng.normal(0, 1, 30), 8) + rng.normal(0, 1, 240)
        one, other = mean_interval(values, groups=groups), mean_interval(values)
        held, naive = held + (one.low <= 0 <= one.high), naive + (other.low <= 0 <= other.high)
    assert held >= 0.9 * 200 and naive < 0.8 * 200


def test_groups_of_one_give_students_t():
    values = np.random.default_rng(0).normal(1, 5, 80)
    one, other = mean_interval(values, groups=np.arange(80)), mean_interval(values)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))
    with pytest.raises(ValueError, match="2 groups or more"):
        mean_interval(values, groups=["a"] * 80)


def test_the_interval_of_a_median_is_made_of_order_statistics():
    assert median_interval(range(1, 101)) == Interval(50.5, 40.0, 61.0)  # as in tables of the sign test
    assert median_interval([3.0, 1.0, 2.0]) == Interval(2.0, 1.0, 3.0)
    rng = np.random.default_rng(0)
    held = [one.low <= 1 <= one.high for one in (median_interval(rng.lognormal(0, 1, 37)) for _ in range(600))]
    assert np.mean(held) >= 0.93


@pytest.mark.parametrize("n", range(1, 60))
def test_the_interval_of_a_median_keeps_both_tails_small_and_no_smaller_than_needed(n):
    from scipy.stats import binom

    found = median_interval(range(1, n + 1))
    rank = int(found.low)
    assert found.high == n + 1 - rank
    assert n < 6 or binom.cdf(rank - 1, n, 0.5) <= 0.025 < binom.cdf(rank, n, 0.5)


@QUICK
@given(st.integers(1, 500), st.data())
def test_the_interval_of_a_share_is_wilsons(n, data):
    hits = data.draw(st.integers(0, n))
    found, expected = share_interval(hits, n), binomtest(hits, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_shares_that_are_none(hits, n):
    with pytest.raises(ValueError, match="no more hits than items"):
        share_interval(hits, n)


def test_money():
    assert (dollars(1299), dollars(-3.5), money(-3.5, "EUR")) == ("$1,299.00", "−$3.50", "−3.50 EUR")
