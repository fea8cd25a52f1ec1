"""Equal care: one cross-validation for all baselines, and a table of what was tried.

Five folds of the training rows, drawn with the same seed, and one error: the root mean squared error of log price (an
error in dollars hangs on a few dear items and picks less steadily). The folds mix product families, as the split
``test`` does; of families that no training row shows, such as ``test-unseen``'s, they know nothing.

Notation: B rows, S settings.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pricelab.baselines.rows import Rows
from pricelab.show import html_table, text_table

FOLDS = 5
MIN_ROWS = 2 * FOLDS

PredictFold = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(rows to learn from, rows to predict) → log prices (S, rows to predict), one line a setting."""


class Baseline(Protocol):
    """What all baselines can do."""

    @property
    def name(self) -> str: ...
    def fit(self, rows: Rows, prices: Sequence[float] | None = None) -> "Baseline": ...
    def predict(self, rows: Rows) -> np.ndarray: ...


def cross_validate(
    settings: Sequence[str], log_price: np.ndarray, texts: Sequence[str], seed: int, predict: PredictFold
) -> dict[str, float]:
    """Setting → root mean squared error of log price over the held-out rows of all folds."""
    return errors_of(settings, log_price, out_of_fold(len(settings), texts, seed, predict))


def out_of_fold(settings: int, texts: Sequence[str], seed: int, predict: PredictFold) -> np.ndarray:
    """Log prices (S, B), each predicted by a model that has not seen the row's text (B)."""
    held_out = np.empty((settings, len(texts)))
    for train, test in folds(texts, seed):
        held_out[:, test] = predict(train, test)
    return held_out


def folds(texts: Sequence[str], seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows to learn from, rows held out) of each fold, with all rows of one text in the same.

    A text that stands on both sides, with another price perhaps, would be known by heart. Fewer texts than `FOLDS` make
    as many folds.

    Raises:
        ValueError: one text only.
    """
    from sklearn.model_selection import KFold

    places: dict[str, int] = {}
    place = np.array([places.setdefault(text, len(places)) for text in texts])
    if len(places) < 2:
        raise ValueError(f"all {len(texts)} rows have the same text ({texts[0]!r}): nothing to tell prices by")
    for train, test in KFold(min(FOLDS, len(places)), shuffle=True, random_state=seed).split(np.arange(len(places))):
        yield np.flatnonzero(np.isin(place, train)), np.flatnonzero(np.isin(place, test))


def errors_of(settings: Sequence[str], log_price: np.ndarray, held_out: np.ndarray) -> dict[str, float]:
    """Setting → root mean squared error of the log prices (S, B) that `out_of_fold` predicted."""
    rmse = np.sqrt(((held_out - log_price) ** 2).mean(axis=1)).tolist()
    return dict(zip(settings, rmse, strict=True))


def best(errors: Mapping[str, float]) -> str:
    """The setting with the least error; the first of equals."""
    return min(errors, key=lambda setting: errors[setting])


@dataclass(frozen=True)
class TuningReport:
    """What was tried for each baseline; shows itself as a table."""

    rows: tuple[tuple[str, str, str, str], ...]  # baseline, settings tried, chosen setting, its error and the worst

    _headers = ("baseline", "settings tried", "chosen", "error of log price: chosen (worst)")

    def __str__(self) -> str:
        return text_table(self._headers, self.rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(self._headers, self.rows)


def tuning_report(models: Sequence[Any]) -> TuningReport:
    """How fitted baselines were tuned: settings tried, the chosen one, its cross-validated error and the worst."""
    return TuningReport(tuple(_report_row(model) for model in models))


def _report_row(model: Any) -> tuple[str, str, str, str]:
    errors = getattr(model, "cv_log_rmse", None)
    if not errors:
        return model.name, "–", "nothing to tune", "–"
    return model.name, str(len(errors)), model.setting, f"{min(errors.values()):.3f} ({max(errors.values()):.3f})"
