"""How several processes share out the batches of a run so that they learn what one would: order, loss, evaluation.

The mean of the processes' own means would be another loss, because prices have two to four tokens. So each process adds
up its tokens' losses and divides by the labels of the whole batch. Used by `training`; who the processes are is
`processes`' affair. Introduced in ``docs/several-gpus.md``.

Notation: B examples, T tokens, K = 2 kinds of examples (items and plain texts).
"""

from array import array
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch

from pricelab import processes
from pricelab.examples import IGNORED, Example, are_plain
from pricelab.price_trainer import PriceTrainer, price_loss

T = TypeVar("T")


class SharedTrainer(PriceTrainer):
    """A `PriceTrainer` in one of several processes; each of them runs it at the same time."""

    def __init__(self, model: Any, base: Any, examples: dict[str, list], *rest: Any) -> None:
        super().__init__(model, base, {**examples, "train": [*examples["train"], blank(examples["train"][0])]}, *rest)

    def _loss(self, model: Any, inputs: Any, counted: Any) -> Any:
        def run() -> Any:
            return self.loss_of(self.model, inputs) if counted is None else part_of_loss(self.model, inputs, counted)

        return as_forward(model, self.model, run)

    def _whole(self, loss: Any) -> Any:
        return processes.total(loss)  # no process shall stop alone: the others would wait for it

    def _diverged(self, what: str, value: float, inputs: dict[str, Any], rows: Any) -> FloatingPointError:
        real = (inputs["labels"] != IGNORED).any(1).tolist()
        mine = [(ids, row in rows) for row, ids in enumerate(inputs["input_ids"].tolist()) if real[row]]
        all_of_them = [pair for part in processes.gather(mine) for pair in part]
        odd = [row for row, (_, concerned) in enumerate(all_of_them) if concerned]
        return super()._diverged(what, value, {"input_ids": [ids for ids, _ in all_of_them]}, odd)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return SharedOrder(super()._get_train_sampler(self.train_dataset[:-1]), self)

    def _get_num_items_in_batch(self, batch_samples: list, device: Any) -> Any:
        """`count_labels` of all the processes' parts of a batch."""
        return processes.total(sum(count_labels(batch["labels"]) for batch in batch_samples).to(device))

    def prediction_step(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
        """Evaluate a batch without what accelerate repeats to fill up the last one."""
        return super().prediction_step(model, real_rows(inputs, self.accelerator.gradient_state), *rest, **options)


class SharedOrder(torch.utils.data.Sampler):
    """The examples in the order in which one process takes them; blanks fill up the last batch of an epoch."""

    def __init__(self, order: Any, trainer: Any) -> None:
        self.order, self.trainer = order, trainer

    def __len__(self) -> int:
        return -(-len(self.order) // self.order.batch_size) * self.order.batch_size

    def __iter__(self) -> Iterator[int]:
        # accelerate tells the epoch to the sampler of a fresh loader, not to that of one that resumes inside an epoch.
        self.order.set_epoch(int(self.trainer.state.epoch or 0))
        yield from self.order
        yield from [len(self.order)] * (len(self) - len(self.order))


def blank(example: Example) -> Example:
    """An example from which nothing is learned."""
    ids = example["input_ids"][:2]
    return {"input_ids": ids, "labels": array("i", [IGNORED] * len(ids))}


def _kinds(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which rows of labels (B, T) are items and which plain texts."""
    plain = are_plain(labels)
    return ~plain, plain


def count_labels(labels: torch.Tensor) -> torch.Tensor:
    """Examples and labels by kind, (K, 2), in a batch of labels (B, T); blanks don't count."""
    carrying = labels[:, 1:] != IGNORED
    return torch.stack([torch.stack([(carrying.any(1) & kind).sum(), carrying[kind].sum()]) for kind in _kinds(labels)])


def part_of_loss(model: Any, inputs: dict[str, Any], counts: torch.Tensor) -> torch.Tensor:
    """This process's part of a batch's loss, times the processes: their mean, which DDP takes, is the batch's loss.

    The model runs once, whatever kinds there are: under FSDP the processes must run it equally often.

    Args:
        model: the model.
        inputs: this process's part of the batch.
        counts: `count_labels` of the whole batch, (K, 2). Either kind counts by its examples, as in `mixed_loss`.
    """
    labels = inputs["labels"]
    weights = counts[:, 0] / counts[:, 0].sum() / counts[:, 1].clamp(min=1)  # of a label, by kind
    of_row = weights[are_plain(labels).long()]
    of_label = of_row.repeat_interleave((labels[:, 1:] != IGNORED).sum(1))
    return processes.count() * (of_label * price_loss(model, inputs, "none")).sum()


def as_forward(wrapped: Any, model: Any, run: Callable[[], T]) -> T:
    """``run()`` as if it were the forward of ``model``, called through what ``wrapped`` it to add up gradients.

    DDP and FSDP do their work around the forward, and a loss that calls the model's halves one by one would pass it by.
    """
    if processes.count() == 1:
        return run()
    before = vars(model).get("forward")

    def forward(*_: Any, **__: Any) -> T:
        restore()
        return run()

    def restore() -> None:
        vars(model).pop("forward", None)
        if before is not None:
            model.forward = before

    model.forward = forward
    try:
        return wrapped()
    finally:
        restore()


def real_rows(inputs: dict[str, Any], loader: Any) -> dict[str, Any]:
    """A process's part of an evaluated batch without the examples that accelerate repeats to fill up the last one.

    ``loader`` is accelerate's state of the loader. Where nothing else is left one row stays; `Trainer` drops its loss.
    """
    if not loader.end_of_dataloader or loader.remainder <= 0:
        return inputs
    rows = len(inputs["labels"])
    left = loader.remainder - processes.rank() * rows
    return {name: tensor[: max(1, min(left, rows))] for name, tensor in inputs.items()}
