"""The training loop, for three methods through one function: all weights, LoRA, QLoRA.

The loop, checkpoints and resuming are transformers' `Trainer`, the adapters peft's, the 4-bit weights bitsandbytes'.
Ours is the shape of the job: a short prompt whose few price tokens are the only ones that carry a loss, so only their
rows go through the vocabulary head. How items become examples is left to `examples`, when a run ends early to
`stopping`, what surrounds a run to `finetuning`. Introduced in notebook 07.

Notation: B items, T tokens, R label rows, V the vocabulary.
"""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pricelab.backbone import autocast, head_logits, hidden_states
from pricelab.bases import Base, load_base, quiet
from pricelab.catalog import Item
from pricelab.costs.shapes import ALL_LINEAR
from pricelab.examples import IGNORED, collate, encode, mixed_in
from pricelab.files import read_json
from pricelab.profiles import pick_precision
from pricelab.progress import LossDisplay
from pricelab.stopping import EarlyStop, TimeBudget, rate, validation_losses

__all__ = ["IGNORED", "METHODS", "Recipe", "Trained", "add_adapters", "collate", "encode", "load_trainable"]
__all__ += ["mixed_loss", "newest_checkpoint", "price_loss", "train"]

METHODS = ("qlora", "lora", "full")
EVALUATION_BATCH = 16  # items


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


@dataclass(frozen=True)
class Trained:
    """What a training run did."""

    losses: list[float]  # of each step, in nats a token
    seconds: float  # that this call took
    validation: dict[int, float] = field(default_factory=dict)  # step → loss on the validation items, nats a token
    best_step: int | None = None  # whose weights the model holds now; None: those of the last step
    stopped: str = ""  # why it ended before the last step, in words


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
    with quiet():
        return get_peft_model(model, config)


def price_loss(model: Any, inputs: dict[str, Any]) -> Any:
    """Mean cross-entropy of the price tokens in nats; only the rows (R, dim) before a label go through the head."""
    import torch

    hidden = hidden_states(model, inputs["input_ids"], inputs["attention_mask"])
    labels = inputs["labels"][:, 1:]
    carries_loss = labels != IGNORED
    logits = head_logits(model, hidden[:, :-1][carries_loss])
    return torch.nn.functional.cross_entropy(logits, labels[carries_loss])


def mixed_loss(model: Any, inputs: dict[str, Any]) -> Any:
    """`price_loss` of a batch that holds items and plain texts: either kind counts by its examples, not its tokens.

    A text has twenty times as many labels as a price; by tokens it would drown out the prices.
    """
    plain = inputs["labels"][:, 1] != IGNORED
    kinds = [rows for rows in (plain, ~plain) if rows.any()]
    parts = [{name: tensor[rows] for name, tensor in inputs.items()} for rows in kinds]
    return sum(rows.float().mean() * price_loss(model, part) for rows, part in zip(kinds, parts, strict=True))


def train(
    model: Any, base: Base, items: Sequence[Item], recipe: Recipe, checkpoints: Path | None, seed: int,
    progress: bool = True, *, minutes: float | None = None, validation: Sequence[Item] = (), mix: Sequence[str] = (),
) -> Trained:  # fmt: skip
    """Train ``model`` in place.

    Resumes at the newest checkpoint in ``checkpoints`` when there is one; with None nothing is left behind.

    Args:
        model: what to train, from `load_trainable`.
        base: its base.
        items: what to learn from.
        recipe: settings.
        checkpoints: where an interrupted run is kept.
        seed: of the order of the items.
        progress: show a progress bar and the loss.
        minutes: train so long at most; the learning rate then reaches 0 by that time.
        validation: items whose loss is watched: training stops when it no longer falls, and the best weights are kept
            (unless the recipe's patience is None).
        mix: general texts to learn beside the items, against forgetting.

    Raises:
        FloatingPointError: the loss stopped being a finite number.
    """
    encoded = {name: encode(base.tokenizer, them, recipe.max_text_tokens) for name, them in
               (("train", items), ("validation", validation))}  # fmt: skip
    encoded["train"] += mixed_in(base.tokenizer, mix, len(items), recipe.mixed, recipe.max_text_tokens)
    budget, early = TimeBudget(minutes) if minutes is not None else None, EarlyStop(recipe.patience)
    start = time.perf_counter()
    with quiet(), contextlib.ExitStack() as stack:
        # The best weights wait on disk: as checkpoints do, so that a resumed run still knows them.
        folder = checkpoints or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        loss = mixed_loss if mix else price_loss
        trainer = _trainer(model, base, encoded, recipe, folder, seed, checkpoints is not None, loss, budget)
        for callback in (budget, early if validation else None, LossDisplay() if progress else None):
            if callback is not None:
                trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=newest_checkpoint(folder))
    log = trainer.state.log_history
    return Trained(
        losses=[entry["loss"] for entry in log if "loss" in entry],
        seconds=time.perf_counter() - start,
        validation=validation_losses(log),
        best_step=trainer.state.best_global_step if trainer.args.load_best_model_at_end else None,
        stopped=_why(trainer.state, budget, early),
    )


