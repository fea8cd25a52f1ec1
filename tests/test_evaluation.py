"""Errors against known values, and what must hold for any prices and estimates."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab.evaluation import Score, ScoreTable, crps, evaluate, floor_mae, paired_difference

DOLLARS = st.floats(1, 999)
PAIRS = st.lists(st.tuples(DOLLARS, DOLLARS, DOLLARS), min_size=2, max_size=30)
QUICK = settings(max_examples=30, deadline=None)


def test_known_values():
    score = evaluate([10, 100, 50, 20], [12, 70, 50, np.nan], [8, 60, 51, np.nan], [13, 90, 60, np.nan], name="m")
    assert (score.n, score.unparsed, score.median_ae, score.width) == (4, 1, 2.0, 9.0)
    assert score.mae.value == pytest.approx(32 / 3) and score.hit_rate == pytest.approx(2 / 3)
    logs = np.log1p([12, 70, 50]) - np.log1p([10, 100, 50])
    assert score.rmsle == pytest.approx(np.sqrt((logs**2).mean())) and score.coverage == pytest.approx(1 / 3)


@QUICK
@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter(rows, random):
    before = evaluate(*np.array(rows).T[:2])
    random.shuffle(rows)
    after = evaluate(*np.array(rows).T[:2])
    assert after.mae.value == pytest.approx(before.mae.value) and after.rmsle == pytest.approx(before.rmsle)


@QUICK
@given(PAIRS)
def test_the_interval_holds_the_mean_and_starts_at_zero_or_above(rows):
    prices, estimates, _ = np.array(rows).T
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = evaluate(prices, estimates)
    assert 0 <= score.mae.low <= score.mae.value <= score.mae.high < np.inf
    assert score.median_interval.low <= score.median_ae <= score.median_interval.high
    assert 0 <= score.hit_interval.low <= score.hit_rate <= score.hit_interval.high <= 1
    assert score.rmsle_interval.low <= score.rmsle_interval.value <= score.rmsle_interval.high
    assert score.rmsle_interval.value == pytest.approx(score.rmsle)


@QUICK
@given(PAIRS)
def test_coverage_and_hits_are_shares(rows):
    prices, one, two = np.array(rows).T
    score = evaluate(prices, one, np.minimum(one, two), np.maximum(one, two))
    assert 0 <= score.coverage <= 1 and 0 <= score.hit_rate <= 1 and score.width >= 0
    assert evaluate(prices, one, np.zeros(len(one)), np.full(len(one), 1e6)).coverage == 1


@QUICK
@given(PAIRS, st.floats(0.01, 0.9))
def test_nearer_estimates_save_dollars(rows, step):
    prices, far, _ = np.array(rows).T
    near = far + step * (prices - far)
    saved = paired_difference(prices, near, far)
    assert saved.value == pytest.approx(np.mean(step * np.abs(prices - far))) and saved.n == len(rows)
    assert paired_difference(prices, far, near).value == pytest.approx(-saved.value)


def test_pairs_need_both_answers():
    saved = paired_difference([10, 10, 10], [10, np.nan, 11], [12, 12, np.nan])
    assert (saved.n, saved.value, saved.low, saved.high) == (1, 2.0, 2.0, 2.0)
    assert str(saved) == "$2.00 [–] per item, n = 1"


def test_pairing_sees_what_two_intervals_hide():
    rng = np.random.default_rng(0)
    prices = rng.lognormal(4, 1, 300)
    noise = rng.normal(0, 0.5, 300)
    good, worse = prices * np.exp(noise), prices * np.exp(1.2 * noise)
    assert evaluate(prices, good).mae.high > evaluate(prices, worse).mae.low
    assert paired_difference(prices, good, worse).low > 0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (([], []), "at least one"),
        (([10, 20], [1]), "shape"),
        (([10, 0], [1, 2]), "above"),
        (([10, np.nan], [1, 2]), "prices must be dollars"),
        (([10], [np.nan]), "none of the 1 estimates"),
        (([10], [-1]), "0 or more"),
        (([10], [np.inf]), "NaN means no answer"),
        (([10], [9], [8]), "both low and high"),
        (([10], [9], [11], [8]), "low ≤ high"),
        (([10], [9], [np.nan], [8]), "low ≤ high"),
        (([[10]], [[9]]), "shape"),
    ],
)
def test_arrays_that_do_not_fit_are_told_in_words(arrays, words):
    with pytest.raises(ValueError, match=words):
        evaluate(*arrays)


def test_nothing_to_compare():
    with pytest.raises(ValueError, match="nothing to compare"):
        paired_difference([1, 2], [1, np.nan], [np.nan, 2])


def test_the_floor_is_what_the_best_constant_reaches():
    rng = np.random.default_rng(0)
    for mean, sigma in ((40.0, 0.15), (200.0, 0.6), (10.0, 1.2)):
        prices = mean * np.exp(sigma * rng.standard_normal(400_000) - sigma**2 / 2)
        best = np.abs(prices - np.median(prices)).mean()
        assert floor_mae([mean], [sigma])[0] == pytest.approx(best, rel=0.01)
    assert floor_mae([5.0], [0.0])[0] == 0
    with pytest.raises(ValueError, match="noise sigma"):
        floor_mae([5.0], [-0.1])


def test_scores_survive_json():
    score = evaluate([10, 20, 40], [12, 20, 30], [8, 8, 8], [30, 30, 30], name="m")
    assert Score.from_dict(json.loads(json.dumps(score.to_dict(), allow_nan=False))) == score
    with pytest.raises(ValueError, match="is no score"):
        Score.from_dict({"name": "m"})


def test_scores_of_an_earlier_version_load():
    old = {"name": "m", "n": 2, "unparsed": 0, "mae": {"value": 1.0, "low": 0.5, "high": 2.0}, "median_ae": 1.0}
    score = Score.from_dict({**old, "rmsle": 0.1, "hit_rate": 0.5, "coverage": 0.8, "width": 3.0})
    assert score.crps is None and score.currency == "USD" and "$1.00 [$0.50, $2.00]" in str(score)
    assert "–" in score.as_long_row().values()


def test_a_currency_other_than_the_dollar_is_named():
    score = evaluate([10, 20], [12, 21], [1, 1], [30, 30], currency="EUR")
    saved = paired_difference([10, 20], [12, 21], [15, 25], currency="EUR")
    assert "1.50 EUR" in str(score) and "$" not in str(score) + str(ScoreTable((score,), detailed=True)) + str(saved)


def test_the_detailed_table_shows_every_interval_and_escapes():
    score = evaluate([10, 20, 30], [12, 20, 31], [8, 18, 20], [13, 19, 40], name="<b>")
    table = ScoreTable((score,), detailed=True)
    assert str(table).count("[") == 6 and "&lt;b&gt;" in table._repr_html_() and "<b>" not in table._repr_html_()


# ---- the whole distribution


def test_crps_is_the_area_between_the_steps():
    rng = np.random.default_rng(0)
    mass = rng.dirichlet(np.full(30, 0.3), 20)
    prices = rng.uniform(0.5, 33, 20)
    grid = np.arange(0, 40, 0.001) + 0.0005
    below = np.concatenate([np.zeros((20, 1)), mass.cumsum(1)], axis=1)[:, np.minimum(grid.astype(int), 30)]
    areas = ((below - (grid >= prices[:, None])) ** 2).sum(1) * 0.001
    assert crps(prices, mass) == pytest.approx(areas, abs=2e-3)


def test_crps_over_other_prices_is_the_area_too():
    rng = np.random.default_rng(1)
    support, prices = np.array([0.5, 1.25, 4.0, 9.0, 30.0]), rng.uniform(0.2, 40, 12)
    mass = rng.dirichlet(np.ones(5), 12)
    grid = np.arange(0, 50, 0.001) + 0.0005
    below = np.concatenate([np.zeros((12, 1)), mass.cumsum(1)], axis=1)[:, np.searchsorted(support, grid)]
    areas = ((below - (grid >= prices[:, None])) ** 2).sum(1) * 0.001
    assert crps(prices, mass, support) == pytest.approx(areas, abs=2e-3)
    scored = evaluate(prices, prices, distribution=mass, support=support)
    assert scored.crps.value == pytest.approx(areas.mean(), abs=2e-3)
    with pytest.raises(ValueError, match="over 5 prices don't fit a support of 4"):
        crps(prices, mass, support[1:])


def test_crps_of_a_sure_answer_is_its_absolute_error():
    mass = np.zeros((3, 999))
    mass[np.arange(3), [9, 99, 998]] = 1
    assert crps([10, 90.5, 1200], mass) == pytest.approx([0, 9.5, 201])
    assert evaluate([10, 90.5], [10, 100]).crps.value == pytest.approx(4.75)
    assert evaluate([10, 90.5], [10, 100], distribution=mass[:2]).crps.value == pytest.approx(4.75)


def test_crps_rewards_honest_doubt():
    sure, doubt = np.zeros((1, 999)), np.zeros((1, 999))
    sure[0, 99], doubt[0, [99, 199]] = 1, 0.5
    assert crps([200.0], doubt) < crps([200.0], sure)
    for mass in (np.ones((1, 5)), np.ones((2, 1)), np.array([[1.5, -0.5]])):
        with pytest.raises(ValueError, match="distribution"):
            crps([3.0], mass)


# ---- groups


def test_items_of_a_group_tell_less_than_as_many_alone():
    rng = np.random.default_rng(0)
    groups = np.repeat([f"family {n}" for n in range(20)], 10)
    prices = rng.lognormal(4, 1, 200)
    estimates = prices * np.exp(np.repeat(rng.normal(0, 0.5, 20), 10))
    alone, together = evaluate(prices, estimates), evaluate(prices, estimates, groups=groups)
    assert together.mae.value == alone.mae.value and together.median_interval == alone.median_interval
    saved = [paired_difference(prices, estimates, 2 * estimates, groups=g) for g in (None, groups)]
    assert saved[1].high - saved[1].low != saved[0].high - saved[0].low
    with pytest.raises(ValueError, match="groups have the shape"):
        evaluate(prices, estimates, groups=groups[:3])
