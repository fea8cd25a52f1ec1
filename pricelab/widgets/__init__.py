"""Notebook widgets, built on core ipywidgets alone, so that they run wherever notebooks do."""

from pricelab.widgets.budget import BudgetExplorer
from pricelab.widgets.budget_state import BudgetState
from pricelab.widgets.guide import DecisionGuide, GuideState
from pricelab.widgets.predictor import PredictorState, PricePredictor

__all__ = ["BudgetExplorer", "BudgetState", "DecisionGuide", "GuideState", "PredictorState", "PricePredictor"]
