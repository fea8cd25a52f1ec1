"""Exercises of notebook 10."""

from pricelab.exercises.judges import Exercise, number

EXERCISES = (
    Exercise(
        "10-median",
        "medium",
        3,
        number(
            20,
            "the probabilities reach one half there: 0.30 + 0.25",
            wrong={
                10: "that is the mode, the likeliest price; 70 % of the probability lies above it",
                35.5: "that is the mean; it makes the expected squared error smallest",
                25: "half-way is no better than the nearer price: the sum has passed one half at $20",
                30: "at $30 the sum is 0.80; it passes one half earlier",
            },
            unit="dollars",
        ),
    ),
    Exercise(
        "10-conformal",
        "hard",
        4,
        number(
            0.60,
            "the rank is 5: with five items only the largest miss is safe enough",
            wrong={
                0.20: "that is the rank without the + 1; the new item must be counted too",
                0.05: "that is the median miss; an interval moved by it would hold half the prices",
                -0.30: "sort from the smallest; a negative miss lies inside the interval",
                0.80: "0.8 is the share of prices to hold, not a distance",
            },
        ),
    ),
)
