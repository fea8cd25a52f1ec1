"""Loss against compute: recorded training runs, the best of the finished ones, and a power law through them.

The points come from ``scratch.train``. Notebook 04 introduces it. Notation: C = 6·N·D FLOPs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pricelab.by_hand.scratch import Point
from pricelab.files import data_dir, read_json

Spot = tuple[float, float]  # C in FLOPs, loss


@dataclass(frozen=True)
class PowerLaw:
    """Loss = floor + scale · (C / 10¹²)^(−exponent); with a floor of 0 a straight line on log-log axes."""

    scale: float  # loss above the floor after 10¹² FLOPs
    exponent: float
    exponent_interval: tuple[float, float]  # 95 %
    n: int  # runs
    floor: float = 0.0  # loss that no compute removes
    floor_interval: tuple[float, float] = (0.0, 0.0)  # 95 %

    def __call__(self, flops: Any) -> Any:
        """The law's loss at that much compute, also far outside the runs that it was fitted to."""
        return self.floor + self.scale * (np.asarray(flops) / 1e12) ** -self.exponent


def recorded_runs() -> dict[tuple[str, int], list[Point]]:
    """The runs that ``python -m benchmarks.scaling`` took down: (size, tokens) → points."""
    facts = read_json(data_dir() / "results" / "scaling.json")
    return {(run["size"], run["tokens"]): [Point(**point) for point in run["points"]] for run in facts["runs"]}


def curve(points: Sequence[Point], tokenizer: Any, texts: Sequence[str]) -> list[Spot]:
    """(FLOPs, bits per byte) of a run's points after the first step; ``texts`` are those of its validation loss."""
    tokens = sum(len(ids) for ids in tokenizer(list(texts))["input_ids"])
    bits = tokens / sum(len(text.encode()) for text in texts) / math.log(2)  # a byte, for each nat a token
    return [(point.flops, point.validation_loss * bits) for point in points if point.flops]


def frontier(spots: Sequence[Spot]) -> list[Spot]:
    """The spots that no other beats with less compute: the lower envelope, by rising compute."""
    kept: list[Spot] = []
    for flops, loss in sorted(spots):
        if not kept or loss < kept[-1][1]:
            kept.append((flops, loss))
    return kept


def best_ends(runs: Mapping[tuple[str, int], Sequence[Point]], tokenizer: Any, texts: Sequence[str]) -> dict[Spot, str]:
    """The frontier of the ends of finished ``runs``, each with its run in words, such as ``"1.1 M on 800,000"``."""
    ends = {curve(points, tokenizer, texts)[-1]: f"{size} on {tokens:,}" for (size, tokens), points in runs.items()}
    return {spot: ends[spot] for spot in frontier(list(ends))}


def fit_line(spots: Sequence[Spot]) -> PowerLaw:
    """A straight line: least squares on the logarithms (Kaplan et al. 2020, arXiv 2001.08361).

    Give it ends of runs: halfway the learning rate is still high and the loss with it (Hoffmann et al. 2022, arXiv
    2203.15556), and points of one run are not independent. Raises ``ValueError`` for fewer than three.
    """
    from scipy import stats

    flops, loss = _logarithms(spots, least=3)
    line = stats.linregress(flops, loss)
    slope, reach = float(line.slope), float(stats.t.ppf(0.975, len(spots) - 2) * line.stderr)
    return PowerLaw(math.exp(line.intercept), -slope, (-slope - reach, -slope + reach), len(spots))


def fit_with_floor(spots: Sequence[Spot]) -> PowerLaw:
    """A power law above a floor, as in Hoffmann et al. 2022: least squares on the logarithm of the loss.

    The intervals come from the curvature at the best fit and are rough for so few runs. Raises ``ValueError`` for fewer
    than four.
    """
    from scipy import optimize, stats

    flops, loss = _logarithms(spots, least=4)
    lowest, line = float(np.exp(loss.min())), fit_line(spots)

    def log_loss(flops: Any, scale: float, exponent: float, floor: float) -> Any:
        return np.log(floor + scale * np.exp(-exponent * flops))

    start = (line.scale / 2, max(line.exponent, 0.01), lowest / 2)
    found, spread = optimize.curve_fit(log_loss, flops, loss, start, bounds=([1e-9, 0, 0], [1e9, 9, lowest]))
    reach = stats.t.ppf(0.975, len(spots) - 3) * np.sqrt(np.diag(spread))
    low, high = (found - reach).tolist(), (found + reach).tolist()
    scale, exponent, floor = found.tolist()
    return PowerLaw(scale, exponent, (low[1], high[1]), len(spots), floor, (max(low[2], 0.0), high[2]))


def _logarithms(spots: Sequence[Spot], least: int) -> Any:
    if len(spots) < least:
        raise ValueError(f"a fit with an interval needs {least} runs or more, got {len(spots)}; add recorded ones")
    return np.log(np.array(spots, dtype=float) / (1e12, 1.0)).T
