"""Notebook 12's figures: what is drawn, with units, and nothing left behind in pyplot."""

from functools import partial
from types import SimpleNamespace

import pytest
from drawing import renders, words

from pricelab.bootstrap import Interval
from pricelab.evaluation import Difference
from pricelab.plots.own import coverage_under_drift, swap_effects, what_items_can_show
from pricelab.swaps import Effect, Effects

VERDICT = SimpleNamespace(saved=Difference(-5.0, -14.0, 3.0, 43), spread=40.0, matters=6.5, items_needed=297)
NAMES = ("brand becomes A$", "adding “refurbished”")
MEASURED = [
    Effects(model, tuple(Effect(name, Interval(v, v - 0.1, v + 0.2), 12) for name in NAMES))
    for model, v in (("ridge", 0.1), ("tuned", -0.2))
]
FIGURES = {
    "what_items_can_show": partial(what_items_can_show, VERDICT),
    "swap_effects": partial(swap_effects, MEASURED, {NAMES[0]: 0.3}),
    "coverage_under_drift": partial(coverage_under_drift, [1, 1.1, 1.5], [0.8, 0.7, 0.4], 0.8, {50: 0.6, 500: 0.7}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_renders_with_labelled_axes_and_leaves_no_state(name):
    assert renders(FIGURES[name], no_y_label=name == "swap_effects")


def test_the_decision_figure_names_what_matters_and_what_is_needed():
    told = words(what_items_can_show(VERDICT))
    assert "297" in told and "n = 43" in told and "6.50" in told


def test_effects_and_truth_stand_on_their_rows_in_per_cent():
    figure = swap_effects(MEASURED, {NAMES[1]: -0.3})
    told = words(figure)
    assert all(word in told for word in ("ridge", "tuned", "refurbished", "true effect"))
    truth = next(line for line in figure.axes[0].lines if line.get_label() == "true effect")
    assert list(truth.get_xdata()) == pytest.approx([-25.918], abs=1e-3) and list(truth.get_ydata()) == [1]


def test_without_a_truth_none_is_drawn():
    assert "true effect" not in words(swap_effects(MEASURED))


def test_other_swaps_or_too_many_models_are_refused():
    other = Effects("x", (Effect("else", Interval(0, 0, 0), 5),))
    for wrong in ([], [MEASURED[0], other], MEASURED * 2):
        with pytest.raises(ValueError, match="same swaps"):
            swap_effects(wrong)


def test_drift_is_drawn_by_factor_with_its_alarms():
    figure = coverage_under_drift([1, 1.5], [0.8, 0.5], 0.8, {50: 0.6})
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 1.5]
    assert "alarm below, 50 sold" in words(figure)
