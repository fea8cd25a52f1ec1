"""Exercises of notebook 03: the numbers to beat."""

import numpy as np

from pricelab.exercises.judges import Exercise, choice, function, number


def paired_standard_error(errors_a: np.ndarray, errors_b: np.ndarray) -> float:
    """Standard error of the mean difference of two models' errors on the same items."""
    return float(np.std(errors_a - errors_b, ddof=1) / np.sqrt(len(errors_a)))


def _errors() -> list[tuple[np.ndarray, np.ndarray]]:
    """Errors of two models that find the same items hard."""
    rng = np.random.default_rng(3)
    hard = rng.lognormal(3, 1, 40)
    return [(hard[:n] * rng.uniform(0.8, 1.2, n), hard[:n] * rng.uniform(0.9, 1.4, n)) for n in (40, 9)]


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b)))


EXERCISES = (
    Exercise(
        "03-readout",
        "easy",
        3,
        number(
            30,
            "half of the probability lies at or below $30: the median has the least expected absolute error",
            wrong={
                120.5: "that is the mean, which the few $300 pull up: it is best for *squared* error",
                20: "that is the likeliest price; it ignores that most of the probability lies above it",
                160: "that is the middle between the lowest and the highest price; it ignores the probabilities",
                300: "that is the highest price: far off in most cases",
            },
            unit="dollars",
        ),
    ),
    Exercise(
        "03-paired",
        "medium",
        5,
        function(
            paired_standard_error,
            _errors,
            "subtract item by item first: what is hard for both models falls out",
            wrong={
                "that is the formula for two models on *different* items; subtract item by item first":
                    _apart,
                "the standard deviation of the differences; a mean of n items is √n times surer":
                    lambda a, b: np.std(a - b, ddof=1),
                "divided by n; the standard error falls with √n":
                    lambda a, b: np.std(a - b, ddof=1) / len(a),
                "that is the standard error of the first model's own mean; the other one is missing":
                    lambda a, b: np.std(a, ddof=1) / np.sqrt(len(a)),
                "the absolute value hides which model was nearer; keep the sign of each difference":
                    lambda a, b: np.std(np.abs(a - b), ddof=1) / np.sqrt(len(a)),
                "nearly: with ddof=1 the standard deviation of a sample is not too small":
                    lambda a, b: np.std(a - b) / np.sqrt(len(a)),
            },
            hint="np.std(..., ddof=1) of the differences, divided by the square root of their number",
        ),
    ),
    Exercise(
        "03-metric",
        "easy",
        2,
        choice(
            "A",
            "its loss is the sum of the dollars it is off, so the mean absolute error times the number of items",
            wrong={
                "B": "the median stays when the worse half of the errors gets ten times worse; the loss doesn't",
                "C": "RMSLE counts factors: twice the price is as bad for a $3 mug as for a $600 sofa; the loss is not",
                "D": "a hit rate counts $121 for $100 and $900 for $100 as one miss each; the loss does not",
            },
        ),
    ),
    Exercise(
        "03-items",
        "medium",
        3,
        number(
            3200,
            "a quarter of the width takes sixteen times the items: the width falls with the square root of n",
            wrong={
                800: "four times the items halve the interval; the width falls with the *square root* of n",
                400: "twice the items make the interval narrower by a factor of 1.4",
                50: "fewer items make the interval wider",
                12800: "that would be an eighth of the width",
            },
            unit="items",
        ),
    ),
)  # fmt: skip
