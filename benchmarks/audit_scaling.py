"""How long does an audit of many rows take, and what does it miss? `python -m benchmarks.audit_scaling [ROWS …]`.

Rows are made-up listings: the title of one workshop listing, four phrases of others and a number. A fifth is held out;
into train go reworded copies of some of those, each checked to be a near duplicate. Each number of rows runs in a
process of its own, so that its peak memory is its own. Results go to ``data/results/audit-scaling.json`` with the
machine; sizes that are not run again keep theirs.
"""

import multiprocessing
import random
import re
import resource
import sys
import time
from typing import Any

from benchmarks.results import RESULTS
from pricelab.audit import audit
from pricelab.catalog import Catalog, Item, LoadReport, load_catalog
from pricelab.files import read_json, write_json_atomic
from pricelab.near_duplicates import THRESHOLD, jaccard, near_duplicates, normalised, shingles
from pricelab.normalise import this_machine

PATH = RESULTS / "audit-scaling.json"
ROWS = (10_000, 1_000_000)
SEED = 2
HELD_OUT = 0.2  # share of the rows
PLANTED = 0.01  # near duplicates in train, as a share of the rows
PHRASES = 4  # phrases a text, besides its title


def phrases() -> tuple[list[str], list[str]]:
    """Titles and phrases of the workshop's listings."""
    items = [item for split in load_catalog("workshop").splits.values() for item in split]
    bodies = (item.text.partition("\n")[2] for item in items)
    parts = {part.strip() for body in bodies for part in re.split(r"[.;•/,]\s", body) if len(part) > 8}
    return sorted({item.title for item in items}), sorted(parts)


def made_up(rows: int, dice: random.Random) -> list[str]:
    """Listings that share titles and phrases with one another, as those of one shop do."""
    titles, parts = phrases()
    return [
        f"{dice.choice(titles)}\n{'. '.join(dice.sample(parts, PHRASES))}. Item no. {dice.randrange(10**8):08d}."
        for _ in range(rows)
    ]


def reworded(text: str, dice: random.Random) -> str:
    """A copy with a word exchanged, left out or added: a near duplicate, and not the same."""
    own = normalised(text)
    while True:
        words = text.split(" ")
        place, many = dice.randrange(len(words)), dice.randrange(2)
        words[place : place + many] = dice.choice(([], ["new"], ["original"], ["great"]))
        copy = " ".join(words)
        if normalised(copy) != own and jaccard(shingles(normalised(copy)), shingles(own)) >= THRESHOLD:
            return copy


def planted_catalog(rows: int, seed: int = SEED) -> tuple[Catalog, set[tuple[str, str]]]:
    """A catalog of ``rows`` items, and the pairs of ids (train, test) that are near duplicates on purpose."""
    dice = random.Random(seed)
    texts, held_out, planted = made_up(round(rows * (1 - PLANTED)), dice), round(rows * HELD_OUT), round(rows * PLANTED)
    pairs = dice.sample(range(held_out), planted)
    train = texts[held_out:] + [reworded(texts[number], dice) for number in pairs]

    def items(split: str, listed: list[str]) -> tuple[Item, ...]:
        prices = (round(dice.lognormvariate(4, 1), 2) + 0.01 for _ in listed)
        return tuple(Item(f"{split}-{n}", text, p) for n, (text, p) in enumerate(zip(listed, prices, strict=True)))

    splits = {"train": items("train", train), "test": items("test", texts[:held_out])}
    first = len(train) - planted
    known = {(f"train-{first + place}", f"test-{number}") for place, number in enumerate(pairs)}
    return Catalog(f"{rows:,} made-up rows", splits, LoadReport(rows, rows)), known


def run(rows: int) -> dict[str, Any]:
    """Time, peak memory and recall for a number of rows: the near-duplicate search alone, then the whole audit."""
    catalog, planted = planted_catalog(rows)
    before, start = _peak(), time.perf_counter()
    distinct = dict.fromkeys(normalised(item.text) for split in ("test", "train") for item in catalog[split])
    held_out = len({normalised(item.text) for item in catalog["test"]})
    pairs = sum(1 for _ in near_duplicates(list(distinct), held_out))
    searched, peak = time.perf_counter() - start, _peak()
    del distinct
    start = time.perf_counter()
    found = audit(catalog)
    ids = {tuple(identifier for _, identifier in finding.items) for finding in found["near duplicate"]}
    return {
        "rows": rows, "held_out": len(catalog["test"]), "planted": len(planted),
        "found": len(planted & ids), "recall": round(len(planted & ids) / len(planted), 5), "pairs": pairs,
        "other_findings": len(found.findings) - len(planted & ids),
        "search_seconds": round(searched, 1), "search_peak_gb": round(peak, 2), "rows_alone_gb": round(before, 2),
        "audit_seconds": round(time.perf_counter() - start, 1), "audit_peak_gb": round(_peak(), 2),
        "machine": this_machine(),
    }  # fmt: skip


def _peak() -> float:
    """The most memory that this process has held so far, GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main(sizes: list[int]) -> None:
    """Measure each size and write it down at once."""
    for rows in sizes or ROWS:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            result = process.apply(run, (rows,))
        print(result, flush=True)
        kept = read_json(PATH)["runs"] if PATH.is_file() else []
        runs = sorted([*(one for one in kept if one["rows"] != rows), result], key=lambda one: one["rows"])
        settings = {"command": "python -m benchmarks.audit_scaling", "seed": SEED, "threshold": THRESHOLD}
        write_json_atomic(PATH, {**settings, "runs": runs})


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])
