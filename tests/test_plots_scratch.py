"""The figures of training from scratch: what is drawn, in which words, and that empty and odd input is no trouble."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from drawing import renders, words

from pricelab import plots
from pricelab.by_hand.scaling import PowerLaw
from pricelab.plots import scratch

LINE = PowerLaw(1.1, 0.1, (0.05, 0.15), 4)
FLOOR = PowerLaw(0.5, 0.9, (0.7, 1.1), 4, 0.8, (0.75, 0.85))


def run(parameters, last=800_000):
    tokens = [0, *np.linspace(last / 100, last, 12)]
    losses = [8 * (1 + number / 8e3) ** -0.25 for number in tokens]
    return [
        SimpleNamespace(tokens=number, flops=6 * parameters * number, validation_loss=loss, train_loss=0.95 * loss)
        for number, loss in zip(tokens, losses, strict=True)
    ]


def curves():
    return {
        name: [(point.flops, point.validation_loss / 2) for point in run(parameters)[1:]]
        for name, parameters in {"0.24 M": 2.4e5, "1.1 M": 1.1e6, "4.8 M, recorded": 4.8e6}.items()
    }


def rate(value):
    return SimpleNamespace(value=value, low=0.9 * value, high=1.2 * value)


def whole_line():
    ends = [spots[-1] for spots in curves().values()]
    return scratch.scaling_line(
        curves(), ends, (FLOOR, LINE), {"star $1": (1.6e21, 1.9)}, {"far": 3e23, "farther": 4e25}
    )


RATES = {"shop": {"ours": rate(1.0), "base $0": rate(2.0)}, "prose": {"ours": rate(4.0), "base $0": rate(1.0)}}
ONE_PANEL = {
    "falling_loss": partial(scratch.falling_loss, {"0.24 M": run(2.4e5), "1.1 M": run(1.1e6)}),
    "bits_per_byte_bars": partial(scratch.bits_per_byte_bars, RATES),
}
FIGURES = {**ONE_PANEL, "scaling_line": whole_line}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_renders_with_labelled_axes_and_leaves_no_state(name):
    assert renders(FIGURES[name], no_y_label=name == "bits_per_byte_bars")


@pytest.mark.parametrize("name", ONE_PANEL)
def test_a_figure_can_be_drawn_on_a_panel(name):
    figure, (left, right) = plots.panels(2)
    assert ONE_PANEL[name](ax=right) is figure
    assert right.has_data() and not left.has_data()


def test_a_run_shows_both_losses_and_its_last_one_in_words():
    figure = scratch.falling_loss({"1.1 M": run(1.1e6)})
    validation, train, _ = figure.axes[0].lines
    assert (validation.get_linestyle(), train.get_linestyle()) == ("-", ":")
    assert all(one < other for one, other in zip(train.get_ydata(), validation.get_ydata(), strict=True))
    shown = words(figure)
    assert f"now {run(1.1e6)[-1].validation_loss:.2f}" in shown and "on training texts" in shown


def test_a_run_that_has_not_begun_can_be_drawn():
    scratch.falling_loss({"0.24 M": run(2.4e5), "1.1 M": []}).draw_without_rendering()
    scratch.falling_loss({}).draw_without_rendering()


def test_a_law_is_solid_among_the_runs_and_broken_beyond():
    near, far = whole_line().axes
    ends = [spots[-1][0] for spots in curves().values()]
    laws = [line for line in (*near.lines, *far.lines) if line.get_color() in ("black", "grey")]
    for law, broken in ((FLOOR, "--"), (LINE, ":")):
        drawn = [line for line in laws if np.allclose(line.get_ydata(), law(line.get_xdata()))]
        reach = {line.get_linestyle(): (min(line.get_xdata()), max(line.get_xdata())) for line in drawn}
        assert reach["-"] == pytest.approx((min(ends), max(ends)))
        assert reach[broken][0] == pytest.approx(max(ends)) and reach[broken][1] > 1e26
    shown = words(near.figure)
    assert "C to the −0.10 [−0.15, −0.05]" in shown and "floor 0.80 bits per byte [0.75, 0.85]" in shown


def test_a_recorded_run_has_hollow_markers_and_says_so():
    near = whole_line().axes[0]
    fills = {line.get_label(): line.get_markerfacecolor() for line in near.lines}
    assert fills["4.8 M, recorded"] == "white" != fills["1.1 M"]


def test_public_models_are_ticks_and_the_measured_one_is_a_star_with_its_number():
    far = whole_line().axes[1]
    stars = [line for line in far.lines if line.get_marker() == "*"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in stars] == [(1.6e21, 1.9)]
    shown = words(far.figure)
    assert "1.90 measured" in shown and "farther" in shown


def test_labels_of_neighbouring_models_keep_apart():
    models = {f"model {number}": 1e23 * 1.5**number for number in range(5)}
    figure = scratch.scaling_line(curves(), [(1e12, 1.0)], (), {}, models)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[1].texts if text.get_text().startswith("model")]
    assert len(boxes) == 5
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_a_short_list_of_runs_needs_no_line():
    figure = scratch.scaling_line({"0.24 M": curves()["0.24 M"]})
    assert "straight" not in words(figure)


def test_bars_name_their_values_and_run_from_top_to_bottom():
    figure = scratch.bits_per_byte_bars(RATES)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["shop", "prose"] and axes.yaxis_inverted()
    assert sorted(bar.get_width() for bar in axes.patches) == [1.0, 1.0, 2.0, 4.0]
    assert "4.00" in words(figure)
    assert len({patch.get_hatch() for patch in axes.patches}) == 2, "told apart by form as well as by colour"
    tops = {name: bar[0].get_y() for name, bar in zip(RATES["shop"], axes.containers[1::2], strict=True)}
    assert tops["ours"] < tops["base $0"], "in every group in the legend's order"
