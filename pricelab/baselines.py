"""What a fine-tuned model has to beat: the median price, and a linear model on word and character counts.

Both learn from B texts and their prices (US dollars) and answer with an array of B prices. They are tuned with the same
care as the model they are compared with; judging is left to ``evaluation``. Notebook 03 introduces it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.catalog import MAX_PRICE_USD, MIN_PRICE_USD
from pricelab.files import read_json, write_text_atomic

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SCHEMA_VERSION = 1
FOLDS = 5
MIN_ROWS = 2 * FOLDS
MIN_DOCUMENTS = 2  # a term of a single text cannot help another one
ALPHAS = tuple(float(alpha) for alpha in np.logspace(-1.5, 1.5, 7).round(4))  # ridge strengths: 0.03, 0.1, … 30
BLOCKS: dict[str, dict[str, Any]] = {  # one-character words stay, because "2 qt" differs from "8 qt"
    "word": {"analyzer": "word", "ngram_range": (1, 2), "max_features": 10_000, "token_pattern": r"\b\w+\b"},
    "char": {"analyzer": "char_wb", "ngram_range": (3, 5), "max_features": 20_000},
}


@dataclass
class ConstantPrice:
    """Always the median of the training prices: the constant with the least mean absolute error on them."""

    price: float | None = None
    name = "constant (training median)"

    def fit(self, texts: Sequence[str], prices: Sequence[float]) -> "ConstantPrice":
        self.price = float(np.median(_checked(texts, prices, least=1)))
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The constant, B times, US dollars."""
        if self.price is None:
            raise ValueError("this baseline has learned nothing yet; call fit(texts, prices) first")
        return np.full(len(texts), self.price)


@dataclass
class TfidfRidge:
    """Ridge regression of log price on the TF-IDF of word 1–2-grams and of character 3–5-grams within words.

    Term counts c become ``(1 + log c) · idf``, each of the two blocks is scaled to length 1, and the strength of the
    ridge is the one with the least squared error of log price over 5 folds of the training rows (the error in dollars
    hangs on a few dear items and picks less steadily). The terms and their idf are found once, outside the folds: they
    never see a price. Predictions are clipped to $1–$999.
    """

    alpha: float | None = None  # chosen ridge strength
    rows: int = 0  # training rows
    cv_log_rmse: dict[str, float] = field(default_factory=dict)  # strength → cross-validated error of log price
    vocabulary: dict[str, list[str]] = field(default_factory=dict, repr=False)  # terms by block
    idf: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32), repr=False)  # (terms,), blocks in order
    coef: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32), repr=False)  # (terms,)
    intercept: float = 0.0
    name = "TF-IDF + ridge"

    def fit(self, texts: Sequence[str], prices: Sequence[float], seed: int = 0) -> "TfidfRidge":
        """Learn from B texts and prices; ``seed`` draws the folds. Raises ``ValueError`` below 10 rows."""
        usd = _checked(texts, prices, least=MIN_ROWS)
        counts = {block: self._learn_terms(block, texts) for block in BLOCKS}
        documents = np.concatenate([np.bincount(c.indices, minlength=c.shape[1]) for c in counts.values()])
        self.idf = (np.log((1 + len(texts)) / (1 + documents)) + 1).astype(np.float32)
        features = self._weigh(list(counts.values()))
        self.cv_log_rmse = _cross_validate(features, np.log(usd), seed)
        self.alpha = float(min(self.cv_log_rmse, key=lambda alpha: self.cv_log_rmse[alpha]))
        self.rows = len(texts)
        model = _ridge(self.alpha).fit(features, np.log(usd))
        self.coef, self.intercept = model.coef_.astype(np.float32), float(model.intercept_)
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """B prices in US dollars."""
        from sklearn.feature_extraction.text import CountVectorizer

        if self.alpha is None:
            raise ValueError("this baseline has learned nothing yet; call fit(texts, prices) or load(folder) first")
        if not len(texts):
            return np.empty(0)
        counts = [CountVectorizer(**BLOCKS[b], vocabulary=self.vocabulary[b]).transform(texts) for b in BLOCKS]
        return _to_usd(self._weigh(counts) @ self.coef + np.float64(self.intercept))

    def save(self, folder: str | Path) -> None:
        """Write ``ridge.safetensors`` (idf, coefficients, intercept) and ``ridge.json`` (terms, how it was fitted)."""
        from safetensors.numpy import save_file

        if self.alpha is None:
            raise ValueError("this baseline has learned nothing yet, so there is nothing to save; call fit first")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"idf": self.idf, "coef": self.coef, "intercept": np.array([self.intercept])}
        save_file(arrays, folder / "ridge.safetensors")
        facts = {"schema_version": SCHEMA_VERSION, "blocks": BLOCKS, "alpha": self.alpha, "rows": self.rows}
        facts |= {"cv_log_rmse": self.cv_log_rmse, "vocabulary": self.vocabulary}
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

    def _learn_terms(self, block: str, texts: Sequence[str]) -> "csr_array":
        from sklearn.feature_extraction.text import CountVectorizer

        vectorizer = CountVectorizer(**BLOCKS[block], min_df=MIN_DOCUMENTS)
        try:
            counts = vectorizer.fit_transform(texts)
        except ValueError as error:
            raise ValueError(f"the {len(texts)} texts share no words ({error}); give longer or more texts") from error
        self.vocabulary[block] = [str(term) for term in vectorizer.get_feature_names_out()]
        return counts

    def _weigh(self, counts: "list[csr_array]") -> "csr_array":
        """(B, terms) features in float32 from the counts of each block."""
        import scipy.sparse
        from sklearn.preprocessing import normalize

        blocks, start = [], 0
        for block in counts:
            weighted = block.astype(np.float32)
            weighted.data = (1 + np.log(weighted.data)) * self.idf[start + weighted.indices]
            blocks.append(normalize(weighted))
            start += block.shape[1]
        return scipy.sparse.hstack(blocks, format="csr")


