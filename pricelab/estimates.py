"""What the predictor says about one description: a price, an interval, and the distribution that both come from.

Introduced in notebook 00, read in notebook 10. P is a number of prices, prices are in US dollars.
"""

from dataclasses import dataclass, field

import numpy as np

from pricelab.price_format import WHOLE_DOLLARS


@dataclass(frozen=True)
class PriceEstimate:
    """What the predictor says about one description."""

    estimate: float  # US dollars: the median; NaN when there was nothing to price
    low: float  # US dollars: lower end of the interval
    high: float  # US dollars: upper end
    distribution: np.ndarray  # (P,): probability of each of the prices, by default $1 … $999
    warning: str | None = None  # what to know before trusting the number
    prices: np.ndarray = field(default_factory=lambda: WHOLE_DOLLARS.prices, repr=False)  # (P,), in US dollars
    unread: float = 0.0  # probability of the digits' branches that were not followed, at most `decoding.CUT`

    @property
    def mean(self) -> float:
        """Mean of the distribution, in US dollars."""
        return float(self.distribution @ self.prices)


def nothing_to_price(prices: np.ndarray) -> PriceEstimate:
    """The answer to an empty description: no number, and the reason."""
    nan = float("nan")
    words = "the description is empty: nothing to price"
    return PriceEstimate(nan, nan, nan, np.full(len(prices), nan), words, prices)
