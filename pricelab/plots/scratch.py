"""Figures of training from scratch: loss while it falls, loss against compute, bits per byte by kind of text.

They take points, numbers and names, and know no model. Notebook 04 draws them.
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
    VERMILION,
    finished,
    legend_below,
    new_axes,
    panels,
    words,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS = ((VERMILION, "s"), (BLUE, "o"), (GREEN, "^"), (ORANGE, "v"))
Spot = tuple[float, float]  # FLOPs, bits per byte
LAW_COLOURS = ("black", "grey")
HATCHES = ("", "//", "")
NEAR_LEVELS = (0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5)  # bits per byte on a log axis
FAR_LEVELS = (0.25, 0.5, 1, 2, 4, 8, 16, 32)
EDGE_FLOPS = (1e10, 1e27)


def falling_loss(runs: Mapping[str, Sequence[Any]], ax: "Axes | None" = None) -> "Figure":
    """Loss of each run against the tokens it has trained on: on new texts as a line, on its training texts dotted.

    Args:
        runs: name → ``scratch.Point`` objects, or anything with ``tokens, train_loss, validation_loss``.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, "Loss while training from random weights", "thousand tokens trained on", "nats a token")
    for (name, points), (colour, marker) in zip(runs.items(), FORMS, strict=False):
        thousands = [point.tokens / 1e3 for point in points]
        validation, train = ([getattr(p, which) for p in points] for which in ("validation_loss", "train_loss"))
        last = f", now {validation[-1]:.2f}" if points else ""
        axes.plot(thousands, validation, marker=marker, markersize=5, color=colour, lw=2, label=f"{words(name)}{last}")
        axes.plot(thousands, train, ":", color=colour, lw=1.5)
    axes.set_ylim(bottom=0)
    if runs:
        axes.plot([], [], ":", color="grey", label="on training texts")
        axes.legend(frameon=False, fontsize=FONT_POINTS - 1)
    return finished(axes)


def scaling_line(
    runs: Mapping[str, Sequence[Spot]],
    finished_runs: Sequence[Spot] = (),
    laws: Sequence[Any] = (),
    measured: Mapping[str, Spot] | None = None,
    models: Mapping[str, float] | None = None,
) -> "Figure":
    """Bits per byte against training compute on log axes: runs close by, and the same with public models.

    Args:
        runs: name → (FLOPs, bits per byte) while training; names with "recorded" get hollow markers.
        finished_runs: (FLOPs, bits per byte) at the ends of runs that the laws were fitted to; rings.
        laws: ``scaling.PowerLaw`` objects, FLOPs → bits per byte; dashed beyond the runs.
        measured: name → (FLOPs, bits per byte) of trained models scored on the same texts; stars.
        models: name → training FLOPs of models whose bits on these texts nobody measured; ticks.
    """
    figure, (near, far) = panels(1, rows=2)
    for ax, title in ((near, "New listings, runs on this catalog"), (far, "The way to a foundation model")):
        axes = new_axes(ax, title, "training compute 6·N·D, FLOPs (log scale)", "bits per byte (log scale)")
        axes.set(xscale="log", yscale="log")
        axes.grid(visible=False)
        _draw_runs(axes, runs, finished_runs, small=ax is far)
    seen = (0.85 * near.get_ylim()[0], near.get_ylim()[1])
    for axes, levels, limits in ((near, NEAR_LEVELS, seen), (far, FAR_LEVELS, (FAR_LEVELS[0], FAR_LEVELS[-1]))):
        axes.set_yticks(levels, [f"{level:g}" for level in levels])
        axes.minorticks_off()
        axes.set_ylim(limits)
    far.set_xlim(EDGE_FLOPS)
    for law, colour in zip(laws, LAW_COLOURS, strict=False):
        _draw_law(near, far, [flops for flops, _ in finished_runs], law, colour)
    _draw_models(far, measured or {}, models or {})
    legend_below(near)
    return figure


