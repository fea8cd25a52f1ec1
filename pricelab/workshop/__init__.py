"""The workshop catalog: a synthetic shop whose price formula, and so its best possible error, is known.

``tables`` reads the CSV files beside this one, ``formula`` prices an item, ``wording`` writes its text, ``generate``
draws the splits and ``datasheet`` documents them. Nothing here trains or loads a model. Introduced in notebook 00.
"""

from pricelab.workshop.generate import generate

__all__ = ["generate"]
