"""Notebook 06's figures: what is drawn, with units, and nothing left behind in pyplot."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from drawing import renders, words

from pricelab.plots import panels
from pricelab.plots.nf4 import bits_of_a_weight, code_books, error_by_block_size, memory_by_format, time_ratios

BOOKS = {"dense $": np.linspace(-1, 1, 5) ** 3, "even": np.linspace(-1, 1, 4)}
ERRORS = {
    "NF4, trained": [0.09, 0.1, 0.2],
    "int4, trained": [0.1, 0.15, 0.3],
    "NF4, outliers": [0.1, 0.2, 0.3],
    "int4, outliers": [0.2, 0.4, 0.4],
}
SIZES = {"A-1B": {"bf16": 2e9, "NF4": 0.7e9}, "B-8B $": {"bf16": 16e9, "NF4": 5.7e9}}
RATIOS = [SimpleNamespace(tokens=k, value=v, low=v - 0.2, high=v + 0.4, n=21) for k, v in ((1, 4.0), (8, 2.0), (64, 1))]

STORES = {"plain": {"codes": 4, "scales": 0.5}, "twice $": {"codes": 4, "scales": 0.125, "scales of scales": 0.002}}


def shares():
    return np.random.default_rng(0).normal(0, 0.3, 5000).clip(-1, 1)


FIGURES = {
    "code_books": lambda ax=None: code_books(shares(), BOOKS, axes=ax and [ax, ax]),
    "error_by_block_size": partial(error_by_block_size, [32, 64, 4096], ERRORS),
    "memory_by_format": partial(memory_by_format, SIZES, limit=("16 GB", 16e9)),
    "time_ratios": partial(time_ratios, {"forward": RATIOS, "forward and back": RATIOS}, "bf16"),
    "bits_of_a_weight": partial(bits_of_a_weight, STORES),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_renders_with_labelled_axes_and_leaves_no_state(name):
    assert renders(FIGURES[name], no_y_label=name in ("memory_by_format", "bits_of_a_weight"))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_can_be_drawn_on_a_panel(name):
    figure, (left, right) = panels(2)
    assert FIGURES[name](ax=right) is figure
    assert right.has_data() and not left.has_data()


def test_every_level_of_a_book_is_a_line_over_all_the_weights():
    figure = code_books(shares(), BOOKS)
    for axes, (name, levels) in zip(figure.axes, BOOKS.items(), strict=True):
        lines = axes.collections[0].get_segments()
        assert np.allclose([line[0][0] for line in lines], levels)
        assert np.isclose(axes.patches[0].get_data().values.sum(), 1)
        assert f"{name.replace('$', '')}" in words(figure) and f"{len(levels)} levels" in axes.get_title(loc="left")


def test_two_books_are_compared():
    with pytest.raises(ValueError, match="two code books, got 1: even"):
        code_books(shares(), {"even": BOOKS["even"]})


def test_errors_are_percent_and_formats_keep_their_colour():
    figure = error_by_block_size([32, 64, 4096], ERRORS)
    lines = figure.axes[0].lines
    assert np.allclose(lines[0].get_ydata(), [9, 10, 20])
    assert lines[0].get_color() == lines[2].get_color() != lines[1].get_color()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 4
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["32", "64", "all"]


def test_bars_are_gigabytes_with_their_value_and_a_form_of_their_own():
    figure = memory_by_format(SIZES, limit=("16 GB", 16e9))
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [2, 16, 0.7, 5.7]
    assert len({bar.get_hatch() for bar in axes.patches}) == 2
    shown = words(figure)
    assert all(text in shown for text in ("0.7", "5.7", "A-1B", r"B-8B \$", "NF4", "16 GB"))
    assert axes.lines[0].get_xdata()[0] == 16 and axes.yaxis_inverted()


def test_ratios_have_whiskers_and_a_line_at_as_fast():
    axes = time_ratios({"forward": RATIOS}, "bf16").axes[0]
    assert axes.lines[-1].get_ydata()[0] == 1 and "median of 21" in axes.get_title(loc="left")
    bars = axes.collections[0].get_segments()
    assert np.allclose([bar[:, 1] for bar in bars], [[3.8, 4.4], [1.8, 2.4], [0.8, 1.4]])
    assert axes.get_ylim()[0] == 0


def test_the_bits_of_a_weight_are_stacked_to_scale():
    axes = bits_of_a_weight(STORES).axes[0]
    ends = {round(bar.get_y() + 0.3): bar.get_x() + bar.get_width() for bar in axes.patches}
    assert ends == pytest.approx({0: 4.5, 1: 4.127})
    assert "4.127" in words(axes.figure) and len(axes.get_legend().get_texts()) == 3
