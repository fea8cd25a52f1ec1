"""What the notebooks ask of the learner: exercises, ten prices, progress. Notebook 00 introduces them.

Everything here prints one or two lines and never stops "Run all": an exercise is right, wrong or not answered yet.
Which answer is right stands in ``exercises``, what an experiment shows in ``claims``, what was expected of it in
``predictions``, what is kept in ``scorebook``. The notebooks import all of them from here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pricelab import scorebook
from pricelab.bootstrap import dollars
from pricelab.claims import Measured, claim, verdict
from pricelab.exercises import EXERCISES, Verdict, as_number, is_blank
from pricelab.predictions import compare, predict, reveal
from pricelab.show import Table, html_table, text_table

__all__ = [
    "Line", "Measured", "Progress", "check", "claim", "compare", "is_blank", "predict", "progress", "reveal",
    "score_guesses", "verdict",
]  # fmt: skip

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


def score_guesses(
    guesses: Sequence[float | None] | None, prices: Sequence[float], usual: float | None = None
) -> Table | None:
    """Score the learner's guesses of ``prices`` (dollars) and put them on the leaderboard; blank ones are skipped.

    Returns guess and true price of each product as a table, beside ``usual``, one price for all of them, where it is
    given; ``None`` while nothing was guessed.
    """
    from pricelab.evaluation import Leaderboard, evaluate
    from pricelab.needs import leaderboard_path

    if is_blank(guesses) or not isinstance(guesses, Sequence) or len(guesses) != len(prices):
        print(f"no guesses yet: give a list of {len(prices)} prices in dollars to join the leaderboard")
        return None
    numbers = [as_number(guess) for guess in guesses]
    given = {place: guess for place, guess in enumerate(numbers) if guess and math.isfinite(guess) and guess > 0}
    if not given:
        print("none of the guesses is a positive number of dollars")
        return None
    truth = [prices[place] for place in given]
    score = evaluate(truth, list(given.values()), name="you")
    Leaderboard(leaderboard_path()).add(score, "ten guesses")
    print(f"you are off by {dollars(score.mae.value)} on average over {score.n} products")
    if usual is not None:
        always = evaluate(truth, [usual] * len(truth)).mae.value
        print(f"who always says {dollars(usual)} is off by {dollars(always)} on the same ones")
    return Table(
        ("product", "you", "true price", "you are off by"),
        [_guessed(place, given.get(place), price) for place, price in enumerate(prices)],
    )


def _guessed(place: int, guess: float | None, price: float) -> tuple[str, str, str, str]:
    if guess is None:
        return str(place + 1), "–", dollars(price), "–"
    return str(place + 1), dollars(guess), dollars(price), dollars(abs(guess - price))
