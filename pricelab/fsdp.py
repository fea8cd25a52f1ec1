"""FSDP: processes that share out the model itself, so that a base may be larger than one GPU's memory.

Each process holds a part of every weight, its gradient and its optimizer state; a layer is whole only while it computes
(PyTorch's FSDP2, after arXiv 2304.11277). accelerate wraps the model; here stands what that changes for a run. Its
checkpoints are those of one process, so it may go on with another number of them, with FSDP or without. Used by
`training` and `finetuning`; who the processes are is `processes`' affair. Introduced in ``docs/several-gpus.md``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate.utils import DistributedType
from torch.utils._pytree import tree_map
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME

from pricelab import processes
from pricelab.profiles import pick_device, pick_precision
from pricelab.recipe import Recipe
from pricelab.sharing import SharedTrainer, as_forward

T = TypeVar("T")


def check_fsdp(recipe: Recipe) -> None:
    """Raise `ValueError` where the launcher was told to use FSDP and the run can't."""
    if not processes.fsdp_asked():
        return
    if processes.count() == 1:
        raise ValueError("FSDP shares out a model among several processes, and one was started; give --num_processes")
    if pick_precision(pick_device())[0] == torch.float16:
        raise ValueError("FSDP was never tried in fp16, and this GPU has no bf16; launch with --multi_gpu instead")
    if recipe.compile:
        raise ValueError("FSDP was never tried with compiled layers; leave out compile")


class ShardedTrainer(SharedTrainer):
    """A `SharedTrainer` whose model accelerate shares out; what it saves and loads is whole."""

    def __init__(self, model: Any, base: Any, examples: dict[str, list], recipe: Recipe, arguments: Any, *rest: Any):
        if arguments.device.type == "cpu":  # where accelerate wraps for DDP alone, though FSDP works there as well
            arguments.distributed_state.distributed_type = DistributedType.MULTI_GPU
        super().__init__(model, base, examples, recipe, arguments, *rest)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """As ever; by then the model is shared out."""
        if self.args.device.type == "cpu":  # gloo's mean of gradients may be their sum (pytorch/pytorch#162338)
            for module in self.model.modules():
                if isinstance(module, torch.distributed.fsdp.FSDPModule):
                    module.set_force_sum_reduction_for_comms(True)
        return super().create_scheduler(num_training_steps, optimizer)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the weights that learn."""
        self._save(output_dir, state_dict=trained_weights(self.model))

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        state = tree_map(_whole, self.optimizer.state_dict())
        if self.args.should_save:
            torch.save(state, Path(output_dir) / OPTIMIZER_NAME)
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model, Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        load_weights(self.model, Path(self.state.best_model_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        state, schedule = (
            torch.load(Path(checkpoint) / name, map_location="cpu", weights_only=True)
            for name in (OPTIMIZER_NAME, SCHEDULER_NAME)
        )
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        for number, moments in state["state"].items():
            like = weights[number]
            moments.update({name: _part(m, like) for name, m in moments.items() if m.shape == like.shape})
        self.optimizer.load_state_dict(state)
        self.lr_scheduler.load_state_dict(schedule)


def trained_weights(model: Any) -> dict[str, Any]:
    """The weights that learn, by name: whole on the CPU in the first process, None in the others. All must call it."""
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    return {name: _whole(weight) for name, weight in model.state_dict().items() if name in learning}


def load_weights(model: Any, folder: Path) -> None:
    """Deal out what `save_pretrained` left in ``folder`` to the parts of ``model``."""
    from safetensors.torch import load_file

    like = next(weight for weight in model.state_dict().values() if hasattr(weight, "device_mesh"))
    for file in sorted(folder.glob("*.safetensors")):
        parts = {name: _part(weight, like) for name, weight in load_file(file).items()}
        if hasattr(model, "peft_config"):
            from peft import set_peft_model_state_dict

            set_peft_model_state_dict(model, parts)
        else:
            model.load_state_dict(parts, strict=False)  # a tied head has no weights of its own


def ask(model: Any, make: Callable[[], T]) -> T | None:
    """What ``make`` returns, which asks ``model``, in the first process; what it raises there is raised in all.

    Of a model that is shared out each process asks the same, and has the answer: a layer takes all of them.
    """
    if processes.sharded():
        with torch.no_grad():
            return as_forward(model, model, make)
    answers: list[T] = []
    processes.once(lambda: answers.append(make()))
    return answers[0] if answers else None


def _whole(value: Any) -> Any:
    """A tensor of which each process has a part: whole in the first, on the CPU, and None elsewhere. Else ``value``."""
    if not hasattr(value, "full_tensor"):
        return value
    whole = value.full_tensor()
    return whole.cpu() if processes.is_first() else None


def _part(whole: Any, like: Any) -> Any:
    """This process's part of a tensor that all have whole, shared out as ``like`` is."""
    from torch.distributed.tensor import distribute_tensor

    mesh = like.device_mesh
    return distribute_tensor(whole.to(mesh.device_type), mesh, like.placements, src_data_rank=None)
