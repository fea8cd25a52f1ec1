"""What does the untuned base know already? Its own answers, and a ridge on its hidden states.

The base stays frozen: only the ridge on top of its pooled hidden states (see `states`) learns. Notation: B rows, prices
in US dollars.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from pricelab.baselines.rows import Rows, bounds_of, not_fitted, prices_of, texts_of, to_usd
from pricelab.baselines.tuning import MIN_ROWS, best, cross_validate
from pricelab.bases import Base
from pricelab.estimates import PriceEstimate
from pricelab.items import PRICE_RANGE
from pricelab.pricer import Pricer
from pricelab.states import POOLINGS, pooled_states

STRENGTHS = (10.0, 100.0, 1_000.0, 10_000.0)  # of the ridge, on standardised states


def _untuned(base: "Pricer | Base | str | None") -> Pricer:
    from pricelab.profiles import detect

    return base.untuned if isinstance(base, Pricer) else Pricer.from_base(base or detect().base)


class ZeroShot:
    """The untuned base asked in the workbook's words; its price is the median of its digits' probabilities."""

    def __init__(self, base: "Pricer | Base | str | None" = None, progress: bool = False):
        self.pricer, self.progress = _untuned(base), progress
        self.name = self.pricer.name

    def fit(self, rows: Rows, prices: Sequence[float] | None = None) -> "ZeroShot":
        """Nothing is learned: this is what the base says by itself."""
        return self

    def estimate(self, rows: Rows) -> list[PriceEstimate]:
        """B estimates, each with its distribution and raw 80 % interval."""
        return self.pricer.estimate(texts_of(rows), progress=self.progress)

    def predict(self, rows: Rows) -> np.ndarray:
        """B prices in US dollars; NaN for an empty text."""
        return np.array([estimate.estimate for estimate in self.estimate(rows)], dtype=float)


@dataclass
class EmbeddingRidge:
    """Ridge regression of log price on the frozen base's hidden states of the prompt.

    The states come from the whole prompt, question included, pooled in one of two ways: the mean over all tokens, or
    the last token's, from which the base would write the price. Each number is standardised on the training rows.
    Pooling and strength are chosen by cross-validation. Predictions are kept within `bounds_of` the training prices.
    """

    base: "Pricer | Base | str | None" = field(default=None, repr=False)  # None: the profile's base
    progress: bool = False
    setting: str = ""  # chosen setting in words
    cv_log_rmse: dict[str, float] = field(default_factory=dict)  # setting → cross-validated error of log price
    pooling: int = field(default=0, repr=False)  # index into POOLINGS
    ridge: Any = field(default=None, repr=False)
    bounds: tuple[float, float] = field(default=PRICE_RANGE, repr=False)  # of predictions

    def __post_init__(self) -> None:
        self.pricer = _untuned(self.base)
        self.name = f"frozen {self.pricer.base.key} + ridge"

    def fit(self, rows: Rows, prices: Sequence[float] | None = None, seed: int = 0) -> "EmbeddingRidge":
        """Learn from B items, or texts and prices; ``seed`` draws the folds. Raises ``ValueError`` below 10 rows."""
        usd = prices_of(rows, prices, least=MIN_ROWS)
        log_price, self.bounds = np.log(usd), bounds_of(usd)
        texts = texts_of(rows)
        states = pooled_states(self.pricer, texts, self.progress)

        def predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            return np.array([
                _ridge(strength).fit(pooled[train], log_price[train]).predict(pooled[test])
                for pooled, strength in product(states, STRENGTHS)
            ])  # fmt: skip

        grid = product(range(len(POOLINGS)), STRENGTHS)
        settings = {f"{POOLINGS[pooling]}, strength {strength:g}": (pooling, strength) for pooling, strength in grid}
        self.cv_log_rmse = cross_validate(list(settings), log_price, texts, seed, predict)
        self.setting = best(self.cv_log_rmse)
        self.pooling, strength = settings[self.setting]
        self.ridge = _ridge(strength).fit(states[self.pooling], log_price)
        return self

    def predict(self, rows: Rows) -> np.ndarray:
        """B prices in US dollars."""
        if self.ridge is None:
            raise not_fitted()
        if not len(rows):
            return np.empty(0)
        states = pooled_states(self.pricer, texts_of(rows), self.progress)[self.pooling]
        return to_usd(self.ridge.predict(states), self.bounds)


def _ridge(strength: float) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Ridge(strength))
