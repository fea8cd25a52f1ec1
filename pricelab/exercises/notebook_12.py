"""Exercises of notebook 12: your own catalog."""

from pricelab.exercises.judges import Exercise

EXERCISES: tuple[Exercise, ...] = ()
