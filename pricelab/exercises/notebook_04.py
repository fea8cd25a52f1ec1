"""Exercises of notebook 04."""

from pricelab.exercises.judges import Exercise

EXERCISES: tuple[Exercise, ...] = ()
