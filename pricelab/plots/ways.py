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
    one_legend,
    panels,
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
SIDEWAYS = {"small": 0.78, "scratch": 0.88, "full": 1.0, "lora": 1.13, "qlora": 1.28}  # so that marks don't hide
REFERENCES = (":", "--", "-.")
PANEL_HEIGHT_INCHES = 4.6  # of the panels with the lines of all ways


def error_by_examples(
    recorded: Trials, live: Trials | None = None,
    reference: Mapping[str, Mapping[str, Mapping[int, float]]] | None = None,
) -> "Figure":  # fmt: skip
    """Mean absolute error against training items, a panel a split, a line a way; faint marks are single seeds.

    All panels share one axis of errors.

    Args:
        recorded: trials to draw as lines.
        live: trials of now, drawn last, as large marks with a black outline.
        reference: split → name → training items → error in US dollars, of models to beat; grey lines.
    """
    figure, columns = panels(len(recorded.held_out))
    figure.set_figheight(PANEL_HEIGHT_INCHES)
    for axes, split in zip(columns, recorded.held_out, strict=True):
        new_axes(axes, f"Error on {split}", "training items (log scale)", "mean absolute error, USD")
        _panel(axes, recorded, split, live, (reference or {}).get(split, {}))
    for axes in columns[1:]:
        axes.sharey(columns[0])
    columns[0].autoscale(axis="y")
    one_legend(figure, *columns)
    return finished(columns[0])


def _panel(
    axes: "Axes", recorded: Trials, split: str, live: Trials | None, reference: Mapping[str, Mapping[int, float]]
) -> None:
    for key, (colour, marker, line) in FORMS.items():
        found = recorded.by_size(split).get(WAYS[key].words, {})
        sizes = sorted(found)
        for size in sizes:
            places = [size * SIDEWAYS[key]] * len(found[size])
            axes.plot(places, found[size], marker, color=colour, alpha=0.3, markersize=5, markeredgewidth=0)
        means = [float(np.mean(found[size])) for size in sizes]
        places = [size * SIDEWAYS[key] for size in sizes]
        axes.plot(places, means, color=colour, linestyle=line, linewidth=2, marker=marker, markersize=4,
                  label=words(WAYS[key].words))  # fmt: skip
        for items, error in _live_marks(live, key, split):
            axes.plot(items * SIDEWAYS[key], error, marker, color=colour, markersize=10, markeredgecolor="black",
                      markeredgewidth=1.6, zorder=5)  # fmt: skip
    for (name, by_size), line in zip(reference.items(), REFERENCES, strict=False):
        sizes = sorted(by_size)
        axes.plot(sizes, [by_size[s] for s in sizes], color="dimgrey", linestyle=line, linewidth=2, label=words(name))
    if live:
        axes.plot([], [], "o", color="white", markersize=10, markeredgecolor="black", markeredgewidth=1.6,
                  label="measured just now")  # fmt: skip
    ticks = sorted(
        {trial.items for trial in recorded.trials} | {trial.items for trial in (live.trials if live else ())}
    )
    axes.set_xscale("log")
    axes.xaxis.set_ticks(ticks, [f"{size:,}" for size in ticks])
    axes.xaxis.set_ticks([], minor=True)


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
