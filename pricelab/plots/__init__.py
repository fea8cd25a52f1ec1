"""The workbook's figures, all in one style (`style`), by what they show.

Each function returns a matplotlib ``Figure`` that pyplot does not hold on to, so a notebook shows it once, as the value
of the cell's last line.
"""

from pricelab.plots.prices import (
    decades,
    error_bars,
    loss_curve,
    predicted_against_true,
    price_distribution,
    price_histogram,
)
from pricelab.plots.style import BLUE, VERMILION, panels, usd

__all__ = [
    "BLUE", "VERMILION", "decades", "error_bars", "loss_curve", "panels", "predicted_against_true",
    "price_distribution", "price_histogram", "usd",
]  # fmt: skip
