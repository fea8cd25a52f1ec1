"""How many test items does a decision take? The usual formula for a paired mean, both ways round.

n = ((z₁₋α⸝₂ + z_power) · s / d)², with s the standard deviation of the paired differences and d the difference to be
found (J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, chapter 2). Normal approximation: with
the heavy tails of errors in dollars, take it as a planning number, not a promise. Introduced in notebook 12.
"""

import math

from pricelab.bootstrap import CONFIDENCE

POWER = 0.8  # chance to find a difference that is really there


def items_needed(difference: float, spread: float, *, power: float = POWER, confidence: float = CONFIDENCE) -> int:
    """Test items with which a true mean ``difference`` is found with chance ``power``.

    Args:
        difference: mean of the paired differences, in any unit; its sign doesn't matter.
        spread: their standard deviation, in the same unit.
        power: chance that the interval then leaves zero out, above 0 and below 1.
        confidence: of that interval.

    Raises:
        ValueError: a difference of zero, which no number of items finds, or a spread that is not above 0.
    """
    _check(spread, power, confidence)
    if not (math.isfinite(difference) and difference):
        raise ValueError(f"a difference of {difference} can't be planned for; give the smallest one that would matter")
    return math.ceil((_z_sum(power, confidence) * spread / difference) ** 2)


def detectable(items: int, spread: float, *, power: float = POWER, confidence: float = CONFIDENCE) -> float:
    """The smallest true difference that ``items`` test items find with chance ``power``, in the unit of ``spread``."""
    _check(spread, power, confidence)
    if items < 1:
        raise ValueError(f"{items} items find nothing; at least 1 is needed")
    return _z_sum(power, confidence) * spread / math.sqrt(items)


def _z_sum(power: float, confidence: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf((1 + confidence) / 2) + norm.ppf(power))


def _check(spread: float, power: float, confidence: float) -> None:
    if not (math.isfinite(spread) and spread > 0):
        raise ValueError(f"a spread of {spread} leaves nothing to be unsure of; give a standard deviation above 0")
    if not (0 < power < 1 and 0 < confidence < 1):
        raise ValueError(f"power and confidence lie between 0 and 1, got {power} and {confidence}")
