"""Do the predictor's 80 % intervals hold 80 % of the prices, in each price band too? `python -m benchmarks.coverage`.

A shipped predictor (``--adapter``) estimates the workshop's items of known families that it wasn't trained on, once;
``--estimates FILE.npz`` keeps these for the next time. Then 20 random splits of this pool calibrate on one part and
count on the rest, all items together and by band. Simulations with known truth, and the same pool, say from how many
calibration items on bands are worth it. To ``data/results/coverage.json``, with the machine.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, ROOT
from pricelab.files import write_json_atomic
from pricelab.intervals import FEWEST_IN_BAND, LEVEL, band_of, calibrate, likely_share, raw_interval
from pricelab.normalise import this_machine

COMMAND = "python -m benchmarks.coverage"
POOL = ("calibration", "test", "validation")  # splits of known families
SPLITS = 20
BANDS_USD = (0, 20, 50, 100, 200)  # starts of the bands that are reported
CALIBRATED = (100, 500, 800)  # items: together and by band
SIMULATED = (100, 200, 500, 800)  # calibration items
FEWEST_TRIED = (30, 60, 100, 150)
SPREADS = {"same for all": 0.0, "a little wider for dear items": 0.08, "much wider for dear items": 0.2}
DRAWS = 100


@dataclass(frozen=True)
class Pool:
    """Items with their estimates, (N,) each, in US dollars."""

    price: np.ndarray
    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __getitem__(self, places: np.ndarray) -> "Pool":
        return Pool(self.price[places], self.estimate[places], self.low[places], self.high[places])

    def inside(self, calibration: Any) -> tuple[np.ndarray, np.ndarray]:
        """Whether each price lies in its calibrated interval, and the intervals' widths in US dollars."""
        low, high = calibration.widen(self.low, self.high, self.estimate)
        low, high = np.minimum(low, self.estimate).clip(min=1), np.maximum(high, self.estimate).clip(max=999)
        return (low <= self.price) & (self.price <= high), high - low


def estimated(adapter: str, kept: Path | None = None) -> Pool:
    """The pool as the predictor ``data/adapters/<adapter>`` estimates it, or as kept in a file."""
    if kept and kept.exists():
        with np.load(kept) as arrays:
            return Pool(**arrays)
    from pricelab import Pricer, load_catalog

    catalog = load_catalog("workshop")
    items = [item for split in POOL for item in catalog[split]]
    answers = Pricer.load(ROOT / "data" / "adapters" / adapter).estimate([i.text for i in items], progress=True)
    distribution = np.array([answer.distribution for answer in answers])
    price, estimate = np.array([i.price for i in items]), np.array([answer.estimate for answer in answers])
    pool = Pool(price, estimate, *raw_interval(distribution))
    if kept:
        np.savez(kept, **vars(pool))
    return pool


def one_shape() -> Pool:
    """The same items priced by a ridge on their words, with raw intervals of one shape for all, as a blend's are."""
    from sklearn.linear_model import Ridge

    from pricelab import load_catalog
    from pricelab.baselines.terms import Terms

    catalog, terms = load_catalog("workshop"), Terms()
    items = [item for split in POOL for item in catalog[split]]
    known = terms.fit_transform([item.text for item in catalog["train"]])
    ridge = Ridge(1.0, solver="sparse_cg").fit(known, np.log([item.price for item in catalog["train"]]))
    price, middle = np.array([i.price for i in items]), ridge.predict(terms.transform([i.text for i in items]))
    low, high = np.quantile(np.log(price) - middle, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Pool(price, np.exp(middle), np.exp(middle + low), np.exp(middle + high))


def splits_of(pool: Pool, calibrated: int, splits: int = SPLITS) -> list[tuple[Pool, Pool]]:
    """Random splits: what is calibrated on, and the rest."""
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(pool.price)) for _ in range(splits)]
    return [(pool[order[:calibrated]], pool[order[calibrated:]]) for order in orders]


def coverage(splits: Sequence[tuple[Pool, Pool]], by_band: bool) -> dict[str, Any]:
    """Coverage over splits: of all items, with each split's own range that chance allows, and of each band."""
    covered, within, rows = [], 0, {start: [] for start in BANDS_USD}
    calibrated = len(splits[0][0].price)
    least, most = likely_share(calibrated, LEVEL, new=len(splits[0][1].price))
    bands = []
    for known, new in splits:
        estimates = known.estimate if by_band else None
        calibration = calibrate(known.price, known.low, known.high, estimates=estimates)
        bands.append(max(1, len(calibration.bands)))
        inside, width = new.inside(calibration)
        covered.append(float(inside.mean()))
        within += int(least <= covered[-1] <= most)
        place = band_of(new.estimate, np.array(BANDS_USD))
        for number, start in enumerate(BANDS_USD):
            here = place == number
            if here.any():
                rows[start].append((here.sum(), inside[here].mean(), np.median(width[here])))
    return {
        "calibrated": calibrated, "by_band": by_band, "bands": round(float(np.mean(bands)), 1), "splits": len(splits),
        "coverage": round(float(np.mean(covered)), 4), "lowest": round(min(covered), 4),
        "highest": round(max(covered), 4), "chance_allows": [round(least, 4), round(most, 4)], "splits_within": within,
        "by_price": [_row(start, np.array(found)) for start, found in rows.items() if found],
    }  # fmt: skip


