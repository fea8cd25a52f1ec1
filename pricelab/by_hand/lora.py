"""LoRA by hand: two thin matrices beside a frozen linear layer, and what can be done with them.

Covers the layer, putting it into a model, fitting, saving, swapping and merging. Dropout, biases and other kinds of
layers are left to peft, real training to `training`. Introduced in notebook 05; 06 puts the layer around 4-bit weights.

Notation: W (out, in) the frozen weights, A (r, in), B (out, r), r the rank, α the constant of the scale α/r. The layer
computes y = W x + (α/r) B A x, equation 3 of Hu et al. 2021 (arXiv 2106.09685).
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pricelab.costs.shapes import ALL_LINEAR

__all__ = [
    "ALL_LINEAR", "LoRALinear", "adapter_state", "fingerprint", "fit", "inject", "load_adapter_state", "lora_layers",
    "merge", "peft_state", "trainable_parameters", "unmerge",
]  # fmt: skip


class LoRALinear(nn.Module):
    """A frozen linear layer, 16-bit or 4-bit, with a trainable update of low rank: ``W x + (alpha / rank) B A x``."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float):
        """Freeze ``base`` and put fresh fp32 matrices beside it; B is zero, so the output stays what it was.

        Args:
            base: any layer with ``in_features``, ``out_features`` and ``weight``, also bitsandbytes' ``Linear4bit``.
            rank: r, from 1 to the smaller side of W.
            alpha: α, more than 0; the update is scaled by α/r.

        Raises:
            ValueError: a rank or an alpha out of range.
        """
        super().__init__()
        _check(base, rank, alpha)
        device = base.weight.device
        self.base = base.requires_grad_(False)
        self.scale, self.merged = alpha / rank, False
        self.A = nn.Parameter(torch.empty(rank, base.in_features, device=device))
        self.B = nn.Parameter(torch.zeros(base.out_features, rank, device=device))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))  # the paper draws a Gaussian; this is peft's start

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) → (…, out), in the dtype of the frozen layer's answer."""
        frozen = self.base(x)
        if self.merged:
            return frozen
        return (frozen + self.scale * (x.to(self.A.dtype) @ self.A.T @ self.B.T)).to(frozen.dtype)

    @property
    def delta(self) -> Tensor:
        """ΔW = (α/r) B A, (out, in), in fp32 and without a gradient."""
        return (self.scale * (self.B @ self.A)).detach()


def _check(base: nn.Linear, rank: int, alpha: float) -> None:
    if not 1 <= rank <= min(base.in_features, base.out_features):
        shape = f"{base.out_features} × {base.in_features}"
        raise ValueError(f"rank must lie between 1 and the smaller side of the {shape} weights, got {rank!r}")
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be a positive number, got {alpha!r}")


# ---- into a model


def inject(model: nn.Module, targets: Sequence[str], rank: int, alpha: float) -> dict[str, LoRALinear]:
    """Freeze ``model`` and replace, in place, each layer whose own name is in ``targets``.

    Args:
        model: any module, for example a causal language model.
        targets: last parts of layer names, such as `ALL_LINEAR`.
        rank: r of every new layer.
        alpha: α of every new layer.

    Returns:
        The new layers by their full names.

    Raises:
        ValueError: the model has adapters already, no layer of a target's name, one that isn't linear, or a rank or an
            alpha is out of range. The model is then as it was.
    """
    wanted = _wanted(model, targets, rank, alpha)
    model.requires_grad_(False)
    for name, layer in wanted.items():
        setattr(model.get_submodule(name.rpartition(".")[0]), _own(name), LoRALinear(layer, rank, alpha))
    return lora_layers(model)


def _wanted(model: nn.Module, targets: Sequence[str], rank: int, alpha: float) -> dict[str, nn.Linear]:
    """The layers to replace by their full names, or a `ValueError` before anything is changed."""
    if lora_layers(model):
        raise ValueError("this model has LoRA layers already; load the model again for new ones")
    if isinstance(targets, str) or not targets:
        raise ValueError(f"targets must be a list that names at least one layer, such as ALL_LINEAR, got {targets!r}")
    wanted = {name: layer for name, layer in model.named_modules() if _own(name) in targets}
    if missing := set(targets) - set(map(_own, wanted)):
        there = sorted({_own(name) for name, layer in model.named_modules() if isinstance(layer, nn.Linear)})
        raise ValueError(f"no layer is called {', '.join(sorted(missing))}; linear layers here: {', '.join(there)}")
    for name, layer in wanted.items():
        if not isinstance(layer, nn.Linear):
            raise ValueError(f"{name} is no linear layer; targets must name linear layers")
        _check(layer, rank, alpha)
    return wanted


