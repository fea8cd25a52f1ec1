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
    legend_below,
    new_axes,
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
FEWEST_SECONDS = 0.04  # shorter parts get no number of their own in the bar


def start_seconds(starts: Mapping[str, Mapping[str, float]], ax: "Axes | None" = None) -> "Figure":
    """A bar a start, cut into its parts.

    Args:
        starts: name → part → seconds; parts in the order in which they happen.
        ax: draw here instead of on a new figure.

    Raises:
        ValueError: more parts than there are forms to tell them apart.
    """
    parts = list(dict.fromkeys(part for seconds in starts.values() for part in seconds))
    if len(parts) > len(PART_FORMS):
        raise ValueError(f"{len(parts)} parts can't be told apart; draw at most {len(PART_FORMS)}")
    axes = new_axes(ax, "Where the seconds of a start go", "seconds", "start")
    rows, ends = np.arange(len(starts)), np.zeros(len(starts))
    longest = max(sum(seconds.values()) for seconds in starts.values())
    for part, (colour, hatch) in zip(parts, PART_FORMS, strict=False):
        taken = np.array([seconds.get(part, 0.0) for seconds in starts.values()])
        axes.barh(rows, taken, left=ends, color=colour, hatch=hatch, edgecolor="white", height=0.55, label=words(part))
        for row, seconds, end in zip(rows.tolist(), taken, ends, strict=True):
            if seconds > max(FEWEST_SECONDS, 0.1 * longest):
                axes.text(end + seconds / 2, row, f"{seconds:.1f}", ha="center", va="center", fontsize=FONT_POINTS - 1,
                          bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5})  # fmt: skip
        ends = ends + taken
    for row, end in zip(rows.tolist(), ends, strict=True):
        axes.text(end + 0.01 * longest, row, f"{end:.1f} s", va="center", fontsize=FONT_POINTS - 1)
    axes.set_yticks(rows, [words(name) for name in starts])
    axes.set_xlim(0, 1.12 * longest)
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=FONT_POINTS - 1, ncols=4, loc="upper center", bbox_to_anchor=(0.36, -0.2))
    return finished(axes)


def batching_effect(loads: Mapping[str, Sequence[Any]]) -> "Figure":
    """Prices a second, and the wait for one, against the number of clients; a line for each way to serve.

    Args:
        loads: way → ``serving.load.Load`` for each number of clients.

    Raises:
        ValueError: more ways than there are forms to tell them apart.
    """
    if len(loads) > len(LOAD_FORMS):
        raise ValueError(f"{len(loads)} ways can't be told apart; draw at most {len(LOAD_FORMS)}")
    figure, (rate, wait) = panels(2)
    new_axes(rate, "Throughput", "clients at once", "prices a second")
    new_axes(wait, "Waiting: median, and 95 of 100 below the bar", "clients at once", "milliseconds (log scale)")
    clients = sorted({load.clients for found in loads.values() for load in found})
    for number, (way, (colour, marker, line)) in enumerate(zip(loads, LOAD_FORMS, strict=False)):
        found = sorted(loads[way], key=lambda load: load.clients)
        places = [clients.index(load.clients) + 0.08 * number for load in found]
        form: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": line, "linewidth": 2, "markersize": 8}
        rate.plot(places, [load.per_second for load in found], label=words(way), **form)
        medians = np.array([load.percentile(50) for load in found])
        above = np.array([load.percentile(95) for load in found]) - medians
        wait.errorbar(places, medians, yerr=[np.zeros_like(above), above], capsize=5, label=words(way), **form)
    rate.set_ylim(bottom=0)
    wait.set_yscale("log")
    wait.yaxis.set_major_formatter(lambda ms, _: f"{ms:,.0f}")
    wait.yaxis.set_minor_formatter(lambda ms, _: f"{ms:,.0f}" if f"{ms:.0e}"[0] in "25" else "")
    for axes in (rate, wait):
        axes.set_xticks(range(len(clients)), [str(count) for count in clients])
        legend_below(axes)
    return finished(rate)
