"""A large number as a person enters it: a text field that takes "8 B" or "2e12", with a slider on a log scale below.

The field is for exact numbers, the keyboard and screen readers, the slider for trying out. Made of core ipywidgets.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from pricelab.costs import human_number

FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
NUMBER = re.compile(r"([0-9][0-9, ]*(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,3})?)\s*([kmbgt]?)", re.IGNORECASE)
MAX_CHARACTERS = 40
STEP = 0.05  # of the slider, in powers of ten


def parsed(value: float | str) -> float:
    """The number itself, or the one that a text like ``"8 B"``, ``"135M"``, ``"1,000,000"`` or ``"2e12"`` stands for.

    Raises:
        ValueError: it is no finite number.
    """
    match = NUMBER.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= MAX_CHARACTERS else None
    if match:
        value = float(re.sub("[, ]", "", match[1])) * FACTORS[match[2].lower()]
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    given = value if len(str(value)) <= MAX_CHARACTERS else str(value)[:MAX_CHARACTERS] + "…"
    raise ValueError(f"“{given}” is no number; write for example 8 B, 135 M, 20,000 or 2e12")


def number_if_any(value: float | str) -> float | str:
    """The number that a value stands for, or the value as it is where it stands for none."""
    try:
        return parsed(value)
    except ValueError:
        return value


class Quantity:
    """A labelled field and its slider for a number from ``low`` to ``high``, both positive.

    Args:
        label: what the number is.
        on_change: called with the text of the field whenever it changes, also by ``show``, or with the number that the
            slider was moved to.
    """

    def __init__(self, label: str, low: float, high: float, on_change: Callable[[float | str], None]) -> None:
        import ipywidgets as w

        self.low, self.high, self.on_change = low, high, on_change
        self.place = math.nan  # where the slider belongs
        wide = w.Layout(width="auto")
        self.field = w.Text(
            description=label, continuous_update=False, layout=wide, style={"description_width": "auto"}
        )
        ends = {"min": math.log10(low), "max": math.log10(high), "value": low}
        self.slider = w.FloatLogSlider(step=STEP, readout=False, layout=wide, **ends)
        self.field.observe(lambda change: on_change(change["new"]), "value")
        self.slider.observe(lambda change: self._slid(change["new"]), "value")
        self.view = w.VBox([self.field, self.slider])

    @property
    def controls(self) -> tuple[Any, Any]:
        """What a person can touch."""
        return self.field, self.slider

    def show(self, value: float | str) -> None:
        """Put a number into field and slider, which stops at its ends; a text that is no number stands as it is."""
        self.field.value = value if isinstance(value, str) else human_number(value)
        self.place = math.nan if isinstance(value, str) else min(max(value, self.low), self.high)
        if not self._in_place(self.slider.value) and not math.isnan(self.place):
            self.slider.value = self.place

    def _slid(self, value: float) -> None:
        """Pass a number on, but not the one shown: a slider answers with what it was put to, rounded to its steps."""
        if not self._in_place(value):
            self.on_change(float(f"{value:.2g}"))

    def _in_place(self, value: float) -> bool:
        return abs(math.log10(value / self.place)) <= STEP / 2
