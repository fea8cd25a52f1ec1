"""What did similar products cost? The median price of the nearest training texts.

Notation: B rows, N training rows, prices in US dollars.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pricelab.baselines.rows import Rows, not_fitted, prices_of, texts_of
from pricelab.baselines.terms import Terms
from pricelab.baselines.tuning import MIN_ROWS, best, cross_validate

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEIGHBOURS = (1, 2, 3, 5, 10, 20, 40)
_ROWS_AT_ONCE = 500  # of B × N similarities held in memory


@dataclass
class NearestNeighbour:
    """The median price of the k training texts most like this one (TF-IDF cosine), k chosen by cross-validation.

    A text that shares no term with any training text gets the median of all training prices.
    """

    k: int | None = None  # chosen number of neighbours
    cv_log_rmse: dict[str, float] = field(default_factory=dict)  # k → cross-validated error of log price
    terms: Terms = field(default_factory=Terms, repr=False)
    features: "csr_array | None" = field(default=None, repr=False)  # (N, terms)
    prices: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)  # (N,)
    name = "nearest neighbours"

    @property
    def setting(self) -> str:
        """The chosen setting in words."""
        return f"k = {self.k}" if self.k is not None else ""

    def fit(self, rows: Rows, prices: Sequence[float] | None = None, seed: int = 0) -> "NearestNeighbour":
        """Learn from B items, or texts and prices; ``seed`` draws the folds. Raises ``ValueError`` below 10 rows."""
        self.prices = prices_of(rows, prices, least=MIN_ROWS)
        texts = texts_of(rows)
        self.features = features = self.terms.fit_transform(texts)

        def predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            return np.log(_medians(features[test], features[train], self.prices[train], NEIGHBOURS))

        self.cv_log_rmse = cross_validate([str(k) for k in NEIGHBOURS], np.log(self.prices), texts, seed, predict)
        self.k = int(best(self.cv_log_rmse))
        return self

    def predict(self, rows: Rows) -> np.ndarray:
        """B prices in US dollars."""
        if self.k is None or self.features is None:
            raise not_fitted()
        if not len(rows):
            return np.empty(0)
        return _medians(self.terms.transform(texts_of(rows)), self.features, self.prices, (self.k,))[0]


def _medians(new: "csr_array", known: "csr_array", prices: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Median price (len(counts), B) of the nearest 1 … max(counts) of N ``known`` rows, for B ``new`` rows."""
    chunks = range(0, new.shape[0], _ROWS_AT_ONCE)
    return np.concatenate([_chunk(new[i : i + _ROWS_AT_ONCE], known, prices, counts) for i in chunks], axis=1)


def _chunk(new: "csr_array", known: "csr_array", prices: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    similarity = (new @ known.T).toarray()
    most = min(max(counts), len(prices))
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :most]
    medians = np.array([np.median(prices[nearest[:, :k]], axis=1) for k in counts])
    medians[:, similarity.max(axis=1) <= 0] = np.median(prices)
    return medians
