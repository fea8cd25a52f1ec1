"""Random choices for the generator, all drawn from one PCG64 stream so that a seed fixes every byte.

Only ``random()`` and ``standard_normal()`` of numpy's generator are used; choices are built on them here.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """A seeded source of choices; ``stream`` separates the splits of one seed."""

    def __init__(self, seed: int, stream: int) -> None:
        self._rng = np.random.Generator(np.random.PCG64([seed, stream]))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._rng.random() < probability

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1, all equally likely."""
        return int(self._rng.random() * n)

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, all equally likely."""
        return choices[self.below(len(choices))]

    def weighted(self, weights: np.ndarray) -> int:
        """An index with probability proportional to its weight; ``weights`` is 1-D."""
        total = np.cumsum(weights)
        return min(int(np.searchsorted(total, self._rng.random() * total[-1], side="right")), len(weights) - 1)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        keys = [self._rng.random() for _ in items]
        return [items[i] for i in sorted(range(len(items)), key=keys.__getitem__)]

    def normal(self) -> float:
        """A standard normal number."""
        return float(self._rng.standard_normal())
