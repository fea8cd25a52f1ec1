"""Understand one price as people write it, or refuse it: ``$1,299.00``, ``12,50 €``, ``1 299,00 kr``, ``1'299.00 CHF``.

Nothing is guessed: ``1,299`` alone is 1299 to some and 1.299 to others, so it keeps both readings, and ``price_column``
looks at the whole column to choose. Which currencies a sign may stand for is left to ``currencies``, what becomes of a
row to ``catalog``. A *mark* is the character before the decimals, ``.`` or ``,``. Notebook 12 introduces it.
"""

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from pricelab.currencies import NO_CENTS, check_code, meanings, signs_pattern, usual

MARKS = (".", ",")
MAX_LENGTH = 60  # characters; a longer text is no price
_EXAMPLES = "write it like $1,299.00, 12,50 €, 1299 USD or 12.50"
# One separator of thousands all through, or India's groups of two. Four decimals are refused: 1,2345 may also be
# 12345 in groups of four; more are what programs write for 12.99 after some arithmetic.
_POINT_AMOUNT = re.compile(
    r"([0-9]{1,15}|[1-9][0-9]{0,2}(?:([,' ])[0-9]{3})(?:\2[0-9]{3}){0,3}|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3})"
    r"(\.(?:[0-9]{1,3}|[0-9]{5,18}))?"
)
_PARTS = re.compile(r"(?P<before>[^0-9]*)(?P<amount>[0-9](?:[0-9.,' ]*[0-9])?)(?P<after>[^0-9]*)")
_NO_CENTS_DASH = re.compile(r"^[.,:]\s?[-–—]+")  # "49,- €", "49.–"
_SWAP = str.maketrans(".,", ",.")
_PLAIN = str.maketrans({"’": "'", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2007": " "})


class Money(NamedTuple):
    """An amount in the main unit of its currency (dollars, not cents)."""

    amount: float
    currency: str  # ISO 4217 code, "" where the text names none


class Number(str):
    """The digits of a number that a file holds as a number, not as text: its point is certainly the decimal mark."""


@dataclass(frozen=True, slots=True)
class WrittenPrice:
    """A price before it is known which mark is the decimal one."""

    text: str
    point: float | None  # its amount when "." is the decimal mark; None where it can't be
    comma: float | None  # the same for ","
    signs: tuple[str, ...]  # the currency signs, words and codes in it

    @property
    def ambiguous(self) -> bool:
        """Whether the two marks give two amounts."""
        return self.point is not None and self.comma is not None and self.point != self.comma

    @property
    def mark(self) -> str | None:
        """The mark that this price shows to be the decimal one, if it does."""
        if (self.point is None) == (self.comma is None):
            return None
        return "," if self.point is None else "."

    def settled(self, currency: str) -> "WrittenPrice":
        """Without the reading that has decimals, where the currency has none: ``¥1,200`` is 1200."""
        if not (self.ambiguous and currency in NO_CENTS):
            return self
        whole = max(self.point or 0, self.comma or 0)
        return replace(self, point=whole, comma=whole)

    def amount(self, mark: str | None = None) -> float:
        """The amount, ``mark`` being the decimal one where that matters; ``ValueError`` where it must be said."""
        if self.ambiguous and mark is None:
            raise ValueError(
                f'{self.text!r} may be {self.point:g} or {self.comma:g}; say decimal="." or decimal="," for the mark '
                "before the decimals"
            )
        chosen = self.comma if self.point is None or (self.ambiguous and mark == ",") else self.point
        assert chosen is not None
        return chosen

    def currency(self, said: str = "") -> str | None:
        """Its ISO 4217 code, ``""`` where it names none, None where its sign has several meanings and none is usual.

        ``said`` is the currency that the file or the caller names; it settles what the sign leaves open.
        """
        if not self.signs:
            return ""
        if len(self.signs) == 1:
            return usual(self.signs[0], said)
        common = set.intersection(*(set(meanings(sign)) for sign in self.signs))
        return said if said in common else common.pop() if len(common) == 1 else None


def parse_money(text: str, *, decimal: str | None = None, currency: str = "") -> Money:
    """The amount and currency of one price; ``Money(12.5, "EUR")`` from ``"12,50 €"``, ``Money(9.0, "")`` from ``"9"``.

    ``decimal`` ("." or ",") is needed for an amount with two readings, such as ``"1,299"``; ``currency`` (ISO 4217)
    settles signs such as ``kr``, and is taken where none is named. Raises ``ValueError`` for anything else.
    """
    check_decimal(decimal)
    said = check_code(currency) if currency else ""
    written = read_price(text)
    if written is None:
        raise ValueError(f"{_short(text)!r} is not a price; {_EXAMPLES}")
    found = written.currency(said)
    if found is None:
        codes = ", ".join(meanings(written.signs[0]))
        raise ValueError(f'{text!r} may be in {codes}; say which with currency="…"')
    return Money(written.settled(found or said).amount(decimal), found or said)


def read_price(text: str) -> WrittenPrice | None:
    """A price with its readings, or None for what is none (``"call us"``, ``"10-20"``, ``"-3"``, ``"12 each"``)."""
    if isinstance(text, Number):
        amount = float(text)
        return WrittenPrice(text, amount, amount, ()) if 0 <= amount < math.inf else None
    match = _PARTS.fullmatch(text.translate(_PLAIN).strip()) if len(text) <= MAX_LENGTH else None
    signs = match and _signs(match["before"], match["after"])
    if not match or signs is None:
        return None
    point, comma = _amount(match["amount"]), _amount(match["amount"].translate(_SWAP))
    return None if point is None and comma is None else WrittenPrice(text, point, comma, signs)


def check_decimal(decimal: str | None) -> None:
    """Raise ``ValueError`` for what is no decimal mark."""
    if decimal not in (None, *MARKS):
        raise ValueError(f'decimal={decimal!r} is no decimal mark; give "." (as in 12.50) or "," (as in 12,50)')


@lru_cache(maxsize=1024)
def _signs(before: str, after: str) -> tuple[str, ...] | None:
    """The signs around an amount, None where there is more than signs, or no currency that all may stand for."""
    after = _NO_CENTS_DASH.sub("", after)
    if not all(
        re.fullmatch(rf"\s*(?:(?:{signs_pattern()})\s*){{0,2}}", side, re.IGNORECASE) for side in (before, after)
    ):
        return None
    signs = tuple(re.findall(signs_pattern(), f"{before} {after}", re.IGNORECASE))
    agree = len(signs) < 2 or set.intersection(*(set(meanings(sign)) for sign in signs))
    return signs if agree else None


def _amount(text: str) -> float | None:
    """The amount with "." as the decimal mark, None where that can't be."""
    match = _POINT_AMOUNT.fullmatch(text)
    return float(re.sub("[,' ]", "", match[1]) + (match[3] or "")) if match else None


def _short(text: str) -> str:
    return text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "…"
