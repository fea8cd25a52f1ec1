"""One product, the rules that every source of products shares, and how items are split.

Where items come from is left to ``catalog`` (the workshop's, a file's) and ``amazon``. Notebook 02 introduces it.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pricelab.currencies import USD

MIN_PRICE_USD = 1.0
MAX_PRICE_USD = 999.0
PRICE_RANGE = (MIN_PRICE_USD, MAX_PRICE_USD)  # of a file, unless told otherwise; written in whole dollars
HELD_OUT_SHARE = 0.1  # of the texts, once for calibration and once for test


@dataclass(frozen=True, slots=True)
class Item:
    """One product: ``text`` is what a model reads, ``price`` (in its catalog's currency) what it should answer."""

    id: str
    text: str
    price: float
    title: str = ""
    brand: str = ""
    category: str = ""
    family: str = ""  # the kind of product, known for the workshop catalog only
    expected_price: float | None = None  # US dollars; mean of the workshop catalog's price formula
    noise_sigma: float | None = None  # standard deviation of the noise in log price, workshop catalog only


UNSEEN = "test-unseen"  # the workshop's split of families that training never shows


def groups_of(split: str, items: Sequence[Item]) -> list[str] | None:
    """Between which groups an interval lies: families where those were drawn (`UNSEEN`), None where items were."""
    return [item.family for item in items] if split == UNSEEN else None


def listing_text(title: str, description: str) -> str:
    """Title and description, each on one line; the description alone where it begins with the title."""
    title, description = one_line(title), one_line(description)
    if description.casefold().startswith(title.casefold()):  # true also without a title
        return description
    return f"{title}\n{description}".rstrip()


def one_line(text: str) -> str:
    """The text on one line, with single spaces."""
    return " ".join(text.split())


def check_range(price_range: tuple[float, float]) -> tuple[float, float]:
    """The lowest and the highest price to keep. Raises ``ValueError`` for what is no range above zero."""
    low, high = price_range
    if not 0 < low <= high < math.inf:
        raise ValueError(f"price_range={price_range!r} is no range; give the lowest and the highest price, as (1, 999)")
    return low, high


def out_of_range(price: float, limits: tuple[float, float], currency: str = USD) -> str | None:
    """Why a price is left out, None when it is kept."""
    for beyond, word, limit in ((price < limits[0], "below", limits[0]), (price > limits[1], "above", limits[1])):
        if beyond:
            return f"price {word} " + (f"${limit:g}" if currency == USD else f"{limit:g} {currency}")
    return None


def range_note(limits: tuple[float, float], currency: str = USD) -> str:
    """What a load report says where rows were left out for their price, with the cure."""
    return (
        f"prices from {limits[0]:g} to {limits[1]:g} {currency} were kept; for others say price_range=(low, high), or "
        "--price-range LOW HIGH on the command line"
    )


def split_items(items: Iterable[Item], seed: int = 0) -> dict[str, tuple[Item, ...]]:
    """80/10/10 for train, calibration and test: whole texts in the order of their hash, whatever the rows' order."""
    by_text: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: item.price):
        by_text.setdefault(item.text, []).append(item)
    texts = sorted(by_text, key=lambda text: hashlib.sha256(f"{seed}\n{text}".encode()).digest())
    held_out = round(len(texts) * HELD_OUT_SHARE)
    parts = {"train": texts[2 * held_out :], "calibration": texts[held_out : 2 * held_out], "test": texts[:held_out]}
    return {name: tuple(item for text in part for item in by_text[text]) for name, part in parts.items()}
