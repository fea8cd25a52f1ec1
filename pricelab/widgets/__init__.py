"""Notebook widgets, built on core ipywidgets alone, so that they run wherever notebooks do."""

from pricelab.widgets.predictor import PredictorState, PricePredictor

__all__ = ["PredictorState", "PricePredictor"]
