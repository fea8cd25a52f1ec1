"""Errors against known values, and what must hold for any prices and estimates."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab.bootstrap import mean_interval
from pricelab.evaluation import Leaderboard, Score, evaluate, floor_mae, paired_difference

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
def test_the_interval_holds_the_mean_and_lies_among_the_errors(rows):
    prices, estimates, _ = np.array(rows).T
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = evaluate(prices, estimates)
    errors, slack = np.abs(prices - estimates), 1e-9
    assert errors.min() - slack <= score.mae.low <= score.mae.value + slack
    assert score.mae.value - slack <= score.mae.high <= errors.max() + slack


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
    assert str(saved) == "$2.00 [$2.00, $2.00] per item, n = 1"


def test_pairing_sees_what_two_intervals_hide():
    rng = np.random.default_rng(0)
    prices = rng.lognormal(4, 1, 300)
    noise = rng.normal(0, 0.5, 300)
    good, worse = prices * np.exp(noise), prices * np.exp(1.2 * noise)
    assert evaluate(prices, good).mae.high > evaluate(prices, worse).mae.low
    assert paired_difference(prices, good, worse).low > 0


@pytest.mark.parametrize("values", [[3.0], [0.1] * 7, [0.0] * 5, [1e300] * 3])
def test_equal_values_give_a_point_without_a_warning(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = mean_interval(values)
    assert interval.low == interval.high == interval.value == pytest.approx(values[0])


def test_bca_covers_skewed_means_better_than_chance_and_is_seeded():
    rng, true_mean = np.random.default_rng(1), float(np.exp(0.5))
    intervals = [mean_interval(rng.lognormal(0, 1, 200), seed=n) for n in range(60)]
    assert sum(i.low <= true_mean <= i.high for i in intervals) >= 50
    values = rng.lognormal(0, 1, 50)
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3) != mean_interval(values, seed=4)


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


def test_leaderboard_keeps_the_latest_of_each_and_sorts(tmp_path):
    board = Leaderboard(tmp_path / "board.json")
    assert str(board) == "no scores yet" and board.rows() == []
    for name, estimate in (("bad", 30), ("good", 11), ("bad", 20)):
        board.add(evaluate([10, 10], [estimate, 12], name=name), "test")
    board.add(evaluate([10], [10], name="bad"), "test-unseen")
    rows = Leaderboard(str(board.path)).rows()
    assert [(r["name"], r["split"], r["mae"]["value"]) for r in rows] == [
        ("good", "test", 1.5),
        ("bad", "test", 6.0),
        ("bad", "test-unseen", 0.0),
    ]
    assert "$1.50 [$1.00, $2.00]" in str(board) and str(board).splitlines()[0].startswith("model")


def test_leaderboard_escapes_names_and_refuses_other_files(tmp_path):
    board = Leaderboard(tmp_path / "board.json")
    board.add(evaluate([10], [10], name="<b>x</b>"), "<i>")
    assert "<b>" not in board._repr_html_() and "<i>" not in board._repr_html_()
    (tmp_path / "board.json").write_text('[{"name": "x"}]')
    with pytest.raises(ValueError, match="is no leaderboard"):
        str(board)
