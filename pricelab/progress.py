"""What a learner sees while a model trains: steps done, time left, and the loss as it falls."""

import time
from typing import Any

from transformers import TrainerCallback

from pricelab.show import in_notebook

REFRESH_SECONDS = 3.0  # between redrawings of the plot in a notebook
BARS = "▁▂▃▄▅▆▇█"
SPARKS = 24


def sparkline(values: list[float], width: int = SPARKS) -> str:
    """The values as a line of small bars, averaged into at most ``width`` groups."""
    if not values:
        return ""
    size = -(-len(values) // width)
    means = [sum(group) / len(group) for group in (values[i : i + size] for i in range(0, len(values), size))]
    low, high = min(means), max(means)
    return "".join(BARS[int((value - low) / ((high - low) or 1) * (len(BARS) - 1))] for value in means)


def show_losses(losses: list[float], title: str) -> None:
    """In a notebook, the curve of a training that is over."""
    if in_notebook():
        from IPython.display import display

        from pricelab.plots import loss_curve

        display(loss_curve(losses, title=title))


class LossDisplay(TrainerCallback):
    """A progress bar with the loss: a plot that redraws itself in a notebook, one line on a terminal."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.bar: Any = None
        self.plot: Any = None
        self.drawn = self.started = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the plot or the bar; after a resume with the losses so far."""
        self.losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        self.started = time.monotonic()
        if in_notebook():
            from IPython.display import display

            self.plot = display("training starts …", display_id=True)
            return
        from tqdm import tqdm

        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="training", unit="step")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Take in one step's loss."""
        if "loss" not in (logs or {}):
            return
        self.losses.append(logs["loss"])
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {logs['loss']:.3f} {sparkline(self.losses)}", refresh=False)
            self.bar.update(state.global_step - self.bar.n)
        elif time.monotonic() - self.drawn > REFRESH_SECONDS:
            self._draw(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the finished plot, or the finished bar."""
        if self.bar is not None:
            self.bar.close()
        else:
            self._draw(state)

    def _draw(self, state: Any) -> None:
        from pricelab.plots import loss_curve

        self.drawn = time.monotonic()
        minutes = (self.drawn - self.started) / 60
        title = f"step {state.global_step} of {state.max_steps}, {minutes:.1f} min"
        self.plot.update(loss_curve(self.losses, title=title))
