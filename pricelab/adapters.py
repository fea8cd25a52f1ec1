"""LoRA and its variants through peft: which layers get an adapter, and the model that trains only those.

The numbers come from `recipe`; how LoRA works is shown by hand in notebook 05. Variants: rsLoRA scales by
alpha / √rank instead of alpha / rank (arXiv 2312.03732), DoRA learns the length of each column of the changed weights
apart from their direction (arXiv 2402.09353), both on 16-bit and on 4-bit bases.
"""

from collections.abc import Sequence
from typing import Any

from pricelab.bases import quiet
from pricelab.recipe import Recipe


def add_adapters(model: Any, recipe: Recipe) -> Any:
    """Freeze ``model`` and add LoRA matrices (arXiv 2106.09685) in fp32 to the layers that the recipe names.

    Raises:
        ValueError: a target that this model has no layer for.
    """
    from peft import LoraConfig, get_peft_model

    check_targets(model, recipe.targets)
    config = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=recipe.dropout, target_modules=list(recipe.targets),
        use_rslora=recipe.rslora, use_dora=recipe.dora, task_type="CAUSAL_LM",
    )  # fmt: skip
    with quiet():
        return get_peft_model(model, config)


def linear_layers(model: Any) -> tuple[str, ...]:
    """Names of the linear layers that an adapter can sit on, in the model's order; the vocabulary head is none."""
    import torch

    head, linear = model.get_output_embeddings(), torch.nn.Linear  # bitsandbytes' 4-bit layers are a kind of it
    found = [name for name, module in model.named_modules() if isinstance(module, linear) and module is not head]
    return tuple(dict.fromkeys(name.rpartition(".")[2] for name in found))


def check_targets(model: Any, targets: Sequence[str]) -> None:
    """Refuse target names that fit no linear layer of ``model``: peft would leave them out without a word."""
    existing = linear_layers(model)
    if unknown := [name for name in targets if name not in existing]:
        raise ValueError(
            f"this base has no linear layers called {', '.join(unknown)} for an adapter; it has {', '.join(existing)}"
        )
