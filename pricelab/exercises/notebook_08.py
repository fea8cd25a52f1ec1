"""Exercises of notebook 08: what each way cost and bought."""

from pricelab.exercises.judges import Exercise

EXERCISES: tuple[Exercise, ...] = ()
