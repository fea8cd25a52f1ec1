"""What an evaluation found, ready to print, to keep as JSON and to load again; how it is computed is in ``evaluation``.

Notation: B items. Amounts are in the prices' currency, US dollars unless it says otherwise. Notebook 03 introduces it.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pricelab.bootstrap import Interval, money
from pricelab.show import html_table, text_table

HIT_TOLERANCE = 0.2  # an estimate within this share of the price is a hit
NO_VALUE = "–"
_INTERVALS = ("mae", "median_interval", "rmsle_interval", "hit_interval", "coverage_interval", "crps")


@dataclass(frozen=True, repr=False)
class Score:
    """Errors of one model. All but ``n`` and ``unparsed`` are over the ``n - unparsed`` items with an estimate.

    Fields after ``width`` are missing from scores that were saved before they existed.
    """

    name: str
    n: int  # items
    unparsed: int  # items whose answer held no price: counted here, never taken for $0
    mae: Interval  # mean absolute error, in the currency
    median_ae: float  # median absolute error, in the currency
    rmsle: float  # root of the mean squared difference of log(1 + price)
    hit_rate: float  # share of estimates within 20 % of the price
    coverage: float | None = None  # share of prices inside [low, high]
    width: float | None = None  # median of high − low, in the currency
    median_interval: Interval | None = None  # 95 % interval of median_ae
    rmsle_interval: Interval | None = None
    hit_interval: Interval | None = None
    coverage_interval: Interval | None = None
    crps: Interval | None = None  # mean continuous ranked probability score; of a single price its absolute error
    items: str = ""  # fingerprint of the B prices: scores with another one are of other items
    currency: str = "USD"  # ISO 4217

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Score":
        """The score that ``to_dict`` wrote, now or in an earlier version. Raises ``ValueError`` for anything else."""
        try:
            found = {name: Interval(**values[name]) for name in _INTERVALS if values.get(name) is not None}
            return cls(**{**values, "mae": Interval(**values["mae"]), **found})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{values!r} is no score ({error}); make it with evaluate(...).to_dict()") from error

    def as_row(self) -> dict[str, str]:
        """Column → text, for a table."""
        return {
            "model": self.name,
            "n": f"{self.n:,}",
            "mean abs. error [95 %]": self.mae.text(self._money),
            "median": self._money(self.median_ae),
            "RMSLE": f"{self.rmsle:.3f}",
            "within 20 %": _percent(self.hit_rate),
            "coverage of 80 % interval": NO_VALUE if self.coverage is None else _percent(self.coverage),
            "unparsed": f"{self.unparsed:,}",
        }

    def as_long_row(self) -> dict[str, str]:
        """The same with everything that was measured, each number with its 95 % interval."""
        return {
            "model": self.name,
            "n": f"{self.n:,}",
            "unparsed": f"{self.unparsed:,}",
            "mean abs. error": self.mae.text(self._money),
            "median": _with_interval(self.median_ae, self.median_interval, self._money),
            "RMSLE": _with_interval(self.rmsle, self.rmsle_interval, "{:.2f}".format),
            "within 20 %": _with_interval(self.hit_rate, self.hit_interval, _percent),
            "CRPS": NO_VALUE if self.crps is None else self.crps.text(self._money),
            "coverage of 80 % interval": _with_interval(self.coverage, self.coverage_interval, _percent),
            "its width": NO_VALUE if self.width is None else self._money(self.width),
        }

    def _money(self, amount: float) -> str:
        return money(amount, self.currency)

    def __str__(self) -> str:
        return text_of([self.as_row()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_of([self.as_row()])


@dataclass(frozen=True, repr=False)
class ScoreTable:
    """Several scores under each other; shows itself as a table, ``detailed`` with every interval."""

    scores: tuple[Score, ...]
    detailed: bool = False

    def __str__(self) -> str:
        return text_of(self._rows())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_of(self._rows())

    def _rows(self) -> list[dict[str, str]]:
        return [score.as_long_row() if self.detailed else score.as_row() for score in self.scores]


@dataclass(frozen=True, repr=False)
class Difference(Interval):
    """Mean amount saved per item against a reference, its 95 % interval, and the ``n`` items both priced."""

    n: int
    currency: str = "USD"  # ISO 4217

    def __str__(self) -> str:
        return f"{self.text(lambda amount: money(amount, self.currency))} per item, n = {self.n:,}"

    __repr__ = __str__


def text_of(rows: Sequence[dict[str, str]]) -> str:
    """A text table of rows with the same columns."""
    return text_table(list(rows[0]), [list(row.values()) for row in rows]) if rows else "no scores yet"


def html_of(rows: Sequence[dict[str, str]]) -> str:
    """The same as HTML, escaped."""
    return html_table(list(rows[0]), [list(row.values()) for row in rows]) if rows else "<p>no scores yet</p>"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _with_interval(value: float | None, interval: Interval | None, form: Callable[[float], str]) -> str:
    if value is None:
        return NO_VALUE
    return form(value) if interval is None else interval.text(form)
