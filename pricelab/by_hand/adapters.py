"""A finished adapter, opened: how far it moved each layer, in how many directions, and what it does turned up or down.

Reads adapters that peft loaded, over 4-bit bases too; hands one from `lora` over to peft. Making one is left to
`training`.
Introduced in notebook 05.

Notation: W (out, in) frozen weights, A (r, in) and B (out, r) the adapter's, ΔW = (α/r) B A its update.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pricelab.bases import quiet
from pricelab.by_hand.lora import peft_state
from pricelab.estimates import PriceEstimate
from pricelab.pricer import Pricer
from pricelab.training import Recipe, add_adapters


def peft_twin(base: Any, model: Any, rank: int, alpha: int) -> Any:
    """The adapter of ``model`` (its layers are `lora.LoRALinear`) put into ``base``, a copy without one, by peft."""
    from peft import set_peft_model_state_dict

    with quiet():
        twin = add_adapters(base, Recipe(rank=rank, alpha=alpha))
        set_peft_model_state_dict(twin, peft_state(model))
    return twin


@dataclass(frozen=True)
class Update:
    """What an adapter changed in one layer."""

    name: str  # of the layer, in full
    size: float  # ‖ΔW‖ / ‖W‖, Frobenius norms
    singular_values: np.ndarray  # (r,) of ΔW, falling; all others are zero

    @property
    def first_direction(self) -> float:
        """Share of ‖ΔW‖² in the strongest direction: 1/r when all count the same, 1 when one does it all."""
        squares = self.singular_values**2
        return float(squares[0] / squares.sum())

    def __str__(self) -> str:
        values = ", ".join(f"{value:.2g}" for value in self.singular_values)
        return f"{self.name.removeprefix('base_model.model.')}, {self.size:.1%} of W, singular values {values}"


def updates(model: Any) -> list[Update]:
    """The updates of the active adapter of a peft model, layer by layer.

    Raises:
        ValueError: a model without LoRA layers.
    """
    from peft.tuners.lora import LoraLayer

    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    if not layers:
        raise ValueError("this model has no LoRA layers of peft; give the model of a Pricer with an adapter")
    return [_update(name, layer) for name, layer in layers.items()]


@torch.no_grad()
def _update(name: str, layer: Any) -> Update:
    from peft.utils.integrations import dequantize_module_weight

    adapter = layer.active_adapters[0]
    A, B = (matrices[adapter].weight.float() for matrices in (layer.lora_A, layer.lora_B))
    # Q factors turn nothing longer or shorter, so the small triangles have ΔW's singular values.
    triangles = (torch.linalg.qr(matrix, mode="r").R for matrix in (B, A.T))
    singular_values = layer.scaling[adapter] * torch.linalg.svdvals(next(triangles) @ next(triangles).T)
    weight = dequantize_module_weight(layer.get_base_layer()).float()
    return Update(name, float(singular_values.norm() / weight.norm()), singular_values.cpu().numpy())


def at_scales(pricer: Pricer, description: str, multiples: Iterable[float]) -> dict[float, PriceEstimate]:
    """The price of one description with the adapter's scale α/r multiplied; 0 is the base alone, 1 as trained."""
    from peft.helpers import rescale_adapter_scale

    answers = {}
    for multiple in multiples:
        with rescale_adapter_scale(pricer.model, multiple):
            answers[multiple] = pricer.estimate(description)
    return answers
