"""A text with one thing changed: a phrase left out, another brand, size or condition, or the same said differently.

Texts only; what that does to a price is left to ``why`` (one item) and ``swaps`` (many). Introduced in notebook 10.
"""

import re
from collections import Counter
from collections.abc import Iterable

from pricelab.swaps import replaced

MOST_PHRASES = 24  # of a text; the last one takes what is left
CONDITIONS = ("brand new", "open box", "refurbished", "used")
_BETWEEN = re.compile(r"\n+|(?<=[.!?])\s+|\s*[;|•]\s*|\s+[/–—-]\s+|,\s+(?=\S)")
_CONDITION = re.compile(r"(\W*(?:condition\W+)?)((?:brand[ -])?new|open[ -]box|refurbished|used)(\W*)", re.IGNORECASE)
_UNITS = (
    "[mcd]?l|lit(?:er|re)s?|(?:fl )?oz|ounces?|qt|quarts?|gal(?:lons?)?|[mcdk]?m|inch(?:es)?|in|ft|feet|[mk]?g|lbs?|"
    "pounds?|[gt]b|k?wh?|watts?|m?ah|cups?|packs?|pieces?|pcs"
)
_SIZE = re.compile(rf"(?<![\w.,-])(\d{{1,5}}(?:\.\d{{1,3}})?)(?=[\s-]?(?:{_UNITS})\b)", re.IGNORECASE)


def phrases(text: str, most: int = MOST_PHRASES) -> list[tuple[int, int]]:
    """Where the phrases of a text lie, as start and end: lines, sentences, list entries and what commas part."""
    ends = [0, *(place for found in _BETWEEN.finditer(text) for place in found.span()), len(text)]
    spans = [(start, end) for start, end in zip(ends[::2], ends[1::2], strict=True) if text[start:end].strip(" .,!?")]
    return spans if len(spans) <= most else [*spans[: most - 1], (spans[most - 1][0], spans[-1][1])]


def without(text: str, span: tuple[int, int]) -> str:
    """``text`` without what lies in ``span``, and without the sign that parted it from what follows."""
    before, after = text[: span[0]], text[span[1] :]
    parting = _BETWEEN.match(after)
    if parting is None:  # the last phrase: the sign before it goes
        return before.rstrip(" ,;|•/–—-\n") + after
    return before + after[parting.end() :]


def reworded(text: str) -> list[str]:
    """The same said differently, so that no price should move: small letters, other order of phrases, other signs."""
    pieces = [text[start:end].rstrip(" .") for start, end in phrases(text)]
    ways = [text.lower(), ". ".join(pieces) + ".", "\n".join(pieces), ", ".join(pieces[:1] + pieces[:0:-1])]
    return [way for way in dict.fromkeys(ways) if way.strip() and way != text]


def changes(text: str, brands: Iterable[str] = (), most: int = 2) -> dict[str, str]:
    """Name → text with another brand, size or condition, where the text allows it.

    ``brands`` are those of similar items, one entry an item; the text's own is the longest that it names. The ``most``
    frequent others take its place. The first size is halved and doubled. A condition takes the place of one that
    is a phrase of its own, else it comes behind.
    """
    return {
        name: changed
        for name, changed in {**_brands(text, list(brands), most), **_sizes(text), **_conditions(text)}.items()
        if changed != text
    }


def brand_in(text: str, brands: Iterable[str]) -> str:
    """The longest of ``brands`` that the text names, empty when it names none."""
    named = [brand for brand in set(brands) if replaced(text, brand, "") is not None]
    return max(named, key=lambda brand: (len(brand), brand), default="")


def with_brand(text: str, own: str, brand: str) -> str:
    """``text`` with ``brand`` where it names ``own``, or in front where it doesn't."""
    return replaced(text, own, brand) or f"{brand} {text}"


def size_in(text: str) -> str:
    """The first size of the text as it is written, without its unit; empty when there is none."""
    found = _SIZE.search(text)
    return found[1] if found else ""


def with_size(text: str, size: str) -> str:
    """``text`` with another number as its first size; unchanged when it has none."""
    found = _SIZE.search(text)
    return text[: found.start(1)] + size + text[found.end(1) :] if found else text


def condition_in(text: str) -> str:
    """The condition that is a phrase of its own, as it is written; empty when there is none."""
    found = _stated(text)
    return text[found[0] : found[1]] if found else ""


def with_condition(text: str, condition: str) -> str:
    """``text`` in another condition: in the place of the one that is a phrase of its own, else behind."""
    found = _stated(text)
    if found is None:
        return f"{text.rstrip('. ')}. {condition.capitalize()}."
    said = condition.capitalize() if text[found[0]].isupper() else condition
    return text[: found[0]] + said + text[found[1] :]


def _brands(text: str, brands: list[str], most: int) -> dict[str, str]:
    if not (own := brand_in(text, brands)):
        return {}
    others = [brand for brand, _ in Counter(brands).most_common() if replaced(text, brand, "") is None][:most]
    return {f"brand {brand}": with_brand(text, own, brand) for brand in others}


def _sizes(text: str) -> dict[str, str]:
    size = size_in(text)
    if not size or not float(size):
        return {}
    sizes = {word: f"{float(size) * factor:g}" for word, factor in (("half", 0.5), ("twice", 2))}
    return {f"{word} the size ({size} → {new})": with_size(text, new) for word, new in sizes.items()}


def _conditions(text: str) -> dict[str, str]:
    known = condition_in(text).lower().replace("-", " ")
    others = [state for state in CONDITIONS if not known or state not in (known, f"brand {known}")]
    return {state: with_condition(text, state) for state in others}


def _stated(text: str) -> tuple[int, int] | None:
    for start, end in phrases(text):
        if found := _CONDITION.fullmatch(text[start:end]):
            return start + found.start(2), start + found.end(2)
    return None
