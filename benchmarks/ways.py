"""Repeat notebook 08's comparison with several seeds and sizes: `python -m benchmarks.ways`.

First learning rates, judged on validation items; then trials, priced on both test splits. Each goes to
``data/results/ways.json`` (another base than SmolLM2 to a file of its own) as it ends, with settings, the catalog's
hash and the machine; started again, the command goes on after the last finished one.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS
from pricelab.catalog import Catalog, load_catalog
from pricelab.files import read_json, write_json_atomic
from pricelab.normalise import this_machine
from pricelab.profiles import detect
from pricelab.ways import WAYS, Trial, attempt

HELD_OUT = 100  # items of each split that a trial prices
# training items → way → learning rates; the best is taken for so many items and more, QLoRA takes LoRA's
RATES = {
    200: {"lora": (3e-4, 1e-3, 3e-3, 1e-2), "full": (3e-5, 1e-4, 3e-4, 1e-3),
          "scratch": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), "small": (1e-3, 3e-3, 1e-2, 3e-2)},
    600: {"lora": (3e-4, 1e-3, 3e-3), "full": (3e-5, 1e-4, 3e-4), "scratch": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
          "small": (1e-3, 3e-3, 1e-2)},
    2000: {"scratch": (1e-4, 3e-4, 1e-3, 3e-3)},
}  # fmt: skip
SEEDS = (0, 1, 2)
# (ways, items, seeds) in the order of what the comparison needs most
ALL = ("lora", "qlora", "full", "scratch", "small")
GRID = (
    (ALL, 600, SEEDS[:1]),
    (("lora", "full", "small"), 2000, SEEDS[:1]),
    (ALL, 200, SEEDS[:1]),
    (ALL, 600, SEEDS[1:]),
    (("scratch", "qlora"), 2000, SEEDS[:1]),
    (ALL, 200, SEEDS[1:]),
    (("lora", "small"), 2000, SEEDS[1:]),
    (ALL, 50, SEEDS),
    (("full", "scratch", "qlora"), 2000, SEEDS[1:]),
)  # fmt: skip


def rates(catalog: Catalog) -> list[tuple[tuple[Any, ...], Callable[[], dict[str, Any]]]]:
    """The runs that choose a learning rate: (key, what makes it)."""
    validation = {"validation": catalog["validation"][:HELD_OUT]}
    prices = np.array([item.price for item in validation["validation"]])

    def run(items: int, key: str, rate: float) -> dict[str, Any]:
        way = replace(WAYS[key], rates={items: rate})
        trial = attempt(way, catalog["train"][:items], validation, base=detect().base, asked=1)
        error = np.abs(np.array(trial.estimates["validation"]) - prices).mean()
        return {"way": key, "learning_rate": rate, "items": items, "validation_mae": round(float(error), 2)}

    cells = [(items, key, rate) for items, ways in RATES.items() for key in ways for rate in ways[key]]
    return [(cell, lambda cell=cell: run(*cell)) for cell in cells]  # type: ignore[misc]


def trials(catalog: Catalog) -> list[tuple[tuple[Any, ...], Callable[[], dict[str, Any]]]]:
    """The trials of the grid: (key, what makes it)."""
    held_out = {split: catalog[split][:HELD_OUT] for split in ("test", "test-unseen")}

    def run(key: str, items: int, seed: int) -> dict[str, Any]:
        return short(attempt(WAYS[key], catalog["train"][:items], held_out, base=detect().base, seed=seed))

    cells = [(key, items, seed) for keys, items, seeds in GRID for seed in seeds for key in keys]
    return [(cell, lambda cell=cell: run(*cell)) for cell in cells]  # type: ignore[misc]


def short(trial: Trial) -> dict[str, Any]:
    """A trial as it is written: floats with five digits, estimates in whole dollars as they are read."""
    facts = {name: float(f"{v:.5g}") if isinstance(v, float) else v for name, v in trial.to_dict().items()}
    estimates = {split: [round(value, 2) for value in values] for split, values in trial.estimates.items()}
    return {**facts, "estimates": estimates}


def measure(path: Path, catalog: Catalog, part: str, runs: list[tuple[tuple[Any, ...], Callable]], names: str) -> None:
    """Add the runs that ``path`` does not hold yet to its list ``part``; ``names`` are the fields of a run's key."""
    import torch

    settings = {"command": "python -m benchmarks.ways", "catalog": catalog.fingerprint, "held_out": HELD_OUT}
    for number, (key, run) in enumerate(runs, start=1):
        facts = read_json(path) if path.is_file() else settings
        if {name: facts.get(name) for name in settings} != settings:
            raise ValueError(f"{path} was made with other settings; move it away to start again")
        done = facts.get(part, [])
        if any(tuple(one[name] for name in names.split()) == key for one in done):
            continue
        start = time.perf_counter()
        found = {**run(), "machine": this_machine(), "threads": torch.get_num_threads()}
        write_json_atomic(path, {**facts, part: [*done, found]})
        print(f"{part} {number} of {len(runs)}: {key}, {time.perf_counter() - start:.0f} s", flush=True)


def main(arguments: list[str]) -> None:
    """Learning rates, then trials; with ``rates`` or ``trials`` only those."""
    base, catalog = detect().base, load_catalog("workshop")
    name = "ways.json" if base == "smollm2-135m" else f"ways-{base.replace('/', '-').lower()}.json"
    if "trials" not in arguments:
        measure(RESULTS / name, catalog, "rates", rates(catalog), "items way learning_rate")
    if "rates" not in arguments:
        measure(RESULTS / name, catalog, "trials", trials(catalog), "way items seed")


if __name__ == "__main__":
    main(sys.argv[1:])
