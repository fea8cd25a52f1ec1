"""Figures of serving: every part and way is named, told apart by form, and drawn where its numbers say."""

import numpy as np
import pytest
from drawing import renders, words

from pricelab.plots.serving import LOAD_FORMS, PART_FORMS, batching_effect, start_seconds
from pricelab.serving.load import Load

STARTS = {"cold": {"libraries": 4.0, "base": 3.0, "warm-up": 1.0}, "warm": {"libraries": 0.0, "base": 2.5}}


def loads(per_second):
    return [Load(n, 10.0, np.full(100, 50.0 * n), {200: int(10 * per_second * n)}) for n in (1, 8, 30)]


def test_a_start_is_as_long_as_its_parts():
    figure = start_seconds(STARTS)
    assert renders(lambda: start_seconds(STARTS), no_y_label=True)
    assert {"cold", "warm", "libraries", "base", "warm-up", "8.0 s", "2.5 s"} <= set(words(figure).split("\n"))
    widths = [[bar.get_width() for bar in container] for container in figure.axes[0].containers]
    assert widths == [[4, 0], [3, 2.5], [1, 0]]


def test_parts_that_cannot_be_seen_are_left_out_but_counted_and_short_ones_are_numbered():
    parts = {"libraries": 4.0, "verify": 0.03, "adapter": 0.2, "base": 5.77}
    figure = start_seconds({"cold": parts})
    told = words(figure).split("\n")
    assert "verify" not in told and {"adapter", "0.2", "10.0 s"} <= set(told)
    assert len(figure.axes[0].containers) == 3


def test_waits_have_a_bar_only_where_there_are_answers_enough():
    few, many = (Load(n, 1.0, np.linspace(10, 20, count), {200: count}) for n, count in ((1, 19), (8, 20)))
    wait = batching_effect({"alone": [few, many], "batched": [few, many]}).axes[1]
    bars = [bar for bar in wait.collections if len(bar.get_segments())]
    assert [segment[0][0] for bar in bars for segment in bar.get_segments()] == [1, 1]  # both at the place of 8 clients


def test_ways_to_serve_are_drawn_by_throughput_and_wait():
    figure = batching_effect({"one at a time": loads(1), "batched": loads(3)})
    rate, wait = figure.axes
    lines = {line.get_label(): line for line in rate.lines}
    assert list(lines["batched"].get_ydata()) == [3, 24, 90]
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines.values()}) == 2
    assert wait.get_yscale() == "log" and [tick.get_text() for tick in wait.get_xticklabels()] == ["1", "8", "30"]


@pytest.mark.parametrize(
    "draw",
    [lambda: batching_effect({"a": loads(1)}), lambda: batching_effect({"a": loads(1), "b": loads(2)})],
)
def test_they_render(draw):
    assert renders(draw)


def test_more_than_can_be_told_apart_is_refused():
    with pytest.raises(ValueError, match="at most"):
        start_seconds({"cold": {str(n): 1.0 for n in range(len(PART_FORMS) + 1)}})
    with pytest.raises(ValueError, match="at most"):
        batching_effect({str(n): loads(1) for n in range(len(LOAD_FORMS) + 1)})
