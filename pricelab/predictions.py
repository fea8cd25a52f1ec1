"""What a learner expects of an experiment, asked before it runs and compared with what happened. Always optional.

What is kept stands in ``scorebook``. Notebook 00 makes the first prediction.
"""

import math
from typing import Any

from pricelab import scorebook
from pricelab.claims import with_interval
from pricelab.exercises import as_number, is_blank

CLOSE_ENOUGH = 0.25  # a predicted number within a quarter of the measured one counts as right
CLOSE_COUNT = 0.05  # a count too, when it is off by at most this share of all: by one in twenty
DIRECTIONS = ("up", "down", "same")
UNDECIDED = "undecided"


def predict(prediction_id: str, question: str, answer: Any = None) -> None:
    """Keep the learner's prediction before an experiment: a number, or "up", "down" or "same". Optional."""
    print(question)
    if is_blank(answer):
        earlier = scorebook.read("predictions").get(prediction_id)
        print(f"your earlier prediction stands: {_plain(earlier['answer'])}" if earlier else "no prediction made")
        return
    guess = _prediction(answer)
    if guess is None:
        print(f"not kept: a prediction is a number or one of {', '.join(DIRECTIONS)}")
        return
    scorebook.write("predictions", prediction_id, {"question": question, "answer": guess})
    print(f"your prediction: {_plain(guess)}")


def reveal(
    prediction_id: str,
    actual: Any,
    *,
    unit: str = "",
    of: int | None = None,
    direction: bool = False,
    interval: tuple[float, float] | None = None,
) -> None:
    """Compare what happened with the prediction of the same id, say it in words and keep the score.

    Args:
        prediction_id: as given to ``predict``.
        actual: what was measured: a number, a direction, or anything with ``value, low, high``.
        unit: of the number, for example "dollars".
        of: how many there were, where the number counts some of them; a guess off by 5 % of that is close.
        direction: whether the question was where something goes: the answer is then "up", "down" or "same", with the
            number in brackets; "undecided", and not scored, when the interval holds zero.
        interval: the 95 % interval of a bare number.
    """
    if hasattr(actual, "low") and hasattr(actual, "high"):
        actual, interval = actual.value, (actual.low, actual.high)
    happened = _prediction(actual)
    if happened is None:
        print(f"nothing was measured ({type(actual).__name__}), so there is nothing to compare")
        return
    outcome, told = happened, f"{_plain(happened)}{f' of {of:,}' if of else ''} {unit}".rstrip()
    if direction and (number := as_number(actual)) is not None:
        outcome = UNDECIDED if interval and interval[0] <= 0 <= interval[1] else _direction(number)
        told = f"{outcome} ({with_interval(number, interval, unit)})"
    entry = scorebook.read("predictions").get(prediction_id)
    if entry is None:
        print(f"it was {told}; no prediction was made")
        return
    said = f"you said {_plain(entry['answer'])}, it was {told}"
    if outcome == UNDECIDED:
        print(f"{said}: not scored")
        return
    right, words = compare(entry["answer"], outcome, slack=CLOSE_COUNT * (of or 0))
    scorebook.write("predictions", prediction_id, {**entry, "actual": outcome, "right": right})
    scored = [one["right"] for one in scorebook.read("predictions").values() if "right" in one]
    print(f"{said}: {words}")
    print(f"right so far: {sum(scored)} of {len(scored)}")


def compare(guess: float | str, actual: float | str, slack: float = 0.0) -> tuple[bool, str]:
    """Whether a prediction was right, and in words: directions agree by sign, numbers within a quarter or ``slack``."""
    if isinstance(guess, str) or isinstance(actual, str):
        same = _direction(guess) == _direction(actual)
        return same, "right" if same else "the other way" if "same" not in (guess, actual) else "not so"
    if guess == actual:
        return True, "exactly right"
    side = "low" if guess < actual else "high"
    if abs(guess - actual) <= max(CLOSE_ENOUGH * abs(actual), slack):
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


def _plain(value: float | str) -> str:
    """A direction as it is, a whole number without decimals, another one with four digits at most."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == round(value) else f"{value:.4g}"
