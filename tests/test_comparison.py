"""A predictor beside its baselines: the right numbers in the right rows."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pricelab.catalog import Item
from pricelab.comparison import best_possible_error, compare, compare_estimates, saved_on_shared, score_each
from pricelab.estimates import PriceEstimate
from pricelab.evaluation import floor_mae

PRICES = np.array([10.0, 20.0, 40.0, 80.0] * 5)
ITEMS = [Item(str(i), f"thing {i}", price, expected_price=price, noise_sigma=0.3) for i, price in enumerate(PRICES)]


def baseline(name, off_by):
    return SimpleNamespace(name=name, predict=lambda texts: PRICES[: len(texts)] + off_by)


class Fake:
    """Always two dollars too much; says nothing about the first item when told so."""

    name, read_out = "toy <b>", "digits"
    ridge, constant = baseline("ridge", 5.0), baseline("constant", 9.0)

    def __init__(self, silent=False):
        self.silent = silent

    def estimate(self, texts, progress=False):
        points = PRICES[: len(texts)] + 2
        if self.silent:
            points[0] = np.nan
        return [PriceEstimate(p, p - 5, p + 5, np.full(999, 1 / 999)) for p in points]


def test_where_a_blend_answers_the_digits_are_a_row_of_their_own():
    class Blended(Fake):
        read_out, digits = "blend", Fake()

        def estimate(self, texts, progress=False):
            return [replace(answer, estimate=answer.estimate - 1) for answer in super().estimate(texts)]

    found = compare(Blended(), ITEMS)
    assert [score.name for score in found.scores] == ["toy <b>, blend", "toy <b>, digits", "ridge", "constant"]
    assert [score.mae.value for score in found.scores[:2]] == [1, 2]
    assert found.saved["toy <b>, digits"].value == 1


def test_the_predictor_comes_first_and_each_baseline_is_paired_with_it():
    found = compare(Fake(), ITEMS)
    assert [score.name for score in found.scores] == ["toy <b>", "ridge", "constant"]
    assert [score.mae.value for score in found.scores] == pytest.approx([2, 5, 9])
    assert {name: saved.value for name, saved in found.saved.items()} == pytest.approx({"ridge": 3, "constant": 7})
    assert found.scores[0].coverage == 1 and found.scores[1].coverage is None


def test_an_item_without_an_estimate_is_counted_and_left_out_of_the_pairs():
    found = compare(Fake(silent=True), ITEMS)
    assert (found.scores[0].unparsed, found.saved["ridge"].n) == (1, 19)
    assert found.saved["ridge"].value == pytest.approx(3)


def test_estimates_that_are_there_already_give_the_same():
    estimates = Fake().estimate([item.text for item in ITEMS])
    assert compare_estimates(Fake(), ITEMS, estimates).to_dict() == compare(Fake(), ITEMS).to_dict()


def test_an_untuned_predictor_stands_alone():
    bare = Fake()
    bare.ridge = bare.constant = None
    found = compare(bare, ITEMS)
    assert len(found.scores) == 1 and not found.saved


def test_the_best_possible_error_is_known_only_with_the_formula():
    assert best_possible_error(ITEMS) == pytest.approx(floor_mae(PRICES, [0.3] * 20).mean())
    assert best_possible_error([*ITEMS, Item("x", "thing", 5.0)]) is None
    assert "Best possible" not in str(compare(Fake(), [Item("x", "thing", price) for price in PRICES]))


def test_it_prints_shows_and_exports_without_unescaped_text():
    found = compare(Fake(), ITEMS)
    assert "toy <b>" in str(found) and "Saved against ridge" in str(found) and "Best possible" in str(found)
    assert "toy &lt;b&gt;" in found._repr_html_() and "<b>" not in found._repr_html_()
    kept = json.loads(json.dumps(found.to_dict()))
    assert kept["scores"][0]["name"] == "toy <b>" and kept["saved"]["constant"]["value"] == pytest.approx(7)


def test_models_that_priced_fewer_items_are_scored_and_compared_on_those():
    mass = np.full(999, 1 / 999)
    few = [PriceEstimate(price + 1, price, price + 2, mass, None) for price in PRICES[:8]]
    guesses = {"all": PRICES + 3, "some": PRICES[:8] - 2}
    scores = {one.name: one for one in score_each(ITEMS, guesses, {"whole": few}, groups=list("abcd") * 5)}
    assert {name: (one.n, one.mae.value) for name, one in scores.items()} == {
        "all": (20, 3.0), "some": (8, 2.0), "whole": (8, 1.0)
    }  # fmt: skip
    assert scores["whole"].coverage == 1 and scores["some"].items == scores["whole"].items != scores["all"].items
    saved = saved_on_shared(PRICES.tolist(), guesses["some"], guesses["all"])
    assert (saved.value, saved.n) == (1.0, 8)
