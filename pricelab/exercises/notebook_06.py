"""Exercises of notebook 06."""

from pricelab.exercises.judges import Exercise

EXERCISES: tuple[Exercise, ...] = ()
