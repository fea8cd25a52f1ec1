"""Items to learn from: the workshop catalog, or a product file of your own, cleaned, split and reported on.

Reading files is left to ``tables``, understanding prices to ``prices``, turning an item into a prompt to ``prompt``.
Notebook 02 introduces it. A catalog holds one currency, US dollars unless it says otherwise; nothing is converted.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pricelab.files import data_dir
from pricelab.prices import foreign_currency, has_no_currency, names_foreign_currency, parse_price
from pricelab.report import Dropped, LoadReport, first_rows
from pricelab.show import html_table, text_table
from pricelab.tables import Columns, find_columns, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Catalog", "Item", "LoadReport", "listing_text", "load_catalog", "load_items"]
__all__ += ["Columns", "find_columns", "parse_price", "read_table"]

MIN_PRICE_USD = 1.0
MAX_PRICE_USD = 999.0
PRICE_RANGE = (MIN_PRICE_USD, MAX_PRICE_USD)  # what the prompt can write, in whole dollars
USD = "USD"
MIN_ITEMS = 20
HELD_OUT_SHARE = 0.1  # of the texts, once for calibration and once for test
WORKSHOP_SPLITS = ("train", "validation", "calibration", "test", "test-unseen")


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


@dataclass(frozen=True, repr=False)
class Catalog:
    """Items by split, and the report of how they were read."""

    name: str
    splits: dict[str, tuple[Item, ...]]
    report: LoadReport
    currency: str = USD  # ISO 4217 code of every price

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


def listing_text(title: str, description: str) -> str:
    """Title and description, each on one line; the description alone where it begins with the title."""
    title, description = _one_line(title), _one_line(description)
    if description.casefold().startswith(title.casefold()):  # true also without a title
        return description
    return f"{title}\n{description}".rstrip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def load_catalog(
    source: str | Path = "workshop", *, columns: Mapping[str, str | None] | None = None, seed: int = 0,
    currency: str | None = None, price_range: tuple[float, float] = PRICE_RANGE,
) -> Catalog:  # fmt: skip
    """The workshop catalog, or your own CSV or JSON-lines file, 80/10/10 for train, calibration and test.

    ``columns`` names what cannot be guessed (``{"description": "body"}``). ``seed`` draws the split, which does
    not depend on the order of the rows; the workshop catalog comes split already. Rows without a usable price or
    text are left out and reported, and so are prices outside ``price_range`` (lowest and highest, in the catalog's
    currency). Raises ``ValueError`` for a file that cannot be read, prices in other
    currencies, and fewer than 20 usable items; ``FileNotFoundError`` where there is no file.
    """
    if str(source) == "workshop":
        return _load_workshop()
    items, report = load_items(source, columns=columns, currency=currency, price_range=price_range)
    if len({item.text for item in items}) < MIN_ITEMS:
        raise ValueError(f"{source} has fewer than {MIN_ITEMS} usable items; add more\n{report}")
    return Catalog(Path(source).name, _split(items, seed), report)


def load_items(
    path: str | Path, *, columns: Mapping[str, str | None] | None = None,
    currency: str | None = None, price_range: tuple[float, float] = PRICE_RANGE,
) -> tuple[tuple[Item, ...], LoadReport]:  # fmt: skip
    """The usable rows of a file in their order, not split, and what became of the others.

    The same rules as ``load_catalog``, but any number of items will do: this is for judging, not for learning.
    """
    table = read_table(path)
    found = find_columns(table.columns, columns)
    _refuse_other_currencies(Path(path), table, found)
    items, dropped = _usable_items(table, found, price_range)
    return items, LoadReport(len(table), len(items), dropped, _notes(items, table, found))


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
    table: "pd.DataFrame", found: Columns, price_range: tuple[float, float]
) -> tuple[tuple[Item, ...], tuple[Dropped, ...]]:
    items: dict[tuple[str, float], Item] = {}
    dropped: list[Dropped] = []
    for number, row in zip(table.index, table.to_dict("records"), strict=True):
        item = _read_item(number, row, found, price_range)
        if isinstance(item, Item) and (item.text, item.price) in items:
            item = Dropped(number, "same text and price as an earlier row", item.text)
        if isinstance(item, Dropped):
            dropped.append(item)
        else:
            items[item.text, item.price] = item
    return tuple(items.values()), tuple(dropped)


def _read_item(number: int, row: dict[str, str], found: Columns, price_range: tuple[float, float]) -> Item | Dropped:
    cell = {role: row[name] if name is not None else "" for role, name in vars(found).items()}
    text, price_text = listing_text(cell["title"], cell["description"]), cell["price"]
    try:
        price = parse_price(price_text)
    except ValueError:
        return Dropped(number, "no price in US dollars", price_text)
    if price < price_range[0]:
        return Dropped(number, f"price below ${price_range[0]:g}", price_text)
    if price > price_range[1]:
        return Dropped(number, f"price above ${price_range[1]:g}", price_text)
    if not text:
        return Dropped(number, "no text", "")
    title, brand, category = (_one_line(cell[role]) for role in ("title", "brand", "category"))
    return Item(cell["id"].strip() or f"row-{number}", text, price, title, brand, category)


def _notes(items: Iterable[Item], table: "pd.DataFrame", found: Columns) -> tuple[str, ...]:
    read = {role: name for role, name in vars(found).items() if name is not None}
    notes = ["columns: " + ", ".join(f"{role} from {name!r}" for role, name in read.items())]
    if found.currency is None and any(map(has_no_currency, table[found.price])):
        notes.append("prices without a currency were read as US dollars")
    several = sum(count > 1 for count in Counter(item.text for item in items).values())
    if several:
        notes.append(f"texts with more than one price: {several:,}; a text is never in two splits")
    return tuple(notes)


def _refuse_other_currencies(path: Path, table: "pd.DataFrame", found: Columns) -> None:
    advice = "pricelab reads US dollars and converts nothing: convert these prices, or remove the rows"
    if names_foreign_currency(str(found.price)):
        raise ValueError(f"{path}: the column {found.price!r} is not in US dollars; {advice}")
    foreign = [Dropped(n, "", text) for n, text in table[found.price].items() if foreign_currency(text)]
    if not foreign and found.currency is not None:
        codes = table[found.currency].str.strip().items()
        foreign = [Dropped(n, "", code) for n, code in codes if code.upper() not in ("USD", "US$", "$", "")]
    if foreign:
        many = f"{len(foreign):,} prices are not in US dollars: {first_rows(foreign)}"
        raise ValueError(f"{path}: {many}; {advice}")


def _split(items: Iterable[Item], seed: int) -> dict[str, tuple[Item, ...]]:
    """Whole texts in the order of their hash: the same for every order of the rows."""
    by_text: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: item.price):
        by_text.setdefault(item.text, []).append(item)
    texts = sorted(by_text, key=lambda text: hashlib.sha256(f"{seed}\n{text}".encode()).digest())
    held_out = round(len(texts) * HELD_OUT_SHARE)
    parts = {"train": texts[2 * held_out :], "calibration": texts[held_out : 2 * held_out], "test": texts[:held_out]}
    return {name: tuple(item for text in part for item in by_text[text]) for name, part in parts.items()}


def _lowest_to_highest(items: tuple[Item, ...], currency: str) -> list[str]:
    prices = sorted(item.price for item in items) or [float("nan")]
    chosen = prices[0], prices[len(prices) // 2], prices[-1]
    return [f"${price:,.2f}" if currency == USD else f"{price:,.2f} {currency}" for price in chosen]
