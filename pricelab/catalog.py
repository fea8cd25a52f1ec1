"""Items to learn from: the workshop catalog, or a product file of your own, cleaned, split and reported on.

Reading files is left to ``tables``, understanding prices to ``price_column``, real listings to ``amazon``, turning an
item into a prompt to ``prompt``.
Notebook 02 introduces it. A catalog holds one currency, US dollars unless it says otherwise; nothing is converted.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from pricelab.currencies import USD
from pricelab.files import data_dir
from pricelab.items import (
    MAX_PRICE_USD,
    MIN_PRICE_USD,
    PRICE_RANGE,
    Item,
    check_range,
    listing_text,
    one_line,
    out_of_range,
    range_note,
    split_items,
)
from pricelab.price_column import PriceColumn, read_column
from pricelab.prices import Money, parse_money
from pricelab.report import Dropped, LoadReport
from pricelab.show import html_table, text_table
from pricelab.tables import Columns, find_columns, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Catalog", "Item", "LoadReport", "listing_text", "load_catalog", "load_items"]
__all__ += ["MAX_PRICE_USD", "MIN_PRICE_USD", "Columns", "Money", "find_columns", "parse_money", "read_table"]

MIN_ITEMS = 20  # with different texts
MIN_TO_FINETUNE = 35  # with different texts: the held-out tenth has to calibrate intervals
AMAZON = "amazon-2023:"  # and the name of a category
WORKSHOP_SPLITS = ("train", "validation", "calibration", "test", "test-unseen")


@dataclass(frozen=True, repr=False)
class Catalog:
    """Items by split, and the report of how they were read."""

    name: str
    splits: dict[str, tuple[Item, ...]]
    report: LoadReport
    currency: str = USD  # ISO 4217 code of every price
    price_range: tuple[float, float] | None = None  # what was said of the prices to keep, if anything

    def __getitem__(self, split: str) -> tuple[Item, ...]:
        if split not in self.splits:
            known = ", ".join(self.splits)
            raise ValueError(f"the catalog {self.name!r} has no split {split!r}; it has {known}")
        return self.splits[split]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over split names, ids, texts and prices: two catalogs that agree teach the same."""
        digest = hashlib.sha256(b"" if self.currency == USD else self.currency.encode())
        for split, items in self.splits.items():
            digest.update(json.dumps([split, [(item.id, item.text, item.price) for item in items]]).encode())
        return digest.hexdigest()

    def __str__(self) -> str:
        return f"{self.name}\n{text_table(*self._table())}"

    __repr__ = __str__  # thousands of items would fill a notebook

    def _repr_html_(self) -> str:
        return html_table(*self._table(), caption=self.name)

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows: list[tuple[str, ...]] = [
            (split, f"{len(items):,}", *_lowest_to_highest(items, self.currency))
            for split, items in self.splits.items()
        ]
        return ("split", "items", "lowest", "median", "highest"), rows


def load_catalog(
    source: str | Path = "workshop", *, columns: Mapping[str, str | None] | None = None, seed: int = 0,
    currency: str | None = None, decimal: str | None = None, price_range: tuple[float, float] | None = None,
    n: int | None = None,
) -> Catalog:  # fmt: skip
    """The workshop catalog, real listings, or a product file of your own, split into train, calibration and test.

    Args:
        source: ``"workshop"``; a CSV (commas, semicolons or tabs), TSV, JSON-lines or Parquet file; or
            ``"amazon-2023:Appliances"``, a category of Amazon Reviews 2023, streamed once and kept in the cache (see
            ``amazon``).
        columns: names what cannot be guessed in a file (``{"description": "body"}``).
        seed: draws the split, 80/10/10 by whole texts, whatever the order of the rows, and the sample of a category;
            the workshop catalog comes split already.
        currency: ISO 4217 code; of a file that mixes currencies only the prices in this one are kept. It also settles
            signs such as ``kr``. Nothing is ever converted.
        decimal: the mark before the decimals, ``"."`` or ``","``, for a file whose prices don't show it.
        price_range: lowest and highest price to keep, in the catalog's currency, such as (0.05, 25_000); where nothing
            is said, $1 to $999 for a file, $0.50 to $999.49 for Amazon.
        n: how many items to sample from a category, at most; 10,000 where nothing is said.

    Rows without a usable price or text are left out and reported.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file that cannot be read, mixed currencies, prices with two readings, fewer than 20 usable items,
            an unknown category, an option that the source doesn't take.
        ConnectionError: a category has to be downloaded and could not be.
    """
    if str(source) == "workshop":
        _refuse(
            "the workshop catalog", columns=columns, currency=currency, decimal=decimal, price_range=price_range, n=n
        )
        return _load_workshop()
    if str(source).startswith(AMAZON):
        _refuse("Amazon Reviews 2023, in US dollars,", columns=columns, currency=currency, decimal=decimal)
        from pricelab.amazon import load_category

        items, report = load_category(str(source).removeprefix(AMAZON), n=n, seed=seed, price_range=price_range)
    else:
        _refuse("a file", n=n)
        options: dict[str, Any] = {"currency": currency, "decimal": decimal, "price_range": price_range}
        items, report = load_items(source, columns=columns, **options)
    if len({item.text for item in items}) < MIN_ITEMS:
        raise ValueError(
            f"{source} has fewer than {MIN_ITEMS} usable items with different texts ({MIN_TO_FINETUNE} to fine-tune); "
            f"add more, or mend what was left out:\n{report}"
        )
    return Catalog(Path(source).name, split_items(items, seed), report, report.currency, price_range)


