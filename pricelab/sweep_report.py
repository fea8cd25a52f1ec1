"""What a sweep's trials say: a table with intervals, the best first, whether it beats the default, how to use it.

All trials priced the same validation items, so they are compared by the paired difference. The trials themselves are
made by `sweeping`. Notation: B validation items, prices in US dollars.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

from pricelab.bootstrap import dollars
from pricelab.evaluation import Difference, Score, evaluate, paired_difference
from pricelab.show import html_table, text_table

NO_VALUE = "–"
OPTIONS = {"learning_rate": "--learning-rate", "rank": "--rank", "targets": "--targets", "epochs": "--epochs"}


@dataclass(frozen=True)
class Attempt:
    """One trial of a sweep."""

    number: int  # from 1, in the order in which they were tried
    is_default: bool
    choices: Mapping[str, Any]  # settings by name
    estimates: tuple[float, ...]  # (B,) US dollars; none when it ended before its time
    seconds: float
    ended: str  # why it ended before its time, in words
    error_usd: float | None  # mean absolute error

    @property
    def words(self) -> str:
        """The trial in a line."""
        chosen = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.choices.items())
        outcome = f"{dollars(self.error_usd)} mean absolute error" if self.error_usd is not None else self.ended
        return f"{outcome} ({chosen}; {self.seconds:.0f} s)"


@dataclass(frozen=True, repr=False)
class SweepReport:
    """A sweep's trials, judged on B validation items."""

    base: str
    method: str
    seed: int
    default: Mapping[str, Any]  # the recipe that was tried first
    items: int  # that each trial learned from
    all_items: int  # that the catalog has to learn from
    prices: tuple[float, ...]  # (B,) US dollars, of the validation items
    attempts: tuple[Attempt, ...]  # in the order in which they were tried

    @cached_property
    def ranked(self) -> tuple[Attempt, ...]:
        """Least mean absolute error first, then what ended before its time."""
        return tuple(sorted(self.attempts, key=lambda a: (a.error_usd is None, a.error_usd or 0, a.number)))

    @property
    def best(self) -> Attempt | None:
        """The trial with the least error; None when none came to its end."""
        return self.ranked[0] if self.ranked and self.ranked[0].estimates else None

    def score(self, attempt: Attempt) -> Score:
        """Its errors on the validation items, with their intervals."""
        return evaluate(self.prices, attempt.estimates, name=f"trial {attempt.number}", seed=self.seed)

    def saved(self, attempt: Attempt) -> Difference | None:
        """Dollars an item that it saves against the default, where both priced the items."""
        default = next((a for a in self.attempts if a.is_default and a.estimates), None)
        if default is None or default is attempt or not attempt.estimates:
            return None
        return paired_difference(self.prices, attempt.estimates, default.estimates, seed=self.seed)

    @property
    def verdict(self) -> str:
        """Whether anything beat the default."""
        if self.best is None:
            return "No trial came to its end: there is nothing to choose. Give a catalog with other prices or texts."
        if self.best.is_default:
            return "Nothing that was tried has a smaller error than the default."
        saved = self.saved(self.best)
        if saved is None:
            return f"Trial {self.best.number} has the smallest error; the default did not come to its end."
        if saved.low <= 0:
            return (
                f"The best, trial {self.best.number}, is within noise of the default: it saves {saved}. Keep the "
                "default, or judge by more validation items."
            )
        return (
            f"Trial {self.best.number} beats the default: it saves {saved}. It is the best of "
            f"{len(self.attempts)} on these very items, so expect less on others."
        )

    @property
    def command(self) -> str:
        """The options of `pricelab finetune` that the best trial stands for."""
        if self.best is None:
            return ""
        options = [f"{OPTIONS[name]} {_word(value)}" for name, value in self.best.choices.items()]
        return " ".join(["--base", shlex.quote(self.base), "--method", self.method, "--seed", str(self.seed), *options])

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON: the trials with the best first."""
        rows = [
            {"trial": a.number, "default": a.is_default, **a.choices, "seconds": a.seconds, "ended": a.ended,
             "mae": vars(self.score(a).mae) if a.estimates else None,
             "saved": vars(saved) if (saved := self.saved(a)) else None}
            for a in self.ranked
        ]  # fmt: skip
        return {
            "base": self.base, "method": self.method, "seed": self.seed, "train_items": self.items,
            "validation_items": len(self.prices), "default": dict(self.default), "trials": rows,
            "verdict": self.verdict, "options": self.command,
        }  # fmt: skip

    def __str__(self) -> str:
        return "\n".join([text_table(*self._table()), "", *self._remarks()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        caption = f"judged on {len(self.prices):,} validation items"
        return html_table(*self._table(), caption) + "".join(f"<div>{escape(line)}</div>" for line in self._remarks())

    def _table(self) -> tuple[list[str], list[list[str]]]:
        names = [name for name in OPTIONS if any(name in attempt.choices for attempt in self.attempts)]
        headers = ["trial", "mean abs. error [95 %]", "saved against the default"]
        headers += [name.replace("_", " ") for name in names] + ["seconds"]
        return headers, [self._row(attempt, names) for attempt in self.ranked]

    def _row(self, attempt: Attempt, names: list[str]) -> list[str]:
        error = self.score(attempt).mae.text(dollars) if attempt.estimates else attempt.ended
        saved = self.saved(attempt)
        words = [_word(attempt.choices[name]) for name in names]
        name = f"{attempt.number}{' (default)' if attempt.is_default else ''}"
        return [name, error, saved.text(dollars) if saved else NO_VALUE, *words, f"{attempt.seconds:,.0f}"]

    def _remarks(self) -> list[str]:
        lines = [self.verdict]
        if self.items < self.all_items:
            part = f"{self.items:,} of the {self.all_items:,} training items"
            lines.append(f"Each trial learned from {part}; the command learns from all.")
        if self.best is not None:
            lines.append(f"To use trial {self.best.number}: pricelab finetune CATALOG --out DIR {self.command}")
        return lines


def _word(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"
