"""How good are the estimates? Errors in dollars with an interval, a paired comparison, the best error possible.

Arrays only: prices and estimates of the same B items, in US dollars. It knows no model and reads no catalog.
Notebook 03 introduces it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pricelab.bootstrap import Interval, dollars, mean_interval
from pricelab.files import read_json, write_json_atomic
from pricelab.show import html_table, text_table

HIT_TOLERANCE = 0.2  # an estimate within this share of the price is a hit
NO_VALUE = "–"


@dataclass(frozen=True, repr=False)
class Score:
    """Errors of one model. All but ``n`` and ``unparsed`` are over the ``n - unparsed`` items with an estimate."""

    name: str
    n: int  # items
    unparsed: int  # items whose answer held no price: counted here, never taken for $0
    mae: Interval  # mean absolute error, US dollars
    median_ae: float  # median absolute error, US dollars
    rmsle: float  # root of the mean squared difference of log(1 + dollars)
    hit_rate: float  # share of estimates within 20 % of the price
    coverage: float | None = None  # share of prices inside [low, high]
    width: float | None = None  # median of high − low, US dollars

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Score":
        """The score that ``to_dict`` wrote. Raises ``ValueError`` for anything else."""
        try:
            return cls(**{**values, "mae": Interval(**values["mae"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{values!r} is no score ({error}); make it with evaluate(...).to_dict()") from error

    def as_row(self) -> dict[str, str]:
        """Column → text, for a table."""
        return {
            "model": self.name,
            "n": f"{self.n:,}",
            "mean abs. error [95 %]": str(self.mae),
            "median": dollars(self.median_ae),
            "RMSLE": f"{self.rmsle:.3f}",
            "within 20 %": f"{self.hit_rate:.1%}",
            "coverage of 80 % interval": NO_VALUE if self.coverage is None else f"{self.coverage:.1%}",
            "unparsed": f"{self.unparsed:,}",
        }

    def __str__(self) -> str:
        return _text([self.as_row()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _html([self.as_row()])


@dataclass(frozen=True)
class Difference(Interval):
    """Mean dollars saved per item against a reference, its 95 % interval, and the ``n`` items both priced."""

    n: int

    def __str__(self) -> str:
        return f"{super().__str__()} per item, n = {self.n:,}"


def evaluate(
    prices: Sequence[float] | np.ndarray,
    estimates: Sequence[float] | np.ndarray,
    low: Sequence[float] | np.ndarray | None = None,
    high: Sequence[float] | np.ndarray | None = None,
    *,
    name: str = "model",
    seed: int = 0,
) -> Score:
    """Score B ``estimates`` of B ``prices`` (US dollars); NaN is an answer without a price.

    ``low`` and ``high`` are the ends of 80 % prediction intervals. ``seed`` draws the resamples of the error's own
    95 % interval, see ``mean_interval``. Raises ``ValueError`` for arrays that do not fit together.
    """
    prices, estimates = _prices(prices), _dollar_array("estimates", estimates, len(prices), nan=True)
    parsed = ~np.isnan(estimates)
    if not parsed.any():
        raise ValueError(f"none of the {len(prices)} estimates is a number, so there is no error to report")
    price, estimate = prices[parsed], estimates[parsed]
    errors = np.abs(estimate - price)
    coverage, width = _coverage(prices, low, high, parsed)
    return Score(
        name=name,
        n=len(prices),
        unparsed=int((~parsed).sum()),
        mae=mean_interval(errors, seed=seed),
        median_ae=float(np.median(errors)),
        rmsle=float(np.sqrt(np.mean((np.log1p(estimate) - np.log1p(price)) ** 2))),
        hit_rate=float(np.mean(errors <= HIT_TOLERANCE * price)),
        coverage=coverage,
        width=width,
    )


def paired_difference(
    prices: Sequence[float] | np.ndarray,
    estimates: Sequence[float] | np.ndarray,
    reference: Sequence[float] | np.ndarray,
    *,
    seed: int = 0,
) -> Difference:
    """Mean of |reference − price| − |estimate − price| over the items that both priced; positive: nearer than it.

    Pairing removes what makes an item hard for everybody, which at these heavy tails is most of the variation. Items
    where either has no price (NaN) are left out, and ``n`` says how many remain.
    """
    prices, size = _prices(prices), np.size(prices)
    estimates = _dollar_array("estimates", estimates, size, nan=True)
    reference = _dollar_array("reference", reference, size, nan=True)
    both = ~(np.isnan(estimates) | np.isnan(reference))
    if not both.any():
        raise ValueError(f"no item of {size} has both an estimate and a reference, so there is nothing to compare")
    saved = np.abs(reference[both] - prices[both]) - np.abs(estimates[both] - prices[both])
    mean = mean_interval(saved, seed=seed)
    return Difference(mean.value, mean.low, mean.high, int(both.sum()))


def floor_mae(expected_price: Sequence[float] | np.ndarray, noise_sigma: Sequence[float] | np.ndarray) -> np.ndarray:
    """Least mean absolute error reachable per item, (B,) US dollars, for somebody who knows the price formula.

    With price = m · exp(σZ − σ²/2), Z standard normal, the mean is m and the best estimate the median m · exp(−σ²/2);
    its mean absolute error is m · (2Φ(σ) − 1) = m · erf(σ/√2).
    """
    from scipy.special import erf

    expected, sigma = np.asarray(expected_price, dtype=np.float64), np.asarray(noise_sigma, dtype=np.float64)
    if expected.shape != sigma.shape or not ((expected > 0).all() and (sigma >= 0).all()):
        raise ValueError("expected prices must be above $0, and each needs a noise sigma of 0 or more")
    return expected * erf(sigma / np.sqrt(2))


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """Scores kept in a JSON file, one for each model and split."""

    path: str | Path

    def add(self, score: Score, split: str) -> None:
        """Write the score, atomically, in place of an earlier one of the same model and split."""
        others = [row for row in self.rows() if (row["name"], row["split"]) != (score.name, split)]
        write_json_atomic(Path(self.path), [*others, {"split": split, **score.to_dict()}])

    def rows(self) -> list[dict[str, Any]]:
        """``Score.to_dict()`` with its ``split``, by split and then by mean absolute error, the best first."""
        rows = read_json(Path(self.path)) if Path(self.path).exists() else []
        try:
            return sorted(rows, key=lambda row: (row["split"], row["mae"]["value"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{self.path} is no leaderboard ({error!r}); delete it and evaluate again") from error

    def __str__(self) -> str:
        return _text(self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _html(self._table())

    def _table(self) -> list[dict[str, str]]:
        table = []
        for row in self.rows():
            shown = Score.from_dict({key: value for key, value in row.items() if key != "split"}).as_row()
            table.append({"model": shown.pop("model"), "split": row["split"], **shown})
        return table


def _text(rows: list[dict[str, str]]) -> str:
    return text_table(list(rows[0]), [list(row.values()) for row in rows]) if rows else "no scores yet"


def _html(rows: list[dict[str, str]]) -> str:
    return html_table(list(rows[0]), [list(row.values()) for row in rows]) if rows else "<p>no scores yet</p>"


def _prices(prices: Sequence[float] | np.ndarray) -> np.ndarray:
    array = _dollar_array("prices", prices, np.size(prices))
    if not len(array) or not (array > 0).all():
        raise ValueError("prices must be above $0, and there must be at least one; leave the other rows out")
    return array


def _dollar_array(what: str, values: Any, size: int, nan: bool = False) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"{what} have the shape {array.shape}; expected one number for each of {size} prices")
    usable = np.isfinite(array) & (array >= 0) | (np.isnan(array) if nan else False)
    if not usable.all():
        raise ValueError(f"{what} must be dollars of 0 or more, got {array[~usable][0]}{'; NaN means no answer' * nan}")
    return array


def _coverage(prices: np.ndarray, low: Any, high: Any, parsed: np.ndarray) -> tuple[float | None, float | None]:
    """Share of prices inside their interval and its median width, over the parsed items."""
    if low is None and high is None:
        return None, None
    if low is None or high is None:
        raise ValueError("an interval has two ends; give both low and high, or neither")
    bottom, top = (_dollar_array(w, v, len(prices), nan=True)[parsed] for w, v in (("low", low), ("high", high)))
    if not (bottom <= top).all():  # NaN fails here too
        raise ValueError("each item with an estimate needs low ≤ high; an end is missing or the two are swapped")
    price = prices[parsed]
    return float(np.mean((bottom <= price) & (price <= top))), float(np.median(top - bottom))
