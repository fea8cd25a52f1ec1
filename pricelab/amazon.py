"""Real listings: a category of Amazon Reviews 2023, streamed from the model hub, cleaned, sampled, kept in the cache.

``load_catalog("amazon-2023:Appliances")`` comes here. The raw file, gigabytes of it, passes by line by line and is not
kept; memory holds the sample alone. How a row becomes an item is left to ``amazon_rules``, the connection to
``hub_stream``. Data: Hou et al. 2024 (arXiv 2403.03952), https://amazon-reviews-2023.github.io. Notebook 02 introduces
it.
"""

import hashlib
import heapq
import json
from collections.abc import Iterable
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path

from pricelab.amazon_rules import MAX_LINE_BYTES, PRICE_RANGE_USD, RULES_VERSION, clean
from pricelab.files import cache_dir, replacing
from pricelab.hub_stream import find_file, read_lines
from pricelab.items import Item, check_range, range_note
from pricelab.report import Dropped, LoadReport, Tally

REPO = "McAuley-Lab/Amazon-Reviews-2023"
REVISION = "2b6d039ed471f2ba5fd2acb718bf33b0a7e5598e"  # the dataset's commit; the same rows for everybody
DEFAULT_ITEMS = 10_000
_NAMES = """
All_Beauty Amazon_Fashion Appliances Arts_Crafts_and_Sewing Automotive Baby_Products Beauty_and_Personal_Care Books
CDs_and_Vinyl Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry Digital_Music Electronics Gift_Cards
Grocery_and_Gourmet_Food Handmade_Products Health_and_Household Health_and_Personal_Care Home_and_Kitchen
Industrial_and_Scientific Kindle_Store Magazine_Subscriptions Movies_and_TV Musical_Instruments Office_Products
Patio_Lawn_and_Garden Pet_Supplies Software Sports_and_Outdoors Subscription_Boxes Tools_and_Home_Improvement
Toys_and_Games Unknown Video_Games
"""
CATEGORIES = tuple(_NAMES.split())
NOT_DRAWN = "usable, but not drawn into the sample"
_COLUMNS = ("id", "text", "price", "title", "brand", "category")


def load_category(
    category: str, *, n: int | None = None, seed: int = 0, price_range: tuple[float, float] | None = None,
    progress: bool = True,
) -> tuple[tuple[Item, ...], LoadReport]:  # fmt: skip
    """At most ``n`` different products of a category with different texts, and what became of all its rows.

    The sample is the same for everybody with the same ``seed``, whatever the order of the rows. The first call streams
    the whole category; a second one with the same settings reads the cache and needs no network.

    Args:
        category: one of `CATEGORIES`.
        n: items, 10,000 where nothing is said.
        seed: draws the sample.
        price_range: lowest and highest price in US dollars; $0.50 to $999.49 where nothing is said.
        progress: show a bar.

    Raises:
        ValueError: an unknown category, or settings that mean nothing.
        ConnectionError: the hub did not answer, or not to the end.
    """
    _check_category(category)
    n, limits = DEFAULT_ITEMS if n is None else n, check_range(price_range or PRICE_RANGE_USD)
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n={n!r} is no number of items; give a whole number, 1 or more")
    kept = cache_dir() / "amazon-2023" / _file_name(category, n, seed, limits)
    if not kept.is_file():
        file = find_file(REPO, f"raw/meta_categories/meta_{category}.jsonl", REVISION)
        if file.commit != REVISION:
            raise ConnectionError(f"the hub gave commit {file.commit} for {REVISION}; check HF_ENDPOINT")
        items, report = sample_rows(read_lines(file, MAX_LINE_BYTES, category, progress), n, seed, limits)
        _write(kept, items, _with_notes(report, category, n, seed, limits))
    return _read(kept)


def _check_category(category: str) -> None:
    if category not in CATEGORIES:
        near = get_close_matches(category, CATEGORIES, 1, 0.5)
        meant = f"; did you mean {near[0]!r}?" if near else ";"
        raise ValueError(f"Amazon Reviews 2023 has no category {category!r}{meant} There are {', '.join(CATEGORIES)}")


def _file_name(category: str, n: int, seed: int, limits: tuple[float, float]) -> str:
    low, high = limits
    return f"{category}-{REVISION[:12]}-rules{RULES_VERSION}-{low}-{high}-n{n}-seed{seed}.parquet"


