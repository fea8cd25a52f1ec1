"""Numbers that were stored, a manifest's above all: each lies where it can lie, or a sentence says that it doesn't."""

import math
from typing import Any


def check_number(name: str, value: Any, low: float, high: float = math.inf) -> None:
    """Refuse what is no finite number from ``low`` to ``high``, with a `ValueError` that names it."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} is {value!r}, expected a number from {low:g} to {high:g}")
