"""Figures of a catalog as a model sees it: tokens, their number, prices, and what a learning rate does.

They take strings, numbers and losses, and know no model. Notebook 02 draws them.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.plots.prices import decades, dollar_ticks
from pricelab.plots.style import (
    BLUE,
    FONT_POINTS,
    GREEN,
    SKY,
    VERMILION,
    YELLOW,
    finished,
    legend_below,
    new_axes,
    panels,
    usd,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROLES = {"listing": (SKY, "-", 0.8), "question": (YELLOW, "--", 1.2), "answer": (GREEN, "-", 2.5)}
COLUMNS = 60  # characters a row of tokens
FORMS = ((BLUE, "o", ":"), (GREEN, "s", "-"), (VERMILION, "^", "--"))


def token_boxes(tokens: Sequence[str], roles: Sequence[str], ax: "Axes | None" = None) -> "Figure":
    """Each token in a box, row by row as they are read; a space is drawn as ␣, a line's end as ⏎.

    Args:
        tokens: as a byte-level tokenizer writes them (``Ġ`` for a space, ``Ċ`` for a line's end).
        roles: a key of ROLES for each token; told apart by colour and by the box's line.
        ax: draw here instead of on a new figure.
    """
    from matplotlib.patches import FancyBboxPatch

    shown = [token.replace("Ġ", "␣").replace("Ċ", "⏎") for token in tokens]
    axes = new_axes(ax, "What the model reads", f"{len(tokens)} tokens, from left to right", "")
    x, y = 0.0, 0.0
    for token, role in zip(shown, roles, strict=True):
        width, (colour, line, thick) = len(token) + 0.7, ROLES[role]
        if x + width > COLUMNS:
            x, y = 0.0, y - 1
        style: dict[str, Any] = {
            "facecolor": colour,
            "edgecolor": "black",
            "linestyle": line,
            "linewidth": thick,
            "alpha": 0.55,
        }
        axes.add_patch(FancyBboxPatch((x, y), width - 0.25, 0.6, boxstyle="round,pad=0,rounding_size=0.15", **style))
        axes.text(
            x + width / 2 - 0.12, y + 0.28, words(token), ha="center", va="center", fontsize=9, family="monospace"
        )
        x += width
    for role, (colour, _, thick) in ROLES.items():
        axes.plot([], [], "s", color=colour, markersize=11, markeredgecolor="black", markeredgewidth=thick, label=role)
    axes.set(xlim=(-0.5, COLUMNS + 0.5), ylim=(y - 0.4, 1), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.legend(frameon=False, fontsize=FONT_POINTS - 1, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return finished(axes)


def learning_rates(step: Any, runs: Mapping[str, Sequence[float]]) -> "Figure":
    """Left the loss after one step against the learning rate, right the loss step after step for a few rates.

    Args:
        step: a ``next_token.OneStep``, or anything with ``before, slope, after, best``.
        runs: name → losses before the first step and after each (``next_token.descend``).
    """
    figure, (left, right) = panels(2)
    axes = new_axes(
        left, "Loss after one step on one item", "learning rate (log scale)", "loss, nats a token (log scale)"
    )
    rates, losses = np.array(list(step.after)), np.array(list(step.after.values()))
    axes.plot(rates, losses, "o-", color=BLUE, markersize=5, label="measured")
    best: dict[str, Any] = {"color": "black", "markersize": 12, "markerfacecolor": "none", "markeredgewidth": 2}
    axes.plot([step.best], [step.after[step.best]], "o", **best, label=f"best rate, {step.best:.2g}")
    axes.axhline(step.before, color="black", linestyle=":", linewidth=1.5, label="before the step")
    least = 0.6 * min(step.before, np.nanmin(losses, initial=np.inf))
    line = np.geomspace(rates[0], rates[-1], 400)
    promised = step.before - line * step.slope
    kept = promised > least
    axes.plot(line[kept], promised[kept], "--", color=VERMILION, lw=2, label="as the slope promises")
    axes.set(xscale="log", yscale="log")
    axes.legend(frameon=False, fontsize=FONT_POINTS - 1, loc="upper left")
    axes = new_axes(right, "The same item again and again", "steps", "loss, nats a token (log scale)")
    for (name, run), (colour, marker, dash) in zip(runs.items(), FORMS, strict=False):
        axes.plot(run, marker=marker, linestyle=dash, color=colour, lw=2, markersize=6, label=words(name))
    axes.set(yscale="log")
    axes.set_xticks(range(max(map(len, runs.values()), default=1)))
    for panel in (left, right):
        _plain_log(panel.yaxis)
    axes.legend(frameon=False, fontsize=FONT_POINTS - 1)
    return figure


def _plain_log(axis: Any) -> None:
    """Numbers such as 3 and 30 instead of powers of ten; more of them on a short axis."""
    low, high = axis.get_view_interval()
    steps = (1, 3) if high > 30 * low else (1, 2, 5)
    shown = [step * 10.0**power for power in range(-4, 5) for step in steps if low <= step * 10.0**power <= high]
    axis.set_ticks(shown, [f"{tick:g}" for tick in shown])
    axis.set_ticks([], minor=True)


def token_lengths(lengths: Sequence[int], cuts: Sequence[int], ax: "Axes | None" = None) -> "Figure":
    """How many tokens the texts have, and where they would be cut off.

    Args:
        lengths: tokens of each text.
        cuts: limits to compare, tokens that are kept of a text; one beyond the longest text is only named.
        ax: draw here instead of on a new figure.
    """
    values = np.asarray(lengths)
    axes = new_axes(ax, f"Length of a listing, n = {len(values):,}", "tokens", "listings")
    longest = int(values.max(initial=1))
    edges = np.arange(0, longest + 5, 4).tolist()
    axes.hist(values, edges, color=BLUE, alpha=0.7, label=f"median {np.median(values):.0f}" if len(values) else "none")
    for cut, line in zip(cuts, cycle(("-", "--", "-.", ":"))):
        over = int((values > cut).sum())
        axes.axvline(cut, color=VERMILION, linestyle=line, linewidth=2, label=f"cut at {cut}: {over:,} are longer")
    axes.set_xlim(0, 1.05 * longest)
    legend_below(axes)
    return finished(axes)


def price_levels(prices: Sequence[float]) -> "Figure":
    """The same prices on a plain and on a log axis, with median and mean."""
    figure, (plain, log) = panels(2)
    values = np.asarray(prices, dtype=float)
    kinds = (
        (plain, "US dollars", np.linspace(0, values.max(), 40)),
        (log, "US dollars (log scale)", _log_edges(values)),
    )
    for panel, label, edges in kinds:
        axes = new_axes(panel, f"Prices of {len(values):,} items", label, "items")
        axes.hist(values, edges.tolist(), color=BLUE, alpha=0.6)
        for value, name, dash in ((np.median(values), "median", "-"), (values.mean(), "mean", "--")):
            axes.axvline(value, color="black", linestyle=dash, linewidth=2, label=f"{name} {words(usd(value))}")
    log.set(xscale="log")
    ticks = [tick for tick in dollar_ticks(decades(values)) if values.min() <= 3 * tick and tick <= 3 * values.max()]
    log.set_xticks(ticks, [words(usd(tick)) for tick in ticks])
    log.set_xticks([], minor=True)
    plain.legend(frameon=False, fontsize=FONT_POINTS - 1)
    return figure


def _log_edges(values: np.ndarray) -> np.ndarray:
    return np.geomspace(0.9 * values.min(), 1.1 * values.max(), 31)
