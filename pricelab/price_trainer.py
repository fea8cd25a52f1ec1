"""transformers' `Trainer` for one shape of job: a short prompt whose few price tokens are the only ones with a loss.

Only the rows before a price token go through the vocabulary head, batches hold texts of similar length, loss and
gradient must stay finite numbers (`divergence`), and checkpoints are whole or not there (`checkpoints`). When a run
ends is left to `stopping`, what surrounds it to `training`. Introduced in notebook 07.

Notation: B items, T tokens, R label rows, V the vocabulary.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback, TrainingArguments
from transformers.trainer_pt_utils import DistributedLengthGroupedSampler

from pricelab import processes
from pricelab.backbone import autocast, head_logits, hidden_states
from pricelab.bases import Base
from pricelab.checkpoints import KEPT, STAGING, STATE, named, publish, rotate, told
from pricelab.divergence import odd_rows, words
from pricelab.examples import IGNORED, collate
from pricelab.profiles import pick_precision
from pricelab.recipe import Recipe
from pricelab.splitting import SplittingTrainer, kinds
from pricelab.stopping import TimeBudget, rate

EVALUATION_BATCH = 16  # items
OVERFLOWS = 20  # steps in a row: fp16's loss scale is halved at each, from 65536 to less than 0.1


def price_loss(model: Any, inputs: dict[str, Any], reduction: str = "mean") -> Any:
    """Mean cross-entropy of the price tokens in nats; only the rows (R, dim) before a label go through the head.

    ``reduction`` is torch's: with ``"none"`` each token's loss comes out, row by row.
    """
    hidden = hidden_states(model, inputs["input_ids"], inputs["attention_mask"])
    labels = inputs["labels"][:, 1:]
    carries_loss = labels != IGNORED
    logits = head_logits(model, hidden[:, :-1][carries_loss])
    return torch.nn.functional.cross_entropy(logits, labels[carries_loss], reduction=reduction)


def mixed_loss(model: Any, inputs: dict[str, Any]) -> Any:
    """`price_loss` of a batch that holds items and plain texts: either kind counts by its examples, not its tokens.

    A text has twenty times as many labels as a price; by tokens it would drown out the prices.
    """
    found = kinds(inputs)
    parts = [{name: tensor[rows] for name, tensor in inputs.items()} for rows in found]
    return sum(rows.float().mean() * price_loss(model, part) for rows, part in zip(found, parts, strict=True))


class BestInPlace(TrainerCallback):
    """Looks for the best weights where the run is now: its folder may have moved since they were saved."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After a resume, before the first step."""
        if args.load_best_model_at_end and state.best_global_step:
            state.best_model_checkpoint = str(named(Path(args.output_dir), state.best_global_step))


