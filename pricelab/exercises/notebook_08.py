"""Exercises of notebook 08: what each way cost and bought."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pricelab.exercises.judges import Exercise, choice, function, number


def _means(errors: Sequence[Any]) -> list[float]:
    return [float(np.mean(one)) for one in errors]


def _seed_gap(errors: Sequence[Any]) -> float:
    return max(_means(errors)) - min(_means(errors))


def _cases() -> list[tuple[Any, ...]]:
    dice = np.random.default_rng(8)
    return [(list(dice.lognormal(3, 1.2, (seeds, items))),) for seeds, items in ((3, 40), (5, 12), (2, 7))]


EXERCISES = (
    Exercise(
        "08-fair",
        "medium",
        3,
        choice(
            "C",
            "the same chances for both, validation items to choose, the test items once, to judge",
            wrong={
                "A": "one default suits one method: full fine-tuning wants a smaller rate than LoRA, so one was "
                "handicapped",
                "B": "the test items chose the rate, so both errors are too good, and by how much depends on luck",
                "D": "the best of five is a maximum over luck: whoever varies more wins; take all seeds",
            },
        ),
    ),
    Exercise(
        "08-spread",
        "medium",
        4,
        function(
            _seed_gap,
            _cases,
            "a difference between two methods that is smaller than this gap may be luck",
            wrong={
                "this is the gap between the worst and the best *item*; first take the mean of each seed": (
                    lambda errors: float(np.max(errors) - np.min(errors))
                ),
                "this averages how far single items move; luck cancels in a seed's mean, so average first": (
                    lambda errors: float(np.mean(np.max(errors, axis=0) - np.min(errors, axis=0)))
                ),
                "that is the standard deviation of the means; the largest difference was asked for": (
                    lambda errors: float(np.std(_means(errors)))
                ),
                "medians forgive the dear items; the mean errors were asked for": (
                    lambda errors: float(np.ptp([np.median(one) for one in errors]))
                ),
            },
        ),
    ),
    Exercise(
        "08-fits",
        "easy",
        2,
        number(
            1,
            "16 bytes each, and not one left for activations: a 16 GB GPU is full with one billion weights",
            wrong={
                8: "that is room for 16-bit weights alone; training holds gradients and the optimizer as well",
                4: "that is 4 bytes a weight, weight and gradient; the optimizer and the master copy are missing",
                16: "that is one byte a weight",
                16 / 12: "that is 12 bytes a weight; master copy and two averages take 12, weight and gradient 4 more",
                32: "that is half a byte a weight: the frozen base of QLoRA, not full fine-tuning",
            },
            unit="billion weights",
            tolerance=0.02,
        ),
    ),
)
