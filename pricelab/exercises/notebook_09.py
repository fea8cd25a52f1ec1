"""Exercises of notebook 09: how fine-tuning goes wrong."""

from pricelab.exercises.judges import Exercise

EXERCISES: tuple[Exercise, ...] = ()
