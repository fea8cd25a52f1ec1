"""How one raw row of Amazon Reviews 2023 becomes an item: the rules, all of them, in one place.

A row of ``raw/meta_categories/meta_<Category>.jsonl`` has ``main_category, title, features, description, price, store,
details, parent_asin`` and more that is not used. Each field may be missing, null, a dash, text, a list or an object.
`RULES` says what is done, `clean` does it. Streaming and sampling are left to ``amazon``. Notebook 02 introduces it.
Prices are US dollars.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from pricelab.items import Item, listing_text, one_line, out_of_range
from pricelab.prices import read_price
from pricelab.text_faults import tidy, without_markup, without_own_price

RULES_VERSION = 1  # part of the cache's name: another number reads the raw rows again
PRICE_RANGE_USD = (0.50, 999.49)  # what rounds to a whole dollar between 1 and 999
MIN_TEXT_CHARACTERS = 200
MAX_TEXT_CHARACTERS = 4000
MAX_LINE_BYTES = 1 << 20
RULES = (
    ("a line that is no JSON object, or longer than 1 MiB", "left out"),
    ("no parent_asin, the product's number", "left out"),
    ("no price: null, a dash, words, a range, “from $12.99”, another currency", "left out"),
    ("a price below $0.50 or above $999.49 (or outside price_range)", "left out"),
    ("null, dashes, “n/a” and empty lists or objects in a text field", "count as nothing"),
    ("lists", "joined, in their order"),
    ("details", "written as “name: value”, after title, features and description; also when they come as JSON text"),
    ("details that are numbers of a catalog, ranks, dates or reviews", "removed"),
    ("HTML tags and entities", "turned into the text that a browser would show"),
    ("part numbers: 7 or more capitals, digits and hyphens, 3 or more of them digits; 9 or more digits", "removed"),
    ("the item's own price in its text", "removed"),
    ("half of a character (a lone surrogate)", "left out"),
    ("fewer than 200 characters left", "left out"),
    ("more than 4,000 characters", "cut at the last whole word"),
    ("a product that came before, or the very text of another product", "left out"),
)  # fmt: skip

_NOTHING = frozenset(("", "-", "–", "—", "n/a", "na", "none", "null", "nan", "[]", "{}", "unknown"))
_FIELDS = ("title", "features", "description", "store", "main_category")
_NO_DETAIL = re.compile(
    r"(part|model|serial|item|style|reference) number|item model|\b(asin|upc|ean|gtin|isbn|sku|oem|rank|reviews?)\b|"
    r"date first|discontinued|customer rating",
    re.IGNORECASE,
)
# Not "10000MAH" or "3840X2160": a number with its unit, a resolution.
_PART_NUMBER = re.compile(
    r"(?<![\w-])(?!\d{1,6}[A-Z]{1,4}(?![\w-]))(?!\d+X\d+(?![\w-]))"
    r"(?=[\d-]*[A-Z])(?=(?:[A-Z-]*\d){3})[A-Z\d][A-Z\d-]{6,}(?![\w-])"
    r"|(?<![\w.,-])\d{9,}(?![\w-])"
)


def clean(row: Any, price_range: tuple[float, float] = PRICE_RANGE_USD) -> Item | tuple[str, str]:
    """The item of one parsed row, or why there is none and the value that decided it."""
    if not isinstance(row, dict):
        return "no JSON object", short_json(row)
    number = one_line(_plain(row.get("parent_asin")))
    if not number:
        return "no product number", short_json(row.get("title"))
    price = _dollars(row.get("price"))
    if price is None:
        return "no price in US dollars", short_json(row.get("price"))
    if reason := out_of_range(price, price_range):
        return reason, short_json(row.get("price"))
    title, features, description, brand, category = (_words(row.get(name)) for name in _FIELDS)
    title = without_own_price(one_line(title), price)
    body = " ".join(filter(None, (features, description, _details(row.get("details")))))
    text = _cut(without_own_price(listing_text(title, body), price))
    if len(text) < MIN_TEXT_CHARACTERS:
        return f"fewer than {MIN_TEXT_CHARACTERS} characters of text", text
    try:
        "".join((number, text, title, brand, category)).encode()
    except UnicodeEncodeError:
        return "half of a character", repr(title)
    return Item(number, text, price, title, one_line(brand), one_line(category))


def _dollars(price: Any) -> float | None:
    """One price in US dollars; Amazon's text writes the point before the cents."""
    if isinstance(price, bool):
        return None
    if isinstance(price, int | float):
        return float(price) if 0 <= price < math.inf else None
    found = read_price(price) if isinstance(price, str) else None
    return found.amount(".") if found is not None and found.currency("USD") in ("", "USD") else None


def _words(value: Any) -> str:
    """A field as plain text."""
    return tidy(_PART_NUMBER.sub(" ", without_markup(_plain(value))))


def _plain(value: Any) -> str:
    """Text, numbers, lists and objects as text; what means nothing as ``""``."""
    if isinstance(value, list):
        return "\n".join(filter(None, map(_plain, value)))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(inner)}" for name, inner in value.items() if _plain(inner))
    text = "" if value is None or isinstance(value, bool) else str(value).strip()
    return "" if text.casefold() in _NOTHING else text


def _details(value: Any) -> str:
    """An object, or JSON text of one, as “name: value” without what identifies the product."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return _words(value)
    if not isinstance(value, dict):
        return _words(value)
    return "; ".join(_pairs(value))


def _pairs(details: dict[str, Any]) -> Iterator[str]:
    for name, value in details.items():
        if not _NO_DETAIL.search(name) and (words := _words(value)):
            yield f"{one_line(without_markup(name))}: {one_line(words)}"


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    cut = text[:MAX_TEXT_CHARACTERS]
    return cut if text[MAX_TEXT_CHARACTERS].isspace() else cut.rpartition(" ")[0] or cut


def short_json(value: Any) -> str:
    """A value for a report, on one line and not long."""
    return json.dumps(value, default=str)[:80]
