"""Ctrl-C while a model trains: the first finishes the step and saves, the second stops at once.

In a notebook the cell then goes on with what is trained so far; elsewhere `Interrupted` says how to go on, as it does
when a run is trained but its folder isn't finished. Used by `training` and `finetuning`. Introduced in notebook 07.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from transformers import TrainerCallback

from pricelab.show import in_notebook, progress_stream

INTERRUPTED = "interrupted at"  # how a run that may be trained on says why it ended
HINT = "interrupted: this step is finished and saved first; interrupt again to stop at once"


class Interrupted(KeyboardInterrupt):
    """A run was interrupted and what is trained is saved; the text says where, and how to go on."""


class Interruption(TrainerCallback):
    """Within ``with``, takes the first interrupt as a wish to stop after the step, with a checkpoint.

    Only the main thread hears interrupts; in another, nothing changes.
    """

    def __init__(self) -> None:
        self.asked = False  # whether somebody interrupted
        self.ended = False  # whether that ended the run before its last step
        self._before: Any = None

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _hear(self, *_: object) -> None:
        self.asked = True
        self._restore()
        with contextlib.suppress(RuntimeError):  # the interrupt may have come in the middle of a print
            print(f"\n{HINT}", file=progress_stream(), flush=True)

    def _restore(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the run here when somebody asked."""
        if self._anywhere(args) and state.global_step < state.max_steps:
            self.ended = control.should_training_stop = True
        if control.should_training_stop:  # for whatever reason: what is trained is kept
            control.should_save = True

    def _anywhere(self, args: Any) -> bool:
        """Whether any of the processes was interrupted: all of them stop at the same step."""
        if args.world_size > 1:
            import torch

            heard = torch.tensor(float(self.asked), device=args.device)
            torch.distributed.all_reduce(heard, op=torch.distributed.ReduceOp.MAX)
            self.asked = bool(heard)
        return self.asked


@contextlib.contextmanager
def after_training(early: bool) -> Iterator[None]:
    """Say of an interrupt that comes when a run is trained, and ends up in its folder, how to go on.

    ``early``: the training itself was interrupted, so the run will be trained on.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        again = "call" if in_notebook() else "command"
        does = "trains on" if early else "finishes the run"
        raise Interrupted(
            f"interrupted after the training, which is saved; the same {again} {does} from there"
        ) from error


def goes_on(where: str) -> str:
    """What a run that was interrupted at ``where`` says: in a notebook it is finished early, elsewhere resumed."""
    if in_notebook():
        return f"{INTERRUPTED} {where}; to train longer, run it again with the same settings and overwrite=True"
    return f"{INTERRUPTED} {where} and saved; the same command goes on from there"