def _refuse(source: str, **options: Any) -> None:
    if given := [name for name, value in options.items() if value is not None]:
        raise ValueError(f"{source} takes no {', '.join(given)}; leave it out")


def load_items(
    path: str | Path, *, columns: Mapping[str, str | None] | None = None, currency: str | None = None,
    decimal: str | None = None, price_range: tuple[float, float] | None = None,
) -> tuple[tuple[Item, ...], LoadReport]:  # fmt: skip
    """The usable rows of a file in their order, not split, and what became of the others.

    The same rules as ``load_catalog``, but any number of items will do: this is for judging, not for learning. The
    report says in which currency they are.
    """
    limits = check_range(PRICE_RANGE if price_range is None else price_range)
    table = read_table(path)
    found = find_columns(table.columns, columns)
    codes = None if found.currency is None else dict(table[found.currency])
    try:
        prices = read_column(
            dict(table[found.price]), name=str(found.price), codes=codes, currency=currency, decimal=decimal
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    items, dropped = _usable_items(table, found, prices, limits)
    notes = [*_notes(items, found), *prices.notes]
    if any(out_of_range(prices.amounts.get(drop.row, limits[0]), limits) for drop in dropped):
        notes.append(range_note(limits, prices.currency))
    return items, LoadReport(len(table), len(items), dropped, tuple(notes), currency=prices.currency)


def _load_workshop() -> Catalog:
    splits = {name: _workshop_split(data_dir() / "catalog" / f"{name}.csv") for name in WORKSHOP_SPLITS}
    total = sum(map(len, splits.values()))
    return Catalog("workshop", splits, LoadReport(total, total))


def _workshop_split(path: Path) -> tuple[Item, ...]:
    try:
        return tuple(
            Item(
                id=row["id"],
                text=listing_text(row["title"], row["description"]),
                price=float(row["price"]),
                expected_price=float(row["expected_price"]),
                noise_sigma=float(row["noise_sigma"]),
                **{name: row[name] for name in ("title", "brand", "category", "family")},
            )
            for row in read_table(path).to_dict("records")
        )
    except (KeyError, ValueError) as error:
        message = f"{path} is not as pricelab wrote it ({error}); restore it from the repository"
        raise ValueError(message) from error


def _usable_items(
    table: "pd.DataFrame", found: Columns, prices: PriceColumn, limits: tuple[float, float]
) -> tuple[tuple[Item, ...], tuple[Dropped, ...]]:
    items: dict[tuple[str, float], Item] = {}
    dropped: list[Dropped] = []
    for number, row in zip(table.index, table.to_dict("records"), strict=True):
        item = prices.refused.get(number) or _read_item(number, row, found, prices, limits)
        if isinstance(item, Item) and (item.text, item.price) in items:
            item = Dropped(number, "same text and price as an earlier row", item.text)
        if isinstance(item, Dropped):
            dropped.append(item)
        else:
            items[item.text, item.price] = item
    return tuple(items.values()), tuple(dropped)


def _read_item(
    number: int, row: dict[str, str], found: Columns, prices: PriceColumn, limits: tuple[float, float]
) -> Item | Dropped:
    cell = {role: str(row[name]) if name is not None else "" for role, name in vars(found).items()}
    price = prices.amounts[number]
    if reason := out_of_range(price, limits, prices.currency):
        return Dropped(number, reason, cell["price"])
    text = listing_text(cell["title"], cell["description"])
    if not text:
        return Dropped(number, "no text", "")
    title, brand, category = (one_line(cell[role]) for role in ("title", "brand", "category"))
    return Item(cell["id"].strip() or f"row-{number}", text, price, title, brand, category)


def _notes(items: Iterable[Item], found: Columns) -> list[str]:
    read = {role: name for role, name in vars(found).items() if name is not None}
    notes = ["columns: " + ", ".join(f"{role} from {name!r}" for role, name in read.items())]
    several = sum(count > 1 for count in Counter(item.text for item in items).values())
    if several:
        notes.append(f"texts with more than one price: {several:,}; a text is never in two splits")
    return notes


def _lowest_to_highest(items: tuple[Item, ...], currency: str) -> list[str]:
    prices = [item.price for item in items] or [float("nan")]
    chosen = min(prices), median(prices), max(prices)
    return [f"${price:,.2f}" if currency == USD else f"{price:,.2f} {currency}" for price in chosen]
