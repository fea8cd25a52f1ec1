"""A text as numbers: TF-IDF of word 1–2-grams and of character 3–5-grams within words.

Term counts c become ``(1 + log c) · idf``, and each of the two blocks is scaled to length 1, so the product of two
texts' rows is the sum of two cosines. Terms and idf never see a price, so they may be found once, outside the folds of
a cross-validation. Notation: B texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MIN_DOCUMENTS = 2  # a term of a single text cannot help another one
BLOCKS: dict[str, dict[str, Any]] = {  # one-character words stay, because "2 qt" differs from "8 qt"
    "word": {"analyzer": "word", "ngram_range": (1, 2), "max_features": 10_000, "token_pattern": r"\b\w+\b"},
    "char": {"analyzer": "char_wb", "ngram_range": (3, 5), "max_features": 20_000},
}


@dataclass
class Terms:
    """The terms of the training texts and how much each weighs."""

    vocabulary: dict[str, list[str]] = field(default_factory=dict, repr=False)  # terms by block
    idf: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32), repr=False)  # (terms,), blocks in order

    def fit_transform(self, texts: Sequence[str]) -> "csr_array":
        """Learn the terms of B texts; their features (B, terms). Raises ``ValueError`` where texts share no words."""
        counts = {block: self._learn(block, texts) for block in BLOCKS}
        documents = np.concatenate([np.bincount(c.indices, minlength=c.shape[1]) for c in counts.values()])
        self.idf = (np.log((1 + len(texts)) / (1 + documents)) + 1).astype(np.float32)
        return self._weigh(list(counts.values()))

    def transform(self, texts: Sequence[str]) -> "csr_array":
        """Features (B, terms) of B ≥ 1 texts in float32; terms that training never met count for nothing."""
        from sklearn.feature_extraction.text import CountVectorizer

        counts = [CountVectorizer(**BLOCKS[b], vocabulary=self.vocabulary[b]).transform(texts) for b in BLOCKS]
        return self._weigh(counts)

    def _learn(self, block: str, texts: Sequence[str]) -> "csr_array":
        from sklearn.feature_extraction.text import CountVectorizer

        vectorizer = CountVectorizer(**BLOCKS[block], min_df=MIN_DOCUMENTS)
        try:
            counts = vectorizer.fit_transform(texts)
        except ValueError as error:
            raise ValueError(f"the {len(texts)} texts share no words ({error}); give longer or more texts") from error
        self.vocabulary[block] = [str(term) for term in vectorizer.get_feature_names_out()]
        return counts

    def _weigh(self, counts: "list[csr_array]") -> "csr_array":
        import scipy.sparse
        from sklearn.preprocessing import normalize

        blocks, start = [], 0
        for block in counts:
            weighted = block.astype(np.float32)
            weighted.data = (1 + np.log(weighted.data)) * self.idf[start + weighted.indices]
            blocks.append(normalize(weighted))
            start += block.shape[1]
        return scipy.sparse.hstack(blocks, format="csr")
