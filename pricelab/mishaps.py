"""Four more ways to go wrong, each tried in seconds: a kind of product never seen, prices beyond the training range, a
learning rate that explodes, another prompt in use than in training.

What each means is told in notebook 09, which shows the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pricelab.bootstrap import Interval, independent_difference
from pricelab.catalog import Catalog, Item
from pricelab.evaluation import evaluate, paired_difference
from pricelab.items import UNSEEN, groups_of
from pricelab.show import html_table, html_text, text_table

CHEAP_USD, DEAR_USD = 100, 200  # learn below the one, price above the other
FAST = 1.0  # a learning rate as typed by somebody who forgot the "e-3"
OTHER_SUFFIX = "\n\nCost in USD: "
ITEMS = 40  # that each mishap prices
_EXPLODED = f"A learning rate of {FAST:g}, for all weights of the base tiny, ends with: "
_HEADERS = ("what goes wrong", "error without it", "error with it", "n", "note")


@dataclass(frozen=True, repr=False)
class Mishaps:
    """What came of each mishap; shows itself as a table, with the words in which one of them ended."""

    rows: tuple[tuple[str, ...], ...]
    message: str

    def __str__(self) -> str:
        return f"{text_table(_HEADERS, self.rows)}\n{_EXPLODED}{self.message}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(_HEADERS, self.rows) + f"<div>{html_text(_EXPLODED + self.message)}</div>"


def try_all(pricer: Any, catalog: Catalog) -> Mishaps:
    """Try the four: with ``pricer`` (fine-tuned), with a ridge and with the `tiny` base, on items of ``catalog``."""
    known, unseen = catalog["test"][:ITEMS], catalog["test-unseen"][:ITEMS]
    right = _estimates(pricer, known)
    before, after = _error(known, right), _error(unseen, _estimates(pricer, unseen), groups_of(UNSEEN, unseen))
    rows = (
        ("a kind of product never seen", f"{before}", f"{after}", f"{len(known)} + {len(unseen)}",
         f"on unseen families more by {independent_difference(after, before)}"),
        beyond_range(catalog),
        ("another prompt than in training", f"{before}", *_wrong_prompt(pricer, known, right)),
    )  # fmt: skip
    return Mishaps(rows, explode(catalog["train"][:16]))


def _wrong_prompt(pricer: Any, items: Sequence[Item], right: np.ndarray) -> tuple[str, str, str]:
    wrong = priced_with(pricer, items, OTHER_SUFFIX)
    cost = paired_difference([item.price for item in items], right, wrong)
    return f"{_error(items, wrong)}", str(len(items)), f"the right prompt saves {cost}"


def beyond_range(catalog: Catalog) -> tuple[str, ...]:
    """A ridge that learned cheap items only, asked about dear ones: beside one that learned all prices."""
    from pricelab.baselines import TfidfRidge

    cheap = [item for item in catalog["train"] if item.price < CHEAP_USD]
    dear = [item for item in catalog["test"] if item.price > DEAR_USD][:ITEMS]
    whole, narrow = (TfidfRidge().fit(items).predict(dear) for items in (catalog["train"], cheap))
    highest = f"a ridge taught below ${CHEAP_USD} says ${narrow.max():,.0f} at most above ${DEAR_USD}"
    errors = f"{_error(dear, whole)}", f"{_error(dear, narrow)}"
    return "prices beyond the training range", *errors, str(len(dear)), highest


def priced_with(pricer: Any, items: Sequence[Item], suffix: str) -> np.ndarray:
    """Estimates (B,) in US dollars when the question is asked in other words than in training."""
    from pricelab import prompt

    kept = prompt.SUFFIX
    try:
        prompt.SUFFIX = suffix  # what a second copy of the prompt, kept somewhere else, amounts to
        return _estimates(pricer, items)
    finally:
        prompt.SUFFIX = kept


def explode(items: Sequence[Item], rate: float = FAST) -> str:
    """What becomes of a training whose learning rate is far too high: losses, or its error; on the `tiny` base."""
    from pricelab.training import Recipe, load_trainable, train

    recipe = replace(Recipe(), epochs=3, learning_rate=rate)
    base, model = load_trainable("tiny", "full", recipe, seed=0)
    try:
        losses = train(model, base, items, recipe, None, seed=0, progress=False).losses
    except FloatingPointError as error:
        return str(error)
    return f"no error, but a loss of {losses[-1]:.3g} where it began at {losses[0]:.3g}"


def _estimates(pricer: Any, items: Sequence[Item]) -> np.ndarray:
    return np.array([answer.estimate for answer in pricer.estimate([item.text for item in items])])


def _error(items: Sequence[Item], estimates: np.ndarray, groups: list[str] | None = None) -> Interval:
    return evaluate([item.price for item in items], estimates, groups=groups).mae
