"""Exercises of notebook 03: the numbers to beat."""

from pricelab.exercises.judges import Exercise

EXERCISES: tuple[Exercise, ...] = ()
