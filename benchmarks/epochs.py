"""Does an epoch's time grow with its items alone, and does memory stay flat? `python -m benchmarks.epochs`.

One pass with LoRA on the base `tiny` over 1,000, 10,000 and 100,000 products with checkpoints on, each in a process of
its own; to ``data/results/epochs.json`` with the machine. The products are the workshop's, over and over: their number
is what counts here.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS
from pricelab.costs.peak import apart
from pricelab.files import write_json_atomic
from pricelab.normalise import this_machine
from pricelab.training import Recipe

SIZES = (1_000, 10_000, 100_000)  # items
BATCH = 16


def epoch(items: int) -> dict[str, Any]:
    """One pass over ``items`` products here; `measure` does it in a process of its own."""
    from pricelab.catalog import load_catalog
    from pricelab.costs.peak import peak_memory
    from pricelab.training import load_trainable, train

    shop = load_catalog("workshop")["train"]
    recipe = Recipe(epochs=1, batch_size=BATCH)
    train(*load_trainable("tiny", "lora", recipe, 0)[::-1], shop[:BATCH], recipe, None, 0, progress=False)  # libraries
    products = [shop[i % len(shop)] for i in range(items)]
    with tempfile.TemporaryDirectory() as folder, peak_memory() as peak:
        base, model = load_trainable("tiny", "lora", recipe, 0)
        trained = train(model, base, products, recipe, Path(folder), 0, progress=False)
    return {
        "items": items,
        "seconds": round(trained.seconds, 1),
        "steps": len(trained.losses),
        "peak_bytes": peak.bytes,
    }


def measure(path: Path, sizes: Sequence[int] = SIZES) -> None:
    """Write the passes to ``path``; print each as it ends."""
    passes = []
    for items in sizes:
        found = apart(epoch, items)
        found["items_per_second"] = round(items / found["seconds"], 1)
        passes.append(found)
        print(found, flush=True)
    facts = {"command": "python -m benchmarks.epochs", "machine": this_machine(), "base": "tiny", "batch": BATCH}
    write_json_atomic(path, {**facts, "passes": passes})


if __name__ == "__main__":
    measure(RESULTS / "epochs.json")
