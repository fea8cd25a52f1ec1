"""Figures of notebook 05: what a low rank can hold, where an adapter changed the weights, and by how much it counts.

They take numbers by name and know no model. Notation: r the rank, W frozen weights, ΔW an adapter's update.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.intervals import raw_interval
from pricelab.plots.style import BLUE, FONT_POINTS, VERMILION, finished, legend_below, new_axes, panels, usd, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMS = ((BLUE, "-", "o"), (VERMILION, "--", "s"))  # colour, line, marker of each target
_PLACE = re.compile(r"layers\.(\d+)\..*?(\w+)$")


def best_errors(singular_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """The least relative error of each rank 0…n: √(σ²ᵣ₊₁ + … + σ²ₙ) / √(σ²₁ + … + σ²ₙ), (n + 1,).

    No matrix of rank r is nearer in the Frobenius norm (Eckart and Young 1936, Mirsky 1960).
    """
    squares = np.sort(np.asarray(singular_values, dtype=float) ** 2)
    left = np.concatenate([[0.0], squares.cumsum()])[::-1]
    return np.sqrt(left / left[0])


# ---- figures


def thin_matrices(out_features: int, in_features: int, rank: int, ax: "Axes | None" = None) -> "Figure":
    """W beside B and A, to scale: a frozen (out, in) matrix, and the two that learn, (out, r) and (r, in).

    Args:
        out_features: rows of W and of B.
        in_features: columns of W and of A.
        rank: r, columns of B and rows of A.
        ax: draw here instead of on a new figure.
    """
    from matplotlib.patches import Rectangle

    frozen, learning = out_features * in_features, rank * (out_features + in_features)
    title = f"{learning:,} numbers learn beside {frozen:,} frozen ones: {learning / frozen:.1%}"
    axes = new_axes(ax, title, f"drawn to scale: W is {out_features:,} × {in_features:,}, rank r = {rank}", "")
    gap = 0.12 * in_features
    b_left = in_features + 2 * gap
    a_left = b_left + rank + gap
    boxes = {
        "W": (0.0, 0.0, in_features, out_features, "0.8"),
        "B": (b_left, 0.0, rank, out_features, VERMILION),
        "A": (a_left, out_features - rank, in_features, rank, BLUE),
    }
    for name, (x, y, width, height, colour) in boxes.items():
        axes.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="black", linewidth=0.8))
        middle = (x + width / 2, y + height / 2) if name == "W" else (x + width / 2, y - 0.06 * out_features)
        axes.annotate(name, middle, ha="center", va="center", fontsize=FONT_POINTS + 2)
    axes.annotate("+", (in_features + gap, out_features / 2), ha="center", va="center", fontsize=FONT_POINTS + 6)
    axes.set(xlim=(-gap, a_left + in_features + gap), ylim=(-0.15 * out_features, 1.03 * out_features))
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    return finished(axes)


def rank_sweep(targets: Mapping[str, tuple[Sequence[float], Mapping[int, float]]]) -> "Figure":
    """Singular values of one or two targets, and the error that each rank leaves: the least possible, and as trained.

    Args:
        targets: name → (singular values, {rank: relative error after training}).
    """
    figure, (decay, error) = panels(2)
    figure.set_size_inches(10, 4.2)  # narrower than two panels, so that the words stay readable at half width
    new_axes(decay, "Singular values of the target", "singular value, largest first", "share of the largest")
    new_axes(error, "What a rank leaves over", "rank r", "error, share of the target")
    for (name, (singular_values, trained)), (colour, line, marker) in zip(targets.items(), _FORMS, strict=False):
        values = np.sort(np.asarray(singular_values, dtype=float))[::-1]
        line_form: dict[str, Any] = {"color": colour, "linestyle": line, "linewidth": 1.8}
        decay.plot(np.arange(1, len(values) + 1), values / values[0], **line_form, label=words(name))
        error.plot(np.arange(len(values) + 1), best_errors(values), **line_form, label=f"{words(name)}: least possible")
        form: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 9, "linestyle": "none", "mfc": "none"}
        error.plot(list(trained), list(trained.values()), **form, mew=2, label=f"{words(name)}: trained")
    for axes in (decay, error):
        axes.set_ylim(0, 1.05)
        legend_below(axes)
    return finished(error)


def update_sizes(sizes: Mapping[str, float], ax: "Axes | None" = None) -> "Figure":
    """A heat map of ‖ΔW‖ / ‖W‖ by block of the model (across) and by layer of the block (down).

    Args:
        sizes: full layer name, such as ``model.layers.3.self_attn.q_proj`` → relative size of its update.
        ax: draw here instead of on a new figure.

    Raises:
        ValueError: a name without ``layers.<number>``.
    """
    modules, table = size_table(sizes)
    axes = new_axes(ax, "How far each layer was moved", "block of the model, from input to output", "")
    picture = axes.imshow(100 * table, aspect="auto", cmap="viridis", vmin=0, interpolation="nearest")
    axes.set_yticks(range(len(modules)), modules)
    axes.locator_params(axis="x", integer=True)
    axes.grid(visible=False)
    bar = axes.figure.colorbar(picture, ax=axes)
    bar.set_label("size of ΔW, % of W", fontsize=FONT_POINTS)
    bar.ax.tick_params(labelsize=FONT_POINTS - 1)
    return finished(axes)


def size_table(sizes: Mapping[str, float]) -> tuple[list[str], np.ndarray]:
    """Layer names of a block, in their order, and their values as (names, blocks); NaN where there is no adapter."""
    places = {name: _PLACE.search(name) for name in sizes}
    if strange := [name for name, place in places.items() if place is None]:
        raise ValueError(f"{strange[0]!r} has no place in a block; expected names such as model.layers.3.mlp.up_proj")
    cells: list[tuple[int, str, float]] = [(int(p[1]), p[2], sizes[name]) for name, p in places.items() if p]
    modules = list(dict.fromkeys(module for _, module, _ in cells))
    table = np.full((len(modules), 1 + max(block for block, _, _ in cells)), np.nan)
    for block, module, size in cells:
        table[modules.index(module), block] = size
    return modules, table


def scale_path(estimates: Mapping[float, Any], truth: float | None = None, ax: "Axes | None" = None) -> "Figure":
    """The price of one item while the adapter is turned up: the median, and the middle 80 % as a band.

    The band is read from each distribution as it is: an interval calibrated at scale 1 says nothing at another.

    Args:
        estimates: multiple of the trained scale α/r → ``PriceEstimate``; 0 is the untuned base, 1 as trained.
        truth: the real price in dollars, drawn as a line.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, "One item while the adapter is turned up", "multiple of the trained scale", "price, US dollars")
    multiples = sorted(estimates)
    distribution = np.array([estimates[m].distribution for m in multiples])
    low, high = raw_interval(distribution, prices=estimates[multiples[0]].prices)
    median = [estimates[m].estimate for m in multiples]
    axes.fill_between(multiples, low, high, color=BLUE, alpha=0.15, linewidth=0, label="middle 80 % of the probability")
    axes.plot(multiples, median, "o-", color=BLUE, linewidth=2, markersize=5, label="median")
    for multiple, name in ((0, "untuned"), (1, "as trained")):
        axes.axvline(multiple, color="black", linewidth=1, linestyle="--")
        axes.annotate(name, (multiple, 0.97), (5, 0), ("data", "axes fraction"), "offset points",
                      va="top", fontsize=FONT_POINTS - 1)  # fmt: skip
    if truth is not None:
        axes.axhline(truth, color="black", linewidth=2, linestyle=":", label=f"true price {words(usd(truth))}")
    axes.set_ylim(0, None)
    legend_below(axes)
    return finished(axes)
