"""The read-outs of a finished run: each calibrated on held-out items, and the one that answers by default.

The digits always; the blend (see `blend`) where it is asked for. Which of them answers is decided on the calibration
items, by the mean absolute error of log price: one choice between two, which costs the intervals next to nothing.
Prices in US dollars. Used by `finetuning` and notebook 10.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pricelab.baselines import TfidfRidge
from pricelab.baselines.rows import digests_of
from pricelab.blend import fit_blend
from pricelab.catalog import Item
from pricelab.intervals import Calibration, calibrate, raw_interval
from pricelab.pricer import BLEND, DIGITS, Pricer
from pricelab.probe import ITEMS


@dataclass(frozen=True)
class ReadOuts:
    """A predictor that is ready to answer, and how its read-outs did on the calibration items."""

    pricer: Pricer  # with the better read-out as its default
    calibration: Calibration  # of its digits
    errors: dict[str, float]  # read-out → mean absolute error of log price

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the arrays of the blend, if there is one; returns what the manifest says of it."""
        if self.pricer.blend is None:
            return {}
        facts = {"default": self.pricer.read_out, "calibration_log_mae": self.errors}
        return {**facts, BLEND: self.pricer.blend.save(folder)}


def with_read_outs(
    pricer: Pricer, items: Sequence[Item], calibration: Sequence[Item], *, ridge: TfidfRidge | None = None,
    seen: Sequence[Item] = (), blended: bool = True, most: int = ITEMS, seed: int = 0, progress: bool = False,
) -> ReadOuts:  # fmt: skip
    """``pricer`` with calibrated read-outs, learned from ``items`` and calibrated on ``calibration``.

    Args:
        pricer: with its adapter.
        items: what the blend learns from: the adapter's own training items, and others beside them if there are.
        calibration: held-out items.
        seen: further items that the adapter wasn't trained on but chosen by, such as those for early stopping.
        ridge: just fitted on ``items``; by default it is fitted here.
        blended: whether there is to be a blend beside the digits.
        most: items that the base reads for the blend; the ridge learns from all.
        seed: of the folds.
        progress: show progress bars.

    Raises:
        ValueError: too few items.
    """
    ridge = ridge or TfidfRidge().fit([item.text for item in items], [item.price for item in items], seed=seed)
    known = np.union1d(ridge.known, digests_of([item.text for item in (*calibration, *seen)]))
    ready = replace(pricer, ridge=replace(ridge, known=known), blend=None, read_out=DIGITS)
    found, error = _calibrated(ready, calibration, progress)
    ready, errors, of_digits = replace(ready, calibration=found), {DIGITS: error}, found
    if blended:
        blend = fit_blend(ready, items, ridge, seed, progress, most)
        found, errors[BLEND] = _calibrated(replace(ready, blend=blend, read_out=BLEND), calibration, progress)
        ready = replace(ready, blend=replace(blend, calibration=found))
    return ReadOuts(ready.reading(min(errors, key=lambda name: errors[name])), of_digits, errors)


def _calibrated(pricer: Pricer, items: Sequence[Item], progress: bool) -> tuple[Calibration, float]:
    """The calibration of what ``pricer`` reads now, and its mean absolute error of log price."""
    bare = replace(pricer, calibration=None)
    answers, prices = bare.estimate([item.text for item in items], progress=progress), [item.price for item in items]
    estimates = np.array([answer.estimate for answer in answers])
    distribution = np.array([answer.distribution for answer in answers])
    low, high = raw_interval(distribution, prices=pricer.price_format.prices)
    found = calibrate(np.array(prices), low, high, estimates=estimates)
    return found, round(float(np.abs(np.log(estimates) - np.log(prices)).mean()), 4)
