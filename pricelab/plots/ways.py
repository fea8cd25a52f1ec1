"""Figures of notebook 08: error by number of examples, and error against what a run cost."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pricelab.costs.units import human_flops
from pricelab.plots.style import (
    BLUE,
    FONT_POINTS,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILION,
    finished,
    legend_below,
    new_axes,
    usd,
    words,
)
from pricelab.trials import Trials
from pricelab.ways import WAYS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS = {
    "small": (ORANGE, "D", ":"), "scratch": (VERMILION, "s", "--"), "full": (GREEN, "^", "-."),
    "lora": (BLUE, "o", "-"), "qlora": (PURPLE, "v", (0, (5, 1, 1, 1, 1, 1))),
}  # fmt: skip
SIDEWAYS = {"small": 0.92, "scratch": 0.96, "full": 1.0, "lora": 1.04, "qlora": 1.08}  # so that marks don't hide
REFERENCES = (":", "--", "-.")


def error_by_examples(
    recorded: Trials, split: str, live: Trials | None = None,
    reference: Mapping[str, Mapping[int, float]] | None = None, ax: "Axes | None" = None,
) -> "Figure":  # fmt: skip
    """Mean absolute error against training items, a line a way; each small mark a seed, the line their mean.

    Args:
        recorded: trials to draw filled.
        split: which items the errors are of.
        live: trials of now, drawn as large open marks.
        reference: name → training items → error in US dollars, of models to beat; grey lines.
        ax: draw here instead of on a new figure.
    """
    title = f"Error on {split} by number of examples"
    axes = new_axes(ax, title, "training items (log scale)", "mean absolute error, USD")
    for key, (colour, marker, line) in FORMS.items():
        found = recorded.by_size(split).get(WAYS[key].words, {})
        sizes = sorted(found)
        for size in sizes:
            axes.plot(
                [size * SIDEWAYS[key]] * len(found[size]), found[size], marker, color=colour, alpha=0.55, markersize=6
            )
        means = [float(np.mean(found[size])) for size in sizes]
        places = [size * SIDEWAYS[key] for size in sizes]
        axes.plot(places, means, color=colour, linestyle=line, linewidth=2, marker=marker, markersize=3,
                  label=words(WAYS[key].words))  # fmt: skip
        for items, error in _live_marks(live, key, split):
            axes.plot(items * SIDEWAYS[key], error, marker, color=colour, markersize=12,
                      markerfacecolor="none", markeredgewidth=2)  # fmt: skip
    for (name, by_size), line in zip((reference or {}).items(), REFERENCES, strict=False):
        sizes = sorted(by_size)
        axes.plot(sizes, [by_size[s] for s in sizes], color="dimgrey", linestyle=line, linewidth=2, label=words(name))
    if live:
        axes.plot([], [], "o", color="black", markersize=11, markerfacecolor="none", label="measured just now")
    ticks = sorted(
        {trial.items for trial in recorded.trials} | {trial.items for trial in (live.trials if live else ())}
    )
    axes.set_xscale("log")
    axes.xaxis.set_ticks(ticks, [f"{size:,}" for size in ticks])
    axes.xaxis.set_ticks([], minor=True)
    legend_below(axes)
    return finished(axes)


def _live_marks(live: Trials | None, key: str, split: str) -> list[tuple[int, float]]:
    return [(trial.items, float(live.errors(trial, split).mean())) for trial in live.of(key)] if live else []


def error_against_cost(
    trials: Trials, split: str, reference: Mapping[str, float] | None = None, ax: "Axes | None" = None
) -> "Figure":
    """Mean absolute error against the FLOPs of training, one mark a trial; more training items, a larger mark.

    Args:
        trials: what to draw.
        split: which items the errors are of.
        reference: name → error in US dollars of what needs next to no compute; grey lines.
        ax: draw here instead of on a new figure.
    """
    axes = new_axes(ax, f"Error on {split} against compute", "", "mean absolute error, USD")
    sizes = sorted({trial.items for trial in trials.trials})
    for key, (colour, marker, _) in FORMS.items():
        for number, trial in enumerate(trials.of(key)):
            axes.plot(
                trial.flops, trials.errors(trial, split).mean(), marker, color=colour, alpha=0.7,
                markersize=5 + 3 * sizes.index(trial.items), label=words(WAYS[key].words) if number == 0 else None,
            )  # fmt: skip
    for (name, dollars), line in zip((reference or {}).items(), REFERENCES, strict=False):
        axes.axhline(dollars, color="dimgrey", linestyle=line, linewidth=2, label=words(f"{name}, {usd(dollars)}"))
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    powers = [10.0**n for n in range(int(np.ceil(np.log10(low))), int(np.floor(np.log10(high))) + 1)]
    axes.xaxis.set_ticks(powers, [human_flops(power).removesuffix(" FLOPs") for power in powers])
    axes.xaxis.set_ticks([], minor=True)
    told = ", ".join(f"{size:,}" for size in sizes)
    axes.set_xlabel(f"FLOPs of training (marks grow with the items: {told})", fontsize=FONT_POINTS)
    _unique_legend(axes)
    return finished(axes)


def _unique_legend(axes: "Axes") -> None:
    """One entry a way, with marks of one size."""
    legend_below(axes)
    legend = axes.get_legend()
    handles: Sequence = legend.legend_handles if legend else ()
    for handle in handles:
        if handle.get_marker() != "None":
            handle.set_markersize(8)
