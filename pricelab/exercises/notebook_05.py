"""Exercises of notebook 05."""

from pricelab.exercises.judges import Exercise

EXERCISES: tuple[Exercise, ...] = ()
