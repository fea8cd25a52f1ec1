"""From a folder to a predictor that is ready: verified, loaded, warmed up, with each part's seconds.

What a container does once at its start and never again. Loading itself is left to `bases` and `artifacts`. Introduced
in notebook 11.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pricelab.pricer import Pricer

WARM_UP_TEXT = "Hand drill, 18 V, two batteries, carry case."


@dataclass(frozen=True)
class Started:
    """A predictor that is ready, and what its start took."""

    pricer: "Pricer"
    seconds: dict[str, float] = field(default_factory=dict)  # part of the start → seconds, in order
    per_second: float = math.inf  # texts of the warm-up's full batch, which bound the queue

    @property
    def total(self) -> float:
        """Seconds of all parts together."""
        return sum(self.seconds.values())


def start(folder: str | Path, device: str | None = None, *, batch: int = 16) -> Started:
    """Load the predictor in ``folder`` and warm it up.

    The parts: *libraries* (importing them), *verify* (every file against the manifest, the base's against its hashes),
    *download* (of the base, when it is not here yet), *base* (its weights), *adapter* (laid on the base), *warm-up*
    (first passes, with 1 and with ``batch`` texts). Full fine-tuning leaves a whole model, loaded under *adapter*.

    Raises:
        ValueError: no finished run in the folder, a file of it or of the base missing or changed, a base that doesn't
            fit, or a model that gives no price.
        ConnectionError: the base has to be downloaded and could not be.
    """
    folder, seconds = Path(folder), dict[str, float]()
    with _timed("libraries", seconds):
        import peft  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401

        from pricelab.artifacts import checked, load_checked
        from pricelab.base_files import verify
        from pricelab.bases import load_base
        from pricelab.pricer import Pricer
    with _timed("verify", seconds):
        manifest = checked(folder)
    beside, (name, revision) = None, (manifest.base["name"], manifest.base["revision"])
    if manifest.method != "full":
        with _timed("download", seconds):
            download(name, revision)
        with _timed("verify", seconds):
            verify(name, revision)
        with _timed("base", seconds):
            options: dict[str, Any] = {"device": device, "text_tokens": manifest.max_text_tokens}
            quantise = manifest.quantisation == "nf4"
            beside = Pricer.from_base(load_base(name, quantise=quantise, revision=revision, **options))
    with _timed("adapter", seconds):
        pricer = load_checked(folder, manifest, device, beside)
    with _timed("warm-up", seconds):
        per_second = warm_up(pricer, batch)
    return Started(pricer, seconds, per_second)


def measure_start(folder: str | Path, device: str | None = None) -> dict[str, float]:
    """The seconds of a start alone; run by `costs.peak.apart`, in a fresh process, it is a cold one."""
    return start(folder, device).seconds


def download(name: str, revision: str | None = None) -> None:
    """Bring the files of the base ``name`` onto this machine, unless they are there.

    Raises:
        ValueError: no such base.
        ConnectionError: they could not be downloaded.
    """
    from huggingface_hub import snapshot_download

    from pricelab.base_files import place_of

    place, commit = place_of(name, revision)  # the workbook's own bases are complete then
    if Path(place).is_dir():
        return
    try:
        snapshot_download(place, revision=commit, allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt"])
    except Exception as error:
        raise ConnectionError(f"{name} could not be downloaded ({type(error).__name__}); check the network") from error


def warm_up(pricer: Any, batch: int = 16) -> float:
    """Price one text and a batch, so that the first caller doesn't pay for caches and kernels; texts/s of the batch.

    Raises:
        ValueError: the model gives no price for a plain text; nobody should be sent to it.
    """
    answers, begun = list(pricer.estimate([WARM_UP_TEXT])), time.perf_counter()
    answers += pricer.estimate([WARM_UP_TEXT] * batch)
    seconds = time.perf_counter() - begun
    if bad := [answer for answer in answers if answer.estimate != answer.estimate]:
        raise ValueError(f"the model gave no price for a plain text ({bad[0].warning}); this adapter can't be served")
    return batch / max(seconds, 1e-6)


@contextmanager
def _timed(part: str, seconds: dict[str, float]) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - begun
