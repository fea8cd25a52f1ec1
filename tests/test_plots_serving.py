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
    assert {"cold", "warm", "libraries", "base", "warm-up", "8.0 s", "2.5 s"} <= set(words(figure).split("\n"))
    widths = [[bar.get_width() for bar in container] for container in figure.axes[0].containers]
    assert widths == [[4, 0], [3, 2.5], [1, 0]]


def test_ways_to_serve_are_drawn_by_throughput_and_wait():
    figure = batching_effect({"one at a time": loads(1), "batched": loads(3)})
    rate, wait = figure.axes
    lines = {line.get_label(): line for line in rate.lines}
    assert list(lines["batched"].get_ydata()) == [3, 24, 90]
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines.values()}) == 2
    assert wait.get_yscale() == "log" and [tick.get_text() for tick in wait.get_xticklabels()] == ["1", "8", "30"]


@pytest.mark.parametrize(
    "draw",
    [lambda: start_seconds(STARTS), lambda: batching_effect({"a": loads(1)})],
)
def test_they_render(draw):
    assert renders(draw)


def test_more_than_can_be_told_apart_is_refused():
    with pytest.raises(ValueError, match="at most"):
        start_seconds({"cold": {str(n): 1.0 for n in range(len(PART_FORMS) + 1)}})
    with pytest.raises(ValueError, match="at most"):
        batching_effect({str(n): loads(1) for n in range(len(LOAD_FORMS) + 1)})
