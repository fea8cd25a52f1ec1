"""A probe: support vector regression of log price on the frozen base's pooled hidden states.

Fine-tuning moves the base's weights; a probe leaves them as they are and learns only how to read what the base makes of
a text (Alain & Bengio 2016, arXiv 1610.01644, with a linear reader). With a thousand items and a small base that can be
the better way: the kernel has few settings to get wrong, and one pass over the texts is all the base has to do. The
same similarities tell a text that is like none of the training items. `blend` puts it beside the ridge on words.
Introduced in notebook 10.

Notation: B texts, P poolings of states with dim numbers each, F = P·dim features, S support vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from pricelab.baselines.tuning import best, errors_of, out_of_fold

EPSILON = 0.1  # errors of log price up to here cost nothing
COSTS = (1.0, 2.0, 4.0)  # C: what an error beyond costs
WIDTHS = (0.25, 0.5)  # γ·F of the kernel exp(−γ·|x − y|²) on standardised features
ITEMS = 3_000  # at most: a kernel holds the similarity of every pair
RAREST = 0.99  # quantile of the training items' own novelty that new texts are compared with
LENIENCE = 1.25  # times that is still known ground: a few words about a product are far from whole listings


@dataclass
class Probe:
    """Support vector regression with a Gaussian kernel; C and γ chosen by cross-validation."""

    cost: float = 0.0  # C
    width: float = 0.0  # γ·F
    cv_log_rmse: dict[str, float] = field(default_factory=dict)  # setting → cross-validated error of log price
    arrays: dict[str, np.ndarray] = field(default_factory=dict, repr=False)  # see `ARRAYS`
    held_out: np.ndarray | None = field(default=None, repr=False)  # (B,) log prices out of fold; after `fit` only

    def fit(
        self, states: np.ndarray, log_price: np.ndarray, seed: int = 0, texts: Sequence[str] | None = None
    ) -> "Probe":
        """Learn from pooled states (P, B, dim) and natural logarithms of prices (B,).

        ``seed`` draws the folds. ``texts`` (B,) are what the states are of, where one may stand there twice: a fold has
        all rows of a text or none.
        """
        flat = _flat(states)
        mean, scale = flat.mean(0), flat.std(0) + 1e-6
        features = ((flat - mean) / scale).astype(np.float16)  # as they are kept
        distances = _distances(features, features)
        settings = [(f"C {cost:g}, width {width:g}", cost, width) for cost, width in product(COSTS, WIDTHS)]
        kernels = {width: np.exp(-width / flat.shape[1] * distances) for width in WIDTHS}

        def predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            return np.array([
                _svr(cost).fit(kernels[width][np.ix_(train, train)], log_price[train])
                .predict(kernels[width][np.ix_(test, train)])
                for _, cost, width in settings
            ])  # fmt: skip

        names, apart = [name for name, *_ in settings], texts or [str(row) for row in range(len(log_price))]
        held_out = out_of_fold(len(settings), apart, seed, predict)
        self.cv_log_rmse = errors_of(names, log_price, held_out)
        place = names.index(best(self.cv_log_rmse))
        _, self.cost, self.width = settings[place]
        self.held_out = held_out[place]
        model = _svr(self.cost).fit(kernels[self.width], log_price)
        support, dual = model.support_, model.dual_coef_[0]
        if len(support) < 2:  # prices all but equal: the intercept says it, and all items tell what is like them
            support, dual = np.arange(len(log_price)), np.bincount(support, dual, len(log_price))
        self.arrays = {
            "mean": mean.astype(np.float32), "scale": scale.astype(np.float32), "support": features[support],
            "dual": dual.astype(np.float32), "intercept": model.intercept_.astype(np.float32),
            "range": np.array([log_price.min(), log_price.max()], np.float32),
        }  # fmt: skip
        same = np.unique(apart, return_inverse=True)[1]
        distances[same[:, None] == same] = np.inf  # a text is no neighbour of itself, in whichever row it stands
        nearest = _root_mean(distances[:, support].min(1), flat.shape[1])
        found = nearest[np.isfinite(nearest)]
        reach = LENIENCE * np.quantile(found, RAREST) if len(found) else np.finfo(np.float32).max
        self.arrays["reach"] = np.array([reach], np.float32)
        return self

    def log_price(self, states: np.ndarray) -> np.ndarray:
        """Natural logarithms of prices (B,) for pooled states (P, B, dim), within those of the training items."""
        kernel = np.exp(-self.width / len(self.arrays["mean"]) * self._to_support(states))
        return (kernel @ self.arrays["dual"] + self.arrays["intercept"]).clip(*self.arrays["range"])

    def novelty(self, states: np.ndarray) -> np.ndarray:
        """How far the nearest support vector is (B,): root mean square over the standardised features.

        Beyond ``arrays["reach"]`` there is no training item anywhere near.
        """
        return _root_mean(self._to_support(states).min(1), len(self.arrays["mean"]))

    def _to_support(self, states: np.ndarray) -> np.ndarray:
        """Squared distances (B, S)."""
        features = (_flat(states) - self.arrays["mean"]) / self.arrays["scale"]
        return _distances(features, self.arrays["support"])


ARRAYS = ("mean", "scale", "support", "dual", "intercept", "range", "reach")
"""What a fitted probe keeps: (F,), (F,), standardised (S, F) in 16 bits, (S,), (1,), the lowest and the highest log
price (2,), and the novelty (1,) beyond which a text is like no training item.
"""


def _flat(states: np.ndarray) -> np.ndarray:
    return np.concatenate(list(states), axis=1)


def _distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Squared distances between rows."""
    from sklearn.metrics.pairwise import euclidean_distances

    return euclidean_distances(left.astype(np.float32), right.astype(np.float32), squared=True)


def _root_mean(squared: np.ndarray, features: int) -> np.ndarray:
    return np.sqrt(squared.clip(0) / features)


def _svr(cost: float) -> Any:
    from sklearn.svm import SVR

    return SVR(kernel="precomputed", C=cost, epsilon=EPSILON)
