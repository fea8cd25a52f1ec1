"""Which way of reading a frozen base prices best? `python -m benchmarks.readers [FILE …]`.

Five folds of a catalog, ``workshop`` or a product file by its path; every way learns from the same four fifths and
prices the same last one. Ways: the ridge on words alone; linear and kernel probes of the base's pooled hidden states;
one kernel for states and words; blends; and the default probe of texts that were cut, cleaned or put in another order
first. Errors over all items, paired with the ridge's. Results go to ``data/results/readers.json`` by kind of catalog
with the machine; of a file neither name nor text is kept.

Notation: B items, states (P, B, dim) pooled as in `pricelab.states`.
"""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.results import RESULTS
from pricelab.baselines import ConstantPrice, TfidfRidge
from pricelab.baselines.rows import to_usd
from pricelab.baselines.terms import Terms
from pricelab.blend import Blend
from pricelab.catalog import Item, load_catalog, load_items
from pricelab.costs.peak import peak_memory
from pricelab.evaluation import evaluate, paired_difference
from pricelab.files import read_json, write_json_atomic
from pricelab.normalise import this_machine
from pricelab.pricer import Pricer
from pricelab.probe import EPSILON, ITEMS, Probe
from pricelab.profiles import detect
from pricelab.states import pooled_states

PATH = RESULTS / "readers.json"
FOLDS = 5
STRENGTHS = np.logspace(1, 4, 7)  # of linear probes, chosen by cross-validation inside the training items
LABEL = re.compile(r"\b[A-Z][a-z]+:\s+")  # of a field inside a text: "Brand: ", "Category: "

States = np.ndarray
Way = Callable[["Fold"], np.ndarray]


def cleaned(text: str) -> str:
    """Without labels of fields, and without signs other than those of numbers, units and sentences."""
    return " ".join(re.sub(r"[^\w\s.,%$/'\"-]+", " ", LABEL.sub("", text)).split())


def title_last(text: str) -> str:
    """The first line at the end; where there is one line, its first field if it has any, or else its first sentence."""
    border = rf"\s+(?={LABEL.pattern})" if LABEL.match(text.strip()) else r"(?<=[.!?])\s+"
    title, *rest = re.split(r"\n+" if "\n" in text.strip() else border, text.strip(), maxsplit=1)
    return "\n".join([*rest, title])


@dataclass(frozen=True)
class Reading:
    """What becomes of a text before the base reads it."""

    change: Callable[[str], str] = str
    tokens: int | None = None  # at most; None: as many as by default


READINGS = {
    "cut at 64 tokens": Reading(tokens=64),
    "cut at 128 tokens": Reading(tokens=128),
    "in lower case": Reading(str.lower),
    "cleaned of labels and signs": Reading(cleaned),
    "with their title last": Reading(title_last),
}


class Fold:
    """What a way may see: training items with prices, and the texts of the others."""

    def __init__(
        self, items: list[Item], states: States, others: dict[str, States], train: np.ndarray, test: np.ndarray
    ) -> None:
        self.train, self.test = [items[i] for i in train], [items[i].text for i in test]
        self.prices = np.array([item.price for item in self.train])
        self.states, self.asked = states[:, train], states[:, test]
        self.others = {name: (each[:, train], each[:, test]) for name, each in others.items()}
        self.ridge = TfidfRidge().fit(self.train)
        self.words = self.ridge.predict(self.test)
        self.probe = Probe().fit(self.states, np.log(self.prices))


def linear(of: slice) -> Way:
    """Ridge regression on some of the poolings."""

    def way(fold: Fold) -> np.ndarray:
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        features, asked = (np.concatenate(list(states[of]), axis=1) for states in (fold.states, fold.asked))
        model = make_pipeline(StandardScaler(), RidgeCV(STRENGTHS)).fit(features, np.log(fold.prices))
        return to_usd(model.predict(asked))

    return way


def one_kernel(fold: Fold) -> np.ndarray:
    """Support vector regression on the sum of two kernels: Gaussian on states, cosine on words."""
    from sklearn.metrics.pairwise import rbf_kernel
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    terms, scaler = Terms(), StandardScaler()
    words = terms.fit_transform([item.text for item in fold.train])
    seen = scaler.fit_transform(np.concatenate(list(fold.states), axis=1))
    asked = scaler.transform(np.concatenate(list(fold.asked), axis=1))
    kernel = rbf_kernel(seen, gamma=0.5 / seen.shape[1]) + (words @ words.T).toarray() / 2
    new = rbf_kernel(asked, seen, gamma=0.5 / seen.shape[1]) + (terms.transform(fold.test) @ words.T).toarray() / 2
    model = SVR(kernel="precomputed", C=1.0, epsilon=EPSILON).fit(kernel, np.log(fold.prices))
    return to_usd(model.predict(new))


