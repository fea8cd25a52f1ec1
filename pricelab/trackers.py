"""Experiment trackers (TensorBoard, Weights & Biases, trackio, …), through transformers' `report_to`. Off by default.

A tracker gets the losses, the settings and the base's configuration of a run, never an item; where it keeps or sends
them is its own affair. What is logged when is the `Trainer`'s. Asked for with `--report-to`.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "pricelab"  # the name that a tracker lists the runs under
LOGS = "logs"  # TensorBoard's files, beside the result
PACKAGES = {"comet_ml": "comet-ml", "dagshub": "dagshub mlflow"}  # of trackers that are called otherwise
HOSTED = ("azure_ml", "flyte", "kubeflow")  # these work only inside a job of their own platform


@dataclass(frozen=True)
class Trackers:
    """Which trackers a run reports to; making one refuses those that are unknown or not installed."""

    names: tuple[str, ...]  # as transformers calls them; none: nothing is reported anywhere
    folder: Path  # of the run: it gives the run's name, and TensorBoard's files go there

    def __post_init__(self) -> None:
        if self.names:
            check_trackers(self.names)

    @contextlib.contextmanager
    def reporting(self, arguments: Any) -> Iterator[None]:
        """Make a `Trainer` with these ``arguments`` report; environment variables of the user's own come first."""
        if not self.names:
            yield
            return
        arguments.report_to, arguments.project, arguments.run_name = list(self.names), PROJECT, self.folder.name
        wanted = {"TENSORBOARD_LOGGING_DIR": str(self.folder / LOGS), "WANDB_PROJECT": PROJECT}
        added = {name: value for name, value in wanted.items() if name not in os.environ}
        os.environ.update(added)
        try:
            yield
        finally:
            for name in added:
                os.environ.pop(name, None)


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that transformers doesn't know or that aren't installed; says how to install them."""
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK as KNOWN
    from transformers.integrations.integration_utils import get_available_reporting_integrations

    offered = sorted(name for name in KNOWN if name not in HOSTED)
    if unknown := [name for name in names if name not in offered]:
        raise ValueError(f"unknown tracker {', '.join(unknown)}; there are {', '.join(offered)}")
    available = get_available_reporting_integrations()
    if missing := [name for name in names if name not in available]:
        packages = " ".join(PACKAGES.get(name, name) for name in missing)
        raise ValueError(f"the tracker {', '.join(missing)} is not installed; run: pip install {packages}")
