"""The baseline to beat: chosen by cross-validation on training items alone."""

from dataclasses import replace

import numpy as np
import pytest

from pricelab.baselines import CategoryMedian, ConstantPrice, TfidfRidge
from pricelab.catalog import load_catalog
from pricelab.choosing import choose_baseline


@pytest.fixture(scope="module")
def items():
    return load_catalog("workshop")["train"][:80]


class Oracle:
    """Knows every price that it was fitted with, and notes what it was fitted on."""

    name = "by heart"
    fits: list[int] = []

    def fit(self, items):
        self.known = {item.text: item.price for item in items}
        self.fits.append(len(items))
        return self

    def predict(self, items):
        return np.array([self.known.get(item.text, 500.0) for item in items])


def test_the_least_cross_validated_error_wins_and_learning_by_heart_does_not_help(items):
    Oracle.fits.clear()
    choice = choose_baseline(items, (Oracle, ConstantPrice, TfidfRidge))
    assert choice.best.name == choice.scores[0].name != "by heart"
    assert [score.name for score in choice.scores][-1] == "by heart"
    assert choice.scores[-1].mae.value == pytest.approx(np.mean([abs(500 - item.price) for item in items]))
    assert Oracle.fits == [80, 64, 64, 64, 64, 64]
    assert [model.name for model in choice.fitted] == [score.name for score in choice.scores]


def test_the_winner_is_fitted_on_all_items(items):
    choice = choose_baseline(items, (ConstantPrice,))
    assert choice.best.price == np.median([item.price for item in items])


def test_without_categories_their_median_is_left_out(items):
    bare = [replace(item, category="") for item in items]
    names = [score.name for score in choose_baseline(bare, (ConstantPrice, CategoryMedian)).scores]
    assert names == [ConstantPrice.name]


def test_it_says_what_is_to_beat(items):
    choice = choose_baseline(items, (ConstantPrice, CategoryMedian))
    assert f"to beat: {choice.best.name}" in str(choice)
    assert choice.best.name in choice._repr_html_() and "n" in choice._repr_html_()


def test_too_few_items_or_no_candidate_are_refused(items):
    with pytest.raises(ValueError, match="at least 20"):
        choose_baseline(items[:19])
    with pytest.raises(ValueError, match="at least one"):
        choose_baseline(items, ())
