"""What the trials of `ways` say together: one table, paired differences, the spread over seeds, the recorded ones.

Each trial priced the same items, so all comparisons are paired by item. An interval here is over items, for the seeds
that were run; how far seeds themselves lie apart is told by `spread`. Introduced in notebook 08.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pricelab.bootstrap import mean_interval
from pricelab.catalog import Item
from pricelab.costs.units import human_bytes, human_flops, human_number, human_rate
from pricelab.evaluation import Difference, Score, evaluate
from pricelab.files import data_dir, read_json
from pricelab.items import groups_of
from pricelab.show import html_table, text_table
from pricelab.ways import WAYS, Trial

HEADERS = ("way", "weights", "that learn", "seconds", "tokens/s", "peak memory", "FLOPs", "on disk", "format kept",
           "general English: perplexity (bits a byte)")  # fmt: skip


@dataclass(frozen=True, repr=False)
class Trials:
    """Trials that priced the same items; shows itself as the table of notebook 08, one row a trial."""

    trials: tuple[Trial, ...]
    held_out: Mapping[str, Sequence[Item]]  # split → the items that were priced

    def errors(self, trial: Trial, split: str) -> np.ndarray:
        """Absolute errors in US dollars, one an item."""
        prices = np.array([item.price for item in self.held_out[split]])
        return np.abs(np.array(trial.estimates[split]) - prices)

    def of(self, way: str, items: int | None = None) -> tuple[Trial, ...]:
        """The trials of one way, or of one way and number of training items, by seed."""
        found = [trial for trial in self.trials if trial.way == way and items in (None, trial.items)]
        return tuple(sorted(found, key=lambda trial: (trial.items, trial.seed)))

    def scores(self, split: str) -> list[Score]:
        """A score for each trial, named after its way and number of training items."""
        return [self._score(trial, split) for trial in self.trials]

    def _score(self, trial: Trial, split: str) -> Score:
        items = self.held_out[split]
        name = f"{WAYS[trial.way].words}, {trial.items:,} items"
        prices = [item.price for item in items]
        return evaluate(prices, trial.estimates[split], groups=groups_of(split, items), name=name)

    def difference(self, better: str, worse: str, items: int, split: str, than: int | None = None) -> Difference:
        """Dollars an item that one way saves against another, seeds averaged, with interval.

        Args:
            better: key of the way that should be nearer to the price.
            worse: key of the other one.
            items: training items of both.
            split: which items the errors are of.
            than: training items of the other one, where they differ.
        """
        errors = self.mean_errors(better, items, split), self.mean_errors(worse, than or items, split)
        return saved(*errors, groups_of(split, self.held_out[split]))

    def against(self, model: Any, train: Sequence[Item], way: str, items: int, split: str) -> Difference:
        """Dollars an item that a way saves against a baseline fitted on the same training items, with interval.

        Args:
            model: a fresh one of `baselines`.
            train: the split whose first ``items`` the trials learned from.
            way: key of the way, seeds averaged.
            items: training items of both.
            split: which items the errors are of.
        """
        model.fit([item.text for item in train[:items]], [item.price for item in train[:items]])
        held_out = self.held_out[split]
        estimates = model.predict([item.text for item in held_out])
        errors = np.abs(np.asarray(estimates) - np.array([item.price for item in held_out]))
        return saved(self.mean_errors(way, items, split), errors, groups_of(split, held_out))

    def mean_errors(self, way: str, items: int, split: str) -> np.ndarray:
        """Errors of a way with that many training items, averaged over its seeds, one an item. Raises `ValueError`."""
        found = self.of(way, items)
        if not found:
            there = sorted({trial.items for trial in self.trials if trial.way == way})
            raise ValueError(f"no trial of {way!r} with {items} items; there are some with {there or 'no number'}")
        return np.mean([self.errors(trial, split) for trial in found], axis=0)

    def by_size(self, split: str) -> dict[str, dict[int, list[float]]]:
        """Way in words → training items → mean absolute error of each seed, US dollars."""
        found: dict[str, dict[int, list[float]]] = {}
        for way in WAYS.values():
            for trial in self.of(way.key):
                by_items = found.setdefault(way.words, {})
                by_items.setdefault(trial.items, []).append(float(self.errors(trial, split).mean()))
        return found

    def baselines(self, train: Sequence[Item], split: str) -> dict[str, dict[int, float]]:
        """What the constant and the ridge reach with the first items of ``train``, as many as the trials had.

        Name → training items → mean absolute error on the same held-out items, US dollars.
        """
        from pricelab.baselines import ConstantPrice, TfidfRidge

        prices = np.array([item.price for item in self.held_out[split]])
        texts = [item.text for item in self.held_out[split]]
        found: dict[str, dict[int, float]] = {}
        for size in sorted({trial.items for trial in self.trials}):
            seen = [item.text for item in train[:size]], [item.price for item in train[:size]]
            for model in (ConstantPrice(), TfidfRidge()):
                error = np.abs(model.fit(*seen).predict(texts) - prices).mean()
                found.setdefault(model.name, {})[size] = float(error)
        return found

    def spread(self, way: str, items: int, split: str) -> tuple[float, float]:
        """Lowest and highest mean absolute error of a way's seeds, US dollars."""
        means = [float(self.errors(trial, split).mean()) for trial in self.of(way, items)]
        return min(means), max(means)

    def _table(self) -> tuple[list[str], list[list[str]]]:
        splits = [f"{split}, mean abs. error [95 %]" for split in self.held_out]
        return [*HEADERS, *splits], [self._row(trial) for trial in self.trials]

    def _row(self, trial: Trial) -> list[str]:
        return [
            WAYS[trial.way].words, human_number(trial.parameters), f"{trial.trainable / trial.parameters:.1%}",
            f"{trial.seconds:.0f}", f"{trial.tokens_per_second:,.0f}", human_bytes(trial.peak_bytes),
            human_flops(trial.flops), human_bytes(trial.disk_bytes), f"{trial.format_kept} of {trial.asked}",
            f"{trial.perplexity:,.0f} ({trial.general_bits_per_byte:.2f})",
            *(str(score.mae) for score in (self._score(trial, split) for split in self.held_out)),
        ]  # fmt: skip

    def __str__(self) -> str:
        return text_table(*self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(*self._table())


def saved(errors: np.ndarray, reference: np.ndarray, groups: Sequence[str] | None = None) -> Difference:
    """Dollars an item that ``errors`` lie below those of ``reference``, both (B,) for the same items, with interval.

    ``groups`` (B,) as in ``bootstrap.mean_interval``.
    """
    if errors.shape != reference.shape:
        raise ValueError(f"errors of {errors.shape} and {reference.shape} items; pair errors of the same items")
    mean = mean_interval(reference - errors, groups=groups)
    return Difference(mean.value, mean.low, mean.high, len(errors))


def recorded(catalog: Any) -> Trials:
    """The trials that ``python -m benchmarks.ways`` took down, with the items of ``catalog`` that they priced.

    Raises:
        ValueError: the catalog is not the one they were made with.
    """
    facts = read_json(data_dir() / "results" / "ways.json")
    held_out = {split: catalog[split][: facts["held_out"]] for split in ("test", "test-unseen")}
    names = {field.name for field in fields(Trial)}
    trials = tuple(Trial(**{k: v for k, v in one.items() if k in names}) for one in facts["trials"])
    if any(len(trial.estimates[split]) != len(items) for trial in trials for split, items in held_out.items()):
        raise ValueError("the recorded trials priced other items; give the whole workshop catalog")
    return Trials(trials, held_out)


@dataclass(frozen=True, repr=False)
class Rates:
    """Which learning rates were tried for each way, and how they did; shows itself as a table."""

    rows: tuple[Mapping[str, Any], ...]  # way, learning_rate, items, validation_mae in US dollars

    def best(self, way: str, items: int | None = None) -> float:
        """The learning rate with the least validation error; with the most training items, unless they are given."""
        most = items or max(row["items"] for row in self.rows if row["way"] == way)
        found = [row for row in self.rows if (row["way"], row["items"]) == (way, most)]
        return min(found, key=lambda row: row["validation_mae"])["learning_rate"]

    def _table(self) -> tuple[list[str], list[list[str]]]:
        tried: dict[tuple[str, int], list[str]] = {}
        for row in self.rows:
            mark = " ← best" if row["learning_rate"] == self.best(row["way"], row["items"]) else ""
            cell = f"{human_rate(row['learning_rate'])}: ${row['validation_mae']:.2f}{mark}"
            tried.setdefault((row["way"], row["items"]), []).append(cell)
        width = max(map(len, tried.values()))
        rows = [
            [WAYS[way].words, f"{items:,}", *cells, *[""] * (width - len(cells))]
            for (way, items), cells in sorted(tried.items(), key=lambda cell: list(WAYS).index(cell[0][0]))
        ]
        return ["way", "items", *(f"rate {i}: error" for i in range(1, width + 1))], rows

    def __str__(self) -> str:
        return text_table(*self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(*self._table())


def recorded_rates() -> Rates:
    """The learning rates that ``python -m benchmarks.ways`` tried."""
    return Rates(tuple(read_json(data_dir() / "results" / "ways.json")["rates"]))
