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


def _brands(text: str, brands: list[str], most: int) -> dict[str, str]:
    named = [brand for brand in set(brands) if replaced(text, brand, "") is not None]
    if not named:
        return {}
    own = max(named, key=lambda brand: (len(brand), brand))
    others = [brand for brand, _ in Counter(brands).most_common() if brand not in named][:most]
    return {f"brand {brand}": replaced(text, own, brand) or text for brand in others}


def _sizes(text: str) -> dict[str, str]:
    found = _SIZE.search(text)
    if found is None or not (size := float(found[1])):
        return {}
    sizes = {word: f"{size * factor:g}" for word, factor in (("half", 0.5), ("twice", 2))}
    return {f"{word} the size ({found[1]} → {new})": text[: found.start(1)] + new + text[found.end(1) :]
            for word, new in sizes.items()}  # fmt: skip


def _conditions(text: str) -> dict[str, str]:
    for start, end in phrases(text):
        if found := _CONDITION.fullmatch(text[start:end]):
            before, named, after = found.groups()
            known = named.lower().replace("-", " ")
            others = [state for state in CONDITIONS if state not in (known, f"brand {known}")]
            new = {state: state.capitalize() if named[0].isupper() else state for state in others}
            return {state: text[:start] + before + said + after + text[end:] for state, said in new.items()}
    return {state: f"{text.rstrip('. ')}. {state.capitalize()}." for state in CONDITIONS}
