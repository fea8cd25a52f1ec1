"""Figures of why an item gets its price: what each phrase adds, and what another brand, size or condition would change.

They take a ``why.Why`` and know no model. Notebook 10 draws them. Prices in US dollars.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.plots.style import BLUE, VERMILION, finished, legend_below, new_axes, usd, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABEL = 34  # characters


def phrase_effects(why: Any, ax: "Axes | None" = None) -> "Figure":
    """What each phrase adds to the estimate, in the order of the text, beside what mere rewording does.

    Args:
        why: a ``why.Why``, or anything with its ``phrases``, ``price`` and ``noise``.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, f"What each phrase adds to {usd(why.price)}", "US dollars, against leaving it out", "")
    _fit_height(axes, ax, len(why.phrases))
    rows, effects = np.arange(len(why.phrases)), np.array([phrase.effect for phrase in why.phrases])
    _noise(axes, why.noise)
    for raises, colour, hatch, label in ((True, BLUE, "", "raises the price"), (False, VERMILION, "//", "lowers it")):
        chosen = (effects > 0) == raises
        if chosen.any():
            form: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "white", "label": label}
            axes.barh(rows[chosen], effects[chosen], 0.6, **form)
    _name_rows(axes, [phrase.text for phrase in why.phrases])
    legend_below(axes)
    return finished(axes)


def change_effects(why: Any, ax: "Axes | None" = None) -> "Figure":
    """How each change moves the estimate: a point, and how far the middle of the distribution moves with it.

    Args:
        why: a ``why.Why``, or anything with its ``changes``, ``price`` and ``noise``.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, f"What a change would do to {usd(why.price)}", "difference, US dollars", "")
    _fit_height(axes, ax, len(why.changes))
    _noise(axes, why.noise)
    for row, change in enumerate(why.changes):
        label = "how far the middle 80 % moves" if row == 0 else None
        axes.plot([change.low, change.high], [row, row], color=BLUE, linewidth=5, alpha=0.35, label=label)
    differences = [change.difference for change in why.changes]
    axes.plot(differences, range(len(differences)), "D", color=BLUE, markersize=7, label="estimate")
    _name_rows(axes, [change.name for change in why.changes])
    legend_below(axes)
    return finished(axes)


def _noise(axes: "Axes", noise: float) -> None:
    axes.axvspan(-noise, noise, color="0.5", alpha=0.2, linewidth=0, label="mere rewording")
    axes.axvline(0, color="0.3", linewidth=1)


def _fit_height(axes: "Axes", ax: "Axes | None", rows: int) -> None:
    if ax is None:
        axes.figure.set_figheight(1.8 + 0.34 * max(rows, 3))  # type: ignore[union-attr]


def _name_rows(axes: "Axes", names: list[str]) -> None:
    short = [name if len(name) <= _LABEL else name[: _LABEL - 1] + "…" for name in map(" ".join, map(str.split, names))]
    axes.set_yticks(range(len(names)), [words(name) for name in short])
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
