"""How fine-tuning goes wrong: two losses that part, and what was forgotten. Notebook 09 draws both."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.costs.units import human_rate
from pricelab.plots.style import (
    BLUE,
    FONT_POINTS,
    GREEN,
    VERMILION,
    finished,
    legend_below,
    new_axes,
    one_legend,
    panels,
    usd,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pricelab.forgetting import Trial

METHODS = {"full": (VERMILION, "s"), "lora": (BLUE, "o"), "qlora": (GREEN, "^")}  # colour, marker
MOST_TICKS = 8
LEAST_SPAN_USD = 20  # of the axis of price errors: differences of cents must not look like much
NAMES = {"full": "full", "lora": "LoRA", "qlora": "QLoRA"}
# Factors on the learning rate, so that marks don't cover each other: of the method, and of texts mixed in
SIDEWAYS, MIXED_SIDEWAYS = {"full": 0.93, "lora": 0.99, "qlora": 1.04}, 1.035
CUT = 100  # times the perplexity: what lies above stands at the edge with its number, or all the rest would look like 1


def two_losses(
    losses: Sequence[float], validation: Mapping[int, float], steps_a_pass: int, stop: int | None = None,
    ax: "Axes | None" = None,
) -> "Figure":  # fmt: skip
    """Loss of the training items and of items held out, pass by pass on one axis.

    Args:
        losses: of each training step, nats a token.
        validation: step → loss on held-out items.
        steps_a_pass: optimizer steps in one pass over the training items; the training loss is averaged over each.
        stop: the step at which early stopping would have ended the run, if it would.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, "Training and validation loss", "passes over the training items", "loss, nats per price token")
    parts = [losses[i : i + steps_a_pass] for i in range(0, len(losses), steps_a_pass)]
    ends = [min((i + 1) * steps_a_pass, len(losses)) / steps_a_pass for i in range(len(parts))]
    axes.plot(ends, [np.mean(part) for part in parts], "--s", color=VERMILION, markersize=5, label="items it trains on")
    steps = sorted(validation)
    places = [step / steps_a_pass for step in steps]
    axes.plot(places, [validation[step] for step in steps], "-o", color=BLUE, markersize=5, label="items held out")
    best = min(steps, key=lambda step: validation[step])
    axes.plot(
        best / steps_a_pass, validation[best], "*", color="black", markersize=14, label="best: these weights are kept"
    )
    if stop is not None:
        axes.axvline(
            stop / steps_a_pass, color="black", linestyle=":", linewidth=1.5, label="early stopping stops here"
        )
    axes.set_ylim(bottom=0)
    legend_below(axes)
    return finished(axes)


def forgetting(
    recorded: Sequence["Trial"], prices: Sequence[float], live: Sequence["Trial"] = (), constant: float | None = None
) -> "Figure":
    """Perplexity on general English after over before, and the price error, against the learning rate.

    Factors above `CUT` stand at the edge of the axis, with their number.

    Args:
        recorded: trials; those with general texts mixed in are drawn hollow.
        prices: true prices of the items that the recorded trials priced, US dollars.
        live: trials made just now, drawn as stars on the left panel only: they may have priced other items.
        constant: US dollars; a line on the right panel shows the error of naming this price for every item.
    """
    figure, (left, right) = panels(columns=2)
    new_axes(left, "What was forgotten", "peak learning rate (log scale)", "perplexity, after ÷ before")
    new_axes(right, "What was learned", "peak learning rate (log scale)", "mean absolute error, USD")
    for method, mixed in dict.fromkeys((trial.method, trial.mixed > 0) for trial in recorded):
        colour, marker = METHODS[method]
        form: dict[str, Any] = {
            "color": colour,
            "markersize": 8,
            "markerfacecolor": "none" if mixed else colour,
            "linestyle": "none",
        }
        chosen = [trial for trial in recorded if (trial.method, trial.mixed > 0) == (method, mixed)]
        rates = [trial.learning_rate * SIDEWAYS[method] * (MIXED_SIDEWAYS if mixed else 1) for trial in chosen]
        times = [trial.times for trial in chosen]
        places = [min(time.value, float(CUT)) for time in times]
        ends = [[max(p - t.low, 0) for p, t in zip(places, times, strict=True)],
                [max(min(t.high, CUT) - p, 0) for p, t in zip(places, times, strict=True)]]  # fmt: skip
        left.errorbar(rates, places, yerr=ends, fmt="none", ecolor=colour, label="_intervals")
        left.plot(rates, places, marker=marker, label=_label(method, mixed), **form)
        errors = [np.abs(np.array(trial.estimates) - np.array(prices)).mean() for trial in chosen]
        right.plot(rates, errors, marker=marker, label=_label(method, mixed), **form)
    for trial in live:
        star: dict[str, Any] = {"color": "black", "markersize": 15, "label": f"{NAMES[trial.method]}, here and now"}
        left.plot(trial.learning_rate, min(trial.times.value, CUT), "*", zorder=5, **star)
    if constant is not None:
        error = float(np.abs(constant - np.array(prices)).mean())
        right.axhline(error, color="black", linewidth=1.2, linestyle="--", label="always the median price")
    _beyond(left, [*recorded, *live])
    left.axhline(1, color="black", linewidth=1.2, linestyle=":")
    left.set_yscale("log")
    _plain_ticks(left)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda rate, _: human_rate(rate))
        axes.xaxis.set_minor_formatter(lambda *_: "")
    one_legend(figure, left, right)
    low, high = right.get_ylim()
    room = max(0.0, LEAST_SPAN_USD - (high - low)) / 2
    right.set_ylim(low - room, high + room)
    right.yaxis.set_major_formatter(lambda dollars, _: words(usd(dollars)))
    return finished(left)


def _beyond(axes: "Axes", trials: Sequence["Trial"]) -> None:
    """Beside the marks at the cut, how much more it was: one text a learning rate, from the least to the most."""
    beyond: dict[float, list[float]] = {}
    for trial in trials:
        if trial.times.value > CUT:
            beyond.setdefault(trial.learning_rate, []).append(trial.times.value)
    for rate, values in beyond.items():
        ends = [f"×{float(f'{value:.1e}'):,.0f}" for value in sorted({min(values), max(values)})]
        told = "↑ " + " to\n".join(ends)
        axes.annotate(told, (rate, CUT), (0, -8), textcoords="offset points", ha="center", va="top",
                      fontsize=FONT_POINTS - 2)  # fmt: skip


def _label(method: str, mixed: bool) -> str:
    return f"{NAMES[method]}{' + general texts' if mixed else ''}, recorded"


def _plain_ticks(axes: "Axes") -> None:
    """Factors such as 1, 1.2, 3, 100 instead of powers of ten."""
    low, high = axes.get_ylim()
    grids = (((1, 1.2, 1.5, 2, 3, 5, 7), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3))  # factors, powers apart
    for factors, apart in grids:
        every = [factor * 10.0**power for power in range(-3 * apart, 13, apart) for factor in factors]
        inside = [tick for tick in every if low <= tick <= high]
        if len(inside) <= MOST_TICKS:
            break
    axes.yaxis.set_ticks(inside, [f"×{tick:,.0f}" if tick >= 100 else f"×{tick:.3g}" for tick in inside])
    axes.yaxis.set_ticks([], minor=True)
