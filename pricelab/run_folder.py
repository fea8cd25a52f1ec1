"""The folder of a fine-tuning run: may it be written in, whose unfinished run is it, and is its finished one asked for?

A finished run that another is to replace stays usable beside the other's settings and checkpoints until that one is
whole, so a run that fails or is cut off costs no predictor. What a finished run's manifest keeps of the training is
written and read here, the rest of the format is `artifacts`'. Used by `finetuning`. Introduced in notebook 07.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pricelab.artifacts import MANIFEST, RUN, Manifest, is_finished, is_unfinished
from pricelab.base_files import locate
from pricelab.disk import in_words
from pricelab.files import read_json, write_json_atomic
from pricelab.interruption import INTERRUPTED
from pricelab.pricer import BLEND
from pricelab.prompt import PROMPT_VERSION
from pricelab.show import in_notebook, progress_stream
from pricelab.training import Trained

CHECKPOINTS = "checkpoints"
RESULT = "result"  # among the checkpoints, until it is whole
Overwrite = bool | Literal["changed"]


@dataclass(frozen=True)
class Run:
    """A finished training run."""

    folder: Path
    losses: list[float]  # mean loss of each step, in nats a token
    seconds: float  # that the training loop took, in the call that finished the run
    manifest: Manifest
    validation: dict[int, float] = field(default_factory=dict)  # step → loss on the validation items, nats a token
    stopped: str = ""  # why the training ended before its last step, in words

    @classmethod
    def stored(cls, folder: Path, manifest: Manifest) -> "Run":
        """The run whose ``manifest`` is in ``folder``, with its numbers rounded as `metrics_of` keeps them."""
        kept = manifest.metrics
        validation = {int(step): loss for step, loss in kept.get("validation", {}).items()}
        return cls(folder, kept["losses"], kept["train_seconds"], manifest, validation, kept.get("stopped", ""))


def metrics_of(trained: Trained, extras: dict[str, Any]) -> dict[str, Any]:
    """What the manifest keeps of a run, rounded; validation and an early end only where there were any."""
    kept: dict[str, Any] = {
        "train_seconds": round(trained.seconds, 1),
        "losses": [round(loss, 4) for loss in trained.losses],
    }
    if trained.validation:
        kept["validation"] = {str(step): round(loss, 4) for step, loss in trained.validation.items()}
        kept["best_step"] = trained.best_step
    kept |= {name: text for name in ("stopped", "split") if (text := getattr(trained, name))}
    return {**kept, "given": extras} if extras else kept


def check_folder(folder: Path, settings: dict[str, Any], overwrite: Overwrite) -> None:
    """Refuse a folder that isn't ours to write in, or whose unfinished run would be lost without ``overwrite``."""
    if overwrite not in (True, False, "changed"):
        raise ValueError(f'overwrite is True, False or "changed", got {overwrite!r}')
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder for the result")
    known = is_finished(folder) or is_unfinished(folder)
    if folder.is_dir() and not known and any(path not in _litter(folder) for path in folder.iterdir()):
        raise ValueError(f"{folder} holds files that are no run of pricelab; give a new folder")
    if is_finished(folder):
        Manifest.read(folder)  # names the files to replace: a fault in it is told now, not when the training is done
    if is_unfinished(folder) and not overwrite and (changed := _changed(read_json(folder / RUN), settings)):
        raise ValueError(
            f"{folder} holds an unfinished run with another {changed}; use the same settings to resume it, or "
            "--overwrite to start again"
        )


