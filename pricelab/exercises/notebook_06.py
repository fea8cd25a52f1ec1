"""Exercises of notebook 06."""

from typing import Any

from pricelab.exercises.judges import Exercise, choice, function, number


def mystery_weights() -> Any:
    """A matrix of weights with a past, (512, 512): exercise 06-mystery asks for it, its solution tells it."""
    import torch

    from pricelab.by_hand.nf4 import minmax_round_trip

    return minmax_round_trip(torch.randn(512, 512, generator=torch.Generator().manual_seed(6)), bits=4, block=32)


def _rows() -> list[tuple[Any]]:
    import torch

    generator = torch.Generator().manual_seed(6)
    first = torch.randn(3, 50, generator=generator) * torch.tensor([[1.0], [10.0], [0.1]])
    second = torch.randn(2, 9, generator=generator)
    # In some rows the largest weight is negative. Powers of two: dividing first or multiplying first is then the same.
    first[:, 7], second[:, 2] = torch.tensor([-4.0, -64.0, 0.5]), torch.tensor([4.0, -8.0])
    return [(first,), (second,)]


def _scaled(rows: Any, largest: int = 127) -> Any:
    return rows * (largest / rows.abs().amax(1, keepdim=True))


EXERCISES = (
    Exercise(
        "06-absmax",
        "easy",
        4,
        function(
            lambda rows: _scaled(rows).round(),
            _rows,
            "each row fills its own −127 … 127",
            wrong={
                "the largest weight of a row may be negative: take absolute values before the maximum": (
                    lambda rows: (rows * (127 / rows.amax(1, keepdim=True))).round()
                ),
                "one maximum for all rows leaves a row of small weights with few integers; take one a row": (
                    lambda rows: (rows * (127 / rows.abs().max())).round()
                ),
                "128 does not fit: a signed byte ends at 127": lambda rows: _scaled(rows, 128).round(),
                "128 does not fit: a signed byte ends at 127, so the largest weight came back negative": (
                    lambda rows: (_scaled(rows, 128).round() + 128) % 256 - 128
                ),
                "255 is the number of integers in all; to each side of zero there are 127": (
                    lambda rows: _scaled(rows, 255).round()
                ),
                "these are still fractions: round them to integers": _scaled,
                "the fractions are cut off, which doubles the largest error: round to the nearest integer": (
                    lambda rows: _scaled(rows).trunc()
                ),
            },
        ),
    ),
    Exercise(
        "06-bits",
        "medium",
        3,
        number(
            4 + 8 / 32 + 32 / (32 * 256),
            "4 for the code, 8/32 for the scale, 32/(32·256) for the scale of the scales",
            wrong={
                4: "the codes alone; a block's scale is stored as well",
                4.25: "nearly: every 256 scales share a 32-bit scale of their own",
                5: "that is a scale of 32 bits for each block; double quantisation stores it in 8",
                4.375: "the 32-bit scale is shared by 256 *blocks*, that is by 256 · 32 weights",
                4 + 8 / 64 + 32 / (64 * 256): "that is NF4's usual count, with blocks of 64; these have 32",
            },
            tolerance=1e-4,
            unit="bits",
        ),
    ),
    Exercise(
        "06-mystery",
        "hard",
        4,
        choice(
            "B",
            "rounding a second time to the same grid costs nothing; the table shows the past of the weights, not the "
            "quality of the format",
            wrong={
                "A": "no weight of a network trained in 16 bits falls exactly on 16 levels of each block; an error of "
                "zero needs another reason",
                "C": "an outlier would hurt both formats, and the uniform grid more",
                "D": "both formats have at most 16 levels a block; no code of 4 bits can tell more of them apart",
            },
        ),
    ),
)
