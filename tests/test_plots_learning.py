"""Learning curves: every seed is a point, every start a line with a form of its own."""

import pytest

from pricelab.plots.learning import FORMS, learning_curves

ERRORS = {"random weights": {50: [103, 100, 98], 800: [99, 98, 99]}, "trained weights": {50: [95, 97], 800: [84, 82]}}


def test_every_seed_is_a_point_and_the_line_their_mean():
    axes = learning_curves(ERRORS, {"constant": 91.5}).axes[0]
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(lines["trained weights"].get_xdata()) == [50, 800]
    assert list(lines["trained weights"].get_ydata()) == [96, 83]
    seeds = [y for line in axes.lines if line.get_label().startswith("_") for y in line.get_ydata()]
    assert sorted(seeds) == sorted(e for by_size in ERRORS.values() for es in by_size.values() for e in es)
    assert r"constant, \$92" in lines


def test_starts_differ_in_form_and_the_axes_name_their_units():
    axes = learning_curves(ERRORS).axes[0]
    named = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert len({(line.get_marker(), line.get_linestyle()) for line in named}) == 2
    assert "US dollars" in axes.get_ylabel() and "items" in axes.get_xlabel()
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["50", "800"]


def test_more_lines_than_forms_are_refused():
    with pytest.raises(ValueError, match="at most 4"):
        learning_curves({str(i): {1: [1.0]} for i in range(len(FORMS) + 1)})