def blend(fold: Fold) -> np.ndarray:
    """The library's: weight by out-of-fold errors."""
    assert fold.ridge.held_out is not None
    return Blend.fit(fold.states, fold.prices, fold.ridge.held_out).read(fold.asked, fold.words)[0]


def probe_of(reading: str) -> Way:
    """The probe, of texts that were changed first."""

    def way(fold: Fold) -> np.ndarray:
        seen, asked = fold.others[reading]
        return to_usd(Probe().fit(seen, np.log(fold.prices)).log_price(asked))

    return way


def even_blend(fold: Fold) -> np.ndarray:
    """Half probe, half ridge, whatever they are worth."""
    return np.exp((fold.probe.log_price(fold.asked) + np.log(fold.words)) / 2)


WAYS: dict[str, Way] = {
    "constant (training median)": lambda fold: ConstantPrice().fit(fold.train).predict(fold.test),
    "TF-IDF + ridge": lambda fold: fold.words,
    "ridge on the mean of all tokens": linear(slice(0, 1)),
    "ridge on the last token": linear(slice(1, 2)),
    "ridge on both": linear(slice(0, 2)),
    "kernel on the last token": lambda fold: to_usd(
        Probe().fit(fold.states[1:], np.log(fold.prices)).log_price(fold.asked[1:])
    ),
    "kernel on both (the probe)": lambda fold: to_usd(fold.probe.log_price(fold.asked)),
    **{f"the probe, texts {reading}": probe_of(reading) for reading in READINGS},
    "one kernel for states and words": one_kernel,
    "probe and ridge, half and half": even_blend,
    "blend, weight found out of fold (the default)": blend,
}


def read(pricer: Pricer, reading: Reading, texts: list[str]) -> States:
    """Pooled hidden states (P, B, dim) of texts that were changed first."""
    reader = replace(pricer, max_text_tokens=reading.tokens or pricer.max_text_tokens)
    return pooled_states(reader, [reading.change(text) for text in texts], progress=True)


def items_of(source: str) -> list[Item]:
    """What of a catalog, ``workshop`` or a product file, folds are made of: as many items as a probe takes at most."""
    items = list(load_catalog()["train"] if source == "workshop" else load_items(source)[0])
    return [items[i] for i in np.sort(np.random.default_rng(0).permutation(len(items))[: ITEMS // 2])]


def kind_of(source: str) -> str:
    """A catalog in tables, where a file has no name."""
    return "workshop" if source == "workshop" else "a file of real listings"


def cross_validated(source: str) -> dict[str, Any]:
    """All ways on one catalog."""
    from sklearn.model_selection import KFold

    items = items_of(source)
    texts, start = [item.text for item in items], time.perf_counter()
    with peak_memory() as peak:
        pricer = Pricer.from_base(detect().base)
        states = pooled_states(pricer, texts, progress=True)
        seconds = time.perf_counter() - start
        others = {name: read(pricer, reading, texts) for name, reading in READINGS.items()}
    guesses, spent = {name: np.empty(len(items)) for name in WAYS}, dict.fromkeys(WAYS, 0.0)
    for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(items):
        fold = Fold(items, states, others, train, test)
        for name, way in WAYS.items():
            start = time.perf_counter()
            guesses[name][test] = way(fold)
            spent[name] += (time.perf_counter() - start) / FOLDS
    prices, ridge = np.array([item.price for item in items]), guesses["TF-IDF + ridge"]
    rows = {}
    for name, guess in guesses.items():
        score, saved = evaluate(prices, guess, name=name), paired_difference(prices, guess, ridge)
        rows[name] = {
            "mae": [score.mae.value, score.mae.low, score.mae.high], "rmsle": score.rmsle,
            "saved": [saved.value, saved.low, saved.high], "fit_and_price_seconds": round(spent[name], 1),
        }  # fmt: skip
    reading = {"base": pricer.base.key, "reading_seconds": round(seconds, 1), "peak_bytes": peak.bytes}
    return {"n": len(items), "folds": FOLDS, **reading, "ways": rows}


def measure(sources: list[str]) -> None:
    """Write what was found of each catalog; others keep theirs."""
    kept = read_json(PATH)["catalogs"] if PATH.is_file() else {}
    for source in sources:
        kept[kind_of(source)] = cross_validated(source)
        facts = {"command": "python -m benchmarks.readers workshop FILE", "machine": this_machine()}
        write_json_atomic(PATH, {**facts, "catalogs": kept})


if __name__ == "__main__":
    measure(sys.argv[1:] or ["workshop"])
