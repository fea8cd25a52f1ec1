"""What the notebooks ask and what they found: claims, exercises, predictions. Notebook 00 introduces them.

Everything here prints one or two lines and never stops "Run all": an empirical statement is *shown*,
*not shown* or *undecided*; an exercise is right, wrong or not answered yet; a prediction is optional.
Which answer is right stands in ``exercises``, how an interval is computed in ``evaluation``, what is kept in
``scorebook``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pricelab import scorebook
from pricelab.exercises import EXERCISES, Verdict, as_number
from pricelab.show import html_table, text_table

CLOSE_ENOUGH = 0.25  # a predicted number within a quarter of the measured one counts as right
DIRECTIONS = ("up", "down", "same")


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


# ---- claims


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
    evidence = [f"{_signed(value)} {unit}".rstrip(), f"95 % interval {_signed(low)} to {_signed(high)}"]
    evidence += [] if n is None else [f"n = {n:,}"]
    print(f"{verdict(low, high)}: {statement} ({', '.join(evidence)})")


def _signed(value: float) -> str:
    """A number with its sign and about three digits; an integer above 100."""
    size = abs(value)
    if size >= 100:
        return f"{value:+,.0f}"
    return f"{value:+.2f}" if size >= 0.1 or size == 0 else f"{value:+.2g}"


# ---- exercises


def check(exercise_id: str, answer: Any = None) -> None:
    """Print whether an answer is right (✓), wrong with the likely misconception (✗), or not given yet.

    Raises:
        ValueError: no such exercise. An answer never raises, whatever its type.
    """
    if exercise_id not in EXERCISES:
        known = ", ".join(sorted(EXERCISES)) or "none yet"
        raise ValueError(f"no exercise {exercise_id!r}; there are: {known}")
    try:
        result = None if is_blank(answer) else EXERCISES[exercise_id].judge(answer)
    except Exception as error:  # an answer of any type may break a judge; the learner still gets a sentence
        kinds = f"{type(answer).__name__}: {type(error).__name__}"
        result = Verdict(False, f"this answer cannot be read ({kinds})", recognised=False)
    if result is None:
        print(f"{exercise_id}: not answered yet")
        return
    print(f"{'✓' if result.right else '✗'} {exercise_id}: {result.message}")
    before = scorebook.read("exercises").get(exercise_id, {})
    solved = result.right or before.get("solved", False)
    scorebook.write("exercises", exercise_id, {"solved": solved, "tries": before.get("tries", 0) + 1})


def is_blank(answer: Any) -> bool:
    """Whether an answer is still the stub's: ``None``, ``...`` or empty text."""
    return answer is None or answer is ... or (isinstance(answer, str) and not answer.strip())


# ---- how far the learner is


def progress() -> "Progress":
    """Exercises solved and predictions that came true, by notebook; kept in one file on this machine."""
    solved = {name for name, entry in scorebook.read("exercises").items() if entry.get("solved")}
    scored = {name: entry["right"] for name, entry in scorebook.read("predictions").items() if "right" in entry}
    notebooks = sorted({name[:2] for name in (*EXERCISES, *scored)})
    return Progress(tuple(_line(notebook, solved, scored) for notebook in notebooks))


def _line(notebook: str, solved: set[str], scored: dict[str, bool]) -> "Line":
    here = [exercise for name, exercise in EXERCISES.items() if name.startswith(notebook)]
    right = [came_true for name, came_true in scored.items() if name.startswith(notebook)]
    left = sum(exercise.minutes for exercise in here if exercise.id not in solved)
    return Line(notebook, sum(exercise.id in solved for exercise in here), len(here), left, sum(right), len(right))


@dataclass(frozen=True)
class Line:
    """How far the learner is in one notebook."""

    notebook: str  # its number
    solved: int
    exercises: int
    minutes_left: int  # for the exercises not solved yet
    came_true: int
    predictions: int  # that were made and measured


