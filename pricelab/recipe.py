"""The settings of a training run, and what they must be. Introduced in notebook 07."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pricelab.costs.shapes import ALL_LINEAR, ATTENTION

METHODS = ("qlora", "lora", "full")
TARGET_GROUPS = {"all-linear": ALL_LINEAR, "attention": ATTENTION}
ADAPTER_FIELDS = ("rank", "alpha", "targets", "dropout", "rslora", "dora")  # they mean nothing to full fine-tuning
SHARES = ("warmup", "mixed", "dropout")  # from 0 to less than 1


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run."""

    epochs: float = 1.0  # passes over the training items
    batch_size: int = 4  # items per optimizer step
    learning_rate: float = 1e-3  # peak: linear warm-up, then cosine decay to 0
    warmup: float = 0.05  # share of the steps
    rank: int = 8  # r of the LoRA matrices
    alpha: int = 16  # LoRA's scale is alpha / rank
    targets: tuple[str, ...] = ALL_LINEAR  # layers that get an adapter; `target_names` says how else to write them
    max_text_tokens: int = 256  # longer texts are cut there
    save_every: int = 25  # steps between checkpoints
    evaluate_every: int = 10  # steps between evaluations, when there are validation items
    patience: int | None = 3  # evaluations in a row without a gain, after which training stops; None: only watch
    mixed: float = 0.2  # share of general texts among all examples, when there are any
    dropout: float = 0.0  # share of an adapter's inputs set to 0 in training, against overfitting
    rslora: bool = False  # LoRA's scale is alpha / √rank instead, so that high ranks learn as fast (arXiv 2312.03732)
    dora: bool = False  # learn the length of the weights' columns apart from their direction (arXiv 2402.09353)
    compile: bool = False  # compile the layers with `torch.compile`, which takes a C++ compiler

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", target_names(self.targets))
        for name, value in vars(self).items():
            free = name in (*SHARES, "targets") or isinstance(value, bool) or (value is None and name == "patience")
            if not free and not value > 0:
                raise ValueError(f"{name} must be more than 0, got {value!r}")
        for name in SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is a share, from 0 to less than 1, got {getattr(self, name)!r}")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON holds them."""
        return {**asdict(self), "targets": list(self.targets)}


def target_names(named: str | Iterable[str]) -> tuple[str, ...]:
    """Layer names from ``"attention"``, ``"all-linear"``, ``"q_proj,v_proj"`` or a sequence of such words.

    Whether the base has such layers is for `adapters.check_targets` to say, once it is loaded.
    """
    words = named.split(",") if isinstance(named, str) else list(named)
    layers = [layer for word in words for layer in TARGET_GROUPS.get(word.strip(), (word.strip(),))]
    if not layers or not all(layers):
        groups = " or ".join(TARGET_GROUPS)
        raise ValueError(f"targets name no layer, got {named!r}; give {groups}, or layers such as q_proj,v_proj")
    return tuple(dict.fromkeys(layers))
