"""The folder of a fine-tuning run before it is finished: may it be written in, and whose unfinished run is it?

The finished folder's format is `artifacts`'. Used by `finetuning`. Introduced in notebook 07.
"""

import shutil
from pathlib import Path
from typing import Any

from pricelab.artifacts import MANIFEST, RUN, Manifest, is_finished, is_unfinished
from pricelab.files import read_json, write_json_atomic

CHECKPOINTS = "checkpoints"


def check_folder(folder: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Refuse a folder that isn't ours to write in, or whose run would be lost without ``overwrite``."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder for the result")
    known = is_finished(folder) or is_unfinished(folder)
    if folder.is_dir() and any(folder.iterdir()) and not known:
        raise ValueError(f"{folder} holds files that are no run of pricelab; give a new folder")
    if is_finished(folder) and not overwrite:
        raise ValueError(f"{folder} holds a finished run; use --overwrite to replace it, or give a new folder")
    if is_unfinished(folder) and not overwrite and (changed := _changed(folder, settings)):
        raise ValueError(
            f"{folder} holds an unfinished run with another {changed}; use the same settings to resume it, or "
            "--overwrite to start again"
        )


def open_folder(folder: Path, settings: dict[str, Any]) -> None:
    """Note the settings of the run that starts in ``folder`` and remove another run's files; a resume keeps them."""
    if is_unfinished(folder) and not _changed(folder, settings):
        return
    files = Manifest.read(folder).files if is_finished(folder) else {}
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    write_json_atomic(folder / RUN, settings)
    for name in (MANIFEST, *files):  # the manifest first, so that what is left never looks finished
        (folder / name).unlink(missing_ok=True)


def _changed(folder: Path, settings: dict[str, Any]) -> str:
    """Names of the settings in which the unfinished run in ``folder`` differs."""
    before = read_json(folder / RUN)
    return ", ".join(sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key)))
