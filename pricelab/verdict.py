"""Does fine-tuning pay on this catalog? A table, one sentence of advice, and how many test items a decision takes.

The advice follows from the paired 95 % interval and from a difference that would matter, never from the point estimate
alone; in doubt the simpler model stays. Introduced in notebook 12. Prices in US dollars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pricelab.bootstrap import dollars
from pricelab.catalog import Item
from pricelab.estimates import PriceEstimate
from pricelab.evaluation import Difference, Score, evaluate, paired_difference
from pricelab.power import detectable, items_needed
from pricelab.pricer import Pricer, labelled
from pricelab.show import html_table, html_text, text_table

FEW = 100  # test items: with fewer an interval of paired differences is rough (`RECORDED`)
RECORDED = "92 to 97 %"  # of such intervals held the truth, of 50 items, in data/results/interval-coverage.json
MATTERS = 0.1  # a difference of this share of the baseline's error is worth a change, unless said otherwise


@dataclass(frozen=True, repr=False)
class Verdict:
    """A fine-tuned predictor against the baseline it had to beat, on items that neither has seen."""

    scores: tuple[Score, ...]  # the predictor's first, then the baseline's, then others'
    saved: Difference  # dollars an item that the predictor saves against the baseline
    spread: float  # standard deviation of the dollars saved, item by item
    matters: float  # dollars an item: the smallest difference worth a change
    baseline: str  # its name
    estimates: tuple[PriceEstimate, ...]  # the predictor's, in the order of the items

    @property
    def decision(self) -> str:
        """``"fine-tune"``, ``"baseline"``, ``"same"`` (no difference that matters) or ``"undecided"``."""
        if self.saved.low > 0:
            return "fine-tune"
        if self.saved.high < 0:
            return "baseline"
        return "same" if max(-self.saved.low, self.saved.high) < self.matters else "undecided"

    @property
    def items_needed(self) -> int:
        """Test items with which a true difference that matters is found in four of five cases."""
        return items_needed(self.matters, self.spread) if self.spread > 0 else self.saved.n

    @property
    def advice(self) -> str:
        """Two or three sentences, derived from the interval."""
        few = f" With only {self.saved.n:,} test items the 95 % is rough: {RECORDED} in recorded samples of 50 (03)."
        return self._decided() + few * (self.saved.n < FEW)

    def _decided(self) -> str:
        saved, keep = self.saved, f"eep the {self.baseline}"
        gained = f"{saved}, 95 % interval in brackets"
        matter = f"the {dollars(self.matters)} that would matter"
        if self.decision == "fine-tune":
            small = f", though less than {matter}" if saved.value < self.matters else ""
            return f"The predictor pays{small}: it saves {gained}. Weigh that against what it costs to run."
        if self.decision == "baseline":
            worse = f"{dollars(-saved.value)} [{dollars(-saved.high)}, {dollars(-saved.low)}]"
            return f"K{keep}: the predictor's estimates are farther off by {worse} per item, n = {saved.n:,}."
        if self.decision == "same":
            return f"K{keep}: the predictor saves {gained}, less than {matter} either way."
        return (
            f"Undecided, so k{keep} for now: the predictor saves {gained}. To find a true difference of "
            f"{dollars(self.matters)} in four of five cases takes about {self.items_needed:,} test items; "
            f"these {saved.n:,} find one of {dollars(detectable(saved.n, self.spread))}."
        )

    def __str__(self) -> str:
        return f"{text_table(*self._table())}\n{self.advice}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(*self._table()) + f"<p><strong>{html_text(self.advice)}</strong></p>"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        rows = [score.as_row() for score in self.scores]
        return list(rows[0]), [list(row.values()) for row in rows]


def judge(
    pricer: Pricer, baseline: Any, items: Sequence[Item], *, others: Sequence[Any] = (), matters: float | None = None,
    seed: int = 0, progress: bool = False,
) -> Verdict:  # fmt: skip
    """Price the test ``items`` with both and say which to keep.

    Args:
        pricer: the fine-tuned predictor.
        baseline: what it has to beat, fitted on the same training items and chosen without these test items.
        items: B items that neither has seen.
        others: further fitted baselines for the table.
        matters: dollars an item that would be worth a change; by default a tenth of the baseline's error.
        seed: of the resamples behind the intervals.
        progress: show a progress bar while pricing.

    Raises:
        ValueError: fewer than two items, or a ``matters`` that is not above 0.
    """
    if len(items) < 2:
        raise ValueError(f"{len(items)} test items decide nothing; give at least 2, better hundreds")
    if matters is not None and not matters > 0:
        raise ValueError(f"matters={matters} dollars; give the smallest difference above $0 that is worth a change")
    prices = np.array([item.price for item in items])
    estimates = pricer.estimate([item.text for item in items], progress=progress)
    points = np.array([e.estimate for e in estimates])
    low, high = [e.low for e in estimates], [e.high for e in estimates]
    guesses = {model.name: model.predict(items) for model in (baseline, *others)}
    score = evaluate(prices, points, low, high, name=labelled(pricer), seed=seed)
    theirs = [evaluate(prices, guess, name=name, seed=seed) for name, guess in guesses.items()]
    saved = np.abs(guesses[baseline.name] - prices) - np.abs(points - prices)
    return Verdict(
        scores=(score, *theirs),
        saved=paired_difference(prices, points, guesses[baseline.name], seed=seed),
        spread=float(np.nanstd(saved, ddof=1)),
        matters=MATTERS * theirs[0].mae.value if matters is None else matters,
        baseline=baseline.name,
        estimates=tuple(estimates),
    )
