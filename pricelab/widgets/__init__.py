"""Notebook widgets, built on core ipywidgets alone, so that they run wherever notebooks do."""

from pricelab.widgets.budget import BudgetExplorer
from pricelab.widgets.budget_state import BudgetState
from pricelab.widgets.guide import DecisionGuide, GuideState
from pricelab.widgets.predictor import PricePredictor
from pricelab.widgets.predictor_state import PredictorState

__all__ = ["BudgetExplorer", "BudgetState", "DecisionGuide", "GuideState", "PredictorState", "PricePredictor"]
