"""When a training ends before its last step: the time is over, or the validation items gain nothing any more.

Both are callbacks of transformers' `Trainer` and keep what they know in its log, so an interrupted run that is resumed
ends as it would have. What is trained and how is left to `training`. Introduced in notebook 09.
"""

import math
import time
from typing import Any

from transformers import TrainerCallback

from pricelab import processes

ELAPSED = "elapsed_seconds"  # of training, noted with every logged step


def clock() -> float:
    """Seconds that only ever move forward; of several processes all go by the first one's, so that they stop together.

    Whoever asks must do so in all of them.
    """
    return processes.once(time.monotonic)


def rate(share: float, warmup: float) -> float:
    """The learning rate after a ``share`` of a training, as a part of its peak: linear warm-up, then cosine to 0."""
    if share < warmup:
        return share / warmup
    return 0.5 * (1 + math.cos(math.pi * (min(share, 1.0) - warmup) / (1 - warmup)))


def check_minutes(minutes: float) -> None:
    """Refuse what is no time to train for."""
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes must be a number above 0, got {minutes!r}; leave it out for no limit")


class TimeBudget(TrainerCallback):
    """Stops after so many minutes; `share` lets the learning rate reach 0 by then, however fast the steps are."""

    def __init__(self, minutes: float) -> None:
        check_minutes(minutes)
        self.minutes = minutes
        self.started: float | None = None
        self.spent = False  # whether it was the time that ended the run

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before an interruption too."""
        return 0.0 if self.started is None else clock() - self.started

    def share(self, done: float) -> float:
        """How far the run is, from 0 to 1, when a share ``done`` of its steps is behind it."""
        return min(max(done, self.seconds / (60 * self.minutes)), 1.0)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock, or go on after a resume."""
        noted = [entry[ELAPSED] for entry in state.log_history if ELAPSED in entry]
        self.started = clock() - (noted[-1] if noted else 0.0)
        if noted and noted[-1] >= 60 * self.minutes and state.global_step < state.max_steps:
            self.spent = control.should_training_stop = True  # it was over when it was cut off

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the run when its time is over."""
        if self.seconds >= 60 * self.minutes and state.global_step < state.max_steps:
            self.spent = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the time beside what was logged."""
        state.log_history[-1][ELAPSED] = self.seconds


class EarlyStop(TrainerCallback):
    """Stops when ``patience`` evaluations in a row brought no lower loss on the validation items; None only watches."""

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.stopped = False  # whether it was this that ended the run

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The last step is evaluated too, whatever its number."""
        if control.should_training_stop:
            control.should_evaluate = control.should_save = True

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A run that was over when it was cut off is still over after a resume."""
        if validation_losses(state.log_history):
            self.on_evaluate(args, state, control)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count the evaluations since the best one."""
        if self.patience is None:
            return
        losses = list(validation_losses(state.log_history).values())
        if len(losses) - 1 - losses.index(min(losses)) >= self.patience and state.global_step < state.max_steps:
            self.stopped = control.should_training_stop = True


def validation_losses(log_history: list[dict[str, Any]]) -> dict[int, float]:
    """Step → loss on the validation items, in nats a token, from a trainer's log."""
    return {entry["step"]: entry["eval_loss"] for entry in log_history if "eval_loss" in entry}
