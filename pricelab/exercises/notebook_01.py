"""Exercises of notebook 01."""

from pricelab.exercises.judges import Exercise

EXERCISES: tuple[Exercise, ...] = ()
