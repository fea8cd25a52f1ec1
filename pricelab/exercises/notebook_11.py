"""Exercises of notebook 11."""

from pricelab.exercises.judges import Exercise, number

EXERCISES = (
    Exercise(
        "11-last",
        "medium",
        3,
        number(
            1.0,
            "two passes, the second with the 14 texts that are left: a pass is as long however full it is",
            wrong={
                0.5: "one pass holds 16 texts at most; 30 don't fit",
                0.9375: "30 / 16 of a pass: but a pass that is not full takes its half second all the same",
                15.0: "that is one text a pass; 16 of them share one",
            },
            unit="seconds",
        ),
    ),
    Exercise(
        "11-cold-share",
        "medium",
        3,
        number(
            100,
            "the container has gone five minutes before the next request comes, every time",
            wrong={
                50: "the idle window covers half of the gap, but a request comes only at the gap's end",
                0: "a container stays for the idle window only, and the gap is longer",
                3.3333333333333335: "that is the start as a share of the gap; asked is how many requests meet one",
            },
            unit="percent",
        ),
    ),
)
