"""The folder of a fine-tuning run before it is finished: may it be written in, and whose unfinished run is it?

The finished folder's format is `artifacts`'. Used by `finetuning`. Introduced in notebook 07.
"""

import shutil
from pathlib import Path
from typing import Any

from pricelab.artifacts import MANIFEST, RUN, Manifest, is_finished, is_unfinished
from pricelab.disk import in_words
from pricelab.files import read_json, write_json_atomic

CHECKPOINTS = "checkpoints"


def check_folder(folder: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Refuse a folder that isn't ours to write in, or whose run would be lost without ``overwrite``."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder for the result")
    known = is_finished(folder) or is_unfinished(folder)
    if folder.is_dir() and not known and any(path not in _litter(folder) for path in folder.iterdir()):
        raise ValueError(f"{folder} holds files that are no run of pricelab; give a new folder")
    if is_finished(folder) and not overwrite:
        more = " (with the same settings: to train it on, it was interrupted)" if (folder / RUN).is_file() else ""
        raise ValueError(f"{folder} holds a finished run; use --overwrite to replace it{more}, or give a new folder")
    if is_unfinished(folder) and not overwrite and (changed := _changed(folder, settings)):
        raise ValueError(
            f"{folder} holds an unfinished run with another {changed}; use the same settings to resume it, or "
            "--overwrite to start again"
        )


def open_folder(folder: Path, settings: dict[str, Any]) -> None:
    """Note the settings of the run that starts in ``folder`` and remove another run's files.

    A run of the same settings that was cut off, or interrupted and finished early, goes on at its checkpoint.
    """
    with in_words("starting a run", folder):
        goes_on = (folder / RUN).is_file() and not _changed(folder, settings)
        files = Manifest.read(folder).files if is_finished(folder) else {}
        if not goes_on:
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
            write_json_atomic(folder / RUN, settings)
        for path in (folder / MANIFEST, *(folder / name for name in files), *_litter(folder)):
            path.unlink(missing_ok=True)  # the manifest first, so that what is left never looks finished


def _litter(folder: Path) -> list[Path]:
    """Files that were being written in ``folder`` when a run was killed."""
    return [path for name in (RUN, MANIFEST) for path in folder.glob(f".{name}.*")]


def _changed(folder: Path, settings: dict[str, Any]) -> str:
    """Names of the settings in which the unfinished run in ``folder`` differs."""
    before = read_json(folder / RUN)
    return ", ".join(sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key)))
