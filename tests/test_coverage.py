"""The simulation of intervals: its recipes equal known ones, and it finds what is known of them."""

import json
import math

import numpy as np
import pytest
from scipy.stats import bootstrap, skew, ttest_1samp

from benchmarks.interval_coverage import PATH, RULES, choose
from pricelab import coverage
from pricelab.bootstrap import mean_interval
from pricelab.coverage import METHODS, Cell, from_pool, recorded, simulate


def log_normal(rng, shape):
    return rng.lognormal(0, 1, shape)


@pytest.fixture(scope="module")
def block():
    """Three samples and their intervals by all methods."""
    values = log_normal(np.random.default_rng(5), (3, 120))
    made = next(coverage._blocks(log_normal, 120, 3, 20_000, np.random.default_rng(5)))
    return values, made, coverage._intervals(made)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_resampled_intervals_are_scipys(block, method):
    values, _, found = block
    for row, low, high in zip(values, *found[method], strict=True):
        ends = bootstrap((row,), np.mean, method=method, n_resamples=20_000, rng=np.random.default_rng(1))
        expected = ends.confidence_interval
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.03 * (expected.high - expected.low))


def test_the_t_interval_is_scipys_and_bootstrap_t_the_workbooks(block):
    values, _, found = block
    for row, t, resampled in zip(values, np.transpose(found["t"]), np.transpose(found["bootstrap-t"]), strict=True):
        assert tuple(t) == pytest.approx(ttest_1samp(row, 0).confidence_interval(0.95))
        own = mean_interval(row)
        assert (own.low, own.high) == pytest.approx(tuple(resampled), abs=0.1 * (own.high - own.low))


def test_moments_are_numpys(block):
    values, made, _ = block
    assert made.sd == pytest.approx(values.std(axis=1, ddof=1)) and made.skew == pytest.approx(skew(values, axis=1))


def test_halls_transform_and_its_inverse_belong_together():
    t, gamma = np.linspace(-4, 4, 9), np.array([-2.0, 0.0, 1e-12, 0.5, 3.0, 1.0, -0.1, 2.0, 4.0])
    back = coverage._hall_inverse(coverage._hall(t, gamma, 50), gamma, 50)
    assert back == pytest.approx(t, abs=1e-5)


def test_normal_values_are_covered_as_promised_and_skewed_ones_are_not():
    plain = simulate(lambda rng, shape: rng.normal(0, 1, shape), 0.0, n=30, samples=1500, resamples=300)["t"]
    assert abs(plain.coverage - 0.95) < 4 * plain.standard_error
    heavy = simulate(lambda rng, shape: rng.lognormal(0, 1.3, shape), math.exp(0.845), n=50, samples=600, resamples=400)
    assert heavy["t"].coverage < 0.92 < heavy["t"].coverage + 0.08
    assert heavy["bootstrap-t"].coverage > heavy["t"].coverage and heavy["t"].too_low > heavy["t"].too_high
    assert all(one.coverage + one.too_low + one.too_high == pytest.approx(1) for one in heavy.values())


def test_a_pool_is_its_own_population():
    pool = np.array([1.0, 2.0, 7.0])
    drawn = from_pool(pool)(np.random.default_rng(0), (500, 40))
    assert set(np.unique(drawn)) == set(pool) and drawn.mean() == pytest.approx(pool.mean(), abs=0.1)


def test_the_rule_takes_the_nearest_and_among_equals_the_narrowest():
    def cells(figures, kind="errors"):
        return [
            {"population": "p", "kind": kind, "n": 200, "method": method, "coverage": share, "width": width}
            for method, (share, width) in figures.items()
        ]

    figures = dict.fromkeys(METHODS, (0.90, 1.0)) | {"Hall": (0.9495, 1.4), "bootstrap-t": (0.9485, 1.2)}
    assert choose(cells(figures), ("errors",))["chosen"] == "bootstrap-t"
    figures["bootstrap-t"] = (0.945, 1.2)
    both = [*cells(figures), *cells(dict.fromkeys(METHODS, (0.9, 1.0)) | {"t": (0.95, 1.0)}, "differences")]
    assert choose(both, ("errors",))["chosen"] == "Hall" and choose(both, ("differences",))["chosen"] == "t"


def test_what_is_recorded_follows_the_rule_and_the_workbook_follows_what_is_recorded():
    facts = recorded()
    assert facts == json.loads(PATH.read_text())
    assert {name: choose(facts["cells"], kinds) for name, kinds in RULES.items()} == facts["rules"]
    chosen = {name: facts["rules"][name]["chosen"] for name in ("errors", "differences")}
    assert chosen == {"errors": "bootstrap-t", "differences": "t"}, "mean_interval must use the chosen methods"
    assert facts["samples"] >= 2_000 and Cell(0.95, 0.03, 0.02, 1.0, 2000).standard_error < 0.005
