"""Is this a product such as those that were learned? If not: the reason in words, and an interval that admits it.

The guarantee of ``intervals`` is for items like the calibration items. Another language, a poem, markup or 5,000 words
still get digits from the model, and often sure ones. What is out of scope is told from what lies beside the adapter:
the words of the training texts in the stored ridge's terms, and limits learned on the calibration texts. It is a guard,
not a judge: familiar words about nothing for sale pass, and a new kind of product in new words may not.

*Familiarity* of a text is the mean over its words w of log(1 + texts with w) / log(1 + training texts): 0 where no word
was met, 1 where every training text has them all. Function words of English and numbers don't count. Introduced in
notebook 10. Prices in US dollars.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.items import MAX_PRICE_USD, MIN_PRICE_USD
from pricelab.stored import check_number
from pricelab.text_faults import without_markup

if TYPE_CHECKING:
    from pricelab.baselines.ridge import TfidfRidge
    from pricelab.estimates import PriceEstimate

RAREST = 0.01  # quantile of the calibration texts' familiarity that new texts are compared with
LENIENCE = 0.8  # share of it that is still in scope: new kinds of products have some words of their own
TIMES_LONGER = 3  # than the longest calibration text is far too long
FEWEST_LETTERS = 0.25  # share of letters among the visible characters
UNKNOWN_PRICES = (0.025, 0.975)  # quantiles of the calibration prices: what is known without a usable description
READ_CHARACTERS = 5_000  # of a text that are looked at for words; its length is counted whole
_CHARACTERS_A_WORD = 20  # at least so many make a word, for scripts without spaces
_WORD = re.compile(r"\b\w+\b")  # as the ridge's terms
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


@dataclass(frozen=True)
class Scope:
    """What new texts must be like. The defaults serve predictors that have learned no limits."""

    least_familiar: float = 0.2  # familiarity below that is out of scope; 0: words set no limit
    typical: float = 0.5  # median familiarity of the calibration texts
    longest: int = 300  # words in the longest calibration text
    low: float = MIN_PRICE_USD  # US dollars: with `high`, what an item may cost that says nothing
    high: float = MAX_PRICE_USD  # US dollars
    words: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)  # word → its familiarity

    def __post_init__(self) -> None:
        for name, high in (("least_familiar", 1.0), ("typical", 1.0), ("longest", inf), ("low", inf), ("high", inf)):
            check_number(name, getattr(self, name), 0, high)

    @classmethod
    def stored(cls, limits: Mapping[str, Any] | None, ridge: "TfidfRidge") -> "Scope":
        """What `as_dict` kept, with the words of the stored ridge; the default limits where nothing was kept."""
        return cls(**limits or {}, words=word_familiarity(ridge))

    def as_dict(self) -> dict[str, Any]:
        """The limits, for the manifest."""
        return {name: value for name, value in vars(self).items() if name != "words"}

    def reason(self, text: str) -> str | None:
        """Why ``text`` is out of scope, in words that quote nothing of it; None where it isn't."""
        if not text.strip():
            return "it is empty"
        length = max(len(text.split()), len(text) // _CHARACTERS_A_WORD)
        if length > TIMES_LONGER * self.longest:
            return f"it has about {length:,} words, far more than the longest learned from, {self.longest:,}"
        seen = visible(text)
        letters = sum(map(str.isalpha, seen))
        if letters < FEWEST_LETTERS * sum(map(len, seen.split())) or not letters:
            return "it holds hardly any words, only digits, signs, links or markup"
        return self._unfamiliar(content_words(seen)) if self.words and self.least_familiar else None

    def _unfamiliar(self, found: list[str]) -> str | None:
        known = sum(word in self.words for word in found)
        if known and self.familiarity(found) >= self.least_familiar:
            return None
        return (
            f"{known} of its {len(found)} telling words are known from training, too few or too rare ones: another "
            "language, no product, or one of another kind"
        )

    def familiarity(self, found: Sequence[str]) -> float:
        """Of a text's telling words, and one word of `typical` familiarity, which keeps short texts from extremes."""
        return (self.typical + sum(self.words.get(word, 0.0) for word in found)) / (1 + len(found))

    def judge(self, text: str, estimate: "PriceEstimate", unlike: str | None = None) -> "PriceEstimate":
        """The estimate as it is, or out of scope with the reason and an interval as wide as what is known.

        ``unlike`` is what a read-out holds against the text, if anything.
        """
        if np.isnan(estimate.estimate) or (why := self.reason(text) or unlike) is None:
            return estimate
        said = f"; {estimate.warning}" if estimate.warning else ""
        warning = f"out of scope, so don't trust this price: {why}{said}"
        return replace(estimate, low=min(estimate.low, self.low), high=max(estimate.high, self.high), warning=warning)


def learn_scope(texts: Sequence[str], prices: Sequence[float], ridge: "TfidfRidge") -> Scope:
    """The limits from B ≥ 1 calibration texts and prices, and the words of the ridge fitted on the training texts.

    Where calibration texts without a single known word are no rarity, words tell nothing and set no limit.
    """
    low, high = np.quantile(np.asarray(prices, dtype=float), UNKNOWN_PRICES)
    longest = max(len(text.split()) for text in texts)
    scope = Scope(0.0, 0.0, longest, float(low), float(high), word_familiarity(ridge))
    found = [words for text in texts if (words := content_words(visible(text)))]
    means = [sum(scope.words.get(word, 0.0) for word in words) / len(words) for words in found]
    if not means or np.quantile(means, RAREST, method="lower") == 0:
        return scope
    scope = replace(scope, typical=float(np.median(means)))
    return replace(scope, least_familiar=LENIENCE * float(np.quantile(list(map(scope.familiarity, found)), RAREST)))


def word_familiarity(ridge: "TfidfRidge") -> dict[str, float]:
    """Familiarity of each training word: from the idf, ln((1 + N) / (1 + texts with it)) + 1, and N training texts."""
    terms = ridge.terms.vocabulary.get("word", [])
    texts = (1 + ridge.rows) / np.exp(ridge.terms.idf[: len(terms)].astype(float) - 1) - 1
    share = np.log1p(texts.clip(0)) / np.log1p(max(ridge.rows, 1))
    return {term: float(value) for term, value in zip(terms, share, strict=True) if " " not in term}


def visible(text: str) -> str:
    """The beginning of a text as a browser would show it, without links."""
    return _LINK.sub(" ", without_markup(text[:READ_CHARACTERS]))


def content_words(text: str) -> list[str]:
    """The telling words of a text in small letters: no numbers, single letters or English function words."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = (word for word in _WORD.findall(text.lower()) if len(word) > 1 and word not in ENGLISH_STOP_WORDS)
    return [word for word in words if word.isalpha() or not any(map(str.isdigit, word))]
