"""Judges of answers: numbers, words and functions, and the registry of exercises."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pricelab.exercises import EXERCISES, Exercise, choice, function, number
from pricelab.exercises.judges import agree

SCALED = function(
    lambda x, scale: x / scale,
    cases=lambda: [(torch.arange(4.0), 2.0), (torch.ones(2), 4.0)],
    right="divide once",
    wrong={"that multiplies": lambda x, scale: x * scale, "the scale is missing": lambda x, scale: x},
    hint="try a scale of 2 by hand",
)


@pytest.mark.parametrize("answer", [lambda x, s: x / s, lambda x, s: (x / s).numpy(), lambda x, s: list(x / s)])
def test_a_function_is_right_whatever_holds_its_numbers(answer):
    assert SCALED(answer).right and SCALED(answer).message == "divide once"


@pytest.mark.parametrize(
    ("answer", "message", "recognised"),
    [
        (lambda x, s: x * s, "that multiplies", True),
        (lambda x, s: x, "the scale is missing", True),
        (lambda x, s: x + s, "try a scale of 2 by hand", False),
        (lambda x, s: x[:1] / s, "another shape than expected: (1,) and (4,)", False),
        (lambda x, s: "no numbers", "another shape", False),
        (lambda x, s: np.full(x.shape, np.nan), "try a scale", False),
        (lambda x: x, "raises TypeError", False),
        (lambda x, s: 1 / 0, "raises ZeroDivisionError", False),
        (3.0, "a function is expected, this is of type float", False),
    ],
)
def test_a_wrong_function_is_told_apart(answer, message, recognised):
    verdict = SCALED(answer)
    assert not verdict.right and message in verdict.message and verdict.recognised == recognised


def test_a_stub_is_not_answered_yet():
    def stub(x, scale):
        """To be written."""

    assert SCALED(stub) is None


def test_a_function_that_spoils_its_arguments_spoils_only_its_own():
    def spoil(x, scale):
        x *= 0
        return x

    assert not SCALED(spoil).right
    assert SCALED(lambda x, s: x / s).right


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0.01, 1))
def test_results_agree_with_themselves_and_not_with_a_shift(values, shift):
    array = np.array(values)
    assert agree([array], [torch.tensor(values, dtype=torch.float64)], 1e-5)
    assert not agree([array], [array + shift * (1 + np.abs(array))], 1e-5)


def test_a_known_misconception_is_recognised_and_an_unknown_number_is_not():
    judge = number(4, "half a byte", wrong={32: "four bytes"})
    assert judge(32).recognised and not judge(33).recognised and not judge("x").recognised
    word = choice("yes", "right", {"no": "because"})
    assert word("no").recognised and not word("perhaps").recognised


@pytest.mark.parametrize(("difficulty", "minutes"), [("tricky", 2), ("easy", 0)])
def test_an_exercise_names_its_difficulty_and_minutes(difficulty, minutes):
    with pytest.raises(ValueError, match="exercise 07-x.*easy, medium, hard"):
        Exercise("07-x", difficulty, minutes, choice("a", "b", {}))


def test_every_exercise_is_named_after_its_notebook():
    assert len(EXERCISES) >= 6
    for name, exercise in EXERCISES.items():
        assert name == exercise.id and re.fullmatch(r"\d\d-[a-z-]+", name)
