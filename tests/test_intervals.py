"""Intervals: the finite-sample rank, the coverage it buys in all and by band, and quantiles of a distribution."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm
from sklearn.base import BaseEstimator, RegressorMixin

from pricelab.intervals import (
    EDGES_USD,
    LEVEL,
    Band,
    Calibration,
    band_of,
    band_starts,
    calibrate,
    fewest_items,
    likely_share,
    quantile,
    raw_interval,
)
from pricelab.price_format import PriceFormat


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


@pytest.mark.parametrize(("price", "low", "high"), [(0.01, 0.005, 0.015), (10, 9.995, 10.5), (1000, 999.5, 1005)])
def test_a_price_of_another_format_spreads_half_way_to_its_neighbours(price, low, high):
    written = PriceFormat(4, cents=True)
    mass = np.zeros((1, len(written.prices)))
    mass[0, written.place(price)] = 1
    assert raw_interval(mass, 0.5, written.prices) == (
        pytest.approx((3 * low + high) / 4),
        pytest.approx((low + 3 * high) / 4),
    )


def test_the_raw_interval_leaves_a_tenth_on_either_side():
    uniform = np.full((1, 999), 1 / 999)
    low, high = raw_interval(uniform)
    assert (low[0], high[0]) == pytest.approx((0.5 + 99.9, 0.5 + 899.1))


# ---- against MAPIE


class LogOfColumn(RegressorMixin, BaseEstimator):
    """What MAPIE takes for a fitted model of one quantile: it reads the quantile off its input."""

    def __init__(self, column=0):
        self.column, self.is_fitted = column, True

    def fit(self, columns, target):
        return self

    def predict(self, columns):
        return np.log(columns[:, self.column])


@pytest.mark.parametrize(("n", "level"), [(6, 0.75), (9, 0.8), (10, 0.8), (100, 0.8), (101, 0.5), (199, 0.9)])
def test_intervals_equal_mapies_conformalised_quantile_regression(n, level):
    from mapie.regression import ConformalizedQuantileRegressor

    price, centre = np.exp(np.random.default_rng(n).normal(4, 1, (2, n)))
    ends = np.stack([centre * 0.7, centre * 1.6, centre], axis=1)  # MAPIE's order: low, high, median
    theirs = ConformalizedQuantileRegressor([LogOfColumn(c) for c in range(3)], confidence_level=level, prefit=True)
    _, interval = theirs.conformalize(ends, np.log(price)).predict_interval(ends, symmetric_correction=True)
    low, high = calibrate(price, ends[:, 0], ends[:, 1], level).widen(ends[:, 0], ends[:, 1])
    np.testing.assert_allclose(np.log([low, high]), interval[:, :, 0].T, atol=1e-9)


# ---- by price band


@dataclass(frozen=True)
class Shop:
    """Items whose truth is known: log price is normal around the estimate, more widely so for dear items."""

    estimate: np.ndarray  # (B,) US dollars
    price: np.ndarray  # (B,)

    @classmethod
    def drawn(cls, rng, n):
        estimate = np.exp(rng.normal(4, 1, n))
        return cls(estimate, estimate * np.exp(cls.sigma(estimate) * rng.normal(size=n)))

    @staticmethod
    def sigma(estimate):
        return 0.2 + 0.15 * np.maximum(np.log(estimate) - 2, 0)

    @property
    def raw(self):
        return self.estimate / 1.5, self.estimate * 1.5

    def calibration(self, **options):
        return calibrate(self.price, *self.raw, estimates=self.estimate, **options)

    def true_coverage(self, calibration):
        """The chance (B,) that a new price at each estimate lies in its interval."""
        low, high = calibration.widen(*self.raw, self.estimate)
        sigma = self.sigma(self.estimate)
        return norm.cdf(np.log(high / self.estimate) / sigma) - norm.cdf(np.log(low / self.estimate) / sigma)


def test_over_20_calibration_sets_each_band_is_covered_as_its_size_allows():
    """Calibration sets of 1,200; each band's true coverage follows its Beta law, so 95 % of 20 · bands lie within."""
    rng = np.random.default_rng(0)
    everybody = Shop.drawn(rng, 20_000)
    within, means = [], []
    for _ in range(20):
        calibration = Shop.drawn(rng, 1200).calibration()
        assert len(calibration.bands) >= 4
        covered = everybody.true_coverage(calibration)
        place = band_of(everybody.estimate, np.array([band.start for band in calibration.bands]))
        for number, band in enumerate(calibration.bands):
            share, (least, most) = covered[place == number].mean(), likely_share(band.n)
            within.append(least <= share <= most)
            means.append(share)
    assert binom.cdf(sum(within), len(within), 0.95) > 0.01  # not fewer than chance explains
    assert abs(np.mean(means) - LEVEL) < 0.02