# ---- the sample


def sample_rows(
    lines: Iterable[bytes | None], n: int, seed: int, limits: tuple[float, float]
) -> tuple[list[Item], LoadReport]:
    """Clean every line and keep at most ``n`` items; memory grows with ``n``, not with the lines."""
    tally, sample, rows = Tally(), _Sample(n, seed), 0
    for line in lines:
        rows += 1
        found = _item(line, limits)
        if isinstance(found, Item):
            sample.offer(rows, found, tally)
        else:
            tally.add(rows, *found)
    items = sample.items(tally)
    return items, LoadReport(rows, len(items), tuple(tally.dropped), more=dict(tally.more))


def _item(line: bytes | None, limits: tuple[float, float]) -> Item | tuple[str, str]:
    if line is None:
        return f"a line of more than {MAX_LINE_BYTES:,} bytes", ""
    try:
        return clean(json.loads(line), limits)
    except (ValueError, RecursionError):
        return "no JSON object", line[:80].decode(errors="replace")


class _Sample:
    """The ``n`` products with the smallest hash of their number: a random sample that no order of the rows changes.

    A product that comes twice has one hash, so both of its rows stand at the same place and the later one is left out.
    """

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed = n, seed
        self._heap: list[tuple[int, str]] = []  # (−hash, product), the largest hash on top
        self._kept: dict[str, tuple[int, Item]] = {}  # product → row, item

    def offer(self, row: int, item: Item, tally: Tally) -> None:
        """Keep the item, in another's place where the sample is full; count in ``tally`` what is left out."""
        if item.id in self._kept:
            tally.add(row, "same product as an earlier row", item.id)
            return
        entry = (-self._hash(item.id), item.id)
        if len(self._heap) < self.n:
            heapq.heappush(self._heap, entry)
        else:
            tally.more[NOT_DRAWN] += 1
            out = heapq.heappushpop(self._heap, entry)
            if out == entry:
                return
            del self._kept[out[1]]
        self._kept[item.id] = row, item

    def items(self, tally: Tally) -> list[Item]:
        """The sample in the order of its hashes, one item for each text."""
        by_text: dict[str, Item] = {}
        for _, product in sorted(self._heap, reverse=True):
            row, item = self._kept[product]
            if by_text.setdefault(item.text.casefold(), item) is not item:
                tally.add(row, "same text as another product", item.text)
        return list(by_text.values())

    def _hash(self, product: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.seed}\n{product}".encode()).digest()[:12])


def _with_notes(
    report: LoadReport, category: str, n: int, seed: int, limits: tuple[float, float]
) -> LoadReport:  # fmt: skip
    usable = report.rows_kept + report.left_out.get(NOT_DRAWN, 0)
    notes = [
        f"Amazon Reviews 2023, {category}, commit {REVISION[:12]}; prices in US dollars",
        f"cleaned by pricelab.amazon_rules.RULES, version {RULES_VERSION}",
        f"sampled up to {n:,} of {usable:,} usable rows, seed {seed}",
    ]
    if any(reason.startswith(("price below", "price above")) for reason in report.left_out):
        notes.append(range_note(limits))
    return LoadReport(report.rows_read, report.rows_kept, report.dropped, tuple(notes), report.more)


# ---- the cache


def _write(path: Path, items: list[Item], report: LoadReport) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    columns = {name: [getattr(item, name) for item in items] for name in _COLUMNS}
    facts = {"repo": REPO, "commit": REVISION, "rules": RULES_VERSION, "report": asdict(report)}
    table = pa.table(columns, schema=pa.schema([(name, pa.float64() if name == "price" else pa.string())
                                                for name in _COLUMNS]))  # fmt: skip
    with replacing(path) as new:
        pa.parquet.write_table(table.replace_schema_metadata({"pricelab": json.dumps(facts)}), new)


def _read(path: Path) -> tuple[tuple[Item, ...], LoadReport]:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        table = pa.parquet.ParquetFile(path).read()
        kept = json.loads(table.schema.metadata[b"pricelab"])["report"]
        dropped = tuple(Dropped(*drop) for drop in kept.pop("dropped"))
        report = LoadReport(**{**kept, "dropped": dropped, "notes": tuple(kept["notes"])})
        items = tuple(Item(**row) for row in table.to_pylist())
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not as pricelab wrote it ({error}); delete it, and it is made again") from error
    return items, report
