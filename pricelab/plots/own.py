"""Figures about one's own catalog: what a decision takes, what a word does to a price, coverage when prices drift.

They take effects, verdicts and numbers and know no model. Notebook 12 draws them. Prices in US dollars.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.plots.style import BLUE, FONT_POINTS, GREEN, VERMILION, finished, legend_below, new_axes, usd, words
from pricelab.power import detectable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL_FORMS = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "^"))
ALARM_FORMS = ((VERMILION, "--"), (GREEN, ":"), ("black", "-."))
FACTOR_TICKS = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4)
OFFSET = 0.22  # between the models of a row; rows are 1 apart
FEWEST, MOST = 10, 1_000  # test items on the axis of what they can show, at least


def what_items_can_show(verdict: Any, ax: "Axes | None" = None) -> "Figure":
    """The smallest true difference that n test items find, beside the difference found and the one that would matter.

    Args:
        verdict: a ``verdict.Verdict``, or anything with its ``saved``, ``spread``, ``matters`` and ``items_needed``.
        ax: draw here instead of on a new figure.
    """
    saved, needed = verdict.saved, verdict.items_needed
    axes = new_axes(ax, "Which difference a test can show", "test items (log scale)", "US dollars an item (log scale)")
    items = np.geomspace(min(FEWEST, saved.n), max(MOST, 3 * needed), 100)
    found = detectable(1, verdict.spread) / np.sqrt(items)
    axes.plot(items, found, color=BLUE, linewidth=2, label="found in four of five cases")
    axes.axhline(verdict.matters, color="black", linestyle="--", label=words(f"would matter: {usd(verdict.matters)}"))
    axes.plot(needed, verdict.matters, "D", color="black", markersize=8, label=f"so many are needed: {needed:,}")
    size = abs(saved.value)
    label = words(f"your test: {usd(size)}, n = {saved.n:,}")
    axes.plot(saved.n, size, "s", color=VERMILION, markersize=9, label=label)
    axes.set(xscale="log", yscale="log")
    axes.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        which(lambda dollars, _: words(usd(dollars)) if f"{dollars:.0e}"[0] in "125" else "")
    legend_below(axes)
    return finished(axes)


def swap_effects(
    measured: Sequence[Any], truth: Mapping[str, float] | None = None, ax: "Axes | None" = None
) -> "Figure":
    """What each swap does to each model's prices, with 95 % intervals, and to the true price where it is known.

    Args:
        measured: ``swaps.Effects`` of up to three models, all of the same swaps.
        truth: swap → true mean of log(after / before); empty or None where nobody knows.
        ax: draw here instead of on a new figure.

    Raises:
        ValueError: no models, more than three, or different swaps.
    """
    names = [effect.name for effect in measured[0].effects] if measured else []
    if not 1 <= len(measured) <= len(MODEL_FORMS) or any([e.name for e in one.effects] != names for one in measured):
        raise ValueError(f"give the same swaps for 1 to {len(MODEL_FORMS)} models, got {len(measured)} models")
    axes = new_axes(ax, "What one word does to the price", "change of the price, % (with 95 % interval)", "")
    if ax is None:
        axes.figure.set_figheight(1.8 + 0.55 * len(names))  # type: ignore[union-attr]
    rows = np.arange(len(names))
    for place, (one, (colour, marker)) in enumerate(zip(measured, MODEL_FORMS, strict=False)):
        value, low, high = np.array([effect.percent for effect in one.effects]).T
        height = rows + OFFSET * (place - (len(measured) - 1) / 2)
        form: dict[str, Any] = {"fmt": marker, "color": colour, "capsize": 3, "markersize": 7, "linewidth": 1.5}
        axes.errorbar(value, height, xerr=[value - low, high - value], label=words(one.model), **form)
    known = [(row, 100 * np.expm1((truth or {})[name])) for row, name in enumerate(names) if name in (truth or {})]
    if known:
        heights, values = zip(*known, strict=True)
        axes.plot(values, heights, "|", color="black", markersize=24, markeredgewidth=3, label="true effect")
    axes.axvline(0, color="0.5", linewidth=1)
    axes.set_yticks(rows, [words(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    _legend_under_label(axes)
    return finished(axes)


def coverage_under_drift(
    factors: Sequence[float],
    coverage: Sequence[float],
    level: float,
    alarms: Mapping[int, float],
    ax: "Axes | None" = None,
) -> "Figure":
    """The share of prices inside intervals that stay as they were while all prices move, and where the monitor wakes.

    Args:
        factors: prices as a multiple of what they were when the intervals were made.
        coverage: share inside at each factor, 0 … 1.
        level: the share that the intervals promise.
        alarms: sold items → the share inside below which the monitor gives alarm, up to three.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, "Intervals grow old", "all prices multiplied by (log scale)", "share of prices inside, %")
    axes.plot(factors, 100 * np.asarray(coverage), "o-", color=BLUE, linewidth=2, label="inside the old intervals")
    axes.axhline(100 * level, color="0.5", linewidth=1.5, label=f"promised: {level:.0%}")
    for (sold, share), (colour, line) in zip(alarms.items(), ALARM_FORMS, strict=False):
        axes.axhline(100 * share, color=colour, linestyle=line, linewidth=1.8, label=f"alarm below, {sold:,} sold")
    axes.axvline(1, color="0.5", linewidth=1)
    axes.set(ylim=(0, 100), xscale="log")
    ticks = [factor for factor in FACTOR_TICKS if min(factors) <= factor <= max(factors)]
    axes.set_xticks(ticks, [f"{factor:g}" for factor in ticks])
    axes.set_xticks([], minor=True)
    legend_below(axes)
    return finished(axes)


def _legend_under_label(axes: "Axes") -> None:
    """A legend in one row under a figure of many rows, at the same distance whatever its height."""
    axes.figure.legend(  # type: ignore[union-attr]
        *axes.get_legend_handles_labels(), frameon=False, fontsize=FONT_POINTS - 1, ncols=3, loc="outside lower center"
    )
