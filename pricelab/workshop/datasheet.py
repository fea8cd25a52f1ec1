"""Write the catalog's data sheet and hashes; every number in it is counted here, none is typed.

Follows the questions of Gebru et al., Datasheets for Datasets (arXiv 1803.09010), shortened. Knows the rows that
``generate`` drew and the constants of ``formula``; draws nothing itself.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pricelab.evaluation import floor_mae
from pricelab.files import sha256_of
from pricelab.workshop.formula import MARGIN_SIGMAS, MAX_PRICE_USD, MIN_PRICE_USD
from pricelab.workshop.tables import TABLES, load_tables, table_path

Splits = dict[str, list[Any]]  # rows as ``generate.Row``; that module imports this one

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
QUANTILE_NAMES = ("least", "10 %", "25 %", "median", "75 %", "90 %", "most")


def sums_of(texts: dict[str, str]) -> str:
    """SHA-256 of each file's UTF-8 bytes, in the format of ``sha256sum``."""
    return "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in texts.items())


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def column(rows: list[Any], name: str) -> np.ndarray:
    """A numeric column of a split, shape (rows,)."""
    return np.array([float(getattr(row, name)) for row in rows])


def oracle_errors(rows: list[Any]) -> np.ndarray:
    """Absolute errors in US dollars of the best estimate: the median expected · exp(−σ²/2)."""
    median = column(rows, "expected_price") * np.exp(-(column(rows, "noise_sigma") ** 2) / 2)
    return np.abs(column(rows, "price") - median)


def split_table(splits: Splits) -> str:
    """Rows, families, text length and price quantiles of each split."""
    header = ["split", "rows", "families", "mean characters", *QUANTILE_NAMES]
    lines = []
    for name, rows in splits.items():
        length = np.mean([len(row.title) + len(row.description) for row in rows])
        prices = np.quantile(column(rows, "price"), QUANTILES)
        families = len({row.family for row in rows})
        lines.append([name, f"{len(rows):,}", families, f"{length:.0f}", *(f"${price:,.2f}" for price in prices)])
    return table(header, lines)


def floor_table(splits: Splits) -> str:
    """The best possible mean absolute error of each split beside what the best estimate really scores."""
    lines = []
    for name, rows in splits.items():
        floor = floor_mae(column(rows, "expected_price"), column(rows, "noise_sigma"))
        median = np.median(column(rows, "price"))
        constant = np.abs(column(rows, "price") - median).mean()
        cells = (floor.mean(), oracle_errors(rows).mean(), constant)
        lines.append([name, *(f"${cell:.2f}" for cell in cells)])
    return table(["split", "floor", "best estimate, realised", "its own median for every item"], lines)


def category_table(splits: Splits) -> str:
    """Families and items of each category, with the median price."""
    items = [row for rows in splits.values() for row in rows]
    lines = []
    for category in load_tables().uses:
        own = [row for row in items if row.category == category]
        unseen = {row.family for row in splits["test-unseen"] if row.category == category}
        median = np.median(column(own, "price"))
        lines.append(
            [
                category,
                len({row.family for row in own}),
                ", ".join(sorted(unseen)),
                len(own),
                f"${median:.2f}",
            ]
        )
    return table(["category", "families", "of these only in test-unseen", "items", "median price"], lines)


def omission_table(splits: Splits) -> str:
    """How often a text leaves brand, size or option open shows in noise_sigma: its quantiles beside the family's σ."""
    sigma = {family.name: family.sigma for family in load_tables().families}
    rows = [row for part in splits.values() for row in part]
    excess = column(rows, "noise_sigma") - np.array([sigma[row.family] for row in rows])
    lines = [
        [
            "σ of the family",
            *(f"{q:.2f}" for q in np.quantile([sigma[row.family] for row in rows], QUANTILES)),
        ],
        ["noise_sigma", *(f"{q:.2f}" for q in np.quantile(column(rows, "noise_sigma"), QUANTILES))],
    ]
    quantiles = table(["log units", *QUANTILE_NAMES], lines)
    return f"{quantiles}\n\n{(excess > 5e-4).mean():.0%} of the texts leave a price-relevant attribute open."


def constants_table() -> str:
    """Brand tiers and conditions, with their effects and shares."""
    tables = load_tables()
    shares = [
        *(("tier", tier) for tier in tables.tiers.values()),
        *(("condition", c) for c in tables.conditions),
    ]
    lines = [[kind, share.name, f"{share.effect:+.2f}", f"{share.share:.2f}"] for kind, share in shares]
    return table(["kind", "name", "log effect", "relative share"], lines)


def input_sums() -> str:
    """SHA-256 of the generator's input tables."""
    return "".join(f"{sha256_of(table_path(name))}  pricelab/workshop/{name}.csv\n" for name in TABLES)


def _indented(lines: str) -> str:
    """Lines for a code block whose first line the template indents."""
    return lines.rstrip().replace("\n", "\n    ")


def datasheet(splits: Splits, sums: str, seed: int) -> str:
    """The data sheet as Markdown; ``sums`` are the lines of ``SHA256SUMS``."""
    tables = load_tables()
    template = (table_path("families").parent / "datasheet.md").read_text(encoding="utf-8")
    values = {
        "items": f"{sum(map(len, splits.values())):,}",
        "families": len(tables.families),
        "categories": len(tables.uses),
        "brands": len(tables.brands),
        "seed": seed,
        "min_price": f"${MIN_PRICE_USD:.0f}",
        "max_price": f"${MAX_PRICE_USD:.0f}",
        "margin": f"{MARGIN_SIGMAS:g}",
        "splits": split_table(splits),
        "floors": floor_table(splits),
        "by_category": category_table(splits),
        "omissions": omission_table(splits),
        "constants": constants_table(),
        "sums": _indented(sums),
        "inputs": _indented(input_sums()),
    }
    for name, value in values.items():
        template = template.replace("{{" + name + "}}", str(value))
    return template