def _row(start: float, found: np.ndarray) -> dict[str, Any]:
    """A band's coverage over the splits: mean, and the range that 95 % of the splits lie in."""
    low, high = np.quantile(found[:, 1], (0.025, 0.975))
    return {
        "from_usd": start, "n": round(float(found[:, 0].mean())), "coverage": round(float(found[:, 1].mean()), 4),
        "low": round(float(low), 4), "high": round(float(high), 4),
        "width_usd": round(float(np.median(found[:, 2])), 1),
    }  # fmt: skip


def simulated(spread: float, n: int, rng: np.random.Generator) -> Pool:
    """Items whose log price is normal around the estimate, wider by ``spread`` a unit of log estimate from $55 on."""
    estimate = np.exp(rng.normal(4, 1, n)).clip(1, 999)
    sigma = (0.45 + spread * (np.log(estimate) - 4)).clip(0.1)
    price, half = estimate * np.exp(sigma * rng.normal(size=n)), 0.45 * 1.2816
    return Pool(price, estimate, estimate * np.exp(-half), estimate * np.exp(half))


def worth_it(pools: Mapping[str, Pool], draws: int = DRAWS, sizes: Sequence[int] = SIMULATED) -> list[dict[str, Any]]:
    """How far bands' coverage lies from the level (root mean square over bands and draws), by rule and size.

    Simulated items are counted on 20,000, which is the true coverage; those of the pools on what a split leaves, so the
    chance of few items comes on top there, for each rule alike.
    """
    rows = []
    for name, spread in SPREADS.items():
        everybody = simulated(spread, 20_000, np.random.default_rng(1))
        for size in sizes:
            rng = np.random.default_rng(size)
            rows.append(_row_of_rules(name, size, [(simulated(spread, size, rng), everybody) for _ in range(draws)]))
    for name, pool in pools.items():
        for size in (size for size in sizes if size < 0.6 * len(pool.price)):
            rng = np.random.default_rng(size)
            orders = [rng.permutation(len(pool.price)) for _ in range(draws)]
            rows.append(_row_of_rules(name, size, [(pool[order[:size]], pool[order[size:]]) for order in orders]))
    return rows


def _row_of_rules(name: str, size: int, pairs: Sequence[tuple[Pool, Pool]]) -> dict[str, Any]:
    off: dict[str, float] = {}
    for fewest in (size + 1, *FEWEST_TRIED):
        found = [_squares(known, new, fewest) for known, new in pairs]
        off["together" if fewest == size + 1 else str(fewest)] = round(float(np.sqrt(np.mean(found))), 4)
    row = {"spread": name, "calibrated": size, "off_by": off}
    print(row, flush=True)
    return row


def _squares(known: Pool, new: Pool, fewest: int) -> float:
    inside, _ = new.inside(calibrate(known.price, known.low, known.high, estimates=known.estimate, fewest=fewest))
    place = band_of(new.estimate, np.array(BANDS_USD))
    sizes = np.bincount(place, minlength=len(BANDS_USD))
    shares = np.bincount(place, inside, minlength=len(BANDS_USD))[sizes > 0] / sizes[sizes > 0]
    return float(np.mean((shares - LEVEL) ** 2))


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--adapter", default="smollm2-135m")
    parser.add_argument("--estimates", type=Path, help="keep the estimates in this file, and read them where it exists")
    given = parser.parse_args()
    pool = estimated(given.adapter, given.estimates)
    facts = {"command": COMMAND + f" --adapter {given.adapter}", "machine": this_machine(), "adapter": given.adapter}
    runs = [coverage(splits_of(pool, n), by_band) for n in CALIBRATED for by_band in (False, True)]
    for run in runs:
        print(run, flush=True)
    pools = {f"digits of {given.adapter}": pool, "ridge on words, one shape for all": one_shape()}
    record = {**facts, "level": LEVEL, "fewest_in_band": FEWEST_IN_BAND, "n": len(pool.price), "runs": runs}
    write_json_atomic(RESULTS / "coverage.json", {**record, "draws": DRAWS, "rules": worth_it(pools)})


if __name__ == "__main__":
    main()
