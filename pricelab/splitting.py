"""A step that runs out of memory: the same batch again in parts, whose gradients add up to those of the whole.

The step's batch, its learning rate and its place in the data stay what they were, so a run that had to split is the run
that was asked for, but slower. `price_trainer` builds on it. Introduced in notebook 07.

Notation: B items of a batch, T tokens.
"""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from transformers import Trainer

from pricelab.examples import IGNORED, are_plain

MPS = "MPS backend out of memory"  # which not every version of accelerate counts
Batch = dict[str, Any]  # input_ids, attention_mask and labels, each (B, T)


def kinds(inputs: Batch) -> list[Any]:
    """Which rows (B,) are plain texts, all of whose tokens carry a loss, and which are items; only what is there."""
    plain = are_plain(inputs["labels"])
    return [rows for rows in (plain, ~plain) if rows.any()]


def label_count(inputs: Batch) -> Any:
    """Tokens that carry a loss."""
    return (inputs["labels"][:, 1:] != IGNORED).sum()


def pieces(inputs: Batch, at_once: int) -> Iterator[tuple[Batch, float]]:
    """The batch in parts of ``at_once`` rows at most, each with the factor of its mean loss in that of the batch.

    A part counts by its labels among those of its kind, a kind by its rows: the sum over parts is `mixed_loss` of the
    whole batch, and with items alone `price_loss`.
    """
    for rows in kinds(inputs):
        chosen = {name: tensor[rows] for name, tensor in inputs.items()}
        share = float(rows.float().mean() / label_count(chosen))
        for start in range(0, int(rows.sum()), at_once):
            part = {name: tensor[start : start + at_once] for name, tensor in chosen.items()}
            yield part, share * float(label_count(part))


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, on a GPU or a CPU."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or (isinstance(error, Exception) and (should_reduce_batch_size(error) or MPS in str(error)))


class SplittingTrainer(Trainer):
    """A `Trainer` of examples with labels that goes on with fewer at once when memory runs out."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.at_once = self.args.per_device_train_batch_size  # examples; fewer after memory ran out
        self.split = ""  # when that was and what came of it, in words

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        """Forward and backward of a batch; when memory runs out the same batch in parts, and so from then on.

        Raises:
            MemoryError: not even one item fits, or this process is one of several, whose batches must stay alike.
        """
        while True:
            try:
                if self.at_once >= len(inputs["labels"]):
                    return super().training_step(model, inputs, num_items_in_batch)
                return self._in_parts(model, inputs)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                self._halve(error)
            model.zero_grad()  # what the lost attempt left; its activations went with the exception
            clear_device_cache(garbage_collection=True)

    def _in_parts(self, model: Any, inputs: Batch) -> Any:
        model.train()
        loss = torch.zeros((), device=self.args.device)
        for part, share in pieces(self._prepare_inputs(inputs), self.at_once):
            with self.compute_loss_context_manager():
                part_loss = share * self.compute_loss(model, part)
            self.accelerator.backward(part_loss)
            loss += part_loss.detach()
        return loss

    def _halve(self, error: Exception) -> None:
        """Half as many items at once from now on; `MemoryError` where that isn't possible."""
        where, before = f"at step {self.state.global_step + 1}", self.at_once
        if before == 1 or self.args.world_size > 1 or self.args.gradient_accumulation_steps > 1:
            raise MemoryError(
                f"out of memory with {before} items at once {where}; use a smaller --batch, a smaller base, method "
                "qlora, or adapters on fewer layers (--targets attention)"
            ) from error
        self.at_once = before // 2
        self.split = (
            f"out of memory with {before} items at once {where}; from there on {self.at_once} at a time, their "
            f"gradients added up to those of the same {self.args.per_device_train_batch_size} items a step"
        )
        print(self.split, file=sys.stderr)
