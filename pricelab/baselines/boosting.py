"""Gradient-boosted trees, what a practitioner with a table would try first.

Trees split on one number at a time, so the sparse TF-IDF of a text is compressed first (truncated SVD). Notation: B
rows, prices in US dollars.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.baselines.rows import Rows, bounds_of, categories_of, not_fitted, prices_of, texts_of, to_usd
from pricelab.baselines.terms import Terms
from pricelab.baselines.tuning import MIN_ROWS, best, cross_validate
from pricelab.items import PRICE_RANGE

if TYPE_CHECKING:
    from scipy.sparse import csr_array

COMPONENTS = 200  # numbers that a text is compressed to, at most
LEARNING_RATE, BINS = 0.1, 32  # more bins take longer and gain nothing here
LOSSES, LEAVES, TREES = ("squared_error", "absolute_error"), (6, 16), (100, 200)
MAX_CATEGORIES = BINS  # the most frequent ones: scikit-learn tells no more categories apart than bins


@dataclass
class BoostedTrees:
    """Boosted trees on log price from compressed TF-IDF, and from the category where the training rows have one.

    Loss, leaves a tree and number of trees are chosen by cross-validation, the least of eight settings. The compression
    sees no price and is made once, outside the folds.
    """

    setting: str = ""  # chosen setting in words
    cv_log_rmse: dict[str, float] = field(default_factory=dict)  # setting → cross-validated error of log price
    terms: Terms = field(default_factory=Terms, repr=False)
    categories: tuple[str, ...] = field(default=(), repr=False)  # those with a code of their own
    bounds: tuple[float, float] = field(default=PRICE_RANGE, repr=False)  # of predictions
    svd: Any = field(default=None, repr=False)
    trees: Any = field(default=None, repr=False)
    name = "boosted trees"

    def fit(self, rows: Rows, prices: Sequence[float] | None = None, seed: int = 0) -> "BoostedTrees":
        """Learn from B items, or texts and prices; ``seed`` draws the folds. Raises ``ValueError`` below 10 rows."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # trees this small wait for each other's threads: on a busy machine 30 times longer
            return self._fit(rows, prices, seed)

    def _fit(self, rows: Rows, prices: Sequence[float] | None, seed: int) -> "BoostedTrees":
        usd = prices_of(rows, prices, least=MIN_ROWS)
        log_price, self.bounds = np.log(usd), bounds_of(usd)
        columns = self._learn_columns(rows, seed)

        def predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            return np.concatenate([
                _staged(self._model(loss, leaves, max(TREES), seed), columns, log_price, train, test)
                for loss, leaves in product(LOSSES, LEAVES)
            ])  # fmt: skip

        settings = {_words(*one): one for one in product(LOSSES, LEAVES, TREES)}
        self.cv_log_rmse = cross_validate(list(settings), log_price, texts_of(rows), seed, predict)
        self.setting = best(self.cv_log_rmse)
        self.trees = self._model(*settings[self.setting], seed).fit(columns, log_price)
        return self

    def predict(self, rows: Rows) -> np.ndarray:
        """B prices in US dollars."""
        if self.trees is None:
            raise not_fitted()
        if not len(rows):
            return np.empty(0)
        return to_usd(self.trees.predict(self._columns(rows, self.terms.transform(texts_of(rows)))), self.bounds)

    def _learn_columns(self, rows: Rows, seed: int) -> np.ndarray:
        from sklearn.decomposition import TruncatedSVD

        features = self.terms.fit_transform(texts_of(rows))
        known = [category for category in categories_of(rows) if category]
        frequent = sorted(set(known), key=lambda category: (-known.count(category), category))
        self.categories = tuple(frequent[:MAX_CATEGORIES])
        size = max(1, min(COMPONENTS, min(features.shape) - 1))
        self.svd = TruncatedSVD(size, random_state=seed).fit(features)
        return self._columns(rows, features)

    def _columns(self, rows: Rows, features: "csr_array") -> np.ndarray:
        """(B, components), and a last column with the category's code where training rows had one; NaN: unknown."""
        compressed = self.svd.transform(features)
        if not self.categories:
            return compressed
        codes = {category: float(code) for code, category in enumerate(self.categories)}
        column = [codes.get(category, np.nan) for category in categories_of(rows)]
        return np.column_stack([compressed, column])

    def _model(self, loss: str, leaves: int, trees: int, seed: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(
            loss=loss, max_leaf_nodes=leaves, max_iter=trees, learning_rate=LEARNING_RATE, max_bins=BINS,
            categorical_features=[self.svd.n_components] if self.categories else None, early_stopping=False,
            random_state=seed,
        )  # fmt: skip


def _words(loss: str, leaves: int, trees: int) -> str:
    return f"{loss.replace('_', ' ')}, {leaves} leaves, {trees} trees"


def _staged(model: Any, columns: np.ndarray, log_price: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Predictions (len(TREES), test rows) of one model after each number of trees."""
    stages = model.fit(columns[train], log_price[train]).staged_predict(columns[test])
    return np.array([stage for trees, stage in enumerate(stages, start=1) if trees in TREES])
