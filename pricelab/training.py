"""The training loop, for three methods through one function: all weights, LoRA, QLoRA.

The loop, checkpoints and resuming are transformers' `Trainer`, the adapters peft's, the 4-bit weights bitsandbytes'.
Ours is the shape of the job: a short prompt whose few price tokens are the only ones that carry a loss, so only their
rows go through the vocabulary head. What surrounds a run is in `finetuning`. Introduced in notebook 07.

Notation: B items, T tokens, R label rows, V the vocabulary.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pricelab.backbone import autocast, head_logits, hidden_states
from pricelab.bases import Base, load_base, quiet
from pricelab.catalog import Item
from pricelab.costs.shapes import ALL_LINEAR
from pricelab.files import cache_dir, read_json
from pricelab.profiles import pick_precision
from pricelab.progress import LossDisplay
from pricelab.prompt import answer_tokens, prompt_tokens

METHODS = ("qlora", "lora", "full")
IGNORED = -100  # the label of a token that carries no loss


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

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "rank", "alpha", "max_text_tokens", "save_every"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0, got {getattr(self, name)!r}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the steps, from 0 to less than 1, got {self.warmup!r}")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON holds them."""
        return {**asdict(self), "targets": list(self.targets)}


def load_trainable(name: str, method: str, recipe: Recipe, seed: int) -> tuple[Base, Any]:
    """A base and the model to train on it: with fresh fp32 adapters, or for ``"full"`` the base itself in fp32."""
    with quiet():
        from transformers import set_seed

        set_seed(seed)
        base = load_base(name, quantise=method == "qlora", master_weights=method == "full")
        return base, base.model if method == "full" else add_adapters(base.model, recipe)


def add_adapters(model: Any, recipe: Recipe) -> Any:
    """Freeze ``model`` and add LoRA matrices (arXiv 2106.09685) in fp32 to the layers that the recipe names."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, target_modules=list(recipe.targets), task_type="CAUSAL_LM"
    )
    return get_peft_model(model, config)


def encode(tokenizer: Any, items: Sequence[Item], max_text_tokens: int) -> list[dict[str, list[int]]]:
    """Each item as token ids with labels: the price tokens carry a loss, the prompt doesn't."""
    examples = []
    for item in items:
        prompt, _ = prompt_tokens(tokenizer, item.text, max_text_tokens)
        answer = answer_tokens(tokenizer, item.price)
        examples.append({"input_ids": prompt + answer, "labels": [IGNORED] * len(prompt) + answer})
    return examples


def collate(examples: Sequence[dict[str, list[int]]], pad: int) -> dict[str, Any]:
    """Stack B examples, filled up on the right: ``input_ids``, ``attention_mask`` and ``labels``, each (B, T)."""
    import torch

    width = max(len(example["input_ids"]) for example in examples)

    def stacked(key: str, fill: int) -> Any:
        return torch.tensor([example[key] + [fill] * (width - len(example[key])) for example in examples])

    mask = [[1] * len(example["input_ids"]) + [0] * (width - len(example["input_ids"])) for example in examples]
    return {
        "input_ids": stacked("input_ids", pad),
        "attention_mask": torch.tensor(mask),
        "labels": stacked("labels", IGNORED),
    }


def price_loss(model: Any, inputs: dict[str, Any]) -> Any:
    """Mean cross-entropy of the price tokens in nats; only the rows (R, dim) before a label go through the head."""
    import torch

    hidden = hidden_states(model, inputs["input_ids"], inputs["attention_mask"])
    labels = inputs["labels"][:, 1:]
    carries_loss = labels != IGNORED
    logits = head_logits(model, hidden[:, :-1][carries_loss])
    return torch.nn.functional.cross_entropy(logits, labels[carries_loss])


def train(
    model: Any, base: Base, items: Sequence[Item], recipe: Recipe, checkpoints: Path | None, seed: int,
    progress: bool = True,
) -> tuple[list[float], float]:  # fmt: skip
    """Train ``model`` in place; returns the loss of each step (nats a token) and the seconds this call took.

    Resumes at the newest checkpoint in ``checkpoints`` when there is one; with None nothing is written.

    Raises:
        FloatingPointError: the loss stopped being a finite number.
    """
    examples = encode(base.tokenizer, items, recipe.max_text_tokens)
    start = time.perf_counter()
    with quiet():
        trainer = _trainer(model, base, examples, recipe, checkpoints, seed)
        if progress:
            trainer.add_callback(LossDisplay())
        trainer.train(resume_from_checkpoint=newest_checkpoint(checkpoints) if checkpoints else None)
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry], time.perf_counter() - start


def newest_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint that `Trainer` left in ``folder``, or None."""
    # Trainer writes trainer_state.json after the weights and the optimizer, so an interrupted checkpoint lacks it.
    complete = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json") if _is_whole(path)]
    return str(max(complete, key=lambda path: int(path.name.rpartition("-")[2]))) if complete else None


def _is_whole(state: Path) -> bool:
    try:
        return bool(read_json(state))
    except ValueError:
        return False


def _trainer(model: Any, base: Base, examples: list, recipe: Recipe, checkpoints: Path | None, seed: int) -> Any:
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments
    from transformers.trainer_pt_utils import DistributedLengthGroupedSampler

    dtype, _ = pick_precision(base.device)

    class PriceTrainer(Trainer):
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            with autocast(base.device, dtype):
                loss = price_loss(model, inputs)
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss.item()} at step {self.state.global_step + 1}; lower the learning rate "
                    f"(it is {recipe.learning_rate:g}) and start again with --overwrite"
                )
            return (loss, None) if return_outputs else loss

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            # Trainer's own sampler draws from torch's global generator, so a run resumed in a later epoch would go on
            # in another order. This one, here for a single process, is seeded by the epoch.
            return DistributedLengthGroupedSampler(recipe.batch_size, examples, num_replicas=1, rank=0, seed=seed)

    arguments = TrainingArguments(
        output_dir=str(checkpoints or cache_dir() / "trainer"), num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size, learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine", warmup_steps=recipe.warmup, save_strategy="steps" if checkpoints else "no",
        save_steps=recipe.save_every, save_total_limit=2, logging_steps=1,
        logging_nan_inf_filter=False, report_to="none", disable_tqdm=True, remove_unused_columns=False, seed=seed,
        use_cpu=base.device == "cpu", fp16=dtype == torch.float16, dataloader_pin_memory=False,
        label_names=["labels"],
    )  # fmt: skip
    pad = base.tokenizer.pad_token_id
    trainer = PriceTrainer(
        model=model, args=arguments, train_dataset=examples, data_collator=lambda batch: collate(batch, pad)
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
