"""The notebooks' exercises, in order: one module a notebook, judged by `judges`.

To add one, add an entry to its notebook's module::

    Exercise("07-memory", "easy", 2, number(67.5, "half a byte each", wrong={135: "that is one byte a weight"})),
"""

from pricelab.exercises import (
    notebook_00,
    notebook_01,
    notebook_02,
    notebook_03,
    notebook_04,
    notebook_05,
    notebook_06,
    notebook_07,
    notebook_08,
    notebook_09,
    notebook_10,
    notebook_11,
    notebook_12,
)
from pricelab.exercises.judges import Exercise, Verdict, as_number, choice, function, is_blank, number

_NOTEBOOKS = (
    notebook_00, notebook_01, notebook_02, notebook_03, notebook_04, notebook_05, notebook_06,
    notebook_07, notebook_08, notebook_09, notebook_10, notebook_11, notebook_12,
)  # fmt: skip
EXERCISES = {exercise.id: exercise for notebook in _NOTEBOOKS for exercise in notebook.EXERCISES}

__all__ = ["EXERCISES", "Exercise", "Verdict", "as_number", "choice", "function", "is_blank", "number"]
