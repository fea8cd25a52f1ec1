"""Learning curves: error against the number of examples, for models that start from different places.

Notebook 01 draws the first.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pricelab.plots.style import BLUE, GREEN, ORANGE, VERMILION, finished, legend_below, new_axes, usd, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS = ((VERMILION, "s", "--"), (BLUE, "o", "-"), (GREEN, "^", "-."), (ORANGE, "D", ":"))


def learning_curves(
    errors: Mapping[str, Mapping[int, Sequence[float]]],
    reference: Mapping[str, float] | None = None,
    ax: "Axes | None" = None,
) -> "Figure":
    """Mean absolute error against training items, one line a start; each point a seed, the line their mean.

    Args:
        errors: start → training items → errors in dollars, one a seed; at most four starts.
        reference: name → error in dollars of something that learns nothing, such as a constant; a dotted line.
        ax: draw here instead of on a new figure.

    Raises:
        ValueError: more starts than forms to tell them apart by.
    """
    if len(errors) > len(FORMS):
        raise ValueError(f"{len(errors)} lines cannot be told apart here; draw at most {len(FORMS)}")
    axes = new_axes(ax, "Error by number of examples", "training items (log scale)", "mean absolute error, US dollars")
    for (name, by_size), (colour, marker, line) in zip(errors.items(), FORMS, strict=False):
        sizes = sorted(by_size)
        for size in sizes:
            axes.plot([size] * len(by_size[size]), by_size[size], marker, color=colour, alpha=0.6, markersize=7)
        means = [float(np.mean(by_size[size])) for size in sizes]
        axes.plot(sizes, means, line, marker=marker, color=colour, linewidth=2, markersize=3, label=words(name))
    for name, dollars in (reference or {}).items():
        axes.axhline(dollars, color="black", linewidth=1.5, linestyle=":", label=words(f"{name}, {usd(dollars)}"))
    ticks = sorted({size for by_size in errors.values() for size in by_size})
    axes.set_xscale("log")
    axes.xaxis.set_ticks(ticks, [f"{size:,}" for size in ticks])
    axes.xaxis.set_ticks([], minor=True)
    legend_below(axes)
    return finished(axes)
