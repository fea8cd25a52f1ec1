"""A training run on paper: which model, how many tokens, which method, on what; contradictions are refused.

What it costs is worked out in `budget`, its memory in `memory`. Introduced in notebook 01.

Notation: D tokens, B texts at a time, T tokens a text, LoRA rank r.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pricelab.costs.hardware import HARDWARE, Hardware
from pricelab.costs.shapes import ALL_LINEAR, Shape

METHODS = ("scratch", "full", "lora", "qlora")
PRECISIONS = ("fp32", "bf16", "fp16", "int8", "nf4")
ATTENTIONS = ("sdpa", "eager")
PRECISIONS_OF: Mapping[str, tuple[str, ...]] = {
    "scratch": ("fp32", "bf16", "fp16"),
    "full": ("fp32", "bf16", "fp16"),
    "lora": ("fp32", "bf16", "fp16", "int8"),
    "qlora": ("nf4",),
}


@dataclass(frozen=True)
class Plan:
    """A training run: what, on how many tokens, how, on what."""

    shape: Shape
    tokens: float  # D, trained on in all, each pass over the data counted
    method: str = "full"  # one of METHODS
    rank: int = 0  # r of the adapters; 0 for scratch and full
    targets: tuple[str, ...] = ()  # layers that get adapters; () stands for all linear layers
    precision: str = ""  # of the base's weights, one of PRECISIONS; "" stands for the method's usual one
    master_copy: bool = True  # scratch and full: 16-bit weights have an fp32 copy, and moments in fp32
    batch: int = 1  # B, texts at a time on one device
    length: int = 512  # T, tokens a text
    attention: str = "sdpa"  # "eager" keeps all attention scores, the fused "sdpa" doesn't
    checkpointing: bool = False  # keep each block's input only, compute its activations again in the backward
    labels: int = 0  # tokens a text whose scores are computed, because they carry a loss; 0 stands for all
    autocast: bool = False  # scratch and full with fp32 weights: multiply in the hardware's best 16-bit format
    accumulated: bool = True  # gradients wait while the next batch runs; False: they are freed after every batch
    hardware: Hardware = HARDWARE["H100 SXM"]
    devices: int = 0  # 0 stands for the fewest that hold it
    utilisation: float = 0.0  # share of the peak that is reached, up to 1; 0 stands for the case's default

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("attention", self.attention, ATTENTIONS)
        for name in ("tokens", "batch", "length"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0, got {getattr(self, name)!r}")
        if self.devices < 0 or not 0 <= self.utilisation <= 1:
            raise ValueError(
                f"devices must be 0 or more and utilisation a share from 0 to 1, got {self.devices!r} and "
                f"{self.utilisation!r}; 0 stands for the default"
            )
        if not 0 <= self.labels <= self.length:
            raise ValueError(f"labels must be from 0, which stands for all, to the length, got {self.labels!r}")
        self._check_adapters()
        self._check_precision()

    def _check_adapters(self) -> None:
        if self.adapts:
            if self.rank < 1:
                raise ValueError(f"method {self.method!r} trains adapters: give their rank, say 16, got {self.rank!r}")
            self.shape.lora_parameters(self.rank, self.adapted)
        elif self.rank or self.targets:
            raise ValueError(
                f"method {self.method!r} trains all weights and has no adapters: leave out rank and targets, or choose "
                "lora or qlora"
            )

    def _check_precision(self) -> None:
        held = self.weight_format
        _one_of("precision", held, PRECISIONS)
        if held not in PRECISIONS_OF[self.method]:
            cure = "method qlora" if (self.method, held) == ("lora", "nf4") else " or ".join(PRECISIONS_OF[self.method])
            raise ValueError(f"method {self.method!r} does not go with {held} weights; {_reason(held)}: use {cure}")
        if not self.master_copy and (self.adapts or held == "fp32"):
            raise ValueError("master_copy=False is for scratch and full with bf16 or fp16 weights; leave it out")
        if self.autocast and (self.adapts or held != "fp32"):
            raise ValueError("autocast=True is for scratch and full with fp32 weights; leave it out")
        self.hardware.flops_per_second(self.arithmetic)

    @property
    def adapts(self) -> bool:
        """Whether adapters learn and the base stays as it is."""
        return self.method in ("lora", "qlora")

    @property
    def adapted(self) -> tuple[str, ...]:
        """The layers that get adapters; none for scratch and full."""
        return (self.targets or ALL_LINEAR) if self.adapts else ()

    @property
    def trainable(self) -> int:
        """Weights that learn."""
        return self.shape.lora_parameters(self.rank, self.adapted) if self.adapts else self.shape.parameters

    @property
    def weight_format(self) -> str:
        """How the base's weights are held: ``precision``, or the method's usual one on this hardware."""
        return self.precision or ("nf4" if self.method == "qlora" else self.hardware.best_dtype)

    @property
    def arithmetic(self) -> str:
        """The dtype of the products; int8 and NF4 weights are widened to what the hardware does best."""
        best = self.autocast or self.weight_format in ("int8", "nf4")
        return self.hardware.best_dtype if best else self.weight_format


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}; choose one of {', '.join(known)}")


def _reason(held: str) -> str:
    if held in ("int8", "nf4"):
        return "weights on so coarse a grid cannot take small steps, only adapters beside them can learn"
    return "QLoRA is LoRA beside a 4-bit base"
