"""Figures of notebook 11: where a start's seconds go, and what batching does to throughput and waiting.

They take measured seconds and loads and know no server.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.plots.style import (
    BLUE,
    FONT_POINTS,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    finished,
    new_axes,
    one_legend,
    panels,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PART_FORMS = (
    (SKY, ""), (YELLOW, "oo"), (PURPLE, ".."), (BLUE, "//"), (GREEN, "xx"), (ORANGE, "\\\\"), (VERMILION, "++"),
)  # fmt: skip
LOAD_FORMS = ((VERMILION, "s", "--"), (BLUE, "o", "-"), (GREEN, "^", ":"))
LEAST_SHARE = 0.01  # of the longest start: shorter parts can't be seen, and stand in no legend
ROOM_SHARE = 0.05  # of the longest start: shorter parts have no room for their number, it stands above them
FEWEST_ANSWERS = 20  # with fewer, the wait that 95 of 100 stay below is only the longest one


def start_seconds(starts: Mapping[str, Mapping[str, float]], ax: "Axes | None" = None) -> "Figure":
    """A bar a start, cut into its parts; those that nobody could see are left out, but count in the total.

    Args:
        starts: name → part → seconds; parts in the order in which they happen.
        ax: draw here instead of on a new figure.

    Raises:
        ValueError: more parts than there are forms to tell them apart.
    """
    totals = [sum(seconds.values()) for seconds in starts.values()]
    longest = max(totals)
    named = dict.fromkeys(part for seconds in starts.values() for part in seconds)
    parts = [part for part in named if max(s.get(part, 0.0) for s in starts.values()) >= LEAST_SHARE * longest]
    if len(parts) > len(PART_FORMS):
        raise ValueError(f"{len(parts)} parts can't be told apart; draw at most {len(PART_FORMS)}")
    axes = new_axes(ax, "Where the seconds of a start go", "seconds", "")
    rows, ends = np.arange(len(starts)), np.zeros(len(starts))
    for part, (colour, hatch) in zip(parts, PART_FORMS, strict=False):
        taken = np.array([seconds.get(part, 0.0) for seconds in starts.values()])
        axes.barh(rows, taken, left=ends, color=colour, hatch=hatch, edgecolor="white", height=0.5, label=words(part))
        for row, seconds, end, total in zip(rows.tolist(), taken, ends, totals, strict=True):
            if LEAST_SHARE * longest <= seconds < total:  # a bar of one part has its number beside it
                _number(axes, row, seconds, end, in_it=seconds >= ROOM_SHARE * longest)
        ends = ends + taken
    for row, total in zip(rows.tolist(), totals, strict=True):
        axes.text(total + 0.01 * longest, row, f"{total:.1f} s", va="center", fontsize=FONT_POINTS - 1)
    axes.set_yticks(rows, [words(name) for name in starts])
    axes.set_xlim(0, 1.12 * longest)
    axes.set_ylim(len(starts) - 0.5, -0.6)
    axes.legend(frameon=False, fontsize=FONT_POINTS - 1, ncols=3, loc="upper center", bbox_to_anchor=(0.36, -0.2))
    return finished(axes)


def _number(axes: "Axes", row: int, seconds: float, begin: float, in_it: bool) -> None:
    """The seconds of one part, in it, or above it where it has no room."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5} if in_it else None
    axes.text(begin + seconds / 2, row - (0 if in_it else 0.27), f"{seconds:.1f}", ha="center", bbox=box,
              va="center" if in_it else "bottom", fontsize=FONT_POINTS - 1)  # fmt: skip


def batching_effect(loads: Mapping[str, Sequence[Any]]) -> "Figure":
    """Prices a second, and the wait for one, against the number of clients; a line for each way to serve.

    The bar to the 95th percentile is drawn from `FEWEST_ANSWERS` answers on.

    Args:
        loads: way → ``serving.load.Load`` for each number of clients.

    Raises:
        ValueError: more ways than there are forms to tell them apart.
    """
    if len(loads) > len(LOAD_FORMS):
        raise ValueError(f"{len(loads)} ways can't be told apart; draw at most {len(LOAD_FORMS)}")
    figure, (rate, wait) = panels(2)
    new_axes(rate, "Throughput", "clients at once", "prices a second")
    new_axes(
        wait, "Waiting: median, with a bar below which 95 of 100 stay", "clients at once", "milliseconds (log scale)"
    )
    clients = sorted({load.clients for found in loads.values() for load in found})
    for way, (colour, marker, line) in zip(loads, LOAD_FORMS, strict=False):
        found = sorted(loads[way], key=lambda load: load.clients)
        places = [clients.index(load.clients) for load in found]
        form: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": line, "linewidth": 2, "markersize": 8}
        rate.plot(places, [load.per_second for load in found], label=words(way), **form)
        medians = np.array([load.percentile(50) for load in found])
        wait.plot(places, medians, label=words(way), **form)
        many = [len(load.milliseconds) >= FEWEST_ANSWERS for load in found]
        above = np.where(many, [load.percentile(95) for load in found], medians) - medians
        wait.errorbar(np.array(places)[many], medians[many], yerr=[np.zeros(sum(many)), above[many]], fmt="none",
                      ecolor=colour, capsize=5)  # fmt: skip
    rate.set_ylim(bottom=0)
    wait.set_yscale("log")
    wait.yaxis.set_major_formatter(lambda ms, _: f"{ms:,.0f}")
    wait.yaxis.set_minor_formatter(lambda ms, _: f"{ms:,.0f}" if f"{ms:.0e}"[0] in "25" else "")
    for axes in (rate, wait):
        axes.set_xticks(range(len(clients)), [str(count) for count in clients])
    one_legend(figure, rate)
    return finished(rate)
