"""Exercises of notebook 05."""

from typing import Any

import numpy as np

from pricelab.exercises.judges import Exercise, Verdict, function, number


def _matrices(shapes: tuple[tuple[int, int, float], ...]) -> list[tuple[Any, ...]]:
    """(W, A, B, alpha) for each (width, rank, alpha), the same at every call."""
    import torch

    dice = torch.Generator().manual_seed(5)

    def drawn(*shape: int) -> Any:
        return torch.randn(*shape, generator=dice)

    return [(drawn(n, n), drawn(r, n), drawn(n, r), alpha) for n, r, alpha in shapes]


def _merged(W: Any, A: Any, B: Any, alpha: float) -> Any:
    return W + alpha / len(A) * B @ A


_judge_merged = function(
    _merged,
    lambda: _matrices(((4, 2, 8.0), (5, 1, 3.0), (6, 3, 6.0))),
    "one matrix that does the work of three; merging costs nothing when the model answers",
    {
        "the scale α/r is missing": lambda W, A, B, alpha: W + B @ A,
        "α is divided by the rank, not multiplied by it": lambda W, A, B, alpha: W + alpha * len(A) * B @ A,
        "α must be divided by the rank r, the number of rows of A": lambda W, A, B, alpha: W + alpha * B @ A,
        "r is the number of rows of A; its columns are the layer's inputs": (
            lambda W, A, B, alpha: W + alpha / A.shape[1] * B @ A
        ),
        "this is ΔW alone: the frozen W belongs to the sum": lambda W, A, B, alpha: alpha / len(A) * B @ A,
        "the scale belongs to B A only, W enters as it is": lambda W, A, B, alpha: alpha / len(A) * (W + B @ A),
        "this adds the transpose of B A; for W of shape (out, in) it is B, then A": (
            lambda W, A, B, alpha: W + alpha / len(A) * A.T @ B.T
        ),
    },
)
# The wrong order fits W only where r = n, so it is looked for there, and only in answers that are wrong anyway.
_judge_order = function(
    _merged,
    lambda: _matrices(((4, 4, 8.0), (3, 3, 5.0))),
    "",
    {
        "the wrong order: B A has the shape of W, A B is only r × r": (
            lambda W, A, B, alpha: W + alpha / len(A) * A @ B
        ),
    },
)


def _judge_merge(answer: Any) -> Verdict | None:
    verdict = _judge_merged(answer)
    if verdict is None or verdict.right or verdict.recognised:
        return verdict
    order = _judge_order(answer)
    return order if order and order.recognised and not order.right else verdict


def _ranks(singular_values: Any, power: int = 2, root: bool = True) -> np.ndarray:
    """What ranks 1…n leave over, as a share: root of the sum of squares, or a wrong way to add up."""
    left = (singular_values**power)[::-1].cumsum()[::-1]
    share = np.append(left[1:], 0) / left[0]
    return np.sqrt(share) if root else share


def _enough(singular_values: Any, share: float) -> int:
    return int((_ranks(singular_values) <= share).argmax()) + 1


def _spectra() -> list[tuple[Any, ...]]:
    return [
        (2.0 ** (-np.arange(24) / 3), 0.3),
        (np.linspace(5, 0.5, 12), 0.45),
        (np.array([9.0, 4.0, 1.0, 0.5]), 0.2),
    ]


EXERCISES = (
    Exercise("05-merge", "medium", 4, _judge_merge),
    Exercise(
        "05-rank",
        "hard",
        6,
        function(
            _enough,
            _spectra,
            "the squares that are left decide: Eckart, Young and Mirsky in three lines",
            {
                "lengths add up as squares: square the singular values first": lambda s, share: (
                    int((_ranks(s, power=1, root=False) <= share).argmax()) + 1
                ),
                "the root is missing: this compares the squared error with the share": lambda s, share: (
                    int((_ranks(s, root=False) <= share).argmax()) + 1
                ),
                "one too few: a position counts from 0, a rank from 1": lambda s, share: _enough(s, share) - 1,
                "one too many: rank r leaves the values from number r + 1 on": lambda s, share: _enough(s, share) + 1,
                "this asks what the rank keeps; the error is what it leaves over": lambda s, share: (
                    int((np.sqrt((s**2).cumsum() / (s**2).sum()) >= share).argmax()) + 1
                ),
                "this counts single values that are large; what counts is all that is left together": lambda s, share: (
                    int((s > share * s[0]).sum())
                ),
            },
        ),
    ),
    Exercise(
        "05-block",
        "medium",
        4,
        number(
            81408,
            "r · (in + out) for each of the seven layers",
            wrong={
                30720: "that is attention alone; three more layers follow it",
                50688: "that is the three MLP layers alone; four attention layers come before them",
                87552: "keys and values are narrower here: 3 heads of 64 make 192 outputs, not 576",
                39936: "that is A alone; B has r columns for every output",
                41472: "that is B alone; A has r rows for every input",
                10176: "that is rank 1",
                3538944: "that is the block itself, which stays frozen",
                2442240: "that is all 30 blocks",
            },
            hint="write r · (in + out) for each layer and add up",
        ),
    ),
)
