"""Do the workshop catalog's price levels follow what things cost? `python -m benchmarks.realism`.

An untuned model that never saw the catalog is asked for a price by each family's name alone. How well its ranking of
the families agrees with the catalog's goes to ``data/results/catalog-realism.json`` as Spearman's rank correlation.
"""

from pathlib import Path

import pandas as pd
from scipy.stats import spearmanr

import pricelab.workshop
from benchmarks.results import RESULTS
from pricelab import Pricer
from pricelab.files import write_json_atomic
from pricelab.normalise import this_machine

BASE = "smollm2-135m"


def main() -> None:
    """Ask for every family's price, compare the rankings, write the result."""
    families = pd.read_csv(Path(pricelab.workshop.__file__).parent / "families.csv")
    pricer = Pricer.from_base(BASE)
    estimates = pricer.estimate([name.capitalize() for name in families["family"]], progress=True)
    readouts = {"median": [e.estimate for e in estimates], "mean": [e.mean for e in estimates]}
    found = {name: spearmanr(values, families["price_usd"]) for name, values in readouts.items()}
    facts = {
        "command": "python -m benchmarks.realism",
        "base": pricer.name,
        "families": len(families),
        "spearman": {name: round(float(result.statistic), 3) for name, result in found.items()},
        "p_value": {name: float(f"{result.pvalue:.2g}") for name, result in found.items()},
        "machine": this_machine(),
    }
    write_json_atomic(RESULTS / "catalog-realism.json", facts)
    print(facts)


if __name__ == "__main__":
    main()
