"""What does `pricelab finetune FILE` reach with its defaults? `python -m benchmarks.defaults FILE [FOLD …]`.

A product file, or ``workshop``, is cut into five folds as in `benchmarks.readers`; four fifths are written to a file of
their own and go through what the command line does, split into training, calibration and test items as always; the last
fifth is priced with every read-out. Minutes and peak memory are those of the whole run. Results go to
``data/results/defaults.json`` by kind of catalog and fold, with the machine; nothing of a file is kept.
"""

import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS
from pricelab import Pricer, finetune, load_catalog
from pricelab.catalog import load_items
from pricelab.comparison import compare
from pricelab.costs.peak import apart, peak_memory
from pricelab.files import read_json, write_json_atomic
from pricelab.normalise import this_machine
from pricelab.profiles import detect

PATH = RESULTS / "defaults.json"
FOLDS = 5


def run(source: str, fold: int) -> dict[str, Any]:
    """One fold here; `measure` does it in a process of its own."""
    from sklearn.model_selection import KFold

    items = list(load_catalog()["train"][:1500] if source == "workshop" else load_items(source)[0])
    train, test = list(KFold(FOLDS, shuffle=True, random_state=0).split(items))[fold]
    with tempfile.TemporaryDirectory() as folder:
        shop, out = Path(folder) / "shop.csv", Path(folder) / "run"
        with shop.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("description", "price"))
            rows.writerows((items[i].text, items[i].price) for i in train)
        start = time.perf_counter()
        with peak_memory() as peak:
            finished = finetune(load_catalog(shop), out, blend=True)
        minutes = (time.perf_counter() - start) / 60
        found = compare(Pricer.load(out), [items[i] for i in test], progress=True).to_dict()
    facts = finished.manifest.read_outs
    return {
        "n": len(test), "train_items": finished.manifest.data["train_items"], "minutes": round(minutes, 1),
        "peak_bytes": peak.bytes, "answers": facts["default"], "weight": facts["blend"]["weight"], **found,
    }  # fmt: skip


def measure(source: str, folds: list[int]) -> None:
    """Write each fold as it ends; others keep theirs."""
    name = "workshop" if source == "workshop" else "a file of real listings"
    for fold in folds:
        found = apart(run, source, fold)
        kept = read_json(PATH)["catalogs"] if PATH.is_file() else {}
        kept.setdefault(name, {})[str(fold)] = found
        facts = {"command": "python -m benchmarks.defaults FILE", "machine": this_machine(), "base": detect().base}
        write_json_atomic(PATH, {**facts, "catalogs": kept})
        print(fold, found["minutes"], found["saved"], flush=True)


if __name__ == "__main__":
    measure(sys.argv[1], [int(fold) for fold in sys.argv[2:]] or list(range(FOLDS)))
