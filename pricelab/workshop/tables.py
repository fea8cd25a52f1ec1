"""Read the generator's inputs: what is sold, by whom, in what condition, and in which words.

Every number of the price formula and every phrase stands in a CSV file of this folder. Inside a cell, ``|`` separates
the members of a list and ``=`` or ``:`` a member from its number. Effects are natural logarithms of a price ratio:
0.1 is about 10 % dearer. ``formula`` says how they add up. Introduced in notebook 00.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
TABLES = ("families", "brands", "tiers", "conditions", "categories", "units", "phrases")


@dataclass(frozen=True, slots=True)
class Option:
    """A material or grade: its name, its log-price effect, and what it adds to the family's size elasticity."""

    name: str
    effect: float
    extra_elasticity: float = 0.0


@dataclass(frozen=True, slots=True)
class Size:
    """The numeric attribute: its label, its kind (a unit or a counted noun) and the levels on sale, ascending."""

    label: str
    kind: str
    levels: tuple[float, ...]

    @property
    def reference(self) -> float:
        """The level to which the family's reference price belongs: the middle one."""
        return self.levels[len(self.levels) // 2]


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of product. ``price_usd``: one new mainstream item of the middle size without extra features."""

    category: str
    name: str
    names: tuple[str, ...]
    price_usd: float
    size: Size | None
    elasticity: float
    option_label: str
    options: tuple[Option, ...]
    features: tuple[tuple[str, float], ...]
    packs: tuple[int, ...]
    pack_exponent: float
    used: bool
    sigma: float


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand: its name, price tier, log-price effect beside the tier's, and the categories it sells in."""

    name: str
    tier: str
    effect: float
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A log-price effect and how often it is drawn: a brand tier or a condition."""

    name: str
    effect: float
    share: float


@dataclass(frozen=True, slots=True)
class Unit:
    """One way to write a size: value × factor, rounded, for base values in [low, high]; ``#`` stands for the number.

    ``before`` holds the forms that may stand before a noun ("1.7-liter kettle"), ``after`` those that may follow it.
    """

    factor: float
    decimals: int
    low: float
    high: float
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """All inputs, indexed the way the generator asks for them."""

    families: tuple[Family, ...]
    brands: tuple[Brand, ...]
    tiers: dict[str, Share]
    conditions: tuple[Share, ...]
    tier_elasticity: dict[str, float]
    uses: dict[str, tuple[str, ...]]
    units: dict[str, tuple[Unit, ...]]
    phrases: dict[str, tuple[str, ...]]

    def brands_of(self, category: str) -> tuple[Brand, ...]:
        """The brands that sell in a category."""
        return tuple(brand for brand in self.brands if category in brand.categories)


def table_path(name: str) -> Path:
    """Where one of ``TABLES`` lies."""
    return FOLDER / f"{name}.csv"


def _rows(name: str) -> list[dict[str, str]]:
    with open(table_path(name), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _split(cell: str) -> tuple[str, ...]:
    return tuple(cell.split("|")) if cell else ()


def _size(cell: str) -> Size | None:
    if not cell:
        return None
    label, kind, levels = cell.split(":")
    return Size(label, kind, tuple(sorted(map(float, levels.split("|")))))


def _option(cell: str) -> Option:
    name, numbers = cell.split("=")
    effect, _, extra = numbers.partition("/")
    return Option(name, float(effect), float(extra or 0))


def _feature(cell: str) -> tuple[str, float]:
    name, effect = cell.split("=")
    return name, float(effect)


def _family(row: dict[str, str]) -> Family:
    option_label, _, options = row["options"].partition(":")
    return Family(
        category=row["category"],
        name=row["family"],
        names=(row["family"], *_split(row["other_names"])),
        price_usd=float(row["price_usd"]),
        size=_size(row["size"]),
        elasticity=float(row["elasticity"] or 0),
        option_label=option_label,
        options=tuple(map(_option, _split(options))),
        features=tuple(map(_feature, _split(row["features"]))),
        packs=tuple(map(int, _split(row["packs"]))) or (1,),
        pack_exponent=float(row["pack_exponent"] or 1),
        used=row["used"] == "yes",
        sigma=float(row["sigma"]),
    )


def _unit(row: dict[str, str]) -> Unit:
    both = _split(row["both"])
    before, after = both + _split(row["before"]), both + _split(row["after"])
    numbers = (float(row["factor"]), int(row["decimals"]), float(row["low"]), float(row["high"]))
    return Unit(*numbers, before=before or after, after=after or before)


@cache
def load_tables() -> Tables:
    """Read and index the CSV files of this folder."""
    units: dict[str, tuple[Unit, ...]] = defaultdict(tuple)
    for row in _rows("units"):
        units[row["kind"]] += (_unit(row),)
    phrases: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for row in _rows("phrases"):
        phrases[row["slot"]] += (row["text"],)
    categories = _rows("categories")
    return Tables(
        families=tuple(map(_family, _rows("families"))),
        brands=tuple(
            Brand(row["brand"], row["tier"], float(row["effect"]), _split(row["categories"])) for row in _rows("brands")
        ),
        tiers={
            row["tier"]: Share(row["tier"], float(row["log_effect"]), float(row["share"])) for row in _rows("tiers")
        },
        conditions=tuple(
            Share(row["condition"], float(row["log_effect"]), float(row["share"])) for row in _rows("conditions")
        ),
        tier_elasticity={row["category"]: float(row["tier_elasticity"]) for row in categories},
        uses={row["category"]: _split(row["uses"]) for row in categories},
        units=dict(units),
        phrases=dict(phrases),
    )
