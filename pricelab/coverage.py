"""Does a 95 % interval hold the true mean 95 % of the time? Simulated, for errors as heavy-tailed as prices'.

Samples are drawn from a population whose mean is known, an interval is made from each, and the share that holds the
mean is counted. All methods see the same samples and the same resamples. ``benchmarks/interval_coverage.py`` runs it
at length and chooses what ``bootstrap.mean_interval`` does; notebook 03 runs a small part of it and plots the rest.

Notation: R samples of n values, B resamples, T a studentised mean √n·(mean − true mean)/s, γ the skewness.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pricelab.files import data_dir, read_json

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
SAMPLES_AT_ONCE = 250
METHODS = ("t", "percentile", "BCa", "bootstrap-t", "Hall", "Hall bootstrap")

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
"""(generator, (R, n)) → R samples of n values."""


@dataclass(frozen=True)
class Cell:
    """What one method did on samples of one size from one population."""

    coverage: float  # share of the intervals that hold the true mean
    too_low: float  # share that end below it
    too_high: float  # share that begin above it
    width: float  # mean width, in the population's unit
    samples: int

    @property
    def standard_error(self) -> float:
        """Of the coverage, from the number of samples."""
        return float(np.sqrt(self.coverage * (1 - self.coverage) / self.samples))


@dataclass(frozen=True)
class _Block:
    """R samples, their moments, and those of B resamples of each."""

    n: int
    mean: np.ndarray  # (R,)
    sd: np.ndarray  # (R,), with n − 1
    skew: np.ndarray  # (R,)
    means: np.ndarray  # (R, B), of the resamples, minus the sample's mean
    sds: np.ndarray  # (R, B), with n − 1
    skews: np.ndarray  # (R, B)

    @property
    def error(self) -> np.ndarray:
        """(R,), standard error of the mean."""
        return self.sd / np.sqrt(self.n)

    @property
    def studentised(self) -> np.ndarray:
        """(R, B), T of the resamples."""
        return np.sqrt(self.n) * self.means / self.sds


def simulate(
    draw: Draw, true_mean: float, n: int, samples: int, resamples: int = 2_000, seed: int = 0
) -> dict[str, Cell]:
    """Method → how often its 95 % intervals, of ``samples`` samples of n values, hold the true mean."""
    ends: dict[str, list[np.ndarray]] = {method: [] for method in METHODS}
    for block in _blocks(draw, n, samples, resamples, np.random.default_rng(seed)):
        for method, (low, high) in _intervals(block).items():
            ends[method].append(np.stack([low, high]))
    return {method: _cell(np.concatenate(parts, axis=1), true_mean) for method, parts in ends.items()}


def recorded() -> dict[str, Any]:
    """What ``benchmarks/interval_coverage.py`` found: its ``cells``; in ``rules`` the method chosen for each kind."""
    return read_json(data_dir() / "results" / "interval-coverage.json")


def from_pool(pool: np.ndarray) -> Draw:
    """Samples drawn with replacement from real values, which then are the population."""
    return lambda rng, shape: pool[rng.integers(len(pool), size=shape)]


def _cell(ends: np.ndarray, true_mean: float) -> Cell:
    low, high = ends
    below, above = float(np.mean(high < true_mean)), float(np.mean(low > true_mean))
    return Cell(1 - below - above, below, above, float(np.mean(high - low)), ends.shape[1])


def _blocks(draw: Draw, n: int, samples: int, resamples: int, rng: np.random.Generator) -> Iterator[_Block]:
    """The samples, a block at a time. One block shares its resamples: the same rows are picked from each sample."""
    for start in range(0, samples, SAMPLES_AT_ONCE):
        values = draw(rng, (min(SAMPLES_AT_ONCE, samples - start), n))
        counts = rng.multinomial(n, np.full(n, 1 / n), size=resamples).T.astype(
            float
        )  # (n, B): times each row is picked
        mean = values.mean(1)
        centred = values - mean[:, None]
        m1, m2, m3 = (centred**power @ counts / n for power in (1, 2, 3))
        sd, skew = _sd_skew(np.zeros(len(values)), (centred**2).mean(1), (centred**3).mean(1), n)
        yield _Block(n, mean, sd, skew, m1, *_sd_skew(m1, m2, m3, n))


def _sd_skew(m1: np.ndarray, m2: np.ndarray, m3: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation (with n − 1) and skewness from the first three raw moments."""
    variance = np.maximum(m2 - m1**2, np.finfo(float).tiny)
    third = m3 - 3 * m1 * m2 + 2 * m1**3
    return np.sqrt(variance * n / (n - 1)), third / variance**1.5


def _intervals(block: _Block) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    from scipy.stats import t as student

    quantile = student.ppf(1 - TAIL, block.n - 1)
    ordered, both = np.sort(block.means, axis=1), (TAIL, 1 - TAIL)
    low_t, high_t = np.quantile(block.studentised, both, axis=1)
    low_g, high_g = np.quantile(_hall(block.studentised, block.skews, block.n), both, axis=1)
    tails = {
        "t": (-quantile, quantile),
        "bootstrap-t": (low_t, high_t),
        "Hall": tuple(_hall_inverse(x, block.skew, block.n) for x in (-quantile, quantile)),
        "Hall bootstrap": tuple(_hall_inverse(x, block.skew, block.n) for x in (low_g, high_g)),
    }
    found = {
        name: (block.mean - block.error * high, block.mean - block.error * low) for name, (low, high) in tails.items()
    }
    for name, shares in (("percentile", both), ("BCa", _bca_shares(block))):
        found[name] = tuple(block.mean + _row_quantiles(ordered, share) for share in shares)
    return {method: found[method] for method in METHODS}


def _hall(studentised: np.ndarray, skew: np.ndarray, n: int) -> np.ndarray:
    """Hall (1992): a monotone cubic of T whose distribution is nearly free of skewness."""
    a = skew / np.sqrt(n)
    return studentised + a * studentised**2 / 3 + a**2 * studentised**3 / 27 + a / 6


def _hall_inverse(transformed: np.ndarray | float, skew: np.ndarray, n: int) -> np.ndarray:
    """T from Hall's transform of it."""
    a = np.where(np.abs(skew) < 1e-8, 1e-8, skew) / np.sqrt(n)
    return 3 / a * (np.cbrt(1 + a * (transformed - a / 6)) - 1)


def _bca_shares(block: _Block) -> tuple[np.ndarray, np.ndarray]:
    """Efron (1987): which shares (R,) of the resampled means the ends of the BCa interval are."""
    from scipy.stats import norm

    bias = norm.ppf(((block.means < 0).mean(1) + (block.means <= 0).mean(1)) / 2)
    acceleration = block.skew / (6 * np.sqrt(block.n))
    shifted = (bias + norm.ppf(tail) for tail in (TAIL, 1 - TAIL))
    low, high = (norm.cdf(bias + z / (1 - acceleration * z)) for z in shifted)
    return low, high


def _row_quantiles(ordered: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """One quantile of each sorted row (R, B), interpolated as numpy does."""
    place = np.broadcast_to(np.asarray(share) * (ordered.shape[1] - 1), len(ordered))
    below = np.floor(place).astype(int).clip(0, ordered.shape[1] - 2)
    rows = np.arange(len(ordered))
    return ordered[rows, below] + (place - below) * (ordered[rows, below + 1] - ordered[rows, below])
