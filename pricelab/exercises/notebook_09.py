"""Exercises of notebook 09."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from pricelab.exercises.judges import Exercise, function, number


def _best(losses: Sequence[float]) -> int:
    return min(range(len(losses)), key=lambda i: losses[i])


def _stops(losses: Sequence[float], patience: int, waited: Callable[[Sequence[float], int], int]) -> int:
    """The first evaluation by which ``waited(losses so far, now)`` has reached the patience, or the last one."""
    for now in range(len(losses)):
        if waited(losses[: now + 1], now) >= patience:
            return now
    return len(losses) - 1


def _since_best(seen: Sequence[float], now: int) -> int:
    return now - _best(seen)


def _rises_in_a_row(seen: Sequence[float], now: int) -> int:
    count = 0
    while count < now and seen[now - count] >= seen[now - count - 1]:
        count += 1
    return count


def _without_gain(seen: Sequence[float], now: int) -> int:
    return sum(seen[i] >= min(seen[:i]) for i in range(1, now + 1))


def _stopping(losses: list[float], patience: int, waited: Any = _since_best) -> tuple[int, int]:
    stop = _stops(losses, patience, waited)
    return stop, _best(losses[: stop + 1])


def _curves() -> list[tuple[list[float], int]]:
    return [
        ([3.0, 2.0, 2.1, 2.2, 1.5, 1.6, 1.55, 1.58, 1.0], 2),
        ([3.0, 2.0, 2.5, 1.9, 2.2, 2.1, 2.0], 2),
        ([2.0, 1.8, 1.7, 1.6], 2),
    ]


def _leaked(train: list[str], test: list[str]) -> list[int]:
    known = {_normal(text) for text in train}
    return [row for row, text in enumerate(test) if _normal(text) in known]


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _catalogs() -> list[tuple[list[str], list[str]]]:
    return [
        (["Red  kettle", "blue mug", "a lamp\nof brass"], ["green mug", "red kettle", "A lamp of brass", "Blue Mug"]),
        (["Oak chair", "oak  table"], ["oak table", "Oak chair", "oak", "oak chair"]),
    ]


EXERCISES = (
    Exercise(
        "09-stop",
        "medium",
        6,
        function(
            _stopping,
            _curves,
            "count from the best loss so far, and go back to it",
            {
                "this counts rises in a row; a loss that falls a little but stays above the best is no gain either": (
                    lambda losses, patience: _stopping(losses, patience, _rises_in_a_row)
                ),
                "it stops rightly, but keeps the last weights: go back to the best ones": (
                    lambda losses, patience: (_stops(losses, patience, _since_best),) * 2
                ),
                "one too late: stop when the patience is reached, not when it is passed": (
                    lambda losses, patience: _stopping(losses, patience + 1)
                ),
                "the count must start anew at every new best": (
                    lambda losses, patience: _stopping(losses, patience, _without_gain)
                ),
                "this looks at the whole run, which early stopping never gets to see": (
                    lambda losses, patience: (len(losses) - 1, _best(losses))
                ),
            },
        ),
    ),
    Exercise(
        "09-perplexity",
        "easy",
        3,
        number(
            4,
            "exp of the mean of ln 2, ln 4 and ln 8: the geometric mean of 2, 4 and 8",
            wrong={
                14 / 3: "that is the plain mean of 1/p; perplexity averages the losses, which are logarithms, first",
                math.log(4): "that is the mean loss in nats; perplexity is exp of it",
                2: "that is the mean loss in bits; perplexity is 2 to that power",
                64: "the losses were added up but not divided by the number of tokens",
                1 / (7 / 24): "that is 1 over the mean probability; average the logarithms, not the probabilities",
            },
        ),
    ),
    Exercise(
        "09-leak",
        "medium",
        5,
        function(
            _leaked,
            _catalogs,
            "written alike but for case and spaces: seen before",
            {
                "it finds exact copies only: case and spaces hide the others": (
                    lambda train, test: [row for row, text in enumerate(test) if text in train]
                ),
                "case is handled, but doubled spaces and line breaks still hide copies": lambda train, test: [
                    row for row, text in enumerate(test) if text.lower() in {one.lower() for one in train}
                ],
                "spaces are handled, but capitals still hide copies": lambda train, test: [
                    row
                    for row, text in enumerate(test)
                    if " ".join(text.split()) in {" ".join(one.split()) for one in train}
                ],
                "these are the rows of train; a score is faked by rows of test": lambda train, test: _leaked(
                    test, train
                ),
                "these are the rows that are fine; asked are those that leak": lambda train, test: [
                    row for row in range(len(test)) if row not in _leaked(train, test)
                ],
            },
        ),
    ),
)
