"""Judges of answers: what is right, and which misconception a wrong answer points to.

They know numbers, words and functions, no notebook and no model; ``checks.check`` prints what they say. An exercise is
one entry in its notebook's module, such as ``notebook_07``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RELATIVE_TOLERANCE = 0.01
DIFFICULTIES = ("easy", "medium", "hard")


@dataclass(frozen=True)
class Verdict:
    """What a judge says about an answer."""

    right: bool
    message: str  # the reason when right, the likely misconception when wrong
    recognised: bool = True  # whether a wrong answer is one that we know, so that the message tells why it is wrong


Judge = Callable[[Any], Verdict | None]
"""An answer that is not blank → its verdict, or ``None`` when the judge finds it blank after all."""


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook."""

    id: str  # notebook number and a word, such as "07-memory"
    difficulty: str  # one of DIFFICULTIES
    minutes: int  # that most learners need
    judge: Judge

    def __post_init__(self) -> None:
        if self.difficulty not in DIFFICULTIES or self.minutes < 1:
            raise ValueError(
                f"exercise {self.id}: {self.difficulty!r}, {self.minutes} minutes; expected one of "
                f"{', '.join(DIFFICULTIES)} and at least 1 minute"
            )


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
            return Verdict(False, f"a number is expected, this is {_kind(answer)}", recognised=False)
        if math.isclose(given, expected, rel_tol=tolerance):
            return Verdict(True, right)
        for value, misconception in (wrong or {}).items():
            if math.isclose(given, value, rel_tol=tolerance):
                return Verdict(False, misconception)
        size = "too large" if given > expected else "too small" if given < expected else "not a finite number"
        return Verdict(False, f"{given:g}{f' {unit}' if unit else ''} is {size}; {hint}", recognised=False)

    return judge


def choice(expected: str, right: str, wrong: Mapping[str, str]) -> Judge:
    """A judge of one word among a few: ``expected``, or a key of ``wrong`` (word → misconception)."""
    words = {word.casefold(): misconception for word, misconception in wrong.items()}

    def judge(answer: Any) -> Verdict:
        given = answer.strip().casefold() if isinstance(answer, str) else None
        if given == expected.casefold():
            return Verdict(True, right)
        if given in words:
            return Verdict(False, words[given])
        options = ", ".join(sorted([expected, *wrong], key=str.casefold))
        return Verdict(False, f"choose one of: {options}", recognised=False)

    return judge


def function(
    expected: Callable[..., Any],
    cases: Callable[[], Sequence[tuple[Any, ...]]],
    right: str,
    wrong: Mapping[str, Callable[..., Any]],
    *,
    hint: str = "look at the hint below the cell",
    tolerance: float = 1e-5,
) -> Judge:
    """A judge of functions, by what they return.

    Args:
        expected: a right implementation.
        cases: makes the arguments of each call, anew for every judgement; called only when there is an answer.
        right: why it is right; printed after the ✓.
        wrong: misconception → an implementation that has it.
        hint: said for any other result.
        tolerance: absolute and relative, of each number returned.

    A function that returns ``None`` for the first case counts as not answered yet: so does a stub.
    """

    def judge(answer: Any) -> Verdict | None:
        if not callable(answer):
            return Verdict(False, f"a function is expected, this is {_kind(answer)}", recognised=False)
        try:
            given = [answer(*case) for case in cases()]
        except Exception as error:  # the learner's code may raise anything
            return Verdict(False, f"the function raises {type(error).__name__}: {error}", recognised=False)
        if given[0] is None:
            return None
        if agree(given, [expected(*case) for case in cases()], tolerance):
            return Verdict(True, right)
        for misconception, implementation in wrong.items():
            if agree(given, [implementation(*case) for case in cases()], tolerance):
                return Verdict(False, misconception)
        shapes = " and ".join(dict.fromkeys(str(np.shape(_array(one))) for one in (given[0], expected(*cases()[0]))))
        told = f"the result has another shape than expected: {shapes}" if " and " in shapes else hint
        return Verdict(False, told, recognised=False)

    return judge


def agree(given: Sequence[Any], expected: Sequence[Any], tolerance: float) -> bool:
    """Whether two series of results, numbers, arrays or tensors, are equal in shape and within the tolerance."""
    pairs = [(_array(one), _array(other)) for one, other in zip(given, expected, strict=True)]
    return all(
        one.shape == other.shape and np.allclose(one, other, rtol=tolerance, atol=tolerance) for one, other in pairs
    )


def _array(result: Any) -> np.ndarray:
    """A result as numbers; one that holds none becomes an array of NaN, which agrees with nothing."""
    if hasattr(result, "detach"):
        result = result.detach().float().cpu()
    try:
        return np.asarray(result, dtype=float)
    except (TypeError, ValueError):
        return np.array(np.nan)


def is_blank(answer: Any) -> bool:
    """Whether an answer is still the stub's: ``None``, ``...`` or empty text."""
    return answer is None or answer is ... or (isinstance(answer, str) and not answer.strip())


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