def _draw_runs(axes: "Axes", runs: Mapping[str, Sequence[Spot]], ends: Sequence[Spot], small: bool) -> None:
    for (name, spots), (colour, marker) in zip(runs.items(), FORMS, strict=False):
        flops, bits = np.array(spots, dtype=float).reshape(-1, 2).T
        fill = "white" if "recorded" in name else colour
        axes.plot(flops, bits, marker=marker, ms=2 if small else 5, mfc=fill, lw=1, color=colour, label=words(name))
    if len(ends) and not small:
        flops, bits = np.array(ends, dtype=float).T
        axes.plot(flops, bits, "o", ms=11, mfc="none", color="black", mew=1.5, label="best ends of runs")


def _draw_law(near: "Axes", far: "Axes", flops: Sequence[float], law: Any, colour: str) -> None:
    inside, beyond = np.geomspace(min(flops), max(flops), 80), np.geomspace(max(flops), EDGE_FLOPS[1], 200)
    width = 2.5 if law.floor else 1.5
    near.plot(inside, law(inside), color=colour, lw=width, label=_in_words(law))
    far.plot(inside, law(inside), color=colour, lw=width)
    far.plot(beyond, law(beyond), color=colour, lw=width - 0.5, ls="--" if law.floor else ":")
    if colour == LAW_COLOURS[0]:
        far.annotate("extrapolated: nobody measured this", (10 * beyond[0], float(law(beyond[0]))), xytext=(0, 5),
                     textcoords="offset points", fontsize=FONT_POINTS - 2)  # fmt: skip


def _in_words(law: Any) -> str:
    if law.floor:
        return f"floor {law.floor:.2f} bits per byte [{law.floor_interval[0]:.2f}, {law.floor_interval[1]:.2f}]"
    low, high = law.exponent_interval
    return f"straight, C to the {-law.exponent:.2f} [{-high:.2f}, {-low:.2f}]".replace("-", "−")


def _draw_models(axes: "Axes", measured: Mapping[str, Spot], models: Mapping[str, float]) -> None:
    top = axes.get_ylim()[1]
    for name, (flops, bits) in measured.items():
        axes.plot(flops, bits, "*", color=PURPLE, markersize=15)
        axes.annotate(f"{words(name)},\n{bits:.2f} measured", (flops, bits), xytext=(-8, 8), ha="right",
                      textcoords="offset points", fontsize=FONT_POINTS - 2)  # fmt: skip
    ranked = sorted(models.items(), key=lambda pair: pair[1])
    for row, (name, flops) in enumerate(ranked):
        height = top * 0.86 * 0.74 ** (len(ranked) - 1 - row)
        axes.plot([flops, flops], [FAR_LEVELS[0], height], color="grey", lw=1, alpha=0.5, zorder=0)
        axes.plot(flops, height, "|", color="black", markersize=9)
        axes.annotate(words(name), (flops, height), xytext=(-5, 0), ha="right", va="center",
                      textcoords="offset points", fontsize=FONT_POINTS - 3)  # fmt: skip


def bits_per_byte_bars(rates: Mapping[str, Mapping[str, Any]], ax: "Axes | None" = None) -> "Figure":
    """Bits per byte by kind of text, a bar for each model, with 95 % intervals.

    Args:
        rates: kind of text → model → anything with ``value, low, high``.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, "How well is a text predicted?", "bits per byte, with 95 % interval; less is better", "")
    names = list(next(iter(rates.values()), {}))
    height = 0.8 / max(len(names), 1)
    for place, (name, (colour, _), hatch) in enumerate(zip(names, FORMS, HATCHES, strict=False)):
        found = [row[name] for row in rates.values()]
        values = np.array([rate.value for rate in found])
        whiskers = np.array([[rate.value - rate.low, rate.high - rate.value] for rate in found]).T
        rows = np.arange(len(found)) + (place - (len(names) - 1) / 2) * height
        axes.barh(rows, values, 0.9 * height, xerr=whiskers, color=colour, hatch=hatch, edgecolor="white",
                  error_kw={"capsize": 3, "lw": 1.5}, label=words(name))  # fmt: skip
        for row, rate in zip(rows, found, strict=True):
            axes.annotate(f"{rate.value:.2f}", (rate.high, row), xytext=(5, 0), textcoords="offset points", va="center",
                          fontsize=FONT_POINTS - 2)  # fmt: skip
    axes.set_yticks(range(len(rates)), [words(kind) for kind in rates])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    legend_below(axes)
    return finished(axes)
