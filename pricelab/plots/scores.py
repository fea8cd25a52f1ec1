"""Figures of how well models do and how sure that is: errors by price band, scores of small samples, coverage by n.

They take scores, breakdowns and arrays and know no model. Notebook 03 draws them. Amounts in US dollars.
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
    finished,
    legend_below,
    new_axes,
    panels,
    words,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS = (
    (BLUE, "o", "-"), (VERMILION, "s", "--"), (GREEN, "^", "-."),
    (ORANGE, "D", ":"), (PURPLE, "v", "-"), (SKY, "P", "--"),
)  # fmt: skip
OFFSET = 0.16  # between the models of a band; bands are 1 apart


def errors_by_band(breakdown: Any) -> "Figure":
    """By price band: mean error in dollars with its 95 % interval (left), median error relative to the price (right).

    Args:
        breakdown: a ``breakdown.Breakdown`` of up to four models, or anything with its ``by`` and ``groups``.

    Raises:
        ValueError: more models than forms to tell them apart by.
    """
    models = list(breakdown.groups[0].scores)
    if len(models) > 4:
        raise ValueError(f"{len(models)} models cannot be told apart here; give at most 4")
    figure, (left, right) = panels(2)
    labels = [f"{words(group.name)}\nn = {group.n:,}" for group in breakdown.groups]
    new_axes(left, "In dollars: the dear items decide", f"true {breakdown.by}", "mean absolute error, US dollars")
    new_axes(right, "Relative to the price", f"true {breakdown.by}", "median of error / price, %")
    for place, (model, (colour, marker, _)) in enumerate(zip(models, FORMS, strict=False)):
        rows = np.arange(len(labels)) + OFFSET * (place - (len(models) - 1) / 2)
        scores = [group.scores[model].mae for group in breakdown.groups]
        value, low, high = np.array([[mae.value, mae.low, mae.high] for mae in scores]).T
        form: dict[str, Any] = {"color": colour, "markersize": 7, "label": words(model)}
        left.errorbar(rows, value, yerr=[value - low, high - value], fmt=marker, capsize=3, linewidth=1.5, **form)
        right.plot(rows, [100 * group.relative[model] for group in breakdown.groups], marker, **form)
    for axes in (left, right):
        axes.set_xticks(range(len(labels)), labels, fontsize=FONT_POINTS - 2)
        axes.set_ylim(bottom=0)
        legend_below(axes)
        axes.get_legend().set_bbox_to_anchor((0.5, -0.3))  # type: ignore[union-attr]
    return finished(left)


def sampled_scores(scores: Mapping[str, np.ndarray], whole: Mapping[str, float], n: int) -> "Figure":
    """Two panels: the scores of two models over many samples of n items, and their difference on the same items.

    Args:
        scores: the better and the other model → mean absolute error of each sample (S,), the same samples for both.
        whole: the same models → mean absolute error of all items, drawn as lines.
        n: items a sample.

    Raises:
        ValueError: not exactly two models with as many samples.
    """
    if len(scores) != 2 or len({len(values) for values in scores.values()}) != 1:
        raise ValueError(f"give two models with as many samples each, got {len(scores)} models")
    (good, good_scores), (bad, bad_scores) = scores.items()
    figure, (left, right) = panels(2)
    new_axes(left, f"Scores of samples of {n:,} items", "mean absolute error, US dollars", "samples")
    bins = np.histogram_bin_edges(np.concatenate([good_scores, bad_scores]), 40).tolist()
    for (name, values), (colour, _, line) in zip(scores.items(), FORMS, strict=False):
        left.hist(values, bins, histtype="stepfilled", alpha=0.25, color=colour)
        left.hist(values, bins, histtype="step", linewidth=2, color=colour, linestyle=line, label=words(name))
        left.axvline(whole[name], color=colour, linestyle=line, linewidth=1.5)
    difference = bad_scores - good_scores
    wrong = float(np.mean(difference < 0))
    step = float(np.ptp(difference)) / 40 or 1.0
    edges = (step * np.arange(np.floor(difference.min() / step), np.ceil(difference.max() / step) + 2)).tolist()
    new_axes(right, "Difference on the same items", f"{words(bad)} minus {words(good)}, US dollars", "samples")
    right.hist(difference[difference >= 0], edges, color=BLUE, alpha=0.6, label=f"right one wins: {1 - wrong:.0%}")
    right.hist(difference[difference < 0], edges, color=VERMILION, hatch="//", label=f"wrong one wins: {wrong:.0%}")
    right.axvline(0, color="black", linewidth=1.5)
    for axes in (left, right):
        legend_below(axes)
    return finished(left)


def coverage_by_n(
    cells: Sequence[Mapping[str, Any]],
    population: str,
    live: tuple[str, int, Any] | None = None,
    methods: Sequence[str] = ("t", "percentile", "BCa", "bootstrap-t"),
    ax: "Axes | None" = None,
) -> "Figure":
    """How often 95 % intervals hold the true mean, by items and method, as recorded; ideal is the line at 95 %.

    Args:
        cells: recorded, each with ``population, method, n, coverage, standard_error``.
        population: whose cells to draw.
        live: method, n and ``coverage.Cell`` of a simulation made just now; a star with twice its standard error.
        methods: which of the recorded ones to draw.
        ax: draw here instead of on a new figure.

    Raises:
        ValueError: no cell of this population and these methods.
    """
    chosen = [cell for cell in cells if cell["population"] == population and cell["method"] in methods]
    if not chosen:
        known = ", ".join(sorted({cell["population"] for cell in cells}))
        raise ValueError(f"no recorded cell of {population!r}; there are: {known}")
    axes = new_axes(ax, f"Coverage: {population}", "items (log scale)", "intervals holding the mean, %")
    there = {cell["method"] for cell in chosen}
    drawn = [method for method in methods if method in there]  # in one order, whatever the cells' order
    for method, (colour, marker, line) in zip(drawn, FORMS, strict=False):
        n, share, error = np.array(
            [[c["n"], 100 * c["coverage"], 200 * c["standard_error"]] for c in chosen if c["method"] == method]
        ).T
        form: dict[str, Any] = {"color": colour, "linestyle": line, "markersize": 6, "linewidth": 1.5}
        axes.errorbar(n, share, yerr=error, marker=marker, capsize=2, label=words(method), **form)
    axes.axhline(95, color="black", linewidth=2)
    if live is not None:
        method, count, cell = live
        star: dict[str, Any] = {"fmt": "*", "color": "black", "markersize": 15, "capsize": 4}
        label = words(f"{method}, computed now")
        axes.errorbar(count, 100 * cell.coverage, yerr=200 * cell.standard_error, label=label, **star)
    sizes = sorted({cell["n"] for cell in chosen})
    axes.set_xscale("log")
    axes.xaxis.set_ticks(sizes, [f"{n:,}" for n in sizes])
    axes.xaxis.set_ticks([], minor=True)
    legend_below(axes)
    return finished(axes)
