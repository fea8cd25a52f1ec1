"""Two baselines that read no text: the median price of everything, and of a category.

The median, because it is the constant with the least mean absolute error. Prices in US dollars.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pricelab.baselines.rows import Rows, categories_of, not_fitted, prices_of


@dataclass
class ConstantPrice:
    """Always the median of the training prices: the constant with the least mean absolute error on them."""

    price: float | None = None
    name = "constant (training median)"

    def fit(self, rows: Rows, prices: Sequence[float] | None = None) -> "ConstantPrice":
        """Learn from B items, or from B texts and their prices."""
        self.price = float(np.median(prices_of(rows, prices, least=1)))
        return self

    def predict(self, rows: Rows) -> np.ndarray:
        """The constant, B times, US dollars."""
        if self.price is None:
            raise not_fitted()
        return np.full(len(rows), self.price)


@dataclass
class CategoryMedian:
    """The median training price of the item's category; of all training items where the category is new or unknown."""

    overall: float | None = None  # US dollars
    by_category: dict[str, float] = field(default_factory=dict, repr=False)  # category → US dollars
    name = "category median"

    def fit(self, rows: Rows, prices: Sequence[float] | None = None) -> "CategoryMedian":
        """Learn from B items. Raises ``ValueError`` where no row has a category, as with bare texts."""
        usd, categories = prices_of(rows, prices, least=1), np.array(categories_of(rows))
        known = sorted(set(categories.tolist()) - {""})
        if not known:
            raise ValueError("no row has a category; give items that have one, or use ConstantPrice")
        self.overall = float(np.median(usd))
        self.by_category = {category: float(np.median(usd[categories == category])) for category in known}
        return self

    def predict(self, rows: Rows) -> np.ndarray:
        """B prices in US dollars."""
        if self.overall is None:
            raise not_fitted()
        return np.array([self.by_category.get(category, self.overall) for category in categories_of(rows)], float)
