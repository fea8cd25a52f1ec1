"""A second read-out beside the digits: what the frozen base knows (`probe`) blended with the words (TF-IDF + ridge).

Both were judged on training items that they had not seen (out of fold), so how much each counts, and how far prices lie
from the blend, is known before the first calibration item is touched. The estimate is a median: the blend's log price
plus the middle of those distances. Their spread around it is the distribution. Introduced in notebook 10.

Notation: B texts, states (P, B, dim) pooled as in `states`, prices in US dollars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.baselines.tuning import MIN_ROWS
from pricelab.intervals import Calibration
from pricelab.price_format import WHOLE_DOLLARS, PriceFormat
from pricelab.probe import ARRAYS, ITEMS, Probe
from pricelab.states import pooled_states
from pricelab.stored import check_number

if TYPE_CHECKING:
    from pricelab.baselines import TfidfRidge
    from pricelab.catalog import Item
    from pricelab.pricer import Pricer

FILE = "blend.safetensors"
WEIGHTS = np.linspace(0, 1, 21)  # of the probe, that are tried
LEVELS = np.linspace(0.005, 0.995, 199)  # of the distances' quantiles
BEYOND = 1.0  # the last half percent on either side is spread over so much log price


@dataclass(frozen=True)
class Blend:
    """The blended read-out of log price, its spread, and the calibration of its intervals."""

    probe: Probe
    weight: float  # of the probe; the ridge has the rest
    distances: np.ndarray  # (199,): quantiles of log price minus blend, out of fold
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        check_number("weight", self.weight, 0, 1)
        check_number("width", self.probe.width, 0)

    @classmethod
    def fit(
        cls, states: np.ndarray, prices: np.ndarray, words: np.ndarray, seed: int = 0,
        texts: Sequence[str] | None = None,
    ) -> "Blend":  # fmt: skip
        """Learn from B items: their states, prices, and the log prices (B,) of a ridge out of fold.

        ``seed`` and ``texts`` are of the folds, as in `Probe.fit`.

        Raises:
            ValueError: too few items for a cross-validation.
        """
        if len(prices) < MIN_ROWS:
            raise ValueError(f"a blend needs at least {MIN_ROWS} items for its cross-validation, got {len(prices)}")
        log_price = np.log(prices)
        probe = Probe().fit(states, log_price, seed, texts)
        assert probe.held_out is not None
        errors = [np.abs(w * probe.held_out + (1 - w) * words - log_price).mean() for w in WEIGHTS]
        weight = float(WEIGHTS[int(np.argmin(errors))])
        apart = log_price - (weight * probe.held_out + (1 - weight) * words)
        return cls(probe, weight, np.quantile(apart, LEVELS).astype(np.float32))

    def read(
        self, states: np.ndarray, ridge_usd: np.ndarray, price_format: PriceFormat = WHOLE_DOLLARS
    ) -> tuple[np.ndarray, np.ndarray]:
        """Estimates (B,) and distributions (B, P) over a format's prices, from states and the ridge's prices (B,)."""
        middle = self.weight * self.probe.log_price(states) + (1 - self.weight) * np.log(ridge_usd)
        median = np.exp(middle + np.interp(0.5, LEVELS, self.distances))
        edges = np.log(price_format.edges)
        ends = self.distances[0] - BEYOND, self.distances[-1] + BEYOND
        below = np.interp(edges - middle[:, None], [ends[0], *self.distances, ends[1]], [0, *LEVELS, 1])
        below[:, 0], below[:, -1] = 0, 1  # what lies outside belongs to the first and the last price
        return median.clip(*price_format.range), np.diff(below, axis=1)

    def unlike(self, states: np.ndarray) -> list[str | None]:
        """For each of B texts why it is like nothing that was learned from, in words; None where it isn't."""
        reach, found = float(self.probe.arrays["reach"][0]), self.probe.novelty(states)
        return [
            f"to the base it is like none of the training items: {far:.1f} from the nearest, where {reach:.1f} is far"
            if far > reach else None for far in found
        ]  # fmt: skip

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the arrays to ``blend.safetensors``; what belongs into the manifest."""
        from safetensors.numpy import save_file

        save_file({**self.probe.arrays, "distances": self.distances}, folder / FILE)
        facts = {"weight": self.weight, "cost": self.probe.cost, "width": self.probe.width}
        kept = self.calibration.as_dict() if self.calibration else None
        return {**facts, "cv_log_rmse": self.probe.cv_log_rmse, "calibration": kept}

    @classmethod
    def load(cls, folder: Path, facts: Mapping[str, Any]) -> "Blend":
        """What `save` wrote. Raises ``ValueError`` where file and manifest don't fit."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            arrays = load_file(folder / FILE)
            distances, missing = arrays.pop("distances"), set(ARRAYS) - set(arrays)
            if missing or not all(np.isfinite(array).all() for array in arrays.values()):
                raise ValueError(f"it lacks {', '.join(sorted(missing)) or 'finite numbers'}")
            found = Calibration(**facts["calibration"]) if facts["calibration"] else None
            probe = Probe(facts["cost"], facts["width"], dict(facts["cv_log_rmse"]), arrays)
            return cls(probe, facts["weight"], distances, found)
        except (KeyError, TypeError, ValueError, SafetensorError, OSError) as error:
            raise ValueError(f"{folder / FILE} can't be used ({error}); fine-tune again with --overwrite") from error


def fit_blend(
    pricer: "Pricer", items: Sequence["Item"], ridge: "TfidfRidge", seed: int = 0, progress: bool = False,
    most: int = ITEMS,
) -> Blend:  # fmt: skip
    """A blend of ``pricer``'s base, its adapter switched off, with a ridge just fitted on ``items``; not calibrated.

    Of more than ``most`` items, or `probe.ITEMS`, the probe learns from so many, drawn with ``seed``.
    """
    assert ridge.held_out is not None and len(ridge.held_out) == len(items)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(items))[: min(most, ITEMS)])
    drawn = [items[row] for row in chosen]
    texts = [item.text for item in drawn]
    states = pooled_states(pricer.bare, texts, progress)
    return Blend.fit(states, np.array([item.price for item in drawn]), ridge.held_out[chosen], seed, texts)