class PriceTrainer(SplittingTrainer):
    """A `Trainer` that learns the prices of encoded ``examples`` (train, validation) on a loaded ``base``."""

    _aside = False  # whether a checkpoint is being written
    _batch: dict[str, Any]  # the newest one

    def __init__(
        self, model: Any, base: Base, examples: dict[str, list], recipe: Recipe, arguments: TrainingArguments,
        loss_of: Callable[[Any, dict[str, Any]], Any], budget: TimeBudget | None,
    ) -> None:  # fmt: skip
        pad = base.tokenizer.pad_token_id
        super().__init__(
            model=model, args=arguments, train_dataset=examples["train"], eval_dataset=examples["validation"] or None,
            data_collator=lambda batch: collate(batch, pad),
        )  # fmt: skip
        self.remove_callback(PrinterCallback)
        self.base, self.recipe, self.loss_of, self.budget = base, recipe, loss_of, budget
        self.add_callback(BestInPlace())
        self._skipped = 0  # steps in a row

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch; `FloatingPointError` when it is no finite number."""
        dtype, _reason = pick_precision(self.base.device)
        with autocast(self.base.device, dtype):
            loss = self._loss(model, inputs, None if return_outputs else num_items_in_batch)
            if not torch.isfinite(whole := self._whole(loss)):
                odd = odd_rows(lambda part: self._loss(model, part, None), inputs)
                raise self._diverged("loss", whole.item(), inputs, odd)
        self._batch = inputs
        return (loss, {}) if return_outputs else loss

    def _loss(self, model: Any, inputs: Any, counted: Any) -> Any:
        """The loss of ``inputs``; ``counted`` is what `_get_num_items_in_batch` found, None in an evaluation."""
        return self.loss_of(model, inputs)

    def _whole(self, loss: Any) -> Any:
        """The loss of the whole batch, of which `sharing` computes parts."""
        return loss

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # under FSDP each process has a part
        if torch.isfinite(torch.as_tensor(norm)):
            self._skipped = 0
            return norm
        self._skipped += 1  # fp16's loss scale is found by trying: a step that overflows is left out
        if self.accelerator.scaler is None or self._skipped > OVERFLOWS:
            raise self._diverged("gradient", float(norm), self._batch, range(len(self._batch["input_ids"])))
        return norm

    def _diverged(self, what: str, value: float, inputs: dict[str, Any], rows: Sequence[int]) -> FloatingPointError:
        texts = self.base.tokenizer.batch_decode(inputs["input_ids"], skip_special_tokens=True)
        return FloatingPointError(words(what, value, self.state.global_step + 1, self.recipe, texts, rows))

    def _run_epoch(self, *arguments: Any, **keywords: Any) -> Any:
        if not self.control.should_training_stop:  # a run that was over when it was cut off stays as it was
            super()._run_epoch(*arguments, **keywords)

    def _get_output_dir(self, trial: Any) -> str:
        folder = super()._get_output_dir(trial)
        return str(Path(folder) / STAGING) if self._aside else folder

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder, step, state = Path(self.args.output_dir), self.state.global_step, self.state
        staged, target = named(folder / STAGING, step), named(folder, step)
        with told(folder, step, self._checkpoint_bytes()):
            if self.args.should_save:
                os.stat(folder)  # gone? Made anew it would lack the run's other files, on Colab even lie outside Drive
                shutil.rmtree(folder / STAGING, ignore_errors=True)
            self.accelerator.wait_for_everyone()
            self._aside = True
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self._aside = False
            if state.best_model_checkpoint is not None:
                state.best_model_checkpoint = str(named(folder, state.best_global_step))
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                state.save_to_json(str(staged / STATE))
                publish(staged, target)
                rotate(folder, step, state.best_global_step)
            self.accelerator.wait_for_everyone()

    def _checkpoint_bytes(self) -> int:
        """About what a checkpoint takes: the weights that are trained, and two numbers of the optimizer for each."""
        trained = sum(
            weight.numel() * weight.element_size() for weight in self.model.parameters() if weight.requires_grad
        )
        return trained * (1 if self.args.save_only_model else 3)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Linear warm-up and cosine decay over the steps, or over the time where that is what ends the run."""
        if self.budget is None:
            return super().create_scheduler(num_training_steps, optimizer)
        warmup, budget = self.args.get_warmup_steps(num_training_steps) / num_training_steps, self.budget
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer or self.optimizer, lambda step: rate(budget.share(step / num_training_steps), warmup)
        )
        return self.lr_scheduler

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        # Trainer's own sampler draws from torch's global generator, so a run resumed in a later epoch would go on
        # in another order. This one is seeded by the epoch; it is for one process, `sharing` deals with several.
        batch, chosen = self.recipe.batch_size, train_dataset or self.train_dataset
        return DistributedLengthGroupedSampler(batch, chosen, num_replicas=1, rank=0, seed=self.args.seed)


def trainer_arguments(base: Base, recipe: Recipe, folder: Path, seed: int, keep: bool, validated: bool) -> Any:
    """transformers' arguments for a run: what ``recipe`` asks for, with checkpoints in ``folder``.

    Args:
        base: what is trained.
        recipe: settings.
        folder: of the checkpoints.
        seed: of the order of the examples.
        keep: whether the run is to be resumable; else only the best weights are kept, where they are watched.
        validated: whether there are validation items.
    """
    dtype, _ = pick_precision(base.device)
    stops = validated and recipe.patience is not None
    every = recipe.evaluate_every if validated else recipe.save_every
    arguments = TrainingArguments(
        output_dir=str(folder), num_train_epochs=recipe.epochs,
        per_device_train_batch_size=processes.part_of(recipe.batch_size),
        learning_rate=recipe.learning_rate, lr_scheduler_type="cosine", warmup_steps=recipe.warmup,
        save_strategy="steps" if keep or stops else "no", save_steps=every,
        save_only_model=not keep and not processes.sharded(), save_total_limit=KEPT,
        eval_strategy="steps" if validated else "no", eval_steps=every,
        load_best_model_at_end=stops, prediction_loss_only=True, per_device_eval_batch_size=EVALUATION_BATCH,
        logging_steps=1, logging_nan_inf_filter=False, report_to="none", disable_tqdm=True,
        remove_unused_columns=False, seed=seed, use_cpu=base.device == "cpu", fp16=dtype == torch.float16,
        dataloader_pin_memory=False, label_names=["labels"],
        ddp_backend="gloo" if base.device == "cpu" and processes.count() > 1 else None,
        ddp_find_unused_parameters=False, ddp_broadcast_buffers=False,
    )  # fmt: skip
    arguments._n_gpu = min(arguments.n_gpu, 1)  # a process has one GPU; of several, Trainer would make DataParallel's
    return arguments
