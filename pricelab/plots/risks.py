"""How fine-tuning goes wrong: two losses that part, and what was forgotten. Notebook 09 draws both."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.plots.style import BLUE, GREEN, VERMILION, finished, legend_below, new_axes, panels, usd, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pricelab.forgetting import Trial

METHODS = {"full": (VERMILION, "s"), "lora": (BLUE, "o"), "qlora": (GREEN, "^")}  # colour, marker
MOST_TICKS = 8
LEAST_SPAN_USD = 20  # of the axis of price errors: differences of cents must not look like much
NAMES = {"full": "full", "lora": "LoRA", "qlora": "QLoRA"}
SIDEWAYS = {
    "full": 0.94,
    "lora": 1.0,
    "qlora": 1.06,
}  # factor on the learning rate, so that bars don't cover each other


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


def forgetting(recorded: Sequence["Trial"], prices: Sequence[float], live: Sequence["Trial"] = ()) -> "Figure":
    """Perplexity on general English after over before, and the price error, against the learning rate.

    Args:
        recorded: trials; those with general texts mixed in are drawn hollow.
        prices: true prices of the items that the recorded trials priced, US dollars.
        live: trials made just now, drawn as stars on the left panel only: they may have priced other items.
    """
    figure, (left, right) = panels(columns=2)
    new_axes(left, "What was forgotten", "peak learning rate (log scale)", "perplexity, after ÷ before")
    new_axes(right, "What was learned", "peak learning rate (log scale)", "mean absolute error, USD")
    for method, mixed in dict.fromkeys((trial.method, trial.mixed > 0) for trial in recorded):
        colour, marker = METHODS[method]
        form: dict[str, Any] = {
            "color": colour,
            "markersize": 9,
            "markerfacecolor": "white" if mixed else colour,
            "linestyle": "none",
        }
        chosen = [trial for trial in recorded if (trial.method, trial.mixed > 0) == (method, mixed)]
        rates = [trial.learning_rate * SIDEWAYS[method] * (1.3 if mixed else 1) for trial in chosen]
        times = [trial.times for trial in chosen]
        values = [time.value for time in times]
        ends = [[time.value - time.low for time in times], [time.high - time.value for time in times]]
        left.errorbar(rates, values, yerr=ends, marker=marker, capsize=3, label=_label(method, mixed), **form)
        errors = [np.abs(np.array(trial.estimates) - np.array(prices)).mean() for trial in chosen]
        right.plot(rates, errors, marker=marker, label=_label(method, mixed), **form)
    for trial in live:
        star: dict[str, Any] = {"color": "black", "markersize": 15, "label": f"{NAMES[trial.method]}, here and now"}
        left.plot(trial.learning_rate, trial.times.value, "*", zorder=5, **star)
    left.axhline(1, color="black", linewidth=1.2, linestyle=":")
    left.set_yscale("log")
    _plain_ticks(left)
    for axes in (left, right):
        axes.set_xscale("log")
        legend_below(axes)
    low, high = right.get_ylim()
    room = max(0.0, LEAST_SPAN_USD - (high - low)) / 2
    right.set_ylim(low - room, high + room)
    right.yaxis.set_major_formatter(lambda dollars, _: words(usd(dollars)))
    return finished(left)


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
