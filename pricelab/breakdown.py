"""For which items is a model good? Errors by price band and by category, with n and interval.

A mean over everything hides that cheap items weigh nothing in dollars and dear ones weigh all. Arrays only; the
metrics are ``evaluation``'s. Notebook 03 introduces it. Notation: B items, amounts in the prices' currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pricelab.bootstrap import money
from pricelab.evaluation import evaluate
from pricelab.scores import Score
from pricelab.show import html_table, text_table

BANDS = (0.0, 25.0, 50.0, 100.0, 200.0, float("inf"))  # edges, in the currency
FEW = 30  # items: below, a mean error says next to nothing


@dataclass(frozen=True)
class Group:
    """One band or category: the same items for every model."""

    name: str
    n: int  # items
    median_price: float  # in the currency
    scores: Mapping[str, Score]  # model → its score on these items
    relative: Mapping[str, float]  # model → median of |error| / price
    share: Mapping[str, float]  # model → share of its whole absolute error that falls on these items


@dataclass(frozen=True, repr=False)
class Breakdown:
    """The groups in order; shows itself as a table, groups of few items marked."""

    by: str  # what the groups are
    groups: tuple[Group, ...]
    currency: str = "USD"

    def head(self, n: int) -> "Breakdown":
        """The first n groups."""
        return replace(self, groups=self.groups[:n])

    def __str__(self) -> str:
        return "\n".join([text_table(*self._table()), *self._remarks()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(*self._table()) + "".join(f"<div>{remark}</div>" for remark in self._remarks())

    def _table(self) -> tuple[list[str], list[list[str]]]:
        models = list(self.groups[0].scores)
        kinds = ("mean abs. error [95 %]", "median error / price", "share of all error")
        headers = [self.by, "n", "median price", *(f"{model}: {kind}" for kind in kinds for model in models)]
        return headers, [self._row(group, models) for group in self.groups]

    def _row(self, group: Group, models: list[str]) -> list[str]:
        errors = [group.scores[model].mae.text(lambda amount: money(amount, self.currency)) for model in models]
        shares = [f"{kind[model]:.0%}" for kind in (group.relative, group.share) for model in models]
        few = " *" if group.n < FEW else ""
        return [group.name, f"{group.n:,}{few}", money(group.median_price, self.currency), *errors, *shares]

    def _remarks(self) -> list[str]:
        few = any(group.n < FEW for group in self.groups)
        return [f"* fewer than {FEW} items: too few to compare models by"] if few else []


def by_price_band(
    prices: Sequence[float] | np.ndarray,
    estimates: Mapping[str, np.ndarray],
    edges: Sequence[float] = BANDS,
    *,
    currency: str = "USD",
    seed: int = 0,
) -> Breakdown:
    """Errors by true price. Bands without an item are left out.

    Args:
        prices: (B,).
        estimates: model → (B,); NaN is an answer without a price.
        edges: of the bands, rising; a band holds its lower edge.
        currency: ISO 4217 code of all amounts.
        seed: see ``evaluate``.

    Raises:
        ValueError: edges that do not rise or leave prices out, or arrays that do not fit together.
    """
    price, borders = np.asarray(prices, dtype=np.float64), np.asarray(edges, dtype=np.float64)
    if not (np.diff(borders) > 0).all() or not ((price >= borders[0]) & (price < borders[-1])).all():
        raise ValueError(f"the edges {list(edges)} must rise and hold all prices, {price.min():g} to {price.max():g}")
    names = [_band(low, high, currency) for low, high in zip(borders[:-1], borders[1:], strict=True)]
    labels = np.array(names)[np.searchsorted(borders, price, side="right") - 1]
    return _breakdown("price", names, labels, price, estimates, currency, seed)


def by_group(
    prices: Sequence[float] | np.ndarray,
    estimates: Mapping[str, np.ndarray],
    labels: Sequence[str],
    *,
    by: str = "category",
    currency: str = "USD",
    seed: int = 0,
) -> Breakdown:
    """Errors by label, such as the category, the largest group first.

    Args:
        prices: (B,).
        estimates: model → (B,); NaN is an answer without a price.
        labels: (B,), the group of each item; empty where it is unknown.
        by: what the labels are.
        currency: ISO 4217 code of all amounts.
        seed: see ``evaluate``.

    Raises:
        ValueError: arrays that do not fit together.
    """
    price, names = np.asarray(prices, dtype=np.float64), np.array([label or "unknown" for label in labels])
    if len(names) != len(price):
        raise ValueError(f"got {len(names)} labels for {len(price)} prices; give one for each")
    found, counts = np.unique(names, return_counts=True)
    order = [str(found[i]) for i in np.argsort(-counts, kind="stable")]
    return _breakdown(by, order, names, price, estimates, currency, seed)


def _breakdown(
    by: str, names: list[str], labels: np.ndarray, price: np.ndarray, estimates: Mapping[str, np.ndarray],
    currency: str, seed: int,
) -> Breakdown:  # fmt: skip
    guesses = {model: np.asarray(values, dtype=np.float64) for model, values in estimates.items()}
    for model, values in guesses.items():
        if values.shape != price.shape:
            raise ValueError(f"{model} has the shape {values.shape}; give one number for each of {price.size} prices")
    if not guesses:
        raise ValueError("no model is given; pass a mapping from names to estimates")
    rows = ((name, labels == name) for name in names)
    groups = (_group(name, inside, price, guesses, currency, seed) for name, inside in rows if inside.any())
    return Breakdown(by, tuple(groups), currency)


def _group(
    name: str, inside: np.ndarray, price: np.ndarray, guesses: Mapping[str, np.ndarray], currency: str, seed: int
) -> Group:
    scores, relative, share = {}, {}, {}
    for model, values in guesses.items():
        error = np.abs(values - price)
        scores[model] = evaluate(price[inside], values[inside], name=model, currency=currency, seed=seed)
        relative[model] = float(np.nanmedian(error[inside] / price[inside]))
        share[model] = float(np.nansum(error[inside]) / max(np.nansum(error), np.finfo(float).tiny))
    return Group(name, int(inside.sum()), float(np.median(price[inside])), scores, relative, share)


def _band(low: float, high: float, currency: str) -> str:
    ends = [money(end, currency).replace(".00", "") for end in (low, high)]
    if np.isinf(high):
        return f"{ends[0]} and more"
    return f"below {ends[1]}" if low <= 0 else f"{ends[0]} to {ends[1]}"
