"""Figures of scores: they render, say what they show, and refuse what cannot be told apart."""

from functools import partial

import numpy as np
import pytest
from drawing import renders, words

from pricelab.breakdown import by_price_band
from pricelab.coverage import Cell
from pricelab.plots.scores import coverage_by_n, errors_by_band, sampled_scores

PRICES = np.array([10.0, 30.0, 70.0, 150.0, 400.0] * 6)
BANDS = by_price_band(PRICES, {"ridge $1 $": PRICES * 1.1, "constant": np.full(30, 50.0)})
SAMPLES = {"good": np.array([5.0, 6.0, 7.0, 8.0]), "bad": np.array([6.0, 5.5, 9.0, 9.0])}
WHOLE = {"good": 6.5, "bad": 7.4}
CELLS = [
    {"population": "errors $x$", "method": method, "n": n, "coverage": share, "standard_error": 0.004}
    for method, share in (("t", 0.9), ("BCa", 0.92), ("Hall", 0.94)) for n in (50, 100)
]  # fmt: skip
LIVE = ("BCa", 100, Cell(0.93, 0.05, 0.02, 1.0, 400))
FIGURES = {
    "bands": partial(errors_by_band, BANDS),
    "samples": partial(sampled_scores, SAMPLES, WHOLE, 200),
    "coverage": partial(coverage_by_n, CELLS, "errors $x$", live=LIVE),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_renders_with_title_and_labels(name):
    assert renders(FIGURES[name])


def test_bands_name_their_items_and_both_errors():
    text = words(FIGURES["bands"]())
    assert "below \\$25\nn = 6" in text and "median of error / price" in text and text.count("constant") == 2


def test_the_share_of_samples_in_which_the_wrong_one_wins_is_told():
    text = words(FIGURES["samples"]())
    assert "wrong one wins: 25%" in text and "right one wins: 75%" in text and "samples of 200 items" in text


def test_coverage_shows_the_chosen_methods_and_what_was_computed_now():
    text = words(FIGURES["coverage"]())
    assert "BCa, computed now" in text and "Hall" not in text
    assert "Hall" in words(coverage_by_n(CELLS, "errors $x$", methods=["Hall"]))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: errors_by_band(by_price_band(PRICES, {str(n): PRICES for n in range(5)})), "at most 4"),
        (lambda: sampled_scores({"one": np.ones(3)}, {"one": 1.0}, 10), "two models"),
        (lambda: coverage_by_n(CELLS, "other"), "no recorded cell of 'other'"),
    ],
)
def test_what_cannot_be_drawn_is_told(act, message):
    with pytest.raises(ValueError, match=message):
        act()
