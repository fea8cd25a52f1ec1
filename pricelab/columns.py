"""Which column of a product file is what: named by the caller, else guessed from its name, else asked for.

Reading the file is left to ``tables``, the prices to ``price_column``. Notebook 12 introduces it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pricelab.currencies import sign_in_name

_ALIASES = {
    "title": "title name product product_name product_title item item_name item_title listing_title",
    "description": "description text details product_description item_description long_description",
    "price": "price cost amount list_price sale_price selling_price unit_price retail_price",
    "id": "id item_id product_id listing_id sku asin",
    "brand": "brand brand_name manufacturer",
    "category": "category product_category main_category",
    "currency": "currency currency_code price_currency",
}
_NEVER_NEEDED = ("id", "brand", "category")


@dataclass(frozen=True)
class Columns:
    """The file's own name of each column that pricelab uses; ``None`` where the file has none."""

    title: str | None = None
    description: str | None = None
    price: str | None = None
    id: str | None = None
    brand: str | None = None
    category: str | None = None
    currency: str | None = None


def find_columns(
    names: Iterable[str], columns: Mapping[str, str | None] | None = None, price_required: bool = True
) -> Columns:
    """Which column is what: named in ``columns`` (``{"description": "body"}``, ``None``: leave out), else guessed.

    A title or a description has to be there, and a price where it is required (else none is looked for). Raises
    ``ValueError`` with the file's columns when one of them is missing or several could be meant.
    """
    names, chosen = list(names), dict(columns or {})
    _check_chosen(chosen, names)
    if not price_required:
        chosen = {"price": None, "currency": None, **chosen}
    free = [name for name in names if name not in chosen.values()]
    guessed = {role: _guess(role, free, names) for role in _ALIASES if role not in chosen}
    found = Columns(**chosen, **guessed)
    if found.title is None and found.description is None:
        raise ValueError(f"no column with a description{_columns_help(names, 'description')}")
    if found.price is None and price_required:
        raise ValueError(f"no column with a price{_columns_help(names, 'price')}")
    return found


def unread_separator(names: list[str]) -> str:
    """The rest of an error, where the only column looks like several with a sign between them that isn't read."""
    found = re.search(r"[|^~:;,]", names[0]) if len(names) == 1 else None
    if found is None:
        return ""
    return f"; if {found[0]!r} separates columns in it, save it as CSV with commas, semicolons or tabs (TSV: tabs)"


def _check_chosen(chosen: Mapping[str, str | None], names: list[str]) -> None:
    for role, name in chosen.items():
        if role not in _ALIASES:
            raise ValueError(f"columns={{{role!r}: …}} means nothing; it can name {', '.join(_ALIASES)}")
        if name is not None and name not in names:
            raise ValueError(f"there is no column {name!r}{_columns_help(names, role)}")


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def _price_name(name: str) -> str:
    """The column's name without what it says of the currency: ``"Price (USD)"`` and ``"price_cents"`` are prices."""
    words = _plain(name).split("_")
    rest = [word for word in words if word not in ("in", "cent", "cents", "pence") and sign_in_name(word) is None]
    return "_".join(rest or ["price"]) if words != ["in"] else name


def _guess(role: str, free: list[str], names: list[str]) -> str | None:
    aliases, plain = _ALIASES[role].split(), _price_name if role == "price" else _plain
    hits = sorted((name for name in free if plain(name) in aliases), key=lambda name: aliases.index(plain(name)))
    if len(hits) > 1 and role not in _NEVER_NEEDED:
        raise ValueError(
            f"{' and '.join(map(repr, hits))} could both be the {role}{_columns_help(names, role, hits[0])}"
        )
    return hits[0] if hits else None


def _columns_help(names: list[str], role: str, example: str = "…") -> str:
    there = ", ".join(map(repr, names)) + unread_separator(names)
    python, shell = f'columns={{"{role}": "{example}"}}', f'--column "{role}={example}"'
    return f"; the file has the columns {there}. Say which with {python}, or on the command line with {shell}"
