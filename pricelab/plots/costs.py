"""Figures of what training costs: memory by part, and a ladder of arithmetic. Notebook 01 draws them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pricelab.costs import Budget, Hardware, ladder, this_machine
from pricelab.costs.units import human_bytes, human_flops
from pricelab.plots import style
from pricelab.plots.style import FONT_POINTS, finished, legend_below, new_axes, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# colour and hatch of each part, so that they are told apart in grey as well
PARTS = {
    "weights": (style.BLUE, ""),
    "gradients": (style.ORANGE, "//"),
    "optimizer": (style.GREEN, "xx"),
    "activations": (style.SKY, ".."),
    "logits": (style.YELLOW, "\\\\"),
}
GIGABYTE = 1e9


def memory_by_part(
    budgets: Sequence[Budget],
    labels: Sequence[str] | None = None,
    limit: Hardware | None = None,
    ax: "Axes | None" = None,
) -> "Figure":
    """A bar for each plan, made of its five parts of memory, with the total at its end.

    Args:
        budgets: from ``costs.budget``, drawn from top to bottom.
        labels: names of the bars; by default method, rank and format, and the model's name where there are several.
        limit: a device whose memory is drawn as a line.
        ax: draw here instead of on a new figure.
    """
    models = {budget.plan.shape.name for budget in budgets}
    title = "Memory of a training step" + (f", {models.pop()}" if len(models) == 1 else "")
    axes = new_axes(ax, title, "GB, at the peak", "")
    rows, left = np.arange(len(budgets)), np.zeros(len(budgets))
    for part, (colour, hatch) in PARTS.items():
        sizes = np.array([budget.memory.parts[part] / GIGABYTE for budget in budgets])
        axes.barh(rows, sizes, 0.6, left, color=colour, hatch=hatch, edgecolor="black", linewidth=0.4, label=part)
        left += sizes
    for row, budget in zip(rows, budgets, strict=True):
        axes.annotate(
            human_bytes(budget.memory.total), (left[row], row), (5, 0), textcoords="offset points", va="center",
            fontsize=FONT_POINTS - 1, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    axes.set_yticks(rows, [words(label) for label in labels or [_label(budget) for budget in budgets]])
    axes.set_xlim(0, 1.2 * max([*left, limit.memory / GIGABYTE if limit else 0]))
    if limit is not None:
        size = f"{words(limit.name)} has {human_bytes(limit.memory)}"
        axes.axvline(limit.memory / GIGABYTE, color="black", linestyle="--", linewidth=2, zorder=0.9, label=size)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    legend_below(axes)
    return finished(axes)


def compute_ladder(rungs: Sequence[tuple[str, float]] | None = None, ax: "Axes | None" = None) -> "Figure":
    """Training runs by their arithmetic, on an axis whose ticks lie a factor of a thousand apart.

    Args:
        rungs: name and FLOPs of each; by default ``costs.ladder`` of this machine, which is measured for a second.
            The smallest is drawn with a mark of its own.
        ax: draw here instead of on a new figure.
    """
    rungs = sorted(rungs if rungs is not None else ladder(this_machine()), key=lambda rung: rung[1])
    flops = np.array([rung[1] for rung in rungs])
    factor = human_flops(float(f"{flops[-1] / flops[0]:.0e}")).removesuffix(" FLOPs")
    title = f"Arithmetic of training: a factor of {factor}"
    axes = new_axes(ax, title, "floating-point operations (log scale)", "")
    start, rows = flops[0] / 30, np.arange(len(rungs))
    axes.hlines(rows, start, flops, color="0.75", linewidth=2)
    axes.plot(flops[1:], rows[1:], "o", color=style.BLUE, markersize=8)
    axes.plot(flops[:1], rows[:1], "D", color=style.VERMILION, markersize=9)
    for row, value in zip(rows, flops, strict=True):
        told = human_flops(value).removesuffix(" FLOPs")
        axes.annotate(told, (value, row), (9, 0), textcoords="offset points", va="center", fontsize=FONT_POINTS - 2)
    axes.set_yticks(rows, [words(rung[0]) for rung in rungs])
    axes.set(xscale="log", xlim=(start, flops[-1] * 3e3))
    exponents = range(3 * int(np.ceil(np.log10(start) / 3)), int(np.log10(flops[-1])) + 1, 3)
    axes.set_xticks([10.0**power for power in exponents], [f"$10^{{{power}}}$" for power in exponents])
    axes.minorticks_off()
    axes.grid(visible=False, axis="y")
    return finished(axes)


def _label(budget: Budget) -> str:
    plan = budget.plan
    name = {"lora": "LoRA", "qlora": "QLoRA"}.get(plan.method, plan.method)
    rank = f" r = {plan.rank}" if plan.adapts else ""
    return f"{name}{rank}, {plan.weight_format}" + (", checkpointing" if plan.checkpointing else "")