@dataclass(frozen=True)
class Progress:
    """How far the learner is; shows itself as a table."""

    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return text_table(self._headers, self._rows())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(self._headers, self._rows())

    _headers = ("notebook", "exercises solved", "minutes left", "predictions right")

    def _rows(self) -> list[tuple[str, str, str, str]]:
        counts = [(one.solved, one.exercises, one.minutes_left, one.came_true, one.predictions) for one in self.lines]
        total = Line("all", *(sum(column) for column in zip(*counts, strict=True)))
        return [
            (one.notebook, f"{one.solved} of {one.exercises}", str(one.minutes_left), _share(one))
            for one in (*self.lines, total)
        ]


def _share(line: Line) -> str:
    return f"{line.came_true} of {line.predictions}" if line.predictions else "none made"


# ---- the learner's own prices


def score_guesses(guesses: Sequence[float | None] | None, prices: Sequence[float]) -> None:
    """Score the learner's guesses of ``prices`` (dollars) and put them on the leaderboard; blank ones are skipped."""
    from pricelab.evaluation import Leaderboard, evaluate
    from pricelab.needs import leaderboard_path

    if is_blank(guesses) or not isinstance(guesses, Sequence) or len(guesses) != len(prices):
        print(f"no guesses yet: give a list of {len(prices)} prices in dollars to join the leaderboard")
        return
    pairs = [(as_number(guess), price) for guess, price in zip(guesses, prices, strict=True)]
    given = [(guess, price) for guess, price in pairs if guess is not None and math.isfinite(guess) and guess > 0]
    if not given:
        print("none of the guesses is a positive number of dollars")
        return
    score = evaluate([price for _, price in given], [guess for guess, _ in given], name="you")
    Leaderboard(leaderboard_path()).add(score, "ten guesses")
    print(f"you are off by ${score.mae.value:.2f} on average over {score.n} products")


# ---- predictions


def predict(prediction_id: str, question: str, answer: Any = None) -> None:
    """Keep the learner's prediction before an experiment: a number, or "up", "down" or "same". Optional."""
    print(question)
    if is_blank(answer):
        earlier = scorebook.read("predictions").get(prediction_id)
        print(f"your earlier prediction stands: {earlier['answer']}" if earlier else "no prediction made")
        return
    guess = _prediction(answer)
    if guess is None:
        print(f"not kept: a prediction is a number or one of {', '.join(DIRECTIONS)}")
        return
    scorebook.write("predictions", prediction_id, {"question": question, "answer": guess})
    print(f"your prediction: {guess}")


def reveal(prediction_id: str, actual: Any) -> None:
    """Compare what happened (a number or a direction) with the prediction of the same id; keep the score."""
    happened = _prediction(actual)
    if happened is None:
        print(f"nothing was measured ({type(actual).__name__}), so there is nothing to compare")
        return
    entry = scorebook.read("predictions").get(prediction_id)
    if entry is None:
        print(f"it was {happened}; no prediction was made")
        return
    right, words = compare(entry["answer"], happened)
    scorebook.write("predictions", prediction_id, {**entry, "actual": happened, "right": right})
    scored = [one["right"] for one in scorebook.read("predictions").values() if "right" in one]
    print(f"you said {entry['answer']}, it was {happened}: {words}")
    print(f"right so far: {sum(scored)} of {len(scored)}")


def compare(guess: float | str, actual: float | str) -> tuple[bool, str]:
    """Whether a prediction was right, and in words: numbers agree within a quarter, directions by sign."""
    if isinstance(guess, str) or isinstance(actual, str):
        same = _direction(guess) == _direction(actual)
        return same, "right" if same else "the other way" if "same" not in (guess, actual) else "not so"
    if guess == actual:
        return True, "exactly right"
    side = "low" if guess < actual else "high"
    if abs(guess - actual) <= CLOSE_ENOUGH * abs(actual):
        return True, f"close, a little {side}"
    return False, f"too {side}"


def _direction(value: float | str) -> str:
    return value if isinstance(value, str) else "up" if value > 0 else "down" if value < 0 else "same"


def _prediction(answer: Any) -> float | str | None:
    """A finite number rounded to four digits, a direction, or ``None`` for anything else."""
    if isinstance(answer, str) and answer.strip().casefold() in DIRECTIONS:
        return answer.strip().casefold()
    value = as_number(answer)
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")