def _own(name: str) -> str:
    """``q_proj`` from ``model.layers.3.self_attn.q_proj``."""
    return name.rpartition(".")[2]


def lora_layers(model: nn.Module) -> dict[str, LoRALinear]:
    """The LoRA layers of ``model`` by their full names, in the model's order."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoRALinear)}


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """What an optimizer should hold: the parameters that take a gradient."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def fit(parameters: Sequence[nn.Parameter], loss: Callable[[], Tensor], steps: int, rate: float) -> list[float]:
    """Lower ``loss()`` by Adam, with a learning rate that falls from ``rate`` to 0; returns the loss of each step."""
    optimizer = torch.optim.Adam(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, steps)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        now = loss()
        now.backward()
        optimizer.step()
        schedule.step()
        losses.append(now.item())
    return losses


# ---- adapters that come and go


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every A and B by name; with α and r, that is the whole adapter."""
    layers = lora_layers(model)
    return {f"{name}.{part}": getattr(one, part).detach().clone() for name, one in layers.items() for part in "AB"}


def load_adapter_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Swap in another adapter's matrices; W is not touched.

    Raises:
        ValueError: an adapter of other layers or another rank, or one that is merged into W now.
    """
    _refuse_merged(model)
    here = {f"{name}.{part}": getattr(one, part) for name, one in lora_layers(model).items() for part in "AB"}
    if wrong := sorted(here.keys() ^ state.keys()):
        raise ValueError(f"the adapter is for other layers: {wrong[0]} is only on one side; inject the same targets")
    for name, matrix in here.items():
        if matrix.shape != state[name].shape:
            shapes = f"{tuple(state[name].shape)}, here it is {tuple(matrix.shape)}"
            raise ValueError(f"{name} of the adapter is {shapes}; inject with the adapter's rank")
    with torch.no_grad():
        for name, matrix in here.items():
            matrix.copy_(state[name])


def peft_state(model: nn.Module) -> dict[str, Tensor]:
    """The adapter under the names that peft's files (``adapter_model.safetensors``) give its matrices."""
    state = adapter_state(model)
    return {f"base_model.model.{name[:-2]}.lora_{name[-1]}.weight": matrix for name, matrix in state.items()}


def fingerprint(model: nn.Module) -> str:
    """The first 12 digits of the SHA-256 over the bytes of every frozen W that has an adapter."""
    digest = hashlib.sha256()
    for layer in lora_layers(model).values():
        digest.update(layer.base.weight.detach().contiguous().flatten().view(torch.uint8).cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def merge(model: nn.Module) -> None:
    """Add every ΔW to its W, rounded once to W's dtype; the layers then cost what the frozen ones do.

    Raises:
        ValueError: merged already, or 4-bit weights, which would have to be quantised again.
    """
    _refuse_merged(model)
    _add(model, 1)


def unmerge(model: nn.Module) -> None:
    """Subtract every ΔW again. In 16 bits the rounding of both steps stays behind: W is near what it was, not equal.

    Raises:
        ValueError: nothing is merged.
    """
    layers = lora_layers(model).values()
    if not layers or not all(layer.merged for layer in layers):
        raise ValueError("no adapter is merged here; call merge(model) first")
    _add(model, -1)


def _refuse_merged(model: nn.Module) -> None:
    layers = lora_layers(model)
    if not layers:
        raise ValueError("this model has no LoRA layers; call inject(model, …) first")
    if any(layer.merged for layer in layers.values()):
        raise ValueError("an adapter is merged into the weights; call unmerge(model) first")


def _add(model: nn.Module, sign: int) -> None:
    layers = lora_layers(model)
    weights: dict[str, Any] = {name: layer.base.weight for name, layer in layers.items()}
    if quantised := [name for name, weight in weights.items() if not weight.is_floating_point()]:
        raise ValueError(f"{quantised[0]} is quantised and merging would round it again; load the base in 16 bits")
    with torch.no_grad():
        for name, layer in layers.items():
            weights[name].copy_(weights[name] + sign * layer.delta)  # the sum is in fp32
            layer.merged = sign > 0
