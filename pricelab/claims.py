"""Does an experiment show what a sentence says? *Shown*, *not shown* or *undecided*, with the numbers it rests on.

How an interval is computed is left to ``bootstrap`` and ``evaluation``. Notebook 01 makes the first claims.
"""

from typing import Protocol, runtime_checkable

WIDTH = 90  # characters of a line; a notebook breaks longer ones in the middle of a word


@runtime_checkable
class Measured(Protocol):
    """A difference with its 95 % interval, such as ``evaluation.Difference``; positive supports a claim."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def n(self) -> int: ...


def verdict(low: float, high: float) -> str:
    """The verdict on a statement whose support lies between ``low`` and ``high`` (positive supports it)."""
    if low > 0:
        return "shown"
    if high < 0:
        return "not shown; the opposite is supported"
    return "undecided"  # also for NaN: nothing was measured


def claim(
    statement: str,
    difference: Measured | float,
    *,
    interval: tuple[float, float] | None = None,
    n: int | None = None,
    unit: str = "",
) -> None:
    """Print whether an experiment shows a statement, with the numbers it rests on.

    Args:
        statement: what the experiment should show, for example "fine-tuning beats the ridge".
        difference: with ``value, low, high, n``, or a bare value with ``interval`` and ``n`` given;
            positive supports the statement.
        interval: the 95 % interval of a bare value.
        n: how many items or repetitions a bare value rests on.
        unit: of the value, for example "dollars an item".

    Raises:
        ValueError: a bare value without its interval, or an interval upside down; never for a measurement.
    """
    if isinstance(difference, Measured):
        value, low, high, n = difference.value, difference.low, difference.high, difference.n
    elif interval is None:
        raise ValueError(f"claim({statement!r}) got {difference!r} alone; pass interval=(low, high) and n=")
    else:
        value, (low, high) = difference, interval
    if low > high:
        raise ValueError(f"claim({statement!r}) got the interval ({low}, {high}); pass the lower end first")
    evidence = [with_interval(value, (low, high), unit)]
    evidence += [] if n is None else [f"n = {n:,}"]
    said, rests_on = f"{verdict(low, high)}: {statement}", f"({', '.join(evidence)})"
    print(said, rests_on, sep=" " if len(said) + len(rests_on) < WIDTH else "\n    ")


def with_interval(value: float, ends: tuple[float, float] | None, unit: str = "") -> str:
    """``"+8.38 dollars, 95 % interval +2.81 to +13.95"``; without the interval where there is none."""
    number = f"{signed(value)} {unit}".rstrip()
    return number if ends is None else f"{number}, 95 % interval {signed(ends[0])} to {signed(ends[1])}"


def signed(value: float) -> str:
    """A number with its sign and about three digits; an integer above 100."""
    size = abs(value)
    if size >= 100:
        return f"{value:+,.0f}"
    return f"{value:+.2f}" if size >= 0.1 or size == 0 else f"{value:+.2g}"
