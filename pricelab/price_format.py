"""Which prices an adapter writes: whole dollars up to $999 and, where its catalog asks for it, others as well.

From $1,000 on three significant digits are written (tens, from $10,000 on hundreds), so that the tree of numbers which
`decoding` follows stays small: after the third digit only "0" follows. With ``cents``, a price under $10 has two
decimals ("4.99", "0.49"). How a format meets a tokenizer is left to `prompt`. Prices in US dollars;
``docs/predictor.md`` has an example.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

SIGNIFICANT = 3  # digits of a price in whole dollars that may be other than 0
MOST_DIGITS = 6  # before the decimal point
CENTS_BELOW_USD = 10
CENTS_SHARE = 0.5  # of a catalog's prices that lie below that: from here on a dollar's rounding is no longer small


@dataclass(frozen=True)
class PriceFormat:
    """Which prices are written, and how. The default is whole dollars from $1 to $999."""

    digits: int = SIGNIFICANT  # before the decimal point, at most
    cents: bool = False  # whether a price under $10 is written with two decimals

    def __post_init__(self) -> None:
        if not isinstance(self.cents, bool):
            raise TypeError(f"cents is {self.cents!r}, expected true or false")
        if type(self.digits) is not int or not SIGNIFICANT <= self.digits <= MOST_DIGITS:
            raise ValueError(f"prices have {SIGNIFICANT} to {MOST_DIGITS} digits before the point, got {self.digits!r}")

    @classmethod
    def of(cls, prices: Sequence[float]) -> "PriceFormat":
        """What a catalog of ``prices`` (B,) needs: digits enough for the highest one, and cents where they count.

        They do where at least half of the prices lie under $10, and where one is too low for whole dollars.
        """
        usd = np.asarray(prices, dtype=float)
        if not len(usd):
            return cls()
        digits = next((n for n in range(SIGNIFICANT, MOST_DIGITS) if cls(n).writable(usd.max())), MOST_DIGITS)
        mostly_low = (usd < cls(cents=True).edges[_IN_CENTS]).mean() >= CENTS_SHARE
        return cls(digits, bool(mostly_low or usd.min() < cls().edges[0]))

    @classmethod
    def stored(cls, noted: dict[str, Any] | None) -> "PriceFormat":
        """The format of a manifest; nothing noted means the default."""
        return cls(**noted or {})

    def noted(self) -> dict[str, Any] | None:
        """What a manifest notes; nothing of the default, as in those from before there were others."""
        return None if self == WHOLE_DOLLARS else asdict(self)

    @property
    def prices(self) -> np.ndarray:
        """All prices that can be written (P,), ascending, in US dollars."""
        return _prices(self.digits, self.cents)

    @property
    def edges(self) -> np.ndarray:
        """Between which prices each is written (P + 1,): midpoints of neighbours, the outermost half a step out."""
        return _edges(self.digits, self.cents)

    @property
    def labels(self) -> tuple[str, ...]:
        """How each of the `prices` is written."""
        return _labels(self.digits, self.cents)

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest price that can be written, in US dollars."""
        return float(self.prices[0]), float(self.prices[-1])

    def place(self, price: float) -> int:
        """Where in `prices` the nearest one to ``price`` stands, the upper one of two as near."""
        return place_of(self.edges, price)

    def label(self, price: float) -> str:
        """How ``price`` is written: the nearest writable price, half a step rounded up.

        Raises:
            ValueError: no positive number.
        """
        if not 0 < price < math.inf:
            raise ValueError(f"a price must be a positive number of US dollars, got {price!r}")
        return self.labels[self.place(price)]

    def writable(self, price: float) -> bool:
        """Whether what is written for ``price`` is at most half a step from it."""
        return bool(self.edges[0] <= price < self.edges[-1])

    def __str__(self) -> str:
        whole = "whole dollars from 1 to 999"
        if self.cents:
            whole = "dollars and cents from 0.01 to 9.99, whole dollars from 10 to 999"
        return whole + (
            f", three significant digits from 1,000 to {self.prices[-1]:,.0f}" if self.digits > SIGNIFICANT else ""
        )


def edges_of(prices: np.ndarray) -> np.ndarray:
    """Between which prices each of the ascending ``prices`` (P,) is the nearest: (P + 1,), see `PriceFormat.edges`."""
    middles = (prices[1:] + prices[:-1]) / 2
    return np.concatenate([[2 * prices[0] - middles[0]], middles, [2 * prices[-1] - middles[-1]]])


def place_of(edges: np.ndarray, price: float) -> int:
    """Between which two of the ``edges`` (P + 1,) ``price`` lies, 0 … P − 1; the outermost where it is beyond them."""
    return min(max(int(np.searchsorted(edges, price, side="right")) - 1, 0), len(edges) - 2)


@lru_cache
def _prices(digits: int, cents: bool) -> np.ndarray:
    whole = [np.arange(CENTS_BELOW_USD if cents else 1, 10**SIGNIFICANT)]
    for more in range(1, digits - SIGNIFICANT + 1):
        whole.append(np.arange(10 ** (SIGNIFICANT - 1), 10**SIGNIFICANT) * 10**more)
    return _kept(np.concatenate([np.arange(1, _IN_CENTS + 1) / 100, *whole] if cents else whole))


@lru_cache
def _edges(digits: int, cents: bool) -> np.ndarray:
    return _kept(edges_of(_prices(digits, cents)))


@lru_cache
def _labels(digits: int, cents: bool) -> tuple[str, ...]:
    decimals = 2 if cents else 0
    return tuple(f"{price:.{decimals if price < CENTS_BELOW_USD else 0}f}" for price in _prices(digits, cents).tolist())


def _kept(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False  # all predictors share it
    return array


_IN_CENTS = 100 * CENTS_BELOW_USD - 1  # how many prices are written in cents
WHOLE_DOLLARS = PriceFormat()
