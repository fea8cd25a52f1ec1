"""Exercises of notebook 02: what a catalog looks like to a model."""

import math
from collections.abc import Sequence
from statistics import fmean, geometric_mean

from pricelab.exercises.judges import Exercise, choice, function, number

Chances = Sequence[float]


def _loss(probabilities: Chances) -> float:
    return -fmean(map(math.log, probabilities))


EXERCISES = (
    Exercise(
        "02-loss",
        "medium",
        3,
        function(
            _loss,
            lambda: [([0.5, 0.25],), ([0.9, 0.05, 0.6, 0.001],), ([0.2] * 5,), ([0.8],)],
            "the mean of −ln p: what training lowers",
            {
                "that is the sum; the loss is the mean over the tokens": lambda p: len(p) * _loss(p),
                "the sign is missing: the logarithm of a probability is negative": lambda p: -_loss(p),
                "those are bits; nats need the natural logarithm": lambda p: _loss(p) / math.log(2),
                "that is the logarithm to base ten; nats need the natural one": lambda p: _loss(p) / math.log(10),
                "take the logarithm of each probability first, and the mean after it": lambda p: -math.log(fmean(p)),
                "that is the probability that is missing to 1; the loss takes logarithms": lambda p: 1 - fmean(p),
                "that is the perplexity, e to the loss": lambda p: 1 / geometric_mean(p),
            },
            hint="-math.log(p) is what one token costs; math.log is the natural logarithm",
        ),
    ),
    Exercise(
        "02-steps",
        "easy",
        2,
        number(
            526,
            "263 batches an epoch, the last one half full, and two epochs",
            wrong={
                524: "the half-full batch at the end of each epoch counts as well",
                525: "an epoch ends with its own last batch: round up first, then multiply",
                262.5: "that is one epoch, and there are no half steps",
                263: "that is one epoch; there are two",
                262: "that is one epoch without its last batch; there are two, and the last batch counts",
                8400: "that would be a step for every single item; a step takes a whole batch",
                134_400: "divide by the batch size: larger batches mean fewer steps",
                131.25: "more epochs mean more steps: multiply by two",
            },
            tolerance=1e-4,
            hint="how many batches hold all items once?",
            unit="steps",
        ),
    ),
    Exercise(
        "02-leak",
        "medium",
        3,
        choice(
            "C",
            "30 % off 185.70 is 129.99: the answer stands there as a sum, and no audit that looks for 129.99 sees it",
            {
                "A": "a model number isn't made from the price; knowing it is fair, a shopper knows it too",
                "B": "an amount, but the same for every item of the shop: it tells nothing about this one",
                "D": "condition is no leak: it is known before the price is set, and it is what a model should use",
            },
        ),
    ),
)
