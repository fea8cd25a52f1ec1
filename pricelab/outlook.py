"""What more time would likely buy a run that the clock ended: a line through the last part of its loss curve.

The loss is taken as linear in the logarithm of the steps, a short piece of the power laws that loss curves follow
(arXiv 1712.00409). That is a guess with its spread, and where the curve says nothing, so do we. Introduced in notebook
12.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

FEWEST = 4  # points under a line
LEVEL = 0.8  # of the range
GROUPS = 12  # that the losses of single steps are averaged into


def more_time(losses: Sequence[float], validation: Mapping[int, float], passes: float) -> str:
    """What twice the steps would likely do to the loss (nats a token), on which basis; or that the curve doesn't say.

    Args:
        losses: of each step.
        validation: step → loss on the validation items; preferred where there are enough.
        passes: over the training items; after more than one their loss says what is known by heart.
    """
    curve, basis = dict(validation), "evaluations on the validation items"
    if len(_last_part(curve)) < FEWEST:
        if passes > 1:
            return (
                "what more time would buy can't be told: the items were seen more than once, so their loss says "
                "little, and there are too few evaluations on validation items"
            )
        curve, basis = _grouped(losses), "averages of the training loss, every item being new"
    points = _last_part(curve)
    if len(points) < FEWEST:
        return f"what more time would buy can't be told from {len(losses)} steps"
    gain, spread = _gain(points)
    line = f"a straight line through the last {len(points)} {basis}, over log(steps)"
    if gain - spread > 0:
        return (
            f"twice the time would likely lower the loss by {gain:.2g} ({gain - spread:.2g} to {gain + spread:.2g}) "
            f"from {points[-1][1]:.3g} nats a token, or less where it fell because the learning rate did: {line}"
        )
    if gain + spread < 0:
        return f"more time would likely buy nothing on these items, the loss was rising: {line}"
    return f"whether more time would buy anything can't be told, the loss went neither down nor up: {line}"


def _last_part(curve: Mapping[int, float]) -> list[tuple[int, float]]:
    """The points of the second half of the steps."""
    end = max(curve, default=0)
    return [(step, curve[step]) for step in sorted(curve) if 2 * step >= end]


def _grouped(losses: Sequence[float]) -> dict[int, float]:
    """Middle step → mean loss, of up to `GROUPS` stretches of equal length."""
    size = max(1, len(losses) // GROUPS)
    starts = range(len(losses) % size, len(losses), size)
    return {start + (size + 1) // 2: float(np.mean(losses[start : start + size])) for start in starts}


def _gain(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """How much a doubling of the steps lowers the loss, and half the width of its range."""
    from scipy.stats import linregress, t

    steps, losses = zip(*points, strict=True)
    line = linregress(np.log(steps), losses)
    width = t.ppf((1 + LEVEL) / 2, len(points) - 2) * line.stderr
    return -line.slope * math.log(2), width * math.log(2)
