"""How much general English each method forgets at which learning rate: `python -m benchmarks.forgetting`.

Each trial goes to ``data/results/forgetting.json`` as it ends, with settings, the catalog's hash and the machine;
started again, the command goes on after the last finished one. Notebook 09 plots them as recorded.
"""

import time
from pathlib import Path
from typing import Any

from pricelab.catalog import Catalog, load_catalog
from pricelab.files import read_json, write_json_atomic
from pricelab.forgetting import attempt, results_path
from pricelab.general import for_mixing, held_out
from pricelab.normalise import this_machine
from pricelab.profiles import detect

ITEMS, TEST_ITEMS = 200, 100
MIXED = 0.2  # share of general passages, where there are any
SEEDS = (0, 1, 2)
# (method, peak learning rate, mixed), in the order of what the figure needs most
SETTINGS = (
    ("lora", 1e-3, 0.0), ("full", 1e-4, 0.0), ("lora", 1e-2, 0.0), ("full", 1e-3, 0.0), ("qlora", 1e-3, 0.0),
    ("lora", 3e-3, 0.0), ("full", 3e-4, 0.0), ("lora", 3e-3, MIXED), ("full", 3e-4, MIXED), ("qlora", 3e-3, 0.0),
    ("lora", 3e-4, 0.0), ("full", 3e-5, 0.0), ("qlora", 1e-2, 0.0), ("lora", 1e-3, MIXED),
)  # fmt: skip
TRIALS = tuple((*setting, seed) for seed in SEEDS for setting in SETTINGS)


def measure(path: Path, catalog: Catalog, trials: tuple[tuple[str, float, float, int], ...] = TRIALS) -> None:
    """Write the trials to ``path``; those that it holds already, made with the same settings, are kept."""
    import torch

    settings: dict[str, Any] = {
        "command": "python -m benchmarks.forgetting", "base": detect().base, "items": ITEMS, "test_items": TEST_ITEMS,
        "passages": len(held_out()), "batch": detect().batch_size, "catalog": catalog.fingerprint,
    }  # fmt: skip
    facts = read_json(path) if path.is_file() else {}
    kept = facts.get("trials", []) if {name: facts.get(name) for name in settings} == settings else []
    done = {(one["method"], one["learning_rate"], one["mixed"], one["seed"]): one for one in kept}
    around = {"machine": this_machine(), "threads": torch.get_num_threads(), "torch": torch.__version__}
    for key in trials:
        if key in done:
            continue
        start, (method, rate, mixed, seed) = time.perf_counter(), key
        data = catalog["train"][:ITEMS], catalog["test"][:TEST_ITEMS]
        mix = for_mixing() if mixed else ()
        trial, _ = attempt(method, rate, *data, mix=mix, mixed=mixed or MIXED, seed=seed, base=detect().base)
        done[key] = {name: _short(value) for name, value in trial.to_dict().items()}
        print(f"{time.perf_counter() - start:6.0f} s  {key}  perplexity times {trial.times.value:.3f}", flush=True)
        write_json_atomic(path, {**settings, **around, "trials": [done[one] for one in trials if one in done]})


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    measure(results_path(), load_catalog("workshop"))