def _why(state: Any, budget: TimeBudget | None, early: EarlyStop) -> str:
    """Why a run ended before its last step, in words; nothing when it did not."""
    where = f"step {state.global_step:,} of {state.max_steps:,} ({state.epoch:.2g} passes over the items)"
    if early.stopped:
        return f"stopped at {where}: no gain on the validation items since step {state.best_global_step:,}"
    if budget is not None and budget.spent:
        return f"stopped at {where}: the {budget.minutes:g} minutes were over"
    return ""


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


def _trainer(
    model: Any, base: Base, examples: dict[str, list], recipe: Recipe, folder: Path, seed: int, keep: bool,
    loss_of: Any, budget: TimeBudget | None,
) -> Any:  # fmt: skip
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments
    from transformers.trainer_pt_utils import DistributedLengthGroupedSampler

    dtype, _ = pick_precision(base.device)

    class PriceTrainer(Trainer):
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            with autocast(base.device, dtype):
                loss = loss_of(model, inputs)
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss.item()} at step {self.state.global_step + 1}; lower the learning rate "
                    f"(it is {recipe.learning_rate:g}) and start again with --overwrite"
                )
            return (loss, {}) if return_outputs else loss

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            # Trainer's own sampler draws from torch's global generator, so a run resumed in a later epoch would go on
            # in another order. This one, here for a single process, is seeded by the epoch.
            chosen = examples["train"]
            return DistributedLengthGroupedSampler(recipe.batch_size, chosen, num_replicas=1, rank=0, seed=seed)

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            if budget is None:
                return super().create_scheduler(num_training_steps, optimizer)
            warmup = self.args.get_warmup_steps(num_training_steps) / num_training_steps
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                optimizer or self.optimizer,
                lambda step: rate(budget.share(step / num_training_steps), warmup),
            )
            return self.lr_scheduler

    validated = bool(examples["validation"])
    stops = validated and recipe.patience is not None
    every = recipe.evaluate_every if validated else recipe.save_every
    arguments = TrainingArguments(
        output_dir=str(folder), num_train_epochs=recipe.epochs, per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate, lr_scheduler_type="cosine", warmup_steps=recipe.warmup,
        save_strategy="steps" if keep or stops else "no", save_steps=every, save_only_model=not keep,
        save_total_limit=2, eval_strategy="steps" if validated else "no", eval_steps=every,
        load_best_model_at_end=stops, prediction_loss_only=True, per_device_eval_batch_size=EVALUATION_BATCH,
        logging_steps=1, logging_nan_inf_filter=False, report_to="none", disable_tqdm=True,
        remove_unused_columns=False, seed=seed, use_cpu=base.device == "cpu", fp16=dtype == torch.float16,
        dataloader_pin_memory=False, label_names=["labels"],
    )  # fmt: skip
    pad = base.tokenizer.pad_token_id
    trainer = PriceTrainer(
        model=model, args=arguments, train_dataset=examples["train"], eval_dataset=examples["validation"] or None,
        data_collator=lambda batch: collate(batch, pad),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer
