"""Faults of single listings: markup in the text, the item's own price in the text, prices out of line.

What is done about them is left to ``audit``; which prices a file may hold, to ``catalog``. Notebook 02 introduces it.
"""

import html
import math
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Sequence

# ---- markup

_TAGS = """
a abbr article aside b blockquote body br button center code dd del div dl dt em figure font footer form h1 h2 h3 h4 h5
h6 head header hr html i iframe img input ins label li link main meta nav ol option p pre s script section select small
span strike strong style sub sup svg table tbody td th thead title tr tt u ul video
"""
_TAG = re.compile(rf"</?(?:{'|'.join(_TAGS.split())})(?:\s[^<>]*)?/?>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)


def has_markup(text: str) -> bool:
    """Whether a text holds HTML tags or entities; "5 < 7" and "R&D;" are none."""
    if "<" not in text and "&" not in text:
        return False
    return _TAG.search(text) is not None or any(html.unescape(found) != found for found in _ENTITY.findall(text))


def without_markup(text: str) -> str:
    """The text that a browser would show, its lines kept; a text without markup comes back as it is."""
    while has_markup(text):  # again, where entities spelled out a tag
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), _TAG.sub(" ", _HIDDEN.sub(" ", text)))
        text = tidy(text)
    return text


def tidy(text: str) -> str:
    """Each line without surplus spaces, no empty lines."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(re.sub(r" (?=[.,;:!?](?:\s|$))", "", line) for line in lines if line)


# ---- the price in the text

_SIGNS = re.escape("".join(c for c in map(chr, range(0x24, 0x20D0)) if unicodedata.category(c) == "Sc"))
_CODES = "USD|EUR|GBP|CAD|AUD|CHF|JPY|INR|CNY|SEK|NOK|DKK|PLN"
_BEFORE = rf"(?<!\w)(?:(?:US|C|A)?\s?[{_SIGNS}]|{_CODES})\s*"
_AFTER = rf"\s*(?:[{_SIGNS}]|(?:{_CODES}|dollars?|euros?)\b)"
_UNIT = r"\s?(?:[mck]?m|[mk]?g|m?l|oz|lbs?|in|inch|inches|ft|[gmt]b|m?ah|k?wh?|k?v|[mgk]?hz|x|%|\"|″|')(?![a-z])"


def own_prices(text: str, price: float) -> list[str]:
    """Where a text gives the item's own price away, as written there.

    That is: the price to the cent or in whole units (rounded or cut off) beside a currency mark ("$129.99", "130 EUR"),
    or its exact digits with cents ("only 129.99!"). Other numbers, and sizes such as "1.50 m", are not meant.
    """
    pattern = _price_pattern(text, price)
    return [found[0].strip() for found in pattern.finditer(text)] if pattern else []


def without_own_price(text: str, price: float) -> str:
    """The text with each amount that `own_prices` finds cut out."""
    while (pattern := _price_pattern(text, price)) and pattern.search(text):
        text = tidy(pattern.sub(" ", text))
    return text


def _price_pattern(text: str, price: float) -> re.Pattern[str] | None:
    """What gives ``price`` away, or None where the text doesn't even hold its digits."""
    if not 0 < price < math.inf:
        return None
    cents = _spellings(f"{price:.2f}", f"{price:,.2f}")
    whole = _spellings(
        *(f"{n}" for n in {int(price), int(price + 0.5)}), *(f"{n:,}" for n in {int(price), int(price + 0.5)})
    )
    if not any(amount in text for amount in (*cents, *whole)):
        return None
    exact, either = "|".join(map(re.escape, cents)), "|".join(map(re.escape, (*cents, *whole)))
    begins, ends = r"(?<![\d])(?<!\d[.,])", r"(?!\d|[.,]\d)"
    marked = rf"(?:{_BEFORE}(?:{either}){ends}|{begins}(?:{either}){ends}{_AFTER})"
    return re.compile(rf"{marked}|{begins}(?:{exact}){ends}(?!{_UNIT})", re.IGNORECASE)


def _spellings(*amounts: str) -> tuple[str, ...]:
    """The amounts, also with comma and point exchanged as in much of Europe; zero is left out."""
    both = [way for amount in amounts for way in (amount, amount.translate(str.maketrans(",.", ".,")))]
    return tuple(dict.fromkeys(amount for amount in both if amount.strip("0.,")))


# ---- odd prices

FAR = 5.0  # robust standard deviations of log price; a normal distribution has one value in 1.7 million beyond
REPEATED = (10, 0.1)  # a price is odd when at least so many items, and more than this share of all, have it
PLACEHOLDERS = (0.01, 0.99, 1.0, 99.0, 99.99, 100.0, 111.11, 123.0, 123.45, 999.0, 999.99, 1000.0, 9999.0, 9999.99)
REPEATED_PLACEHOLDER = (5, 0.02)  # the same for prices that people type when they don't know


def far_prices(prices: Sequence[float]) -> list[int]:
    """Positions of prices that are not positive numbers, or farther than `FAR` from the median on a log scale.

    The scale is the median absolute deviation · 1.4826, which outliers cannot move (Iglewicz and Hoaglin 1993).
    """
    logs = {place: math.log(price) for place, price in enumerate(prices) if 0 < price < math.inf}
    if not logs:
        return list(range(len(prices)))
    middle = statistics.median(logs.values())
    spread = 1.4826 * statistics.median(abs(value - middle) for value in logs.values())
    # Where most prices are the same the spread is zero, and distance from it says nothing.
    return [p for p in range(len(prices)) if p not in logs or (spread > 0 and abs(logs[p] - middle) > FAR * spread)]


def repeated_prices(prices: Sequence[float]) -> list[float]:
    """Prices that far too many items have, the commonest first."""
    found = []
    for price, count in Counter(prices).most_common():
        least, share = REPEATED_PLACEHOLDER if price in PLACEHOLDERS else REPEATED
        if count >= least and count > share * len(prices):
            found.append(price)
    return found
