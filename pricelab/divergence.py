"""A loss or a gradient that is no finite number any more: at which step, with which items, and what helps.

Used by `price_trainer`. Introduced in notebook 09.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from pricelab import processes
from pricelab.recipe import Recipe

SHOWN = 3  # items
SHOWN_LETTERS = 50  # of each


def odd_rows(loss_of: Callable[[dict[str, Any]], Any], inputs: dict[str, Any]) -> list[int]:
    """The rows of a batch whose own loss is no finite number.

    Of several processes each has a batch of its own; all ask for a loss as often as the one with the most rows.
    """
    rows = len(inputs["input_ids"])
    odd = []
    with torch.no_grad():
        for turn in range(max(processes.gather(rows))):
            row = min(turn, rows - 1)
            part = {name: tensor[row : row + 1] for name, tensor in inputs.items()}
            if not torch.isfinite(loss_of(part)) and turn == row:
                odd.append(row)
    return odd


def words(what: str, value: float, step: int, recipe: Recipe, texts: Sequence[str], rows: Sequence[int]) -> str:
    """What happened and what helps: if every item of the batch is concerned, the weights are; else those items.

    Args:
        what: "loss" or "gradient".
        value: what it became.
        step: whose batch it was.
        recipe: the run's settings.
        texts: of the batch.
        rows: of them, those concerned.
    """
    shown = ", ".join(repr(texts[row][:SHOWN_LETTERS]) for row in rows[:SHOWN])
    cure = f"lower the learning rate (it is {recipe.learning_rate:g})"
    cure += ", warm up longer" if len(rows) == len(texts) else ", or leave these items out"
    items = f"it concerns {len(rows)} of the {len(texts)} items of that step: {shown}"
    return f"the {what} became {value} at step {step}; {cure} and start again. Here {items}"
