"""What does one word do to a price? The same text twice, with a brand exchanged or a phrase added, priced both times.

Answers whether a model is biased by brand or condition, and whether words that should not matter move it. Which effects
are fair is for people to say; what the workshop's formula says about them stands in ``workshop.effects``. Introduced in
notebook 12. Notation: n swaps; an effect is a mean natural logarithm of price after / price before.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pricelab.bootstrap import Interval, mean_interval
from pricelab.catalog import Item
from pricelab.intervals import quantile
from pricelab.pricer import labelled
from pricelab.show import html_table, text_table

FEWEST_SWAPS = 5  # below that, an interval says nothing


@dataclass(frozen=True, slots=True)
class Swap:
    """One item's text as it is and with one thing changed; ``changed`` is the brand or phrase that came in."""

    item: Item
    before: str
    after: str
    changed: str


@dataclass(frozen=True)
class Effect:
    """What one kind of swap did to a model's prices."""

    name: str
    log_ratio: Interval  # mean of log(after / before) with its 95 % interval
    n: int  # swaps

    @property
    def percent(self) -> tuple[float, float, float]:
        """Value, low and high as per cent of the price."""
        return tuple(100 * math.expm1(end) for end in (self.log_ratio.value, self.log_ratio.low, self.log_ratio.high))  # type: ignore[return-value]


@dataclass(frozen=True, repr=False)
class Effects:
    """The effects of several kinds of swap on one model."""

    model: str
    effects: tuple[Effect, ...]

    def __str__(self) -> str:
        return f"{self.model}\n{text_table(*self._table())}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(*self._table(), caption=self.model)

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows: list[tuple[str, ...]] = [
            (e.name, f"{e.n}", "{:+.1f}% [{:+.1f}%, {:+.1f}%]".format(*e.percent)) for e in self.effects
        ]
        return ("change", "n", "effect on the price [95 %]"), rows


def replaced(text: str, old: str, new: str) -> str | None:
    """``text`` with the word ``old`` exchanged, in capitals where it was; None where it doesn't occur."""
    if not old:
        return None
    pattern = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)", re.IGNORECASE)
    changed, count = pattern.subn(lambda found: _in_case_of(found[0], new), text)
    return changed if count else None


def _in_case_of(example: str, word: str) -> str:
    if example.isupper():
        return word.upper()
    return word.lower() if example.islower() else word


def brand_swaps(items: Iterable[Item], known: Iterable[Item], most: int = 4) -> dict[str, list[Swap]]:
    """Each of the ``most`` common brands of ``known`` put in the place of the brand that an item's text names.

    A brand goes only into items of categories in which ``known`` has it, and not into its own items. Brands with fewer
    than 5 swaps are left out.
    """
    items, named = list(items), [item for item in known if item.brand]
    swaps = {}
    for brand, _ in Counter(item.brand for item in named).most_common(most):
        categories = {item.category for item in named if item.brand == brand}
        fitting = [item for item in items if item.category in categories and item.brand != brand]
        texts = [(item, replaced(item.text, item.brand, brand)) for item in fitting]
        found = [Swap(item, item.text, after, brand) for item, after in texts if after is not None]
        if len(found) >= FEWEST_SWAPS:
            swaps[f"brand becomes {brand}"] = found
    return swaps


def phrase_swaps(items: Iterable[Item], phrases: Sequence[str]) -> dict[str, list[Swap]]:
    """Each phrase as one more sentence at the end of every item whose text doesn't have it yet."""
    items = list(items)
    return {
        f"adding “{phrase}”": [
            Swap(item, item.text, f"{item.text.rstrip('. ')}. {phrase[:1].upper()}{phrase[1:]}.", phrase)
            for item in items
            if phrase.casefold() not in item.text.casefold()
        ]
        for phrase in phrases
    }


def measure_swaps(model: Any, swaps: Mapping[str, Sequence[Swap]], *, seed: int = 0) -> Effects:
    """Price all texts before and after with ``model`` (a ``Pricer`` or a baseline), each text once.

    Raises:
        ValueError: a kind of swap that fits no item.
    """
    if empty := [name for name, found in swaps.items() if not found]:
        raise ValueError(f"{empty[0]!r} fits none of the items; leave it out, or give other items")
    texts = list(
        dict.fromkeys(text for found in swaps.values() for swap in found for text in (swap.before, swap.after))
    )
    log_price = dict(zip(texts, np.log(_prices(model, texts)), strict=True))
    effects = []
    for name, found in swaps.items():
        ratios = [log_price[swap.after] - log_price[swap.before] for swap in found]
        effects.append(Effect(name, mean_interval(ratios, seed=seed), len(ratios)))
    return Effects(labelled(model), tuple(effects))


def _prices(model: Any, texts: Sequence[str]) -> np.ndarray:
    """(B,) US dollars; where a model gives a distribution a median between its prices, else small effects vanish."""
    if hasattr(model, "predict"):
        return np.asarray(model.predict(texts), dtype=float)
    answers = model.estimate(texts)
    return quantile(np.array([answer.distribution for answer in answers]), 0.5, answers[0].prices)
