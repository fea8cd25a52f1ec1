"""The workbook's figures, all in one style. They take arrays and estimates and know no model.

Colours are Okabe and Ito's, which colour-blind readers tell apart; every axis carries its unit; text stays
readable at half width. Each function returns a matplotlib ``Figure`` that pyplot does not hold on to, so a
notebook shows it once, as the value of the cell's last line. Notebook 00 draws the first price distribution.

Notation: B items, prices in US dollars.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito, "Color Universal Design" (2008)
BLUE, VERMILION = "#0072B2", "#D55E00"
DPI = 100
PANEL_INCHES = (6.4, 3.8)
FONT_POINTS = 12
SMOOTHING = 0.1  # of the steps: width of the running mean over a loss curve
DOLLAR_TICKS = (1, 3, 10, 30, 100, 300, 1000)


# ---- numbers


def usd(dollars: float) -> str:
    """Dollars as a shop writes them: whole from $10 on, below with cents if any; "no price" for NaN."""
    if not np.isfinite(dollars):
        return "no price"
    return f"${dollars:,.0f}" if dollars >= 10 or dollars == round(dollars) else f"${dollars:,.2f}"


def price_histogram(distribution: np.ndarray, bins: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Gather P($1)…P($999) into bins of equal width on a log axis.

    A whole dollar k stands for the prices from k − ½ to k + ½, so cheap dollars spread over several bins.

    Args:
        distribution: (999,), probability of each whole dollar.
        bins: how many.

    Returns:
        Bin edges in dollars (bins + 1,) and the probability in each bin (bins,).
    """
    dollars = np.arange(len(distribution) + 1) + 0.5
    edges = np.geomspace(dollars[0], dollars[-1], bins + 1)
    cumulative = np.concatenate([[0.0], np.cumsum(distribution)])
    return edges, np.diff(np.interp(edges, dollars, cumulative))


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over ``width`` neighbours, fewer at the ends."""
    if not len(values):
        return values
    window = np.ones(width)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


# ---- figures


def loss_curve(losses: Sequence[float], ax: "Axes | None" = None, title: str = "Training loss") -> "Figure":
    """Loss of every step as faint points, their running mean as a line."""
    values = np.asarray(losses, dtype=float)
    steps = np.arange(1, len(values) + 1)
    axes = _axes(ax, title, "training step", "mean loss, nats a token")
    axes.plot(steps, values, ".", color=BLUE, alpha=0.3, markersize=5, label="each step")
    width = max(1, round(SMOOTHING * len(values)))
    axes.plot(steps, running_mean(values, width), color=BLUE, linewidth=2, label=f"mean of {width} steps")
    axes.legend(frameon=False)
    return _finished(axes)


def price_distribution(
    estimate: Any,
    truth: float | None = None,
    other: Any = None,
    ax: "Axes | None" = None,
    other_name: str = "untuned base",
) -> "Figure":
    """The probability of every price, with median and 80 % interval.

    Args:
        estimate: a ``PriceEstimate``, or anything with ``estimate, low, high, distribution``.
        truth: the real price in dollars, drawn as a line.
        other: a second estimate to compare with, drawn as an outline.
        other_name: whose it is.
        ax: draw here instead of on a new figure.
    """
    axes = _axes(ax, "What the model thinks this costs", "price, US dollars (log scale)", "probability")
    edges, mass = price_histogram(estimate.distribution)
    axes.stairs(mass, edges, fill=True, color=BLUE, alpha=0.55, label="probability of a price")
    axes.axvspan(estimate.low, estimate.high, color=BLUE, alpha=0.13, label=_interval(estimate))
    axes.axvline(estimate.estimate, color=BLUE, linewidth=2, label=f"median {_usd(estimate.estimate)}")
    if other is not None:
        label = f"{_words(other_name)}, median {_usd(other.estimate)}"
        edges, mass = price_histogram(other.distribution)
        axes.stairs(mass, edges, color=VERMILION, linewidth=1.5, linestyle="--", label=label)
    if truth is not None:
        axes.axvline(truth, color="black", linewidth=2, linestyle=":", label=f"true price {_usd(truth)}")
    _log_dollars(axes.xaxis)
    axes.set(xlim=(1, 1000), ylim=(0, axes.get_ylim()[1]))
    _legend_below(axes)
    return _finished(axes)


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
    axes = _axes(ax, title, "true price, US dollars (log scale)", "estimate, US dollars (log scale)")
    error = np.mean(np.abs(true - guess)[given]) if given.any() else np.nan
    axes.plot(true[given], guess[given], "o", color=BLUE, alpha=0.35, markersize=4, markeredgewidth=0)
    best = "" if floor is None else f" (best possible {_usd(floor)})"
    axes.plot([], [], "o", color=BLUE, markersize=4, label=f"an item; mean error {_usd(error)}{best}")
    axes.plot([1, 1000], [1, 1000], color="black", linewidth=1, linestyle="--", label="exact")
    _log_dollars(axes.xaxis)
    _log_dollars(axes.yaxis)
    axes.set(xlim=(1, 1000), ylim=(1, 1000))
    _legend_below(axes)
    return _finished(axes)


def error_bars(scores: Sequence[Any], floor: float | None = None, ax: "Axes | None" = None) -> "Figure":
    """A leaderboard of mean absolute errors with their 95 % intervals, the smallest on top.

    Args:
        scores: ``evaluation.Score`` objects, or anything with ``name, n`` and ``mae`` (``value, low, high``).
        floor: the best error anybody could reach, dollars; a dashed line.
        ax: draw here instead of on a new figure.
    """
    ranked = sorted(scores, key=lambda score: (np.isnan(score.mae.value), score.mae.value))
    counts = {score.n for score in ranked}
    items = f"n = {counts.pop():,}" if len(counts) == 1 else "n differs by row"
    axes = _axes(ax, f"Mean absolute error, {items}", "US dollars, with 95 % interval; less is better", "")
    rows, values = np.arange(len(ranked)), np.array([score.mae.value for score in ranked])
    whiskers = np.array([[s.mae.value - s.mae.low, s.mae.high - s.mae.value] for s in ranked]).T
    axes.barh(rows, values, 0.6, xerr=whiskers, color=BLUE, error_kw={"capsize": 4, "lw": 1.5})
    axes.set_yticks(rows, [f"{_words(score.name)}  {_usd(score.mae.value)}" for score in ranked])
    if floor is not None:
        axes.axvline(floor, color="black", linestyle="--", linewidth=2, label=f"best possible error {_usd(floor)}")
        _legend_below(axes)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    return _finished(axes)


# ---- one style


def panels(columns: int = 1, rows: int = 1) -> "tuple[Figure, list[Axes]]":
    """A new figure with panels to draw on, which pyplot forgets at once."""
    import matplotlib.pyplot as plt

    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, dpi=DPI, layout="constrained", squeeze=False)
    plt.close(figure)
    return figure, list(axes.flat)


def _axes(ax: "Axes | None", title: str, x_label: str, y_label: str) -> "Axes":
    axes = ax if ax is not None else panels()[1][0]
    axes.set_title(_words(title), fontsize=FONT_POINTS + 1, loc="left")
    axes.set_xlabel(x_label, fontsize=FONT_POINTS)
    axes.set_ylabel(y_label, fontsize=FONT_POINTS)
    axes.tick_params(labelsize=FONT_POINTS - 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    return axes


def _finished(axes: "Axes") -> "Figure":
    """The figure, which pyplot must not hold: otherwise a notebook shows it a second time."""
    figure = axes.figure
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    return figure  # type: ignore[return-value]


def _legend_below(axes: "Axes") -> None:
    axes.legend(frameon=False, fontsize=FONT_POINTS - 1, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.22))


def _log_dollars(axis: Any) -> None:
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_ticks(DOLLAR_TICKS, [_usd(dollars) for dollars in DOLLAR_TICKS])
    axis.set_ticks([], minor=True)


def _interval(estimate: Any) -> str:
    return f"80 % interval {_usd(estimate.low)} to {_usd(estimate.high)}"


def _usd(dollars: float) -> str:
    return _words(usd(dollars))


def _words(text: str) -> str:
    """Text as it is: matplotlib would read what stands between two dollar signs as a formula."""
    return text.replace("$", r"\$")
