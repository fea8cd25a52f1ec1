"""Exercises of notebook 02: what a catalog looks like to a model."""

from pricelab.exercises.judges import Exercise

EXERCISES: tuple[Exercise, ...] = ()
