"""Train the predictors that ship in ``data/adapters`` on the whole catalog: `python -m benchmarks.ship_adapter`.

Give base names to train only those: ``tiny`` takes a minute, ``smollm2-135m`` about half an hour on two cores.
"""

import sys

from pricelab import finetune, load_catalog
from pricelab.files import data_dir
from pricelab.training import Recipe

# Rank 2 keeps the whole folder under 4 MB; its error was that of rank 8 and 16 after the same number of steps.
RECIPES = {
    "tiny": Recipe(epochs=4, batch_size=8, rank=8, learning_rate=3e-3),
    "smollm2-135m": Recipe(epochs=1.5, rank=2, alpha=8, save_every=100),
}


def main(bases: list[str]) -> None:
    """Train the named predictors, or all; an interrupted one is resumed."""
    for base in bases or RECIPES:
        folder = data_dir() / "adapters" / base
        run = finetune(load_catalog("workshop"), folder, base=base, recipe=RECIPES[base], overwrite=True)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(f"{folder}: {size:.1f} MB, trained in {run.seconds:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
