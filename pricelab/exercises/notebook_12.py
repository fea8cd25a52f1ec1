"""Exercises of notebook 12: your own catalog."""

from pricelab.exercises.judges import Exercise, choice, number
from pricelab.power import items_needed

EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "12-rung",
        "easy",
        3,
        choice(
            "A",
            "a number is wanted, there are hundreds of examples, and nothing simple was tried: the lowest rung first",
            wrong={
                "B": "a prompt learns nothing and needs a capable base on that laptop; a ridge learns from all 900",
                "C": "retrieval adds facts that are missing; here the prices of similar items are what a ridge learns",
                "D": "perhaps later: without the ridge's error nobody can say that the adapter was worth its trouble",
                "E": "random weights know nothing, and 900 items have to teach it all; and nothing rules out a base",
            },
        ),
    ),
    Exercise(
        "12-items",
        "medium",
        4,
        number(
            items_needed(12, 60),
            "((1.96 + 0.84) · 60 / 12)²: five times as much spread as difference, and both z-values squared with it",
            wrong={
                25: "that is (s / d)² alone, which finds the difference in one of six cases; the z-values belong in",
                96.04: "without the 0.84 the interval leaves zero out in every second case only, not in four of five",
                14: "not squared: a mean gets surer with the *root* of n, so half the difference takes four times the "
                "items",
                392: "twice is for two groups of different items; here both models price the same ones, and s is "
                "already of the difference",
                0.3136: "spread and difference are the other way round: less difference takes more items",
            },
            unit="items",
            tolerance=0.015,
        ),
    ),
    Exercise(
        "12-honest",
        "medium",
        3,
        choice(
            "B",
            "paired, with an interval that says how little 45 items can tell, and a decision that follows from it",
            wrong={
                "A": "two errors without an interval: the five dollars may be chance, and intervals of the two "
                "wouldn't say, because both models find the same items hard",
                "C": "the best of six *on the test items* was picked for its luck there; its interval knows nothing of "
                "the other five. Choose on other items, test once",
                "D": "true perhaps, but of the wrong opponent: nobody would run the median if a ridge takes seconds",
            },
        ),
    ),
)
