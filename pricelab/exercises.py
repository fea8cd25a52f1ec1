"""Judges for the notebooks' exercises: what is right, and which misconception a wrong answer points to.

``checks.check`` prints what a judge says. This module knows answers and misconceptions, no notebook and no
model. To add an exercise, add one entry to ``_IN_ORDER``::

    Exercise("07-memory", number(67.5, "half a byte each", wrong={135: "that is one byte a weight"})),
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RELATIVE_TOLERANCE = 0.01


@dataclass(frozen=True)
class Verdict:
    """What a judge says about an answer."""

    right: bool
    message: str  # the reason when right, the likely misconception when wrong


Judge = Callable[[Any], Verdict | None]
"""An answer that is not blank → its verdict, or ``None`` when the judge finds it blank after all."""


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook."""

    id: str  # notebook number and a word, such as "07-memory"
    judge: Judge


def number(
    expected: float,
    right: str,
    *,
    wrong: Mapping[float, str] | None = None,
    hint: str = "look at the hint below the cell",
    tolerance: float = RELATIVE_TOLERANCE,
    unit: str = "",
) -> Judge:
    """A judge of numbers.

    Args:
        expected: the right answer.
        right: why it is right; printed after the ✓.
        wrong: typical wrong answers, each with the misconception behind it.
        hint: said for any other number.
        tolerance: relative; 0.01 accepts 1 % either way.
        unit: of the answer, for the messages.
    """

    def judge(answer: Any) -> Verdict:
        given = as_number(answer)
        if given is None:
            return Verdict(False, f"a number is expected, this is {_kind(answer)}")
        if math.isclose(given, expected, rel_tol=tolerance):
            return Verdict(True, right)
        for value, misconception in (wrong or {}).items():
            if math.isclose(given, value, rel_tol=tolerance):
                return Verdict(False, misconception)
        size = "too large" if given > expected else "too small" if given < expected else "not a finite number"
        return Verdict(False, f"{given:g}{f' {unit}' if unit else ''} is {size}; {hint}")

    return judge


def choice(expected: str, right: str, wrong: Mapping[str, str]) -> Judge:
    """A judge of one word among a few: ``expected``, or a key of ``wrong`` (word → misconception)."""
    words = {word.casefold(): misconception for word, misconception in wrong.items()}

    def judge(answer: Any) -> Verdict:
        given = answer.strip().casefold() if isinstance(answer, str) else None
        if given == expected.casefold():
            return Verdict(True, right)
        options = ", ".join(sorted([expected, *wrong], key=str.casefold))
        return Verdict(False, words.get(given or "", f"choose one of: {options}"))

    return judge


def as_number(answer: Any) -> float | None:
    """Read a number, a one-element array or text such as "1,299" or "$12"; ``None`` for anything else."""
    if isinstance(answer, bool):
        return None
    if isinstance(answer, str):
        answer = answer.strip().removeprefix("$").removesuffix("%").replace(",", "")
    try:
        return float(answer.item() if hasattr(answer, "item") else answer)
    except Exception:  # any object may come here, and a foreign __float__ may raise anything
        return None


def _kind(answer: Any) -> str:
    return f"the text {answer[:30]!r}" if isinstance(answer, str) else f"of type {type(answer).__name__}"


_IN_ORDER: tuple[Exercise, ...] = (
    Exercise(
        "00-format",
        choice(
            "A",
            "whole dollars and nothing else",
            wrong={
                "B": "the prompt already ends with the dollar sign; the answer would read $$24",
                "C": "cents are a good price and a broken format: the contract says whole dollars",
                "D": "a person can read it; a program that expects digits alone can't",
            },
        ),
    ),
    Exercise(
        "00-constant",
        number(
            12,
            "the median: as many products above it as below, so no step to either side pays",
            wrong={
                51: "that is the mean; it makes the squared error smallest, and one expensive product drags it up",
                102: "that is the middle between the extremes; four of the five products lie far below it",
                4: "the cheapest is far from everything else; try moving up and watch the errors",
                200: "the dearest is far from everything else; try moving down and watch the errors",
            },
            unit="dollars",
        ),
    ),
    Exercise(
        "07-adapter",
        number(
            9216,
            "8 · 576 for A and 576 · 8 for B",
            wrong={
                331776: "that is the layer's own weight matrix, which stays frozen",
                4608: "that is one of the two thin matrices; LoRA trains A and B",
                5308416: "A and B are added up, not multiplied",
                1152: "each of the 8 ranks brings a row of A and a column of B: multiply by 8",
            },
        ),
    ),
    Exercise(
        "07-memory",
        number(
            4,
            "half a byte a weight (the block scales of NF4 add a little: notebook 06)",
            wrong={
                32: "that is four *bytes* a weight, fp32; a byte has eight bits",
                16: "that is two bytes a weight, bf16",
                8: "that is one byte a weight, int8",
                4e9: "that is the number of bytes; a gigabyte is a thousand million of them",
                2: "that is two bits a weight",
            },
            unit="GB",
        ),
    ),
    Exercise(
        "10-median",
        number(
            20,
            "the probabilities reach one half there: 0.30 + 0.25",
            wrong={
                10: "that is the mode, the likeliest price; 70 % of the probability lies above it",
                35.5: "that is the mean; it makes the expected squared error smallest",
                25: "half-way is no better than the nearer price: the sum has passed one half at $20",
                30: "at $30 the sum is 0.80; it passes one half earlier",
            },
            unit="dollars",
        ),
    ),
    Exercise(
        "10-conformal",
        number(
            0.60,
            "the rank is 5: with five items only the largest miss is safe enough",
            wrong={
                0.20: "that is the rank without the + 1; the new item must be counted too",
                0.05: "that is the median miss; an interval moved by it would hold half the prices",
                -0.30: "sort from the smallest; a negative miss lies inside the interval",
                0.80: "0.8 is the share of prices to hold, not a distance",
            },
        ),
    ),
)
EXERCISES = {exercise.id: exercise for exercise in _IN_ORDER}
