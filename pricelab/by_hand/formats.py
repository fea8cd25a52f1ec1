"""What a number format of weights costs: rounding error, bytes, time. Notebook 06 measures all three.

The formats themselves are in `nf4`, the layer that computes with 4-bit weights is bitsandbytes' own.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pricelab.bases import held_bytes
from pricelab.by_hand.nf4 import BLOCK, NF4, bits_per_weight, minmax_round_trip, round_trip, uniform_grid
from pricelab.costs import Shape, human_bytes
from pricelab.costs.memory import weight_bytes


def linear_weights(model: Any) -> list[Tensor]:
    """The weight matrices of the blocks' linear layers, which 4-bit loading quantises; fp32, each (out, in)."""
    named = model.named_parameters()
    return [weight.detach().float() for name, weight in named if name.endswith("_proj.weight")]


# ---- error


def relative_error(x: Tensor, rounded: Tensor) -> float:
    """Root mean square of the rounding error, as a share of the root mean square of ``x``."""
    x = x.detach().float()
    return float((x - rounded).norm() / x.norm())


def errors(x: Tensor, block: int = BLOCK) -> dict[str, float]:
    """Relative error of some 4-bit formats on ``x``, by name.

    Even levels around zero (int4) and NF4 in blocks of ``block``; even levels from a block's smallest to its largest
    number (min–max), which take two scales a block; and NF4 in blocks of half the size, which takes as many bits.
    """
    rounded = {
        "int4": round_trip(x, uniform_grid(4), block),
        "NF4": round_trip(x, NF4, block),
        "min–max": minmax_round_trip(x, 4, block),
        f"NF4, blocks of {block // 2}": round_trip(x, NF4, block // 2),
    }
    return {name: relative_error(x, one) for name, one in rounded.items()}


def error_curves(
    kinds: Mapping[str, Tensor], books: Mapping[str, Tensor], blocks: Sequence[int]
) -> dict[str, list[float]]:
    """Relative error at each block size, for every kind of weights in every code book: ``"NF4, trained"`` → errors."""
    return {
        f"{book}, {kind}": [relative_error(x, round_trip(x, levels, block)) for block in blocks]
        for kind, x in kinds.items()
        for book, levels in books.items()
    }


# ---- bytes


def bytes_by_format(shape: Shape) -> dict[str, float]:
    """Bytes of a model's weights in four formats; embedding, head and norms take 16 bits in int8 and NF4."""
    return {name: weight_bytes(shape, name.lower()) for name in ("fp32", "bf16", "int8", "NF4")}


@dataclass(frozen=True)
class Held:
    """A loaded model's weights in memory, measured beside counted from its shape."""

    bits: float  # of a weight of the linear layers
    measured: float  # bytes
    counted: float  # bytes

    @classmethod
    def of(cls, model: Any) -> "Held":
        """Of a causal language model of transformers, loaded in one dtype or by bitsandbytes in NF4."""
        dtype = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[model.dtype]
        four_bit = any(getattr(weight, "quant_state", None) is not None for weight in model.parameters())
        held, bits = ("nf4", bits_per_weight()) if four_bit else (dtype, 8.0 * model.dtype.itemsize)
        return cls(bits, held_bytes(model), weight_bytes(Shape.of(model), held, dtype))

    def __str__(self) -> str:
        return f"{self.bits:.4g} bits: {human_bytes(self.measured)} measured, {human_bytes(self.counted)} counted"


# ---- time


def four_bit_copy(linear: Any) -> Any:
    """A bitsandbytes layer with the weights of ``linear`` in NF4, double-quantised, on the same device."""
    import bitsandbytes as bnb

    weights, has_bias = linear.weight, linear.bias is not None
    options = {"bias": has_bias, "compute_dtype": weights.dtype, "quant_type": "nf4"}
    layer = bnb.nn.Linear4bit(linear.in_features, linear.out_features, **options)
    layer.load_state_dict(linear.state_dict())
    return layer.to(weights.device)  # this is where it is quantised


@dataclass(frozen=True)
class TimeRatio:
    """How many times as long one layer takes as another: the median, with its 95 % interval."""

    tokens: int  # rows of the input
    value: float
    low: float
    high: float
    n: int  # pairs of measurements

    @property
    def percent_longer(self) -> "TimeRatio":
        """The same as the percentage by which the one layer takes longer, for a claim."""
        return replace(self, **{name: 100 * (getattr(self, name) - 1) for name in ("value", "low", "high")})


def time_ratio(layer: Any, reference: Any, x: Tensor, repeats: int = 21, back: bool = False) -> TimeRatio:
    """Median time of ``layer(x)`` over that of ``reference(x)``, taken in turns; x is (tokens, in).

    Without gradients, or with ``back`` the way forward and that of the gradient back to x, as a layer with frozen
    weights is used in LoRA and QLoRA.

    Leave both in training mode: for inference bitsandbytes packs 4-bit weights anew on some CPUs (see `bases`).
    """
    _seconds(layer, x, back), _seconds(reference, x, back)  # the first call also allocates
    ratios = sorted(_seconds(layer, x, back) / _seconds(reference, x, back) for _ in range(repeats))
    return TimeRatio(len(x), ratios[repeats // 2], *median_interval(ratios), repeats)


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the median by order statistics, which asks for no distribution; the range when n < 6."""
    ranked, half = sorted(values), 1.96 * math.sqrt(len(values)) / 2
    low, high = math.floor(len(ranked) / 2 - half) - 1, math.ceil(len(ranked) / 2 + half)
    return ranked[max(0, low)], ranked[min(len(ranked) - 1, high)]


def _seconds(layer: Any, x: Tensor, back: bool = False) -> float:
    x = x.detach().requires_grad_(back)
    with torch.set_grad_enabled(back):
        _wait(x)
        start = time.perf_counter()
        y = layer(x)
        if back:
            torch.autograd.grad(y, x, torch.ones_like(y))
        _wait(x)
    return time.perf_counter() - start


def _wait(x: Tensor) -> None:
    if x.is_cuda:  # a GPU works on after the call returns
        torch.cuda.synchronize()
