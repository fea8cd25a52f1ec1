"""Ridge regression of log price on the words and letter groups of a text; stored beside every adapter.

Notation: B texts, prices in US dollars.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pricelab.baselines.rows import Rows, bounds_of, digests_of, not_fitted, prices_of, texts_of, to_usd
from pricelab.baselines.terms import BLOCKS, Terms
from pricelab.baselines.tuning import MIN_ROWS, best, errors_of, out_of_fold
from pricelab.files import read_json, write_text_atomic
from pricelab.items import PRICE_RANGE

SCHEMA_VERSION = 1
ALPHAS = tuple(float(alpha) for alpha in np.logspace(-1.5, 1.5, 7).round(4))  # ridge strengths: 0.03, 0.1, … 30


@dataclass
class TfidfRidge:
    """Ridge regression of log price on TF-IDF (see ``terms``), its strength chosen by cross-validation.

    Predictions are kept within `bounds_of` the training prices.
    """

    alpha: float | None = None  # chosen ridge strength
    rows: int = 0  # training rows
    cv_log_rmse: dict[str, float] = field(default_factory=dict)  # strength → cross-validated error of log price
    terms: Terms = field(default_factory=Terms, repr=False)
    coef: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32), repr=False)  # (terms,)
    intercept: float = 0.0
    bounds: tuple[float, float] = PRICE_RANGE  # of predictions
    held_out: np.ndarray | None = field(default=None, repr=False)  # (B,) log prices out of fold; after `fit` only
    known: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64), repr=False)  # `digests_of` what taught it
    name = "TF-IDF + ridge"

    @property
    def setting(self) -> str:
        """The chosen setting in words."""
        return f"strength {self.alpha:g}" if self.alpha is not None else ""

    def fit(self, rows: Rows, prices: Sequence[float] | None = None, seed: int = 0) -> "TfidfRidge":
        """Learn from B items, or texts and prices; ``seed`` draws the folds. Raises ``ValueError`` below 10 rows."""
        usd = prices_of(rows, prices, least=MIN_ROWS)
        log_price, self.bounds = np.log(usd), bounds_of(usd)
        texts = texts_of(rows)
        features, self.known = self.terms.fit_transform(texts), digests_of(texts)

        def predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            models = (_ridge(alpha).fit(features[train], log_price[train]) for alpha in ALPHAS)
            return np.array([model.predict(features[test]) for model in models])

        settings, held_out = [f"{alpha:g}" for alpha in ALPHAS], out_of_fold(len(ALPHAS), texts, seed, predict)
        self.cv_log_rmse = errors_of(settings, log_price, held_out)
        chosen = best(self.cv_log_rmse)
        self.alpha, self.rows, self.held_out = float(chosen), len(rows), held_out[settings.index(chosen)]
        model = _ridge(self.alpha).fit(features, log_price)
        self.coef, self.intercept = model.coef_.astype(np.float32), float(model.intercept_)
        return self

    def predict(self, rows: Rows) -> np.ndarray:
        """B prices in US dollars."""
        if self.alpha is None:
            raise not_fitted()
        if not len(rows):
            return np.empty(0)
        return to_usd(self.terms.transform(texts_of(rows)) @ self.coef + np.float64(self.intercept), self.bounds)

    def save(self, folder: str | Path) -> None:
        """Write ``ridge.safetensors`` (its arrays) and ``ridge.json`` (terms, how it was fitted)."""
        from safetensors.numpy import save_file

        if self.alpha is None:
            raise ValueError("this baseline has learned nothing yet, so there is nothing to save; call fit first")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"idf": self.terms.idf, "coef": self.coef, "intercept": np.array([self.intercept])}
        arrays |= {"known": self.known}
        save_file(arrays, folder / "ridge.safetensors")
        facts = {"schema_version": SCHEMA_VERSION, "blocks": BLOCKS, "alpha": self.alpha, "rows": self.rows}
        facts |= {"cv_log_rmse": self.cv_log_rmse, "vocabulary": self.terms.vocabulary, "bounds": list(self.bounds)}
        write_text_atomic(folder / "ridge.json", json.dumps(facts, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> "TfidfRidge":
        """The saved baseline, answering exactly as it did. Raises ``ValueError`` where the two files do not fit."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        folder = Path(folder)
        for file in ("ridge.json", "ridge.safetensors"):
            if not (folder / file).is_file():
                raise FileNotFoundError(f"no {file} in {folder}; save a fitted TfidfRidge there first")
        facts = read_json(folder / "ridge.json")
        try:
            return _assembled(facts, load_file(folder / "ridge.safetensors"))
        except (KeyError, TypeError, AttributeError, ValueError, SafetensorError) as error:
            raise ValueError(f"{folder} holds no usable ridge baseline ({error}); fit and save it again") from error


def _ridge(alpha: float) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha, solver="sparse_cg", tol=1e-3)


def _assembled(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> TfidfRidge:
    """Check what was read from the two files and put it together."""
    if facts["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema version {facts['schema_version']!r}, expected {SCHEMA_VERSION}")
    if facts["blocks"] != json.loads(json.dumps(BLOCKS)):
        raise ValueError("its terms were counted with other settings")
    count = sum(len(facts["vocabulary"][block]) for block in BLOCKS)
    for name, shape in (("idf", (count,)), ("coef", (count,)), ("intercept", (1,))):
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has shape {arrays[name].shape} or is not finite; expected {shape} numbers")
    terms = Terms({block: list(facts["vocabulary"][block]) for block in BLOCKS}, arrays["idf"])
    ridge = TfidfRidge(float(facts["alpha"]), int(facts["rows"]), dict(facts["cv_log_rmse"]), terms)
    ridge.coef, ridge.intercept = arrays["coef"], float(arrays["intercept"][0])
    low, high = facts.get("bounds", PRICE_RANGE)  # ridges of earlier versions carry none
    ridge.bounds = float(low), float(high)
    ridge.known = arrays.get("known", ridge.known)  # nor these
    return ridge
