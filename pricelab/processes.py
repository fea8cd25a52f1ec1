"""One run by several processes, one for each GPU, started by `accelerate launch` or `torchrun`.

Each process learns from its part of every batch; accelerate joins them and adds up their gradients. Here stands what a
run does once instead of once in each process, and what must come out the same in all; a model that is shared out too is
`fsdp`'s affair. A process that runs alone meets nothing of it. ``docs/several-gpus.md`` says how to start them.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
FSDP = {
    "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP", "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT", "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
    "FSDP_OFFLOAD_PARAMS": "false", "FSDP_ACTIVATION_CHECKPOINTING": "false",
}  # fmt: skip
"""What pricelab tells accelerate of how to share out a model, whatever the launcher was told."""
PATIENCE = timedelta(
    hours=6
)  # for which processes wait while the first one calibrates and saves; a dead one is noticed


class ProcessEnded(RuntimeError):
    """Another process of the run is gone, so this one can't go on."""


def count() -> int:
    """The number of processes that share this run."""
    return int(os.environ["WORLD_SIZE"]) if _launched() else 1


def rank() -> int:
    """This process's number, from 0."""
    return int(os.environ["RANK"]) if _launched() else 0


def is_first() -> bool:
    """Whether this is the process that prints, calibrates and writes."""
    return rank() == 0


def fsdp_asked() -> bool:
    """Whether the launcher was told to use FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def sharded() -> bool:
    """Whether the processes share out the model itself, by FSDP."""
    return count() > 1 and fsdp_asked()


def _launched() -> bool:
    return {"RANK", "WORLD_SIZE", "LOCAL_RANK"} <= os.environ.keys()


def shared_out(batch_size: int) -> str:
    """What the first of several processes says of how a batch is shared out; `ValueError` where it can't be."""
    part = part_of(batch_size)
    return (
        f"{count()} processes, each with {part} of the {batch_size} items of a batch"
        if count() > 1 and is_first()
        else ""
    )


def only_alone(what: str) -> None:
    """Refuse what several processes can't share."""
    if count() > 1:
        raise ValueError(f"{what} runs in one process, and {count()} were started; leave the launcher out")


def part_of(batch_size: int) -> int:
    """How many of a batch's items each process takes; `ValueError` when they can't be shared out evenly."""
    if batch_size % count():
        near = max(1, round(batch_size / count())) * count()
        raise ValueError(
            f"a batch of {batch_size} items can't be shared out evenly among {count()} processes; use a batch_size of "
            f"{near}, or another number of processes"
        )
    return batch_size // count()


def join() -> None:
    """Meet the other processes, once; alone there is nobody to meet.

    Raises:
        ValueError: the launcher started another number of processes than it announced, or more than there are GPUs.
    """
    if count() == 1:
        return
    if sharded():
        os.environ.update(FSDP)  # before a library reads them
    import torch
    from accelerate import PartialState

    if torch.distributed.is_initialized():
        return
    on_gpus, local = torch.cuda.is_available(), int(os.environ["LOCAL_RANK"])
    if on_gpus and local >= torch.cuda.device_count():
        raise ValueError(
            f"process {rank() + 1} of {count()} has no GPU of its own: this machine has {torch.cuda.device_count()}; "
            "start as many processes as there are GPUs (--num_processes)"
        )
    PartialState(cpu=not on_gpus, backend="nccl" if on_gpus else "gloo", timeout=PATIENCE)
    if (found := torch.distributed.get_world_size()) != count():
        raise ValueError(f"{count()} processes were announced and {found} came; start them by `accelerate launch`")


def leave() -> None:
    """Part from the other processes at the end of a run, when nothing is shared any more."""
    if count() > 1:
        import torch

        meet()
        torch.distributed.destroy_process_group()


def meet() -> None:
    """Wait until all processes have come this far."""
    if count() > 1:
        import torch

        join()
        torch.distributed.barrier()


def own_device(device: str) -> Any:
    """``device`` as a device map: of several processes on GPUs each has its own."""
    return {"": f"{device}:{os.environ['LOCAL_RANK']}"} if device == "cuda" and count() > 1 else device


def once(make: Callable[[], T]) -> T:
    """What ``make`` returns in the first process; the others wait for it. What it raises there is raised in all."""
    if count() == 1:
        return make()
    import torch

    join()
    told: list[Any] = [None, None]
    if is_first():
        try:
            told[0] = make()
        except Exception as error:
            told[1] = error
    torch.distributed.broadcast_object_list(told)
    if told[1] is not None:
        raise told[1]
    return told[0]


def gather(value: T) -> list[T]:
    """The values of all processes, in their order, in each of them."""
    if count() == 1:
        return [value]
    import torch

    join()
    gathered: list[Any] = [None] * count()
    torch.distributed.all_gather_object(gathered, value)
    return gathered


def agree(what: str, value: Any) -> None:
    """Make sure that all processes were given the same ``value``; else all raise a `ValueError`."""
    given = gather(value)
    if odd := [number for number, other in enumerate(given, 1) if other != given[0]]:
        raise ValueError(f"process {odd[0]} of {count()} was given other {what} than the first; give all the same")


def check_shared(path: Path) -> None:
    """Make sure that all processes see what the first one wrote; else all raise a `ValueError`."""
    if not all(gather(path.exists())):
        raise ValueError(f"{path.parent} isn't the same folder on all machines; give one that they share")


@contextlib.contextmanager
def one_first() -> Iterator[None]:
    """One process of each machine goes first, so that the others find what it downloads or converts."""
    if count() == 1:
        yield
        return
    from accelerate import PartialState

    join()
    with PartialState().local_main_process_first():
        yield


def total(tensor: Any) -> Any:
    """The sum of all processes' tensors of this shape, the same in all of them."""
    if count() == 1:
        return tensor
    import torch

    summed = tensor.detach().clone()
    torch.distributed.all_reduce(summed)
    return summed


@contextlib.contextmanager
def told_when_one_ends() -> Iterator[None]:
    """When another process of the run ends early, end this one in words too.

    Raises:
        ProcessEnded: another process is gone, or the launcher asked this one to stop because one is.
    """
    if count() == 1:
        yield
        return
    import torch

    def stop(*_: Any) -> None:
        raise ProcessEnded(_ENDED)

    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if in_main else None
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.distributed.DistError) or "gloo" in str(error):
            raise ProcessEnded(_ENDED) from error
        raise
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


_ENDED = (
    "another process of this run ended early, so this one can't go on; what that one said stands above. Start the same "
    "command again: the run goes on from its last checkpoint"
)
