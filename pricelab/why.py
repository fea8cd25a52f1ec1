"""Why this price? Similar items with their prices, what each phrase adds, and what another brand or size would change.

All of it tells what the *model* does, not why the market pays: effects of phrases depend on the other phrases and don't
add up to the price, and nobody sold the same item with one word changed. So each effect stands beside what rewordings
that mean nothing do. Effects over many items are in ``swaps``. Introduced in notebook 10. Prices in US dollars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pricelab import edits
from pricelab.intervals import LEVEL, quantile
from pricelab.items import Item, one_line
from pricelab.plots.style import usd
from pricelab.pricer import BLEND
from pricelab.show import html_table, text_table

NEIGHBOURS = 5
CANDIDATES = 64  # training items nearest in words, which the model then reads
_SHARES = np.linspace((1 - LEVEL) / 2, (1 + LEVEL) / 2, 17)  # quantiles that are paired in a change's interval
_SHOWN = 70  # characters of a text in a table


@dataclass(frozen=True)
class Neighbour:
    """A training item that the model represents much like this one."""

    item: Item
    similarity: float  # cosine of the hidden states, -1 … 1


@dataclass(frozen=True)
class Phrase:
    """A part of the text and what it adds to the estimate."""

    text: str
    start: int  # where it begins in the text
    end: int
    effect: float  # US dollars: the estimate minus the one without this phrase


@dataclass(frozen=True)
class Change:
    """The text with one thing changed, and the estimate then.

    ``low`` and ``high`` bound how far the change moves the middle 80 % of the model's distribution, equal quantiles
    paired: the cheap reading of the item before and after, the dear one before and after. They are about this model's
    opinion of this item, without the doubt whether the model is right, and cover no share of anything.
    """

    name: str
    text: str
    price: float  # US dollars: the estimate for the changed text
    difference: float  # US dollars: that minus the estimate
    low: float  # US dollars: smallest difference of paired quantiles
    high: float  # US dollars: largest


@dataclass(frozen=True)
class WhatIf:
    """What some changes would do to one estimate."""

    estimate: Any  # `PriceEstimate` of the text as it is
    price: float  # US dollars: its median, between the prices that can be written
    changes: tuple[Change, ...]
    noise: float  # US dollars: the largest effect of rewordings that mean nothing; smaller differences say little


@dataclass(frozen=True, repr=False)
class Why:
    """What speaks for one estimate."""

    text: str
    estimate: Any  # `PriceEstimate` of the text
    price: float  # US dollars: its median, between the prices that can be written
    neighbours: tuple[Neighbour, ...]  # the most similar first
    phrases: tuple[Phrase, ...]  # in the order of the text
    changes: tuple[Change, ...]
    noise: float  # US dollars: the largest effect of rewordings that mean nothing; smaller effects say little

    @cached_property
    def _tables(self) -> list[tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]]:
        likes = [(_short(n.item.text), usd(n.item.price), f"{n.similarity:.2f}") for n in self.neighbours]
        phrases = [(_short(p.text), signed(p.effect)) for p in self.phrases]
        changes = [
            (c.name, usd(c.price), signed(c.difference), f"{signed(c.low)} to {signed(c.high)}") for c in self.changes
        ]
        noise = f"mere rewording moves it by up to {usd(self.noise)}"
        tables: list[tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]] = [
            ("Similar items that it learned from", ("item", "price", "similarity"), likes),
            (f"What each phrase adds to {usd(self.price)}; {noise}", ("phrase", "effect"), phrases),
            ("What a change would do", ("change", "estimate", "difference", f"middle {LEVEL:.0%} moves by"), changes),
        ]
        return [table for table in tables if table[2]]

    def __str__(self) -> str:
        warned = [f"Warning: {self.estimate.warning}"] if self.estimate.warning else []
        return "\n\n".join([*warned, *(f"{title}\n{text_table(head, rows)}" for title, head, rows in self._tables)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        warned = html_table((f"Warning: {self.estimate.warning}",), []) if self.estimate.warning else ""
        return warned + "".join(html_table(head, rows, caption=title) for title, head, rows in self._tables)


def explain(
    pricer: Any, text: str, train_items: Sequence[Item] = (), *, changes: Mapping[str, str] | None = None,
    neighbours: int = NEIGHBOURS,
) -> Why:  # fmt: skip
    """Why ``pricer`` gives ``text`` its price. It reads some 40 texts, and up to 64 for the neighbours.

    Args:
        pricer: a ``Pricer``.
        text: the description, as it is estimated.
        train_items: what the pricer learned from, for the neighbours and their brands; of many only the `CANDIDATES`
            nearest in words are read.
        changes: name → changed text; by default other brands of the neighbours, sizes and conditions (`edits.changes`).
        neighbours: how many to show.

    Raises:
        ValueError: a text with nothing to price, changes that are no mapping, or a negative number of neighbours.
    """
    text = _text(text)
    if neighbours < 0:
        raise ValueError(f"neighbours={neighbours!r} is no number of items to show; give 0 or more")
    around = nearest_in_words(pricer, text, train_items, max(CANDIDATES, neighbours))
    if changes is None:
        changes = edits.changes(text, [item.brand for item in around if item.brand])
    spans = [span for span in edits.phrases(text) if edits.without(text, span).strip()]
    found, effects = _read(pricer, text, [edits.without(text, span) for span in spans], changes)
    return Why(
        text=text,
        estimate=found.estimate,
        price=found.price,
        neighbours=tuple(nearest(pricer, text, around, neighbours)),
        phrases=tuple(
            Phrase(text[start:end], start, end, float(effect))
            for (start, end), effect in zip(spans, effects, strict=True)
        ),
        changes=found.changes,
        noise=found.noise,
    )


def what_if(pricer: Any, text: str, changes: Mapping[str, str]) -> WhatIf:
    """What changes of ``text`` (name → changed text) would do to its price; it reads them, and up to 5 texts more.

    Raises:
        ValueError: a text with nothing to price, or changes that are no mapping.
    """
    return _read(pricer, _text(text), [], changes)[0]


def _text(text: str) -> str:
    if not isinstance(text, str):
        raise ValueError(f"expected a description as text, got {type(text).__name__} ({text!r})")
    return text.strip()


def _read(pricer: Any, text: str, shorter: list[str], changes: Mapping[str, str]) -> tuple[WhatIf, np.ndarray]:
    """All estimates in one batch; beside the changes, the effects of what the ``shorter`` texts leave out."""
    if not isinstance(changes, Mapping):
        raise ValueError(f"expected changes as name → changed text, got {type(changes).__name__} ({changes!r})")
    said = edits.reworded(text)
    answers = pricer.estimate([text, *shorter, *said, *changes.values()])
    if np.isnan(answers[0].estimate):
        raise ValueError(f"there is no price to explain: {answers[0].warning}")
    distribution = np.array([answer.distribution for answer in answers])
    prices = answers[0].prices
    price = quantile(distribution, 0.5, prices)
    effects, rest = np.split(price[0] - price[1:], [len(shorter)])
    noise = float(np.abs(rest[: len(said)]).max(initial=0.0))
    return WhatIf(answers[0], float(price[0]), tuple(_changes(changes, distribution, price, prices)), noise), effects


def nearest(pricer: Any, text: str, items: Sequence[Item], count: int = NEIGHBOURS) -> list[Neighbour]:
    """The ``count`` items whose hidden states are most like the text's, the most similar first; all items are read.

    They are states of the model that answers: with the adapter for digits, of the frozen base for a blend.
    States are the last layer's, averaged over the tokens, each dimension standardised over the items; the measure is
    their cosine.
    """
    from pricelab.states import pooled_states

    if not items:
        return []
    reader = pricer.bare if pricer.read_out == BLEND else pricer
    states = pooled_states(reader, [text, *(item.text for item in items)])[0]
    spread = states[1:].std(0)
    scaled = (states - states[1:].mean(0)) / np.where(spread > 0, spread, 1)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True).clip(1e-12)
    similarity = scaled[1:] @ scaled[0]
    best = np.argsort(-similarity, kind="stable")[:count]
    return [Neighbour(items[place], float(similarity[place])) for place in best]


def nearest_in_words(pricer: Any, text: str, items: Sequence[Item], count: int) -> list[Item]:
    """The ``count`` items nearest in TF-IDF terms of the pricer's ridge; all where it has none or they are few."""
    if len(items) <= count or pricer.ridge is None:
        return list(items)
    features = pricer.ridge.terms.transform([text, *(item.text for item in items)])
    similarity = (features[1:] @ features[:1].T).toarray()[:, 0]
    return [items[place] for place in np.argsort(-similarity, kind="stable")[:count]]


def _changes(
    changes: Mapping[str, str], distribution: np.ndarray, price: np.ndarray, prices: np.ndarray
) -> list[Change]:
    """The last rows of the distributions (B, P) are those of the changed texts, the first that of the text."""
    before = np.array([quantile(distribution[:1], share, prices)[0] for share in _SHARES])
    found, start = [], len(distribution) - len(changes)
    for place, (name, text) in enumerate(changes.items(), start):
        moved = np.array([quantile(distribution[place : place + 1], share, prices)[0] for share in _SHARES]) - before
        shift = float(price[place] - price[0])
        found.append(Change(name, text, float(price[place]), shift, float(moved.min()), float(moved.max())))
    return found


def signed(dollars: float) -> str:
    """A difference in US dollars with its sign."""
    if not np.isfinite(dollars):
        return "no price"
    return f"{'−' if dollars < 0 else '+'}${abs(dollars):,.2f}"


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
