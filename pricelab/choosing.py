"""The baseline to beat on your own catalog, chosen before the test split is looked at.

Every candidate prices each training item from a model that never saw it (5-fold cross-validation); the least mean
absolute error wins and is fitted again on all of them. Whether fine-tuning then pays is for ``verdict`` to say.
Introduced in notebook 12. Prices in US dollars.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pricelab.baselines import CategoryMedian, ConstantPrice, NearestNeighbour, TfidfRidge
from pricelab.baselines.tuning import FOLDS, folds
from pricelab.catalog import Item
from pricelab.evaluation import Score, evaluate
from pricelab.show import html_table, text_table

QUICK: tuple[Callable[[], Any], ...] = (ConstantPrice, CategoryMedian, NearestNeighbour, TfidfRidge)


@dataclass(frozen=True, repr=False)
class BaselineChoice:
    """Cross-validated scores, and the winner, fitted on all training items."""

    best: Any  # the fitted baseline of the first score
    fitted: tuple[Any, ...]  # all of them, in the order of the scores
    scores: tuple[Score, ...]  # on the training items by cross-validation, the best first

    def __str__(self) -> str:
        return f"{text_table(*self._table())}\nto beat: {self.best.name}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        caption = f"cross-validated on the training items; to beat: {self.best.name}"
        return html_table(*self._table(), caption=caption)

    def _table(self) -> tuple[list[str], list[list[str]]]:
        keep = ("model", "n", "mean abs. error [95 %]", "median", "within 20 %")
        rows = [score.as_row() for score in self.scores]
        return list(keep), [[row[name] for name in keep] for row in rows]


def choose_baseline(
    items: Sequence[Item], candidates: Sequence[Callable[[], Any]] = QUICK, *, seed: int = 0
) -> BaselineChoice:
    """Cross-validate each candidate on the training ``items`` and fit all of them on the whole.

    Args:
        items: the training items; where none has a category, `CategoryMedian` is left out.
        candidates: what makes an unfitted baseline each, such as a class of ``pricelab.baselines``. The default is what
            takes seconds; ``BoostedTrees`` is worth its minutes on a few thousand items.
        seed: draws the folds.

    Raises:
        ValueError: too few items for the folds, or no candidate.
    """
    makers = [make for make in candidates if make is not CategoryMedian or any(item.category for item in items)]
    if not makers:
        raise ValueError("no baseline to choose from; give at least one, such as TfidfRidge")
    if len(items) < 4 * FOLDS:
        raise ValueError(f"{len(items)} items are too few for {FOLDS} folds; give at least {4 * FOLDS}")
    prices = [item.price for item in items]
    found = []
    for make in makers:
        model = make().fit(items)
        found.append((evaluate(prices, _cross_validated(make, items, seed), name=model.name, seed=seed), model))
    found.sort(key=lambda pair: pair[0].mae.value)
    return BaselineChoice(found[0][1], tuple(model for _, model in found), tuple(score for score, _ in found))


def _cross_validated(make: Callable[[], Any], items: Sequence[Item], seed: int) -> np.ndarray:
    """(B,) prices, each from a model that was fitted without the item's fold."""
    prices = np.empty(len(items))
    for train, test in folds([item.text for item in items], seed):
        prices[test] = make().fit([items[i] for i in train]).predict([items[i] for i in test])
    return prices