def test_one_offset_for_all_covers_cheap_items_too_often_and_dear_ones_too_rarely():
    rng = np.random.default_rng(1)
    everybody = Shop.drawn(rng, 20_000)
    dear = everybody.estimate >= 200
    together, by_band = [], []
    for _ in range(20):
        calibration = Shop.drawn(rng, 1200).calibration()
        by_band.append(everybody.true_coverage(calibration)[dear].mean())
        together.append(everybody.true_coverage(replace(calibration, bands=()))[dear].mean())
        assert everybody.true_coverage(calibration).mean() == pytest.approx(LEVEL, abs=0.06)
    assert np.mean(together) < 0.65 and np.mean(by_band) == pytest.approx(LEVEL, abs=0.03)


def test_a_hundred_items_are_calibrated_together():
    rng = np.random.default_rng(2)
    assert all(Shop.drawn(rng, 100).calibration().bands == () for _ in range(20))


@given(st.lists(st.floats(1, 999), min_size=1, max_size=300), st.integers(1, 60))
def test_every_band_has_items_enough_or_there_is_one(estimates, fewest):
    starts = band_starts(np.array(estimates), fewest)
    sizes = np.bincount(band_of(estimates, starts), minlength=len(starts))
    assert starts[0] == 0 and set(starts[1:]) <= set(EDGES_USD) and (np.diff(starts) > 0).all()
    assert sizes.sum() == len(estimates) and (len(starts) == 1 or sizes.min() >= fewest)


def test_the_smallest_band_is_joined_with_its_smaller_neighbour():
    """Sizes 40, 2, 30, 50, 60, 20, 3 with at least 30: the 2 join the 30, then the 3 join the 20, then those the 60."""
    middles, sizes = (5, 15, 30, 70, 150, 300, 700), (40, 2, 30, 50, 60, 20, 3)
    starts = band_starts(np.repeat(middles, sizes), fewest=30)
    assert starts.tolist() == [0, 10, 50, 100]


def test_a_bands_offset_is_that_of_its_items_alone_and_moves_only_them():
    rng = np.random.default_rng(3)
    shop = Shop.drawn(rng, 800)
    calibration = shop.calibration()
    dear = shop.estimate >= calibration.bands[-1].start
    low, high = (end[dear] for end in shop.raw)
    alone = calibrate(shop.price[dear], low, high)
    assert (calibration.bands[-1].offset, calibration.bands[-1].n) == (alone.offset, alone.n)
    moved = calibration.widen(*shop.raw, shop.estimate)
    np.testing.assert_array_equal(moved[0][dear], alone.widen(low, high)[0])
    assert calibration.offset == calibrate(shop.price, *shop.raw).offset  # for all together: as without bands
    np.testing.assert_array_equal(calibration.widen(*shop.raw), calibrate(shop.price, *shop.raw).widen(*shop.raw))


def test_an_estimate_on_an_edge_belongs_to_the_band_that_starts_there_and_none_is_lost():
    calibration = Calibration(0.0, 9, bands=(Band(0.0, np.log(2), 5), Band(20.0, np.log(3), 4)))
    estimate = np.array([0.4, 19.99, 20.0, 5_000.0, np.nan])
    low, high = calibration.widen(np.full(5, 6.0), np.full(5, 6.0), estimate)
    np.testing.assert_allclose(high, [12, 12, 18, 18, 18])
    np.testing.assert_allclose(low, [3, 3, 2, 2, 2])
    assert calibration.widen(6.0, 6.0, 20.0) == pytest.approx((2, 18))  # one number, too


def test_a_calibration_survives_json_also_one_from_before_there_were_bands():
    calibration = Shop.drawn(np.random.default_rng(4), 800).calibration()
    assert calibration.bands and Calibration(**json.loads(json.dumps(calibration.as_dict()))) == calibration
    assert json.loads(json.dumps(calibration.as_dict())) == calibration.as_dict()
    before = {"offset": -0.1, "n": 200, "level": 0.8}
    assert Calibration(**before) == Calibration(-0.1, 200) and Calibration(**before).as_dict() == before


# ---- how far chance moves coverage


@pytest.mark.parametrize(("n", "new"), [(19, 60), (100, 40)])
def test_random_splits_of_one_pool_miss_the_level_as_often_as_said(n, new):
    """Whatever the pool: the share of new items inside is beta-binomial over its splits."""
    rng = np.random.default_rng(n)
    price, inside = np.exp(rng.standard_cauchy(n + new)), []
    low, high = np.full(n + new, 0.9), np.full(n + new, 1.1)
    for _ in range(3000):
        order = rng.permutation(n + new)
        known, unknown = order[:n], order[n:]
        left, right = calibrate(price[known], low[known], high[known]).widen(low[unknown], high[unknown])
        inside.append(np.mean((left <= price[unknown]) & (price[unknown] <= right)))
    least, most = likely_share(n, new=new)
    assert 0.94 <= np.mean((np.array(inside) >= least) & (np.array(inside) <= most)) <= 0.985
    assert likely_share(n, new=10_000) == pytest.approx(likely_share(n), abs=0.005)
