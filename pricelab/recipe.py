"""The settings of a training run, and what they must be. Introduced in notebook 07."""

from dataclasses import asdict, dataclass
from typing import Any

from pricelab.costs.shapes import ALL_LINEAR

METHODS = ("qlora", "lora", "full")


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run."""

    epochs: float = 1.0  # passes over the training items
    batch_size: int = 4  # items per optimizer step
    learning_rate: float = 1e-3  # peak: linear warm-up, then cosine decay to 0
    warmup: float = 0.05  # share of the steps
    rank: int = 8  # r of the LoRA matrices
    alpha: int = 16  # LoRA's scale is alpha / rank
    targets: tuple[str, ...] = ALL_LINEAR  # layers that get an adapter
    max_text_tokens: int = 128  # longer texts are cut there
    save_every: int = 25  # steps between checkpoints
    evaluate_every: int = 10  # steps between evaluations, when there are validation items
    patience: int | None = 3  # evaluations in a row without a gain, after which training stops; None: only watch
    mixed: float = 0.2  # share of general texts among all examples, when there are any

    def __post_init__(self) -> None:
        shares = ("warmup", "mixed")
        for name, value in vars(self).items():
            if name not in (*shares, "targets") and not (value is None and name == "patience") and not value > 0:
                raise ValueError(f"{name} must be more than 0, got {value!r}")
        for name in shares:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is a share, from 0 to less than 1, got {getattr(self, name)!r}")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON holds them."""
        return {**asdict(self), "targets": list(self.targets)}
