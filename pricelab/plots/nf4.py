"""Figures of quantised weights: levels over a histogram, error by block size, memory by format, time of a product.

They take arrays and numbers and know no model. Notebook 06 draws them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.plots import style
from pricelab.plots.style import BLUE, VERMILION, finished, legend_below, new_axes, panels, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 97
BOOK_COLOURS = ((BLUE, "-"), (VERMILION, "--"))
LINE_FORMS = ((BLUE, "o", "-"), (VERMILION, "s", "-"), (BLUE, "o", ":"), (VERMILION, "s", ":"))
FORMAT_FORMS = ((style.SKY, ""), (style.ORANGE, "//"), (VERMILION, ".."), (BLUE, "xx"))
BAR = 0.2  # height of a bar; groups are 1 apart
VISIBLE_BITS = 0.001


def code_books(
    shares: Sequence[float], books: Mapping[str, Sequence[float]], axes: "Sequence[Axes] | None" = None
) -> "Figure":
    """Two code books, each as lines over the histogram of what they have to stand for.

    Args:
        shares: weights as a share of their block's absmax, −1 … 1.
        books: name → levels, two of them; one panel each.
        axes: draw on these instead of on a new figure.

    Raises:
        ValueError: not two books.
    """
    if len(books) != 2:
        raise ValueError(f"this figure compares two code books, got {len(books)}: {', '.join(books)}")
    places = list(axes) if axes is not None else panels(1, 2)[1]
    for ax, (name, levels), (colour, line) in zip(places, books.items(), BOOK_COLOURS, strict=True):
        drawn = new_axes(ax, f"{name}: {len(levels)} levels", "weight / absmax of its block", "share of the weights")
        counts, edges = np.histogram(np.asarray(shares, dtype=float), BINS, (-1, 1))
        drawn.stairs(counts / max(1, counts.sum()), edges, fill=True, color="0.8")
        top = drawn.get_ylim()[1]
        drawn.vlines(list(levels), 0, top, color=colour, linestyle=line, linewidth=1.6)
        drawn.set(xlim=(-1.03, 1.03), ylim=(0, top))
    return finished(places[0])


def error_by_block_size(
    blocks: Sequence[int], errors: Mapping[str, Sequence[float]], ax: "Axes | None" = None
) -> "Figure":
    """Relative error against block size, a line for each series.

    Args:
        blocks: weights that share a scale; the largest is marked as the whole tensor.
        errors: name → relative error at each block size, 0 … 1; up to four series, pairs of two formats.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, "Rounding error by block size", "weights to a block (log scale)", "error, % of their size")
    for (name, values), (colour, marker, line) in zip(errors.items(), LINE_FORMS, strict=False):
        percent = 100 * np.asarray(values, dtype=float)
        axes.plot(blocks, percent, color=colour, marker=marker, linestyle=line, linewidth=2, label=words(name))
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(blocks), [f"{size:,}" for size in blocks[:-1]] + ["all"])
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=0)
    legend_below(axes)
    return finished(axes)


def memory_by_format(
    sizes: Mapping[str, Mapping[str, float]], limit: tuple[str, float] | None = None, ax: "Axes | None" = None
) -> "Figure":
    """Bytes of the weights of some models, a group of bars for each model, a bar for each format.

    Args:
        sizes: model → format → bytes; the same formats, up to four, for every model.
        limit: name and bytes of a memory to compare with, drawn as a line.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, "Weights in memory", "GB (10⁹ bytes)", "")
    if ax is None:
        axes.figure.set_size_inches(6.4, 1.4 + 1.1 * len(sizes))  # type: ignore[union-attr]
    formats = list(next(iter(sizes.values())))
    rows = np.arange(len(sizes))
    for place, (name, (colour, hatch)) in enumerate(zip(formats, FORMAT_FORMS, strict=False)):
        gigabytes = [each[name] / 1e9 for each in sizes.values()]
        heights = rows + (place - (len(formats) - 1) / 2) * BAR
        bars = axes.barh(heights, gigabytes, BAR, color=colour, hatch=hatch, edgecolor="white", label=name)
        axes.bar_label(bars, [f"{one:.3g}" for one in gigabytes], padding=3, fontsize=style.FONT_POINTS - 3)
    axes.set_yticks(rows, [words(name) for name in sizes])
    axes.margins(x=0.1)
    if limit is not None:
        axes.axvline(limit[1] / 1e9, color="black", linestyle="--", linewidth=1.5, label=words(limit[0]))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    legend_below(axes)
    return finished(axes)


def time_ratios(ratios: Mapping[str, Sequence[Any]], reference: str = "16 bits", ax: "Axes | None" = None) -> "Figure":
    """How many times as long products with 4-bit weights take, by the rows that are multiplied at a time.

    Args:
        ratios: what is timed, such as "forward" → `by_hand.formats.TimeRatio`, or anything with
            ``tokens, value, low, high, n``; up to four, over the same numbers of tokens.
        reference: what the time is compared with.
        ax: draw here instead of on a new figure.
    """
    first = next(iter(ratios.values()))
    title = f"4-bit product against {words(reference)}, median of {first[0].n}"
    axes = new_axes(ax, title, "tokens at a time (log scale)", "times as long, 95 % interval")
    for (name, found), (colour, marker, line) in zip(ratios.items(), LINE_FORMS, strict=False):
        tokens, values = [one.tokens for one in found], np.array([one.value for one in found])
        spread = np.array([[one.value - one.low, one.high - one.value] for one in found]).T
        form: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": line, "linewidth": 2, "capsize": 5}
        axes.errorbar(tokens, values, yerr=spread, **form, label=words(name))
    axes.axhline(1, color=style.GREEN, linestyle="--", linewidth=2, label=f"as fast as {words(reference)}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(tokens, [f"{count:,}" for count in tokens])
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=0)
    legend_below(axes)
    return finished(axes)


def bits_of_a_weight(stores: Mapping[str, Mapping[str, float]], ax: "Axes | None" = None) -> "Figure":
    """What a 4-bit weight takes, to scale: a bar for each way to store the scales, made of its parts.

    Args:
        stores: name → part → bits a weight, from the largest part to the smallest; those too thin to see are left out.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, "What a weight takes", "bits a weight", "")
    if ax is None:
        axes.figure.set_size_inches(6.4, 1.9 + 0.6 * len(stores))  # type: ignore[union-attr]
    forms: dict[str, tuple[str, str]] = {}
    for row, parts in enumerate(stores.values()):
        left = 0.0
        for part, bits in parts.items():
            if bits >= VISIBLE_BITS:
                label = None if part in forms else words(part)
                colour, hatch = forms.setdefault(part, FORMAT_FORMS[len(forms) % len(FORMAT_FORMS)])
                form: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "black", "linewidth": 0.4}
                axes.barh(row, bits, 0.6, left, **form, label=label)
            left += bits
        axes.annotate(f"{left:.3f}", (left, row), (5, 0), textcoords="offset points", va="center",
                      fontsize=style.FONT_POINTS - 2)  # fmt: skip
    axes.set_yticks(range(len(stores)), [words(name) for name in stores])
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    legend_below(axes)
    axes.get_legend().set_bbox_to_anchor((0.5, -0.32))  # type: ignore[union-attr]
    return finished(axes)
