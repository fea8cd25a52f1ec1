"""One style for all figures: colours, sizes, axes with units, and a figure that pyplot does not hold on to.

Colours are Okabe and Ito's, which colour-blind readers tell apart; text stays readable at half width. Whatever is told
apart by colour is told apart by form or place as well.
"""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito, "Color Universal Design" (2008)
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, YELLOW = "#56B4E9", "#CC79A7", "#F0E442"
DPI = 100
PANEL_INCHES = (6.4, 3.8)
FONT_POINTS = 12


def usd(dollars: float) -> str:
    """Dollars as a shop writes them: whole from $10 on, below with cents if any; "no price" for NaN."""
    if not np.isfinite(dollars):
        return "no price"
    return f"${dollars:,.0f}" if dollars >= 10 or dollars == round(dollars) else f"${dollars:,.2f}"


def panels(columns: int = 1, rows: int = 1, share_y: bool = False) -> "tuple[Figure, list[Axes]]":
    """A new figure with panels to draw on, which pyplot forgets at once; ``share_y`` gives all one vertical scale."""
    import matplotlib.pyplot as plt

    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows)
    form: dict[str, Any] = {"figsize": size, "dpi": DPI, "layout": "constrained"}
    figure, axes = plt.subplots(rows, columns, squeeze=False, sharey=share_y, **form)
    plt.close(figure)
    return figure, list(axes.flat)


def new_axes(ax: "Axes | None", title: str, x_label: str, y_label: str) -> "Axes":
    axes = ax if ax is not None else panels()[1][0]
    axes.set_title(words(title), fontsize=FONT_POINTS + 1, loc="left")
    axes.set_xlabel(x_label, fontsize=FONT_POINTS)
    axes.set_ylabel(y_label, fontsize=FONT_POINTS)
    axes.tick_params(labelsize=FONT_POINTS - 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    return axes


def finished(axes: "Axes") -> "Figure":
    """The figure, which pyplot must not hold: otherwise a notebook shows it a second time."""
    figure = axes.figure
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    return figure  # type: ignore[return-value]


def one_legend(figure: "Figure", *panels: "Axes") -> None:
    """A single legend below all panels, each label of theirs once."""
    labelled: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            labelled.setdefault(label, handle)
    figure.legend(labelled.values(), labelled.keys(), frameon=False, fontsize=FONT_POINTS - 1, ncols=4,
                  loc="outside lower center")  # fmt: skip


def legend_below(axes: "Axes") -> None:
    axes.legend(frameon=False, fontsize=FONT_POINTS - 1, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.22))


def words(text: str) -> str:
    """Text as it is: matplotlib would read what stands between two dollar signs as a formula."""
    return text.replace("$", r"\$")
