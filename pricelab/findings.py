"""What an audit looks for: each kind of fault, and the search for it.

How near duplicates are found is left to ``near_duplicates``, how markup, amounts and odd prices are recognised to
``text_faults``; showing and fixing to ``audit``. Notebook 02 introduces it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pricelab.catalog import Catalog, Item
from pricelab.near_duplicates import near_duplicates, normalised
from pricelab.text_faults import far_prices, own_prices, repeated_prices, without_markup

TRAIN = "train"
_QUOTED = 44  # characters


class Kind(NamedTuple):
    """A kind of fault: why it matters, and the fix that `Audit.fixed` offers."""

    why: str
    fix: str


KINDS = {
    "exact duplicate": Kind("a test item that was trained on is remembered, not priced", "leave the one in train out"),
    "near duplicate": Kind("the same product in almost the same words", "leave the one in train out"),
    "price in text": Kind("the answer stands in the question", "cut the amount out of the text"),
    "family in two splits": Kind("a family meant to be unseen was seen", "leave it out of train, if the file names it"),
    "repeat in train": Kind("one text counts several times", "keep one of each price"),
    "odd price": Kind("it may be no price at all, and it pulls the mean", "none: look at it"),
    "empty text": Kind("nothing to price by", "leave it out of train"),
    "markup": Kind("tags and entities take tokens and say nothing", "strip it"),
}


@dataclass(frozen=True)
class Finding:
    """One fault."""

    kind: str  # a key of KINDS
    items: tuple[tuple[str, str], ...]  # (split, id) of each item concerned
    rows: tuple[int, ...]  # place of each within its split, counted from 0; ids needn't be unique
    quote: str  # the text or price that shows it, shortened
    fakes_score: bool  # whether it makes a model look better than it is
    similarity: float | None = None  # Jaccard similarity of a near duplicate, 0 to 1

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits concerned, each once."""
        return tuple(dict.fromkeys(split for split, _ in self.items))


def search(catalog: Catalog) -> tuple[Finding, ...]:
    """All findings in a catalog, in the order of `KINDS`."""
    places = [(split, row, item) for split, items in catalog.splits.items() for row, item in enumerate(items)]
    found = [*_duplicates(places), *_families(places), *_texts(places), *_prices(places)]
    order = list(KINDS)
    return tuple(sorted(found, key=lambda finding: order.index(finding.kind)))


_Place = tuple[str, int, Item]  # split, row, item


def _finding(kind: str, places: list[_Place], quote: str, fakes: bool, similarity: float | None = None) -> Finding:
    items = tuple((split, item.id) for split, _, item in places)
    return Finding(kind, items, tuple(row for _, row, _ in places), short(quote), fakes, similarity)


def _duplicates(places: list[_Place]) -> Iterator[Finding]:
    same: dict[str, list[_Place]] = {}
    for place in places:
        same.setdefault(normalised(without_markup(place[2].text)), []).append(place)
    same.pop("", None)
    for group in same.values():
        splits = {split for split, _, _ in group}
        if len(group) > 1 and (len(splits) > 1 or splits == {TRAIN}):
            kind = "exact duplicate" if len(splits) > 1 else "repeat in train"
            yield _finding(kind, group, group[0][2].text, len(splits) > 1 and TRAIN in splits)
    # Held-out texts first: only they are kept in the index, and train's are not compared with one another.
    texts = sorted(same, key=lambda text: all(split == TRAIN for split, _, _ in same[text]))
    held_out = sum(any(split != TRAIN for split, _, _ in group) for group in same.values())
    for first, second, similarity in near_duplicates(texts, held_out):
        group = sorted(same[texts[first]] + same[texts[second]], key=lambda place: place[0] != TRAIN)
        splits = {split for split, _, _ in group}
        if len(splits) > 1:
            yield _finding("near duplicate", group, group[0][2].text, TRAIN in splits, similarity)


def _families(places: list[_Place]) -> Iterator[Finding]:
    if not any("unseen" in split for split, _, _ in places):
        return
    seen: dict[str, list[_Place]] = {}
    unseen: dict[str, list[_Place]] = {}
    for place in places:
        if place[0] == TRAIN or "unseen" in place[0]:
            family = place[2].family or title_head(place[2])
            (seen if place[0] == TRAIN else unseen).setdefault(family.casefold(), []).append(place)
    for family in filter(None, unseen):
        if family in seen:
            group = seen[family] + unseen[family]
            named = all(item.family for _, _, item in group)
            yield _finding("family in two splits", group, group[0][2].family or family, named)


def title_head(item: Item) -> str:
    """A guess at what kind of product this is: the last two words of its title's first part, without brand and numbers.

    The first part ends at a comma, a dash, a bar, or "by", "with", "for", "from" and the like. A guess it stays: for
    the workshop catalog, whose two sets of families are disjoint, it finds 12 ("monitor", "pack") in both.
    """
    title = item.title or item.text.partition("\n")[0]
    if item.brand:
        title = re.sub(re.escape(item.brand), " ", title, flags=re.IGNORECASE)
    parts = re.split(r"[,|•/;:(]|\s[-–—]\s|\b(?:by|with|for|from|in|of)\b", title, flags=re.IGNORECASE)
    words = (re.findall(r"[^\W\d_]{3,}", part) for part in parts)
    return " ".join(next(filter(None, words), [])[-2:]).casefold()


def _texts(places: list[_Place]) -> Iterator[Finding]:
    for place in places:
        item = place[2]
        plain = without_markup(item.text)
        if plain != item.text:
            yield _finding("markup", [place], item.text, False)
        if not normalised(plain):
            yield _finding("empty text", [place], item.text, False)
        if amounts := own_prices(plain, item.price):
            yield _finding("price in text", [place], f"{amounts[0]} · {item.text}", True)


def _prices(places: list[_Place]) -> Iterator[Finding]:
    prices = [item.price for _, _, item in places]
    for place in far_prices(prices):
        yield _finding("odd price", [places[place]], f"{prices[place]:,.2f}, far from the others", False)
    for price in repeated_prices(prices):
        group = [place for place in places if place[2].price == price]
        yield _finding("odd price", group, f"{price:,.2f}, the price of {len(group):,} items", False)


def short(text: str) -> str:
    """The text on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"
