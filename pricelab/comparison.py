"""One predictor beside its baselines on the same items: scores, paired differences, the best possible error.

What `pricelab evaluate`, the report of `pricelab finetune` and notebook 07 print. The statistics are `evaluation`'s.
Notation: B items, prices in US dollars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pricelab.baselines.rows import digests_of
from pricelab.catalog import Item, load_items
from pricelab.estimates import PriceEstimate
from pricelab.evaluation import Difference, Score, evaluate, floor_mae, paired_difference
from pricelab.pricer import DIGITS, Pricer, labelled
from pricelab.show import html_table, html_text, text_table


@dataclass(frozen=True, repr=False)
class Comparison:
    """A predictor and its baselines on B items."""

    scores: tuple[Score, ...]  # the predictor's first, then the baselines'
    saved: Mapping[str, Difference]  # baseline → dollars an item that the predictor saves against it
    floor_usd: float | None  # best mean absolute error anybody could reach, where it is known

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        saved = {name: asdict(difference) for name, difference in self.saved.items()}
        return {"scores": [score.to_dict() for score in self.scores], "saved": saved, "floor_usd": self.floor_usd}

    def __str__(self) -> str:
        return "\n".join([text_table(*self._table()), *self._remarks()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(*self._table()) + "".join(f"<div>{html_text(remark)}</div>" for remark in self._remarks())

    def _table(self) -> tuple[list[str], list[list[str]]]:
        rows = [score.as_row() for score in self.scores]
        return list(rows[0]), [list(row.values()) for row in rows]

    def _remarks(self) -> list[str]:
        lines = [f"Saved against {name}: {difference}." for name, difference in self.saved.items()]
        if self.floor_usd is not None:
            lines.append(f"Best possible mean absolute error on these items: ${self.floor_usd:.2f}.")
        return lines


def compare(
    pricer: Pricer,
    items: Sequence[Item],
    *,
    groups: Sequence[str] | None = None,
    progress: bool = False,
    seed: int = 0,
) -> Comparison:
    """Price B items with ``pricer`` and with the constant and the ridge that were stored with it.

    Where a blend answers, the digits alone are a row of their own.

    ``groups`` (B,), such as the families of ``test-unseen``, where the question is about items of other groups:
    intervals are then between groups, see ``bootstrap.mean_interval``.
    """
    texts = [item.text for item in items]
    estimates = pricer.estimate(texts, progress=progress)
    beside = {} if pricer.read_out == DIGITS else {DIGITS: pricer.digits.estimate(texts, progress=progress)}
    return compare_estimates(pricer, items, estimates, seed, groups, beside)


def compare_file(
    pricer: Pricer, path: str | Path, *, columns: Mapping[str, str | None] | None = None, progress: bool = False,
    currency: str | None = None, decimal: str | None = None, price_range: tuple[float, float] | None = None,
) -> tuple[Comparison, str]:  # fmt: skip
    """Compare on the usable rows of a file; also returns, in words, which rows those are.

    Rows whose texts the predictor learned from, was chosen by or was calibrated on are left out and counted: of its
    own file the test split stays. How the file is read is said as to `load_catalog`; where nothing is said of prices,
    those that the predictor can answer with are judged, and any others from the range that it learned from.

    Raises:
        ValueError: the file can't be read, has no usable row, none that the predictor hasn't seen, or holds prices in
            another currency than US dollars.
    """
    limits = price_range or _judged(pricer)
    items, report = load_items(path, columns=columns, currency=currency, decimal=decimal, price_range=limits)
    if report.currency != "USD":
        raise ValueError(f"{path} is in {report.currency}, but the predictor answers in US dollars; convert the prices")
    if not items:
        raise ValueError(f"{path} has no usable row:\n{report}")
    unseen = _unseen(pricer, items)
    if not unseen:
        raise ValueError(
            f"{path}: the predictor learned from all {len(items):,} usable rows, or was chosen by or calibrated on "
            "them; how near it comes to those says nothing about others. Give rows that were held back"
        )
    words = str(report)
    if known := len(items) - len(unseen):
        words += f"\n  note: the predictor has seen the texts of {known:,} rows; {len(unseen):,} never seen are scored"
    elif pricer.ridge is not None and not len(pricer.ridge.known):
        words += "\n  note: this predictor doesn't know its texts again; rows that it learned from would be scored too"
    return compare(pricer, unseen, progress=progress), words


def _judged(pricer: Pricer) -> tuple[float, float]:
    """The lowest and the highest price that are judged where nothing is said: what it can write or has learned."""
    low, high = pricer.price_format.range
    least, most = (pricer.manifest and pricer.manifest.data.get("price_range")) or (low, high)
    return min(low, least), max(high, most)


def _unseen(pricer: Pricer, items: Sequence[Item]) -> list[Item]:
    known = np.isin(digests_of([item.text for item in items]), [] if pricer.ridge is None else pricer.ridge.known)
    return [item for item, seen in zip(items, known, strict=True) if not seen]


def compare_estimates(
    pricer: Pricer,
    items: Sequence[Item],
    estimates: Sequence[PriceEstimate],
    seed: int = 0,
    groups: Sequence[str] | None = None,
    beside: Mapping[str, Sequence[PriceEstimate]] | None = None,
) -> Comparison:
    """The same for B estimates that are there already; ``beside`` holds those of other read-outs by name."""
    prices = np.array([item.price for item in items])
    points = np.array([e.estimate for e in estimates])
    score = score_estimates(items, estimates, groups=groups, name=labelled(pricer), seed=seed)
    others = {f"{pricer.name}, {read_out}": answers for read_out, answers in (beside or {}).items()}
    texts = [item.text for item in items]
    baselines = {model.name: model.predict(texts) for model in (pricer.ridge, pricer.constant) if model is not None}
    options: dict[str, Any] = {"groups": groups, "seed": seed}
    scores = [score_estimates(items, answers, name=name, **options) for name, answers in others.items()]
    scores += [evaluate(prices, guess, name=name, **options) for name, guess in baselines.items()]
    guesses = {name: np.array([answer.estimate for answer in answers]) for name, answers in others.items()} | baselines
    return Comparison(
        scores=(score, *scores),
        saved={name: paired_difference(prices, points, guess, **options) for name, guess in guesses.items()},
        floor_usd=best_possible_error(items),
    )


def score_estimates(
    items: Sequence[Item],
    estimates: Sequence[PriceEstimate],
    *,
    groups: Sequence[str] | None = None,
    name: str = "model",
    seed: int = 0,
) -> Score:
    """The score of B estimates, with the coverage of their intervals and the CRPS of their distributions.

    ``groups`` as for ``evaluate``: where the question is about items of other groups.
    """
    return evaluate(
        [item.price for item in items],
        [e.estimate for e in estimates],
        [e.low for e in estimates],
        [e.high for e in estimates],
        distribution=np.array([e.distribution for e in estimates]),
        support=estimates[0].prices if estimates else None,
        groups=groups,
        name=name,
        seed=seed,
    )


def score_each(
    items: Sequence[Item],
    guesses: Mapping[str, np.ndarray],
    estimates: Mapping[str, Sequence[PriceEstimate]] | None = None,
    *,
    groups: Sequence[str] | None = None,
) -> list[Score]:
    """The score of each of several models, over as many of the first B ``items`` as it has priced.

    Args:
        items: B, in the order they were priced.
        guesses: name → (B or fewer,) dollars, of models that name one price.
        estimates: name → as many estimates, of models that give intervals and distributions.
        groups: (B,), as for ``evaluate``.
    """
    prices = [item.price for item in items]
    scores = [
        evaluate(prices[: len(guess)], guess, groups=groups and groups[: len(guess)], name=name)
        for name, guess in guesses.items()
    ]
    for name, answers in (estimates or {}).items():
        options: dict[str, Any] = {"groups": groups and groups[: len(answers)], "name": name}
        scores.append(score_estimates(items[: len(answers)], answers, **options))
    return scores


def saved_on_shared(
    prices: Sequence[float], guess: np.ndarray, reference: np.ndarray, *, groups: Sequence[str] | None = None
) -> Difference:
    """``paired_difference`` over the first items, as many as both have priced."""
    few = min(len(guess), len(reference))
    return paired_difference(prices[:few], guess[:few], reference[:few], groups=groups and groups[:few])


def best_possible_error(items: Sequence[Item]) -> float | None:
    """Mean over the items of the least absolute error that anybody could expect, where the price formula is known."""
    if any(item.expected_price is None or item.noise_sigma is None for item in items):
        return None
    floor = floor_mae([i.expected_price or 0 for i in items], [i.noise_sigma or 0 for i in items])
    return float(np.mean(floor))
