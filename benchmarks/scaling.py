"""Train models of notebook 04 from random weights for longer than a lesson: `python -m benchmarks.scaling`.

Loss against compute goes to ``data/results/scaling.json`` with settings, the catalog's hash and the machine, one run
after the other; the notebook plots them as recorded. Started again, it goes on after the last finished run.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS
from pricelab.by_hand import scratch
from pricelab.catalog import Catalog, load_catalog
from pricelab.files import read_json, write_json_atomic
from pricelab.normalise import this_machine
from pricelab.pretrain import BLOCK, VOCABULARY, pack, train_tokenizer

RUNS = (
    ("0.24 M", 200_000), ("0.24 M", 400_000), ("0.24 M", 1_600_000),
    ("1.1 M", 400_000), ("1.1 M", 1_600_000), ("4.8 M", 800_000), ("4.8 M", 1_600_000),
)  # fmt: skip
PEAKS = {"4.8 M": 3e-3}  # learning rates, where they are not scratch.PEAK
SEED = 0
HELD_OUT = 48  # texts of the validation split, the same as in the notebook


def train(catalog: Catalog, size: str, tokens: int, prompt: str) -> dict[str, Any]:
    """One run, ready to be written; prints each point as it comes."""
    import torch

    texts, held_out = ([item.text for item in catalog[split]] for split in ("train", "validation"))
    tokenizer = train_tokenizer(texts)
    blocks, model = pack(tokenizer, texts), scratch.empty_model(tokenizer, size, SEED)
    peak, start, points = PEAKS.get(size, scratch.PEAK), time.perf_counter(), []
    options = {"prompt": prompt, "peak": peak, "seed": SEED}
    for point in scratch.train(model, tokenizer, blocks, held_out[:HELD_OUT], tokens, **options):
        points.append({name: _short(value) for name, value in asdict(point).items()})
        print(f"{time.perf_counter() - start:6.0f} s  {size}  {points[-1]}", flush=True)
    return {
        "size": size, "tokens": tokens, "parameters": model.num_parameters(), "peak_learning_rate": peak,
        "epochs": round(points[-1]["tokens"] / blocks.numel(), 2), "seconds": round(time.perf_counter() - start),
        "threads": torch.get_num_threads(), "torch": torch.__version__, "machine": this_machine(), "points": points,
    }  # fmt: skip


def measure(path: Path, catalog: Catalog, runs: tuple[tuple[str, int], ...] = RUNS) -> None:
    """Write the runs to ``path``; those that it holds already, made with the same settings, are kept."""
    from pricelab.needs import need

    settings = {
        "command": "python -m benchmarks.scaling", "seed": SEED, "batch": scratch.BATCH, "block": BLOCK,
        "vocabulary": VOCABULARY, "held_out": HELD_OUT, "catalog": catalog.fingerprint,
    }  # fmt: skip
    facts = read_json(path) if path.is_file() else {}
    kept = facts.get("runs", []) if {name: facts.get(name) for name in settings} == settings else []
    done = {(run["size"], run["tokens"]): run for run in kept}
    for run in runs:
        if run not in done:
            done[run] = train(catalog, *run, f"{need('item').title}\n")
            write_json_atomic(path, {**settings, "runs": [done[one] for one in runs if one in done]})


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    measure(RESULTS / "scaling.json", load_catalog("workshop"))
