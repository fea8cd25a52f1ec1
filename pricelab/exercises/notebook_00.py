"""Exercises of notebook 00."""

from pricelab.exercises.judges import Exercise, choice, number

EXERCISES = (
    Exercise(
        "00-format",
        "easy",
        1,
        choice(
            "A",
            "whole dollars and nothing else",
            wrong={
                "B": "the prompt already ends with the dollar sign; the answer would read $$24",
                "C": "cents are a good price and a broken format: the contract says whole dollars",
                "D": "a person can read it; a program that expects digits alone can't",
            },
        ),
    ),
    Exercise(
        "00-constant",
        "medium",
        3,
        number(
            12,
            "the median: as many products above it as below, so no step to either side pays",
            wrong={
                51: "that is the mean; it makes the squared error smallest, and one expensive product drags it up",
                102: "that is the middle between the extremes; four of the five products lie far below it",
                4: "the cheapest is far from everything else; try moving up and watch the errors",
                200: "the dearest is far from everything else; try moving down and watch the errors",
            },
            unit="dollars",
        ),
    ),
)
