"""Heads that are trained together with the adapter, for `heads`: what each answers, and the loss that it learns by.

All are linear, on standardised hidden states pooled as in `pricelab.states`, and answer in natural log price.

Notation: B items, P poolings, F features, K bins or quantiles.
"""

import math
from typing import Any

import numpy as np
import torch

BINS = np.linspace(math.log(0.7), math.log(1400), 65)  # edges, in log price
LEVELS = np.linspace(0.05, 0.95, 19)  # of the quantiles
MEDIAN = len(LEVELS) // 2
NARROWEST = 1e-3  # gap between two quantiles at the start, in standard deviations of log price
STRENGTHS = np.logspace(1, 4, 7)  # of the ridge that a head starts from


class Head(torch.nn.Module):
    """A linear head on pooled states (P, B, dim), all its weights 0 at the start."""

    outputs = 1
    reads = slice(None)  # of the poolings

    def __init__(self, states: np.ndarray, log_price: np.ndarray) -> None:
        """``states`` (P, B, dim) of the frozen base and log prices (B,) of the training items set the scales."""
        super().__init__()
        flat = self.flat(torch.tensor(states))
        self.register_buffer("mean", flat.mean(0))
        self.register_buffer("scale", flat.std(0, correction=0) + 1e-6)
        self.centre, self.spread = float(log_price.mean()), float(log_price.std())
        self.linear = torch.nn.Linear(flat.shape[1], self.outputs)
        torch.nn.init.zeros_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)

    def flat(self, states: Any) -> Any:
        """The features (B, F) among pooled states (P, B, dim)."""
        return torch.cat(list(states[self.reads]), dim=1)

    def forward(self, states: Any) -> Any:
        return self.linear((self.flat(states) - self.mean) / self.scale)

    def standard(self, log_price: Any) -> Any:
        """Log prices in standard deviations from the training items' mean."""
        return (log_price - self.centre) / self.spread

    def loss(self, states: Any, log_price: Any) -> Any:
        """What to minimise, a mean over items."""
        raise NotImplementedError

    def log_price(self, states: Any) -> Any:
        """The head's answers (B,)."""
        raise NotImplementedError


class Regression(Head):
    """Squared error of standardised log price."""

    def loss(self, states: Any, log_price: Any) -> Any:
        return ((self(states)[:, 0] - self.standard(log_price)) ** 2).mean()

    def log_price(self, states: Any) -> Any:
        return self(states)[:, 0] * self.spread + self.centre


class ProbeFirst(Regression):
    """The same, started as a ridge on the frozen states."""

    def __init__(self, states: np.ndarray, log_price: np.ndarray) -> None:
        from sklearn.linear_model import RidgeCV

        super().__init__(states, log_price)
        features = ((self.flat(torch.tensor(states)) - self.mean) / self.scale).numpy()
        ridge = RidgeCV(STRENGTHS).fit(features, self.standard(log_price))
        self.linear.weight.data[0] = torch.tensor(ridge.coef_, dtype=torch.float32)
        self.linear.bias.data[0] = float(ridge.intercept_)


class Histogram(Head):
    """Cross-entropy against a Gaussian over bins of log price; answers with the histogram's mean."""

    outputs = len(BINS) - 1

    def loss(self, states: Any, log_price: Any) -> Any:
        edges = torch.tensor(BINS, dtype=torch.float32, device=log_price.device)
        below = torch.distributions.Normal(log_price[:, None], float(BINS[1] - BINS[0])).cdf(edges)
        target = below.diff(dim=1) / (below[:, -1:] - below[:, :1])
        return -(target * self(states).log_softmax(1)).sum(1).mean()

    def log_price(self, states: Any) -> Any:
        middles = torch.tensor((BINS[1:] + BINS[:-1]) / 2, dtype=torch.float32, device=states.device)
        return self(states).softmax(1) @ middles


class Quantiles(Head):
    """Pinball loss at several levels of standardised log price, from the last hidden state; answers with the median.

    The first output is the median, the others the gaps between neighbouring quantiles, positive by softplus, so that no
    two quantiles ever cross. They start as those of the training items.
    """

    outputs = len(LEVELS)
    reads = slice(1, 2)  # the last token's

    def __init__(self, states: np.ndarray, log_price: np.ndarray) -> None:
        super().__init__(states, log_price)
        start = torch.tensor(np.quantile(self.standard(log_price), LEVELS), dtype=torch.float32)
        self.linear.bias.data[0] = start[MEDIAN]
        self.linear.bias.data[1:] = start.diff().clamp(min=NARROWEST).expm1().log()  # softplus undone

    def quantiles(self, states: Any) -> Any:
        """Quantiles (B, K) of standardised log price, rising."""
        median, gaps = self(states).split([1, len(LEVELS) - 1], dim=1)
        risen = torch.nn.functional.pad(torch.nn.functional.softplus(gaps).cumsum(1), (1, 0))
        return median + risen - risen[:, MEDIAN, None]

    def loss(self, states: Any, log_price: Any) -> Any:
        """Twice the mean over the levels: about the continuous ranked probability score."""
        levels = torch.tensor(LEVELS, dtype=torch.float32, device=log_price.device)
        return 2 * pinball(self.quantiles(states), self.standard(log_price), levels).mean()

    def log_price(self, states: Any) -> Any:
        return self.quantiles(states)[:, MEDIAN] * self.spread + self.centre


def pinball(quantiles: Any, truth: Any, levels: Any) -> Any:
    """Pinball losses (B, K) of quantiles (B, K) at ``levels`` (K,) for true values (B,) (Koenker & Bassett 1978).

    A value above the quantile costs level × distance, one below (1 − level) × distance.
    """
    missed = truth[:, None] - quantiles
    return torch.maximum(levels * missed, (levels - 1) * missed)
