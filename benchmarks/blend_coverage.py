"""Do the blend's 80 % intervals hold 80 % of the prices? `python -m benchmarks.blend_coverage workshop FILE`.

Twenty times a catalog, ``workshop`` or a product file by its path, is split at random: the blend of frozen base and
ridge learns from one part, is calibrated on the next and priced on the rest, all anew. Coverage of all items, and by
band of estimates. To ``data/results/blend-coverage.json`` by kind of catalog with the machine; of a file neither name
nor text is kept. `benchmarks.coverage_docs` makes tables of it for ``docs/intervals.md``.
"""

import argparse
from typing import Any

import numpy as np

from benchmarks.coverage import SPLITS, Pool, coverage
from benchmarks.results import RESULTS
from pricelab.baselines import TfidfRidge
from pricelab.blend import Blend
from pricelab.catalog import Item, load_catalog, load_items
from pricelab.files import read_json, write_json_atomic
from pricelab.intervals import raw_interval
from pricelab.normalise import this_machine
from pricelab.pricer import Pricer
from pricelab.profiles import detect
from pricelab.states import pooled_states

PATH = RESULTS / "blend-coverage.json"
ITEMS, LEARNED, CALIBRATED = 1500, 900, 150  # as many as a file of 1,500 rows leaves for each, about


def splits_of(
    items: list[Item], states: np.ndarray, splits: int = SPLITS, learned: int = LEARNED, calibrated: int = CALIBRATED
) -> list[tuple[Pool, Pool]]:
    """What each split is calibrated on, and the rest, as a blend that learned from others estimates them."""
    rng, prices, found = np.random.default_rng(0), np.array([item.price for item in items]), []
    for _ in range(splits):
        order = rng.permutation(len(items))
        known, asked = order[:learned], order[learned:]
        ridge = TfidfRidge().fit([items[i] for i in known])
        assert ridge.held_out is not None
        words = ridge.predict([items[i].text for i in asked])
        blend = Blend.fit(states[:, known], prices[known], ridge.held_out)
        estimate, distribution = blend.read(states[:, asked], words)
        pool = Pool(prices[asked], estimate, *raw_interval(distribution))
        places = np.arange(len(asked))
        found.append((pool[places[:calibrated]], pool[places[calibrated:]]))
    return found


def measured(source: str) -> dict[str, Any]:
    """Coverage on one catalog, calibrated together and by band."""
    items = list(load_catalog()["train"] if source == "workshop" else load_items(source)[0])
    items = [items[i] for i in np.random.default_rng(0).permutation(len(items))[:ITEMS]]
    pricer = Pricer.from_base(detect().base)
    splits = splits_of(items, pooled_states(pricer, [item.text for item in items], progress=True))
    return {
        "n": len(items), "learned": LEARNED, "base": pricer.base.key, "asked": len(splits[0][1].price),
        "runs": [coverage(splits, by_band) for by_band in (False, True)],
    }  # fmt: skip


def measure(sources: list[str]) -> None:
    """Write what was found of each catalog; others keep theirs."""
    kept = read_json(PATH)["catalogs"] if PATH.is_file() else {}
    for source in sources:
        kept["workshop" if source == "workshop" else "a file of real listings"] = measured(source)
        facts = {"command": "python -m benchmarks.blend_coverage workshop FILE", "machine": this_machine()}
        write_json_atomic(PATH, {**facts, "catalogs": kept})


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Coverage of the blend's intervals over random splits.")
    options.add_argument("sources", nargs="*", default=["workshop"], help="workshop, or product files")
    measure(options.parse_args().sources)