def _checked(texts: Sequence[str], prices: Sequence[float], least: int) -> np.ndarray:
    usd = np.asarray(prices, dtype=np.float64)
    if usd.shape != (len(texts),) or len(texts) < least:
        raise ValueError(f"got {len(texts)} texts and {usd.size} prices; give as many of each, at least {least}")
    if not (np.isfinite(usd) & (usd > 0)).all():
        raise ValueError("prices must be finite and above $0; leave the other rows out")
    return usd


def _cross_validate(features: "csr_array", log_price: np.ndarray, seed: int) -> dict[str, float]:
    """Root mean squared error of the log price of held-out rows, for each strength."""
    from sklearn.model_selection import KFold

    errors = np.empty((len(ALPHAS), len(log_price)))
    for train, test in KFold(FOLDS, shuffle=True, random_state=seed).split(features):
        for row, alpha in enumerate(ALPHAS):
            model = _ridge(alpha).fit(features[train], log_price[train])
            errors[row, test] = model.predict(features[test]) - log_price[test]
    rmse = np.sqrt((errors**2).mean(axis=1)).tolist()
    return {f"{alpha:g}": value for alpha, value in zip(ALPHAS, rmse, strict=True)}


def _ridge(alpha: float) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha, solver="sparse_cg", tol=1e-3)


def _to_usd(log_price: np.ndarray) -> np.ndarray:
    log_bounds = np.log((MIN_PRICE_USD, MAX_PRICE_USD))
    return np.exp(np.clip(log_price.astype(np.float64), *log_bounds)).clip(MIN_PRICE_USD, MAX_PRICE_USD)


def _assembled(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> TfidfRidge:
    """Check what was read from the two files and put it together."""
    if facts["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema version {facts['schema_version']!r}, expected {SCHEMA_VERSION}")
    if facts["blocks"] != json.loads(json.dumps(BLOCKS)):
        raise ValueError("its terms were counted with other settings")
    terms = sum(len(facts["vocabulary"][block]) for block in BLOCKS)
    for name, shape in (("idf", (terms,)), ("coef", (terms,)), ("intercept", (1,))):
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has shape {arrays[name].shape} or is not finite; expected {shape} numbers")
    vocabulary = {block: list(facts["vocabulary"][block]) for block in BLOCKS}
    ridge = TfidfRidge(float(facts["alpha"]), int(facts["rows"]), dict(facts["cv_log_rmse"]), vocabulary)
    ridge.idf, ridge.coef, ridge.intercept = arrays["idf"], arrays["coef"], float(arrays["intercept"][0])
    return ridge
