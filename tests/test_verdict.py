"""The verdict follows from the interval and from what matters, never from the point estimate alone."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from pricelab.catalog import Item
from pricelab.estimates import PriceEstimate
from pricelab.files import data_dir, read_json
from pricelab.verdict import RECORDED, judge

RNG = np.random.default_rng(4)
PRICES = RNG.lognormal(4, 0.5, 60)
ITEMS = [Item(str(n), f"item {n}", float(price)) for n, price in enumerate(PRICES)]
NOISE = RNG.normal(0, 1, 60)


class Fixed:
    """Says the same, whatever it is asked: a baseline."""

    def __init__(self, answers, name="ridge"):
        self.answers, self.name = np.asarray(answers), name

    def predict(self, items):
        return self.answers


class Model(Fixed):
    """The same as a predictor with intervals."""

    def estimate(self, texts, progress=False):
        flat = np.full(999, 1 / 999)
        return [PriceEstimate(float(a), float(a) * 0.9, float(a) * 1.1, flat) for a in self.answers]


def verdict(off, baseline_off, **settings):
    """The predictor is off by ``off`` dollars on each item, the baseline by ``baseline_off``."""
    return judge(Model(PRICES + off, "tuned"), Fixed(PRICES + baseline_off), ITEMS, **settings)


@pytest.mark.parametrize(
    ("off", "baseline_off", "decision", "told"),
    [
        (1 + np.abs(NOISE), 20 + NOISE, "fine-tune", "The predictor pays: it saves $"),
        (20 + NOISE, 10 + np.abs(NOISE), "baseline", "Keep the ridge: the predictor's estimates are farther off by $"),
        (10 + NOISE / 10, 10 - NOISE / 10, "same", "less than the $"),
        (10 + 8 * NOISE, 10 - 8 * NOISE, "undecided", "Undecided, so keep the ridge for now"),
        (18 + NOISE / 10, 19 + NOISE / 10, "fine-tune", "though less than the $"),
    ],
)
def test_each_decision_and_its_words(off, baseline_off, decision, told):
    found = verdict(off, baseline_off)
    assert found.decision == decision
    assert told in found.advice and found.advice in str(found)
    assert found.saved.n == 60 and len(found.estimates) == 60


def test_a_point_estimate_in_favour_is_not_enough():
    found = verdict(10 + 8 * NOISE - 0.5, 10 - 8 * NOISE + 0.5)
    assert found.saved.value != 0 and found.decision == "undecided"


def test_the_number_of_items_comes_from_the_spread_and_what_matters():
    found = verdict(10 + 8 * NOISE, 10 - 8 * NOISE, matters=2.0)
    saved = np.abs(10 - 8 * NOISE) - np.abs(10 + 8 * NOISE)
    assert found.spread == pytest.approx(saved.std(ddof=1))
    assert found.items_needed == math.ceil(((1.959964 + 0.841621) * found.spread / 2.0) ** 2)
    assert f"{found.items_needed:,} test items" in found.advice


def test_a_tenth_of_the_baselines_error_matters_unless_said_otherwise():
    assert verdict(5 * NOISE, 20 + 0 * NOISE).matters == pytest.approx(2.0)
    assert verdict(5 * NOISE, 20 + 0 * NOISE, matters=3).matters == 3


def test_other_baselines_stand_in_the_table_and_decide_nothing():
    best = Fixed(PRICES + 30, "constant")
    found = verdict(1 + np.abs(NOISE), 20 + NOISE, others=[best])
    assert [score.name for score in found.scores] == ["tuned", "ridge", "constant"]
    assert found.baseline == "ridge" and "constant" in found._repr_html_()


def test_few_items_are_named_as_such(monkeypatch):
    found = verdict(NOISE, 20 + NOISE)
    assert "only 60 test items" in found.advice
    monkeypatch.setattr("pricelab.verdict.FEW", 60)
    assert "only" not in found.advice


def test_how_rough_few_items_are_is_what_the_record_says():
    cells = read_json(data_dir() / "results" / "interval-coverage.json")["cells"]
    held = [cell["coverage"] for cell in cells if (cell["kind"], cell["method"], cell["n"]) == ("differences", "t", 50)]
    assert f"{100 * min(held):.0f} to {100 * max(held):.0f} %" == RECORDED
    assert f"{RECORDED} in recorded samples of 50" in verdict(NOISE, 9 + NOISE).advice


def test_equal_answers_are_the_same():
    found = verdict(5 + 0 * NOISE, 5 + 0 * NOISE)
    assert found.decision == "same" and found.items_needed == 60


def test_html_is_escaped():
    found = judge(Model(PRICES + 1, "<b>"), Fixed(PRICES + 9, "<i>"), ITEMS)
    assert "<b>" not in found._repr_html_() and "<i>" not in found._repr_html_()


def test_the_read_out_that_answers_stands_in_the_table():
    model = Model(PRICES, "tuned")
    model.read_out = "blend"
    assert judge(model, Fixed(PRICES + 1), ITEMS).scores[0].name == "tuned, blend"


def test_too_few_items_or_a_difference_of_nothing_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        judge(Model(PRICES[:1]), Fixed(PRICES[:1]), ITEMS[:1])
    with pytest.raises(ValueError, match="above \\$0"):
        verdict(NOISE, NOISE, matters=0)
    with pytest.raises(ValueError, match="above \\$0"):
        verdict(NOISE, NOISE, matters=float("nan"))


def test_the_figure_of_what_a_test_can_show_takes_a_verdict():
    from pricelab.plots.own import what_items_can_show

    assert what_items_can_show(verdict(10 + 8 * NOISE, 10 - 8 * NOISE)).axes
    assert what_items_can_show(SimpleNamespace(**{
        name: getattr(verdict(NOISE * 3, NOISE), name) for name in ("saved", "spread", "matters", "items_needed")
    })).axes  # fmt: skip
