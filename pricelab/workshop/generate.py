"""Draw the workshop catalog: one CSV file per split, the data sheet and the hashes, all fixed by a seed.

An item is a family, its features, pack and condition, then brand, size and option from what is on sale. Its text may
leave the last three out, independently of what they are; an unstated condition is new, an unstated pack is one, an
unstated feature is absent. Prices come from ``formula``, texts from ``wording``. Introduced in notebook 00.
"""

import csv
import io
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from pricelab.files import write_text_atomic
from pricelab.workshop.datasheet import datasheet, sums_of
from pricelab.workshop.dice import Dice
from pricelab.workshop.formula import Cell, Grid, noisy_price, price_grid, snap
from pricelab.workshop.tables import Brand, Family, Share, Tables, load_tables
from pricelab.workshop.wording import Story, write_text

DEFAULT_SEED = 2026
SPLITS = {"train": 4200, "validation": 300, "calibration": 500, "test": 600, "test-unseen": 600}
PREFIXES = {"train": "tr", "validation": "va", "calibration": "ca", "test": "te", "test-unseen": "tu"}
UNSEEN_PER_CATEGORY = 2
FEATURE_SHARE = 0.45
PACK_SHARE = 0.45  # of items in families that come in packs
LEFT_OUT_SHARE = {"brand": 0.12, "size": 0.1, "option": 0.12}
MIN_ON_SALE_SHARE = 0.25  # features, pack and condition are drawn again when fewer combinations than this are on sale


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a split, as written; ``price`` and ``expected_price`` in US dollars, ``noise_sigma`` in log units."""

    id: str
    title: str
    brand: str
    category: str
    family: str
    description: str
    price: str
    expected_price: str
    noise_sigma: str


def split_families(tables: Tables, dice: Dice) -> tuple[list[Family], list[Family]]:
    """The families seen in training and those kept for ``test-unseen``: some of every category."""
    unseen: set[str] = set()
    for category in tables.uses:
        names = [family.name for family in tables.families if family.category == category]
        unseen.update(dice.shuffled(names)[:UNSEEN_PER_CATEGORY])
    seen = [family for family in tables.families if family.name not in unseen]
    return seen, [family for family in tables.families if family.name in unseen]


def _offer(family: Family, tables: Tables, dice: Dice) -> tuple[Grid, tuple[str, ...], int, Share]:
    """Draw features, pack and condition; price every brand, size and option that goes with them."""
    while True:
        features = [feature for feature in family.features if dice.chance(FEATURE_SHARE)]
        several = len(family.packs) > 1 and dice.chance(PACK_SHARE)
        pack = dice.pick(family.packs[1:]) if several else family.packs[0]
        shares = np.array([condition.share for condition in tables.conditions])
        condition = tables.conditions[dice.weighted(shares) if family.used else 0]
        grid = price_grid(family, tuple(effect for _, effect in features), pack, condition, tables)
        if (grid.weight > 0).mean() >= MIN_ON_SALE_SHARE:
            return grid, tuple(name for name, _ in features), pack, condition


def _stated(cell: tuple[int, int, int], family: Family, dice: Dice) -> Cell:
    """The indices that the text will tell; the others become None."""
    there = {"brand": True, "size": family.size is not None, "option": bool(family.options)}
    told = [there[part] and not dice.chance(share) for part, share in LEFT_OUT_SHARE.items()]
    brand, size, option = (index if tell else None for index, tell in zip(cell, told, strict=True))
    return brand, size, option


def _story(
    family: Family,
    brands: tuple[Brand, ...],
    stated: Cell,
    features: tuple[str, ...],
    pack: int,
    condition: Share,
) -> Story:
    brand, size, option = stated
    return Story(
        family=family,
        brand=None if brand is None else brands[brand].name,
        size=None if size is None or family.size is None else (family.size, family.size.levels[size]),
        option=None if option is None else family.options[option].name,
        features=features,
        pack=pack,
        condition=condition.name,
    )


def draw_item(family: Family, identifier: str, tables: Tables, dice: Dice) -> Row:
    """One item of a family: what it is, what its text says, what it costs."""
    grid, features, pack, condition = _offer(family, tables, dice)
    brand, size, option = map(int, np.unravel_index(dice.weighted(grid.weight.ravel()), grid.weight.shape))
    stated = _stated((brand, size, option), family, dice)
    expected_price, noise_sigma = grid.given(stated)
    price = noisy_price(float(np.exp(grid.log_price[brand, size, option])), family.sigma, dice)
    cents = snap(price, dice)
    story = _story(family, tables.brands_of(family.category), stated, features, pack, condition)
    title, description = write_text(story, tables, dice)
    return Row(
        id=identifier,
        title=title,
        brand=story.brand or "",
        category=family.category,
        family=family.name,
        description=description,
        price=f"{cents // 100}.{cents % 100:02d}",
        expected_price=f"{expected_price:.2f}",
        noise_sigma=f"{noise_sigma:.4f}",
    )


def draw_split(name: str, families: list[Family], tables: Tables, dice: Dice, seen_texts: set[str]) -> list[Row]:
    """The rows of a split: families in shuffled rounds, so that each comes about equally often; no text twice."""
    rows: list[Row] = []
    queue: list[Family] = []
    while len(rows) < SPLITS[name]:
        queue = queue or dice.shuffled(families)
        row = draw_item(queue[-1], f"{PREFIXES[name]}-{len(rows) + 1:04d}", tables, dice)
        text = f"{row.title}\n{row.description}".lower()
        if text not in seen_texts:
            seen_texts.add(text)
            rows.append(row)
            queue.pop()
    return rows


def draw_catalog(seed: int = DEFAULT_SEED) -> dict[str, list[Row]]:
    """All splits by name; each has a random stream of its own."""
    tables = load_tables()
    seen, unseen = split_families(tables, Dice(seed, 0))
    texts: set[str] = set()
    return {
        name: draw_split(name, unseen if name == "test-unseen" else seen, tables, Dice(seed, 1 + stream), texts)
        for stream, name in enumerate(SPLITS)
    }


def csv_text(rows: list[Row]) -> str:
    """A split as CSV with a header and LF line ends."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([field.name for field in fields(Row)])
    writer.writerows(map(astuple, rows))
    return buffer.getvalue()


def generate(out: Path, seed: int = DEFAULT_SEED) -> list[Path]:
    """Write the five splits, ``README.md`` and ``SHA256SUMS`` into ``out``; the same seed gives the same bytes."""
    catalog = draw_catalog(seed)
    texts = {f"{name}.csv": csv_text(rows) for name, rows in catalog.items()}
    texts["SHA256SUMS"] = sums_of(texts)
    texts["README.md"] = datasheet(catalog, texts["SHA256SUMS"], seed)
    for name, text in texts.items():
        write_text_atomic(Path(out) / name, text)
    return [Path(out) / name for name in texts]