def finished_run(
    folder: Path, settings: dict[str, Any], asked: dict[str, Any], overwrite: Overwrite
) -> Manifest | None:
    """The manifest of the finished run of these ``settings`` in ``folder``; None when one is to be trained.

    Each file is compared with the manifest, and a line says what was found. ``asked`` are the settings with the length
    at which texts are really cut, the number of items, and ``blend``.

    Raises:
        ValueError: without ``overwrite``, a finished run of other settings, a damaged or an interrupted one.
    """
    if overwrite is True or not is_finished(folder):
        return None
    if _untidied(folder):
        remove_traces(folder)
    if _goes_on(folder, settings):
        if overwrite:
            return None
        raise ValueError(
            f"{folder} holds a finished run, and one of these settings that was interrupted; use --overwrite to "
            "replace it (with the same settings: to train it on), or give a new folder"
        )
    manifest = Manifest.read(folder)
    if fault := _fault(folder, manifest, asked):
        if not overwrite:
            raise ValueError(fault)
        print(f"trained anew: {fault.rpartition(';')[0]}", file=progress_stream())  # the cure behind it is done
        return None
    anew = "overwrite=True" if in_notebook() else "--overwrite"
    words = "holds a finished run of these settings, unchanged: it is taken, and nothing is trained"
    print(f"{folder} {words} ({anew} trains anew)", file=progress_stream())
    return manifest


def _fault(folder: Path, manifest: Manifest, asked: dict[str, Any]) -> str:
    """Why the finished run in ``folder`` can't stand for the one that is asked for, and a cure; nothing when it can."""
    changed = _changed(_settings_of(manifest), {**asked, "prompt": PROMPT_VERSION})
    name, revision = manifest.base["name"], manifest.base["revision"]
    if not changed and locate(name, revision)[1] != revision:
        changed = f"version of {name}"
    if changed:
        told = f"{folder} holds a finished run with another {changed}"
        return f"{told}; use --overwrite to replace it, or give a new folder"
    try:
        manifest.check(folder)
    except ValueError as error:
        return str(error)
    return ""


def _settings_of(manifest: Manifest) -> dict[str, Any]:
    return {
        "base": manifest.base["name"],
        "method": manifest.method,
        "seed": manifest.seed,
        "data": manifest.data["fingerprint"],
        "number of items": manifest.data["train_items"],
        "blend": BLEND in manifest.read_outs,
        "prompt": manifest.prompt_version,
        "price_format": manifest.price_format,
        **manifest.recipe,
        **manifest.metrics.get("given", {}),
    }


def open_folder(folder: Path, settings: dict[str, Any]) -> None:
    """Note the settings of the run that starts in ``folder`` and remove another run's checkpoints.

    A run of the same settings that was cut off, or interrupted and finished early, goes on at its checkpoint.
    """
    with in_words("starting a run", folder):
        if not _goes_on(folder, settings):
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
            write_json_atomic(folder / RUN, settings)
        for path in _litter(folder):
            path.unlink(missing_ok=True)


def remove_traces(folder: Path) -> None:
    """Remove the settings and the checkpoints of the run that has just been finished in ``folder``."""
    (folder / RUN).unlink(missing_ok=True)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def remove_finished(folder: Path) -> None:
    """Remove the files of the finished run in ``folder``, if there is one: another takes its place."""
    if is_finished(folder):
        files = Manifest.read(folder).files
        for name in (MANIFEST, *files):  # the manifest first, so that what is left never looks finished
            (folder / name).unlink(missing_ok=True)


def _untidied(folder: Path) -> bool:
    """Whether a run was cut off when its last file was in place and its traces were not yet removed."""
    result = folder / CHECKPOINTS / RESULT
    moved = result.is_dir() and not any(result.iterdir())
    return moved and not Manifest.read(folder).metrics.get("stopped", "").startswith(INTERRUPTED)


def _goes_on(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether a run of these ``settings`` was started in ``folder`` and not trained to its end."""
    return (folder / RUN).is_file() and not _changed(read_json(folder / RUN), settings)


def _litter(folder: Path) -> list[Path]:
    """Files that were being written in ``folder`` when a run was killed."""
    return [path for name in (RUN, MANIFEST) for path in folder.glob(f".{name}.*")]


def _changed(before: dict[str, Any], settings: dict[str, Any]) -> str:
    """Names of the settings in which a run, ``before``, differs."""
    return ", ".join(sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key)))
