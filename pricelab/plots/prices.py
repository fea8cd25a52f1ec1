"""Figures of prices, losses and errors. They take arrays and estimates and know no model.

Notebook 00 draws the first price distribution.

Notation: B items, prices in US dollars.
"""

from collections.abc import Sequence
from string import ascii_uppercase
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.plots.style import (
    BLUE,
    FONT_POINTS,
    GREEN,
    ORANGE,
    VERMILION,
    finished,
    legend_below,
    new_axes,
    usd,
    words,
)
from pricelab.price_format import edges_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHING = 0.1  # of the steps: width of the running mean over a loss curve
DOLLAR_TICKS = (1, 3, 10, 30, 100, 300, 1000)
SET_FORMS = ((BLUE, ""), (ORANGE, "//"), (GREEN, ".."))  # of scores on the same items
SET_GAP = 0.5  # between two sets of items; rows are 1 apart
NAME_WIDTH = 20  # characters of a model's name on a line


# ---- numbers


def price_histogram(
    distribution: np.ndarray, bins: int = 60, prices: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Gather the probabilities of prices into bins of equal width on a log axis.

    A price stands for all from half way to its neighbours, a whole dollar k for those from k − ½ to k + ½, so cheap
    dollars spread over several bins.

    Args:
        distribution: (P,), probability of each price.
        bins: how many.
        prices: (P,), ascending; by default whole dollars from 1 on.

    Returns:
        Bin edges in dollars (bins + 1,) and the probability in each bin (bins,).
    """
    dollars = edges_of(np.arange(1, len(distribution) + 1) if prices is None else prices)
    edges = np.geomspace(dollars[0], dollars[-1], bins + 1)
    cumulative = np.concatenate([[0.0], np.cumsum(distribution)])
    return edges, np.diff(np.interp(edges, dollars, cumulative))


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over ``width`` neighbours, fewer at the ends."""
    if not len(values):
        return values
    window = np.ones(width)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def decades(prices: Any) -> tuple[float, float]:
    """The powers of ten between which an axis holds ``prices``: at least $1 and $1,000."""
    given = np.asarray(prices, dtype=float)
    given = given[np.isfinite(given) & (given > 0)]
    lowest, highest = given.min(initial=1.0), given.max(initial=1000.0)
    return 10.0 ** np.floor(np.log10(lowest)), 10.0 ** np.ceil(np.log10(highest))


def dollar_ticks(limits: tuple[float, float]) -> tuple[float, ...]:
    """The prices that an axis between two powers of ten names."""
    first, last = (round(np.log10(limit)) for limit in limits)
    return DOLLAR_TICKS if (first, last) == (0, 3) else tuple(10.0**power for power in range(first, last + 1))


# ---- figures


def loss_curve(losses: Sequence[float], ax: "Axes | None" = None, title: str = "Training loss") -> "Figure":
    """Loss of every step as faint points, their running mean as a line."""
    values = np.asarray(losses, dtype=float)
    steps = np.arange(1, len(values) + 1)
    axes = new_axes(ax, title, "training step", "mean loss, nats a token")
    axes.plot(steps, values, ".", color=BLUE, alpha=0.3, markersize=5, label="each step")
    width = max(1, round(SMOOTHING * len(values)))
    axes.plot(steps, running_mean(values, width), color=BLUE, linewidth=2, label=f"mean of {width} steps")
    axes.legend(frameon=False)
    return finished(axes)


def price_distribution(
    estimate: Any,
    truth: float | None = None,
    other: Any = None,
    ax: "Axes | None" = None,
    other_name: str = "untuned base",
) -> "Figure":
    """The probability of every price, with median and 80 % interval.

    Args:
        estimate: a ``PriceEstimate``, or anything with ``estimate, low, high, distribution, prices``.
        truth: the real price in dollars, drawn as a line.
        other: a second estimate to compare with, drawn as an outline.
        other_name: whose it is.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, "What the model thinks this costs", "price, US dollars (log scale)", "probability of each bar")
    edges, mass = price_histogram(estimate.distribution, prices=estimate.prices)
    axes.stairs(mass, edges, fill=True, color=BLUE, alpha=0.55, label="probability of a price")
    axes.axvspan(estimate.low, estimate.high, color=BLUE, alpha=0.13, label=_interval(estimate))
    axes.axvline(estimate.estimate, color=BLUE, linewidth=2, label=f"median {_usd(estimate.estimate)}")
    if other is not None:
        label = f"{words(other_name)}, median {_usd(other.estimate)}"
        edges, mass = price_histogram(other.distribution, prices=other.prices)
        axes.stairs(mass, edges, color=VERMILION, linewidth=1.5, linestyle="--", label=label)
    if truth is not None:
        axes.axvline(truth, color="black", linewidth=2, linestyle=":", label=f"true price {_usd(truth)}")
    limits = decades(estimate.prices)
    _log_dollars(axes.xaxis, limits)
    axes.set(xlim=limits, ylim=(0, axes.get_ylim()[1]))
    legend_below(axes)
    return finished(axes)


def predicted_against_true(
    prices: Sequence[float], estimates: Sequence[float], floor: float | None = None, ax: "Axes | None" = None
) -> "Figure":
    """Every item as a point, its true price against its estimate; on the diagonal an estimate is exact.

    Args:
        prices: (B,), dollars.
        estimates: (B,), dollars; NaN where the model gave no price, counted in the title.
        floor: the best mean absolute error anybody could reach, dollars; named in the legend.
        ax: draw here instead of on a new figure.
    """
    true, guess = np.asarray(prices, dtype=float), np.asarray(estimates, dtype=float)
    given = np.isfinite(guess)
    missing = f", {np.sum(~given)} without an answer" if not given.all() else ""
    title = f"Estimate against true price, n = {len(true):,}{missing}"
    axes = new_axes(ax, title, "true price, US dollars (log scale)", "estimate, US dollars (log scale)")
    error = np.mean(np.abs(true - guess)[given]) if given.any() else np.nan
    axes.plot(true[given], guess[given], "o", color=BLUE, alpha=0.35, markersize=4, markeredgewidth=0)
    best = "" if floor is None else f" (best possible {_usd(floor)})"
    axes.plot([], [], "o", color=BLUE, markersize=4, label=f"an item; mean abs. error {_usd(error)}{best}")
    limits = decades([*true[given], *guess[given]])
    axes.plot(limits, limits, color="black", linewidth=1, linestyle="--", label="exact")
    _log_dollars(axes.xaxis, limits)
    _log_dollars(axes.yaxis, limits)
    axes.set(xlim=limits, ylim=limits)
    legend_below(axes)
    return finished(axes)


def error_bars(scores: Sequence[Any], floor: float | None = None, ax: "Axes | None" = None) -> "Figure":
    """A leaderboard of mean absolute errors with their 95 % intervals, the smallest on top.

    Scores of other items are not for comparing: each set of items is a group with a letter, a colour and a hatch of its
    own, the largest set on top.

    Args:
        scores: ``evaluation.Score`` objects, or anything with ``name, n`` and ``mae`` (``value, low, high``); scores
            with another ``n``, or another fingerprint in ``items``, are of other items.
        floor: the best error anybody could reach, dollars; a dashed line.
        ax: draw here instead of on a new figure.
    """
    sets: dict[tuple[int, str], list[Any]] = {}
    for score in sorted(scores, key=lambda one: (-one.n, np.isnan(one.mae.value), one.mae.value)):
        sets.setdefault((score.n, getattr(score, "items", "")), []).append(score)
    sizes = f"n = {max(n for n, _ in sets):,}" if len(sets) == 1 else f"{len(sets)} sets of items"
    axes = new_axes(ax, f"Mean absolute error, {sizes}", "US dollars, 95 % interval", "")
    names: dict[float, str] = {}
    for place, ((n, _), ranked) in enumerate(sets.items()):
        rows = len(names) + place * SET_GAP + np.arange(len(ranked))
        colour, hatch = SET_FORMS[place % len(SET_FORMS)]
        label = f"items {ascii_uppercase[place]}, n = {n:,}" if len(sets) > 1 else None
        _bars_with_values(axes, rows, ranked, color=colour, hatch=hatch, edgecolor="white", label=label)
        names |= {row: fill(words(score.name), NAME_WIDTH) for row, score in zip(rows, ranked, strict=True)}
    axes.set_yticks(list(names), list(names.values()), fontsize=FONT_POINTS - 2, linespacing=0.9)
    if floor is not None:
        axes.axvline(floor, color="black", linestyle="--", linewidth=2, label=f"best possible error {_usd(floor)}")
    if floor is not None or len(sets) > 1:
        legend_below(axes)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.14)
    return finished(axes)


def _bars_with_values(axes: "Axes", rows: np.ndarray, scores: Sequence[Any], **form: Any) -> None:
    """A bar for each score with its 95 % interval, and its value at the whisker's end."""
    values = np.array([score.mae.value for score in scores])
    whiskers = np.array([[s.mae.value - s.mae.low, s.mae.high - s.mae.value] for s in scores]).T
    axes.barh(rows, values, 0.66, xerr=whiskers, error_kw={"capsize": 3, "lw": 1.5}, **form)
    for row, score in zip(rows, scores, strict=True):
        end = score.mae.high if np.isfinite(score.mae.high) else 0.0
        axes.annotate(_usd(score.mae.value), (end, row), (5, 0), textcoords="offset points", va="center",
                      fontsize=FONT_POINTS - 2)  # fmt: skip


def _log_dollars(axis: Any, limits: tuple[float, float]) -> None:
    ticks = dollar_ticks(limits)
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_ticks(ticks, [_usd(dollars) for dollars in ticks])
    axis.set_ticks([], minor=True)


def _interval(estimate: Any) -> str:
    low, high = estimate.low, estimate.high
    if (np.asarray(estimate.prices) % 1 == 0).all():  # whole dollars, as the answers are
        low, high = max(1, round(low)), max(1, round(high))
    return f"80 % interval {_usd(low)} to {_usd(high)}"


def _usd(dollars: float) -> str:
    return words(usd(dollars))
