"""The figures of what training costs: what is drawn, with units, once, and nothing left behind in pyplot."""

from functools import partial

import pytest
from drawing import renders, words

from pricelab import plots
from pricelab.costs import HARDWARE, SHAPES, Plan, budget
from pricelab.plots import costs

BASE, A100 = SHAPES["Llama-3.1-8B"], HARDWARE["A100 80GB"]
RUNGS = [("a foundation model", 3.8e25), ("3 minutes here", 2e13), ("LoRA of an 8B", 3e17)]


def budgets():
    return [
        budget(Plan(BASE, 1e7, method, rank, batch=4)) for method, rank in (("full", 0), ("lora", 16), ("qlora", 16))
    ]


FIGURES = {
    "memory_by_part": partial(costs.memory_by_part, budgets(), limit=A100),
    "compute_ladder": partial(costs.compute_ladder, RUNGS),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_renders_with_labelled_axes_and_leaves_no_state(name):
    assert renders(FIGURES[name], no_y_label=name in ("memory_by_part", "compute_ladder"))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_can_be_drawn_on_a_panel(name):
    figure, (left, right) = plots.panels(2)
    assert FIGURES[name](ax=right) is figure
    assert right.has_data() and not left.has_data()


def test_each_bar_is_as_long_as_its_memory_and_parts_differ_in_hatch_and_colour():
    axes = FIGURES["memory_by_part"]().axes[0]
    bars = [container.patches for container in axes.containers]
    for row, one in enumerate(budgets()):
        assert sum(bar[row].get_width() for bar in bars) == pytest.approx(one.memory.total / 1e9)
    assert len({bar[0].get_hatch() for bar in bars}) == len({bar[0].get_facecolor() for bar in bars}) == 5
    assert axes.yaxis_inverted()


def test_bars_name_method_rank_and_format_and_the_line_its_device():
    shown = words(FIGURES["memory_by_part"]())
    for text in ("LoRA r = 16, bf16", "QLoRA r = 16, nf4", "full, bf16", "Llama-3.1-8B", "A100 80GB has 80 GB"):
        assert text in shown


def test_labels_may_be_given_and_two_models_are_not_in_the_title():
    small = budget(Plan(SHAPES["SmolLM2-135M"], 1e7))
    figure = costs.memory_by_part([small, budgets()[0]], labels=["small $1", "large $2"])
    assert figure.axes[0].get_title(loc="left") == "Memory of a training step"
    assert r"small \$1" in words(figure)
    assert len(figure.axes[0].lines) == 0  # no limit, no line


def test_the_ladder_rises_and_marks_its_lowest_rung():
    axes = FIGURES["compute_ladder"]().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][0] == "3 minutes here"
    others, lowest = axes.lines
    assert list(lowest.get_xdata()) == [2e13] and list(others.get_xdata()) == [3e17, 3.8e25]
    assert lowest.get_marker() != others.get_marker() and axes.get_xscale() == "log"
    assert "10¹²" in axes.get_title(loc="left") and "3.8 × 10²⁵" in words(axes.figure)


def test_the_ladder_measures_this_machine_when_nothing_is_given(monkeypatch):
    monkeypatch.setattr(costs, "this_machine", lambda: A100)
    assert "3 minutes here, at\n40 % of full speed" in words(costs.compute_ladder())
