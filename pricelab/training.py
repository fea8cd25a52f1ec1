"""One training run, for three methods through one function: all weights, LoRA, QLoRA.

The loop, checkpoints and resuming are transformers' `Trainer`, the adapters peft's, the 4-bit weights bitsandbytes'.
What makes it ours, the loss and the batches, is in `price_trainer`; how items become examples in `examples`, when a run
ends early in `stopping`, what surrounds a run in `finetuning`. Introduced in notebook 07.
"""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pricelab import processes
from pricelab.adapters import add_adapters
from pricelab.base_files import locate
from pricelab.bases import Base, load_base, quiet
from pricelab.catalog import Item
from pricelab.checkpoints import newest_valid
from pricelab.compiling import compiled
from pricelab.examples import IGNORED, collate, encode, mixed_in
from pricelab.fsdp import ShardedTrainer, check_fsdp
from pricelab.interruption import Interrupted, Interruption, goes_on
from pricelab.outlook import more_time
from pricelab.price_format import WHOLE_DOLLARS, PriceFormat
from pricelab.price_trainer import PriceTrainer, mixed_loss, price_loss, trainer_arguments
from pricelab.progress import LossDisplay
from pricelab.recipe import METHODS, Recipe
from pricelab.sharing import SharedTrainer
from pricelab.show import in_notebook, progress_stream
from pricelab.stopping import EarlyStop, TimeBudget, validation_losses
from pricelab.trackers import Trackers

__all__ = ["IGNORED", "METHODS", "Recipe", "Trained", "add_adapters", "collate", "encode", "load_trainable"]
__all__ += ["mixed_loss", "price_loss", "train"]


@dataclass(frozen=True)
class Trained:
    """What a training run did."""

    losses: list[float]  # of each step, in nats a token
    seconds: float  # that this call took
    validation: dict[int, float] = field(default_factory=dict)  # step → loss on the validation items, nats a token
    best_step: int | None = None  # whose weights the model holds now; None: those of the last step
    stopped: str = ""  # why it ended before the last step, in words
    interrupted: bool = False  # whether it was the user who ended it
    split: str = ""  # that memory ran out, and how the steps went on, in words


def load_trainable(name: str, method: str, recipe: Recipe, seed: int) -> tuple[Base, Any]:
    """A base and the model to train on it: with fresh fp32 adapters, or for ``"full"`` the base itself in fp32."""
    check_fsdp(recipe)
    with quiet():
        from transformers import set_seed

        set_seed(seed)
        if processes.count() > 1:
            with processes.one_first():
                locate(name)  # one process downloads and converts
        precision: dict[str, Any] = {"quantise": method == "qlora", "master_weights": method == "full"}
        precision["sharded"] = processes.sharded()
        base = load_base(name, **precision, text_tokens=recipe.max_text_tokens)
        return base, base.model if method == "full" else add_adapters(base.model, recipe)


@processes.told_when_one_ends()
def train(
    model: Any, base: Base, items: Sequence[Item], recipe: Recipe, checkpoints: Path | None, seed: int,
    progress: bool = True, *, minutes: float | None = None, validation: Sequence[Item] = (), mix: Sequence[str] = (),
    trackers: Trackers | None = None, callbacks: Sequence[Any] = (), price_format: PriceFormat = WHOLE_DOLLARS,
) -> Trained:  # fmt: skip
    """Train ``model`` in place.

    Resumes at the newest valid checkpoint in ``checkpoints`` when there is one, and says what it skipped and why; with
    None nothing is left behind. With ``checkpoints``, an interrupt saves first: a notebook then goes on with what is
    trained so far.

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
        trackers: where the losses are reported; None: nowhere.
        callbacks: further callbacks of transformers' `Trainer`.
        price_format: how prices are written.

    Raises:
        ValueError: the layers are to be compiled, and there is no compiler.
        FloatingPointError: the loss or the gradient stopped being a finite number.
        MemoryError: not even one item at a time fits.
        OSError: a checkpoint can't be saved; says why, and what helps.
        Interrupted: outside a notebook, after the checkpoint was saved.
    """
    encoded = {
        name: encode(base.tokenizer, them, recipe.max_text_tokens, price_format)
        for name, them in (("train", items), ("validation", validation))
    }
    encoded["train"] += mixed_in(base.tokenizer, mix, len(items), recipe.mixed, recipe.max_text_tokens)
    budget, early = TimeBudget(minutes) if minutes is not None else None, EarlyStop(recipe.patience)
    start = time.perf_counter()
    with quiet(), contextlib.ExitStack() as stack:
        # The best weights wait on disk: as checkpoints do, so that a resumed run still knows them.
        aside = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # Windows deletes no file that is still mapped
        folder = checkpoints or processes.once(lambda: Path(stack.enter_context(aside)))
        loss = mixed_loss if mix else price_loss
        arguments = trainer_arguments(base, recipe, folder, seed, checkpoints is not None, bool(validation))
        if recipe.compile:
            stack.enter_context(compiled(model))
        if trackers is not None:
            stack.enter_context(trackers.reporting(arguments))
        shared = ShardedTrainer if processes.sharded() else SharedTrainer
        trainer_class = shared if processes.count() > 1 else PriceTrainer
        trainer = trainer_class(model, base, encoded, recipe, arguments, loss, budget)
        shown = LossDisplay() if progress and processes.is_first() else None
        for callback in (budget, early if validation else None, *callbacks, shown):
            if callback is not None:
                trainer.add_callback(callback)
        interruption = Interruption()
        if checkpoints is not None:  # last of those that end a run: it saves, and an interrupt is no reason to evaluate
            alone = processes.count() == 1  # of several, the launcher hears the interrupt and ends them all
            trainer.add_callback(stack.enter_context(interruption) if alone else interruption)
        found = processes.once(lambda: newest_valid(folder))
        if found.skipped and processes.is_first():
            print(found, file=progress_stream())
        trainer.train(resume_from_checkpoint=str(found.checkpoint) if found.checkpoint else None)
        processes.meet()  # before one of them removes the folder with the best weights
    if interruption.asked and not in_notebook():
        raise Interrupted(goes_on(_where(trainer.state)))
    log = trainer.state.log_history
    losses = [entry["loss"] for entry in log if "loss" in entry]
    stopped = _why(trainer.state, budget, early, losses)
    interrupted = interruption.ended and not stopped
    return Trained(
        losses=losses,
        seconds=time.perf_counter() - start,
        validation=validation_losses(log),
        best_step=trainer.state.best_global_step if trainer.args.load_best_model_at_end else None,
        stopped=goes_on(_where(trainer.state)) if interrupted else stopped,
        interrupted=interrupted,
        split=trainer.split,
    )


def _where(state: Any) -> str:
    return f"step {state.global_step:,} of {state.max_steps:,} ({state.epoch:.2g} passes over the items)"


def _why(state: Any, budget: TimeBudget | None, early: EarlyStop, losses: list[float]) -> str:
    """Why a run ended before its last step, in words; nothing when it did not."""
    if early.stopped:
        return f"stopped at {_where(state)}: no gain on the validation items since step {state.best_global_step:,}"
    if budget is not None and budget.spent:
        more = more_time(losses, validation_losses(state.log_history), state.epoch)
        return f"stopped at {_where(state)}: the {budget.minutes:g} minutes were over; {more}"
    return ""
