"""The figures of a catalog as a model sees it: what is drawn, in which words, and that odd input is no trouble."""

from functools import partial
from types import SimpleNamespace

import pytest
from drawing import renders, words

from pricelab import plots
from pricelab.plots import catalog

TOKENS = ["Kettle", ",", "Ġ$5", "Ġbox", "Ċ", "Ċ", "Price", "Ġis", "Ġ$", "4", "2", "<|end|>"]
ROLES = ["listing"] * 4 + ["question"] * 5 + ["answer"] * 3
STEP = SimpleNamespace(
    before=5.0, slope=20.0, best=0.1, after={0.01: 4.8, 0.1: 3.5, 1.0: 6.0, 10.0: 90.0, 100.0: float("nan")}
)
RUNS = {"small $1": [5.0, 4.9, 4.8], "large": [5.0, 30.0, 300.0]}

ONE_PANEL = {
    "token_boxes": partial(catalog.token_boxes, TOKENS, ROLES),
    "token_lengths": partial(catalog.token_lengths, [12, 40, 55, 130], (16, 128)),
}
FIGURES = {
    **ONE_PANEL,
    "learning_rates": partial(catalog.learning_rates, STEP, RUNS),
    "price_levels": partial(catalog.price_levels, [1.5, 20, 30, 45, 900]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_renders_with_labelled_axes_and_leaves_no_state(name):
    assert renders(FIGURES[name], no_y_label=name == "token_boxes")


@pytest.mark.parametrize("name", ONE_PANEL)
def test_a_figure_can_be_drawn_on_a_panel(name):
    figure, (left, right) = plots.panels(2)
    assert ONE_PANEL[name](ax=right) is figure
    assert right.has_data() and not left.has_data()


def test_every_token_has_a_box_with_its_words_and_no_row_is_too_wide():
    tokens = TOKENS * 8
    (axes,) = catalog.token_boxes(tokens, ROLES * 8).axes
    assert [text.get_text() for text in axes.texts[:5]] == ["Kettle", ",", r"␣\$5", "␣box", "⏎"]
    boxes = [patch.get_window_extent() for patch in axes.patches]
    assert len(boxes) == len(tokens) and f"{len(tokens)} tokens" in axes.get_xlabel()
    lefts, rows = [box.x0 for box in boxes], [round(box.y0) for box in boxes]
    assert len(set(rows)) > 3 and rows == sorted(rows, reverse=True)
    assert all(box.x1 <= axes.get_window_extent().x1 for box in boxes)
    pairs = zip(zip(lefts, rows, strict=True), zip(lefts[1:], rows[1:], strict=True), strict=False)
    assert all(after > before for (before, row), (after, next_row) in pairs if row == next_row)
    assert len({(patch.get_facecolor(), patch.get_linestyle(), patch.get_linewidth()) for patch in axes.patches}) == 3


def test_the_slope_is_drawn_only_while_it_promises_a_loss_that_can_be_shown():
    left, right = catalog.learning_rates(STEP, RUNS).axes
    promised = next(line for line in left.lines if "promises" in str(line.get_label()))
    assert len(promised.get_xdata()) and min(promised.get_ydata()) > 0
    assert "small" in words(right.figure) and len({line.get_marker() for line in right.lines}) == 2


def test_lengths_beyond_the_cut_are_counted():
    shown = words(catalog.token_lengths([12, 40, 55, 130, 200], (16, 128, 256)))
    assert "cut at 128: 2 are longer" in shown and "median 55" in shown
    assert "cut at 16: 4" in shown and "cut at 256: 0" in shown
    assert "0 are longer" in words(catalog.token_lengths([], (128,)))


def test_median_and_mean_of_prices_are_named():
    shown = words(catalog.price_levels([10.0, 20.0, 30.0, 340.0]))
    assert r"median \$25" in shown and r"mean \$100" in shown and "log scale" in shown
    catalog.price_levels([5.0]).draw_without_rendering()
