"""What baselines read: items or bare texts, with prices that can be learned from.

Notation: B rows, prices in US dollars.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from pricelab.items import PRICE_RANGE, Item

Rows = Sequence[Item] | Sequence[str]


def texts_of(rows: Rows) -> list[str]:
    """What a model may read of each row."""
    return [row.text if isinstance(row, Item) else row for row in rows]


def digests_of(texts: Sequence[str]) -> np.ndarray:
    """Short hashes (B,) by which texts can be told again, not read: the first 8 bytes of their SHA-256."""
    return np.array(
        [int.from_bytes(sha256(text.strip().encode(errors="replace")).digest()[:8]) for text in texts], np.uint64
    )


def categories_of(rows: Rows) -> list[str]:
    """The category of each row; empty where it is unknown, as for a bare text."""
    return [row.category if isinstance(row, Item) else "" for row in rows]


def prices_of(rows: Rows, prices: Sequence[float] | None, least: int) -> np.ndarray:
    """The B prices to learn from: those given, else the items' own.

    Raises:
        ValueError: bare texts without prices, another number of prices, fewer than ``least``, or prices that are none.
    """
    if prices is None:
        if not all(isinstance(row, Item) for row in rows):
            raise ValueError("bare texts carry no prices; call fit(texts, prices), or fit(items)")
        prices = [row.price for row in rows if isinstance(row, Item)]
    usd = np.asarray(prices, dtype=np.float64)
    if usd.shape != (len(rows),) or len(rows) < least:
        raise ValueError(f"got {len(rows)} texts and {usd.size} prices; give as many of each, at least {least}")
    if not (np.isfinite(usd) & (usd > 0)).all():
        raise ValueError("prices must be finite and above $0; leave the other rows out")
    return usd


def bounds_of(prices: np.ndarray) -> tuple[float, float]:
    """What predictions are kept within: $1–$999, or as far beyond as the training prices went."""
    return min(PRICE_RANGE[0], float(prices.min())), max(PRICE_RANGE[1], float(prices.max()))


def to_usd(log_price: np.ndarray, bounds: tuple[float, float] = PRICE_RANGE) -> np.ndarray:
    """Prices from natural logarithms, kept within ``bounds``."""
    return np.exp(np.clip(log_price.astype(np.float64), *np.log(bounds))).clip(*bounds)


def not_fitted() -> ValueError:
    return ValueError("this baseline has learned nothing yet; call fit(items) or fit(texts, prices) first")
