"""Checkpoints that are whole or not there: written aside, hashed, flushed, marked last, then renamed into place.

What a checkpoint holds is the affair of transformers' `Trainer`: weights as safetensors, its state as JSON, and local
files for the optimizer, the schedule and random numbers, which it reads with ``weights_only=True``. `MARKER` lists the
SHA-256 of each; a checkpoint without it, or with a file that differs, is skipped when a run is resumed. So a kill, a
full disk or a drive that went away costs the steps since the last checkpoint and never the run. Used by `price_trainer`
and `training`.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pricelab.disk import flush, in_words
from pricelab.files import read_json, sha256_of, write_json_atomic

MARKER = "complete.json"  # in a checkpoint: the hash of each of its files
STATE = "trainer_state.json"
STAGING = "saving"  # beside the checkpoints: the one that is being written
PICKLED = "training_args.bin"  # Trainer's own settings as a pickle: never needed here, never kept
KEPT = 2  # checkpoints, the best among them


@dataclass(frozen=True)
class Found:
    """What a run can go on from."""

    checkpoint: Path | None  # the newest valid one
    skipped: dict[str, str] = field(default_factory=dict)  # name of a newer one → what is wrong with it

    def __str__(self) -> str:
        """What was skipped and why, a line each, and where the run goes on; empty when nothing was skipped."""
        if not self.skipped:
            return ""
        where = f"step {step_of(self.checkpoint):,}" if self.checkpoint else "the beginning"
        lines = [f"skipped {name}: {why}" for name, why in self.skipped.items()]
        return "\n".join([*lines, f"training goes on from {where}"])


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def named(folder: Path, step: int) -> Path:
    """Where the checkpoint of ``step`` stands."""
    return folder / f"checkpoint-{step}"


def all_in(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, whole or not, the newest first."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdecimal()]
    return sorted(found, key=step_of, reverse=True)


def newest_valid(folder: Path) -> Found:
    """The newest checkpoint in ``folder`` that is whole, its best weights too; the newer ones with their faults."""
    skipped = {}
    if (folder / STAGING).exists():
        skipped[STAGING] = "the run was cut off while this was written"
    for checkpoint in all_in(folder):
        if not (fault := fault_of(checkpoint) or _fault_of_best(checkpoint)):
            return Found(checkpoint, skipped)
        skipped[checkpoint.name] = fault
    return Found(None, skipped)


def fault_of(checkpoint: Path) -> str:
    """What is wrong with a checkpoint, in words; nothing when every file is there and as it was written."""
    try:
        if not (checkpoint / MARKER).is_file():
            return f"it was never finished (no {MARKER} there)"
        marked = read_json(checkpoint / MARKER)
        files = marked.get("files") if isinstance(marked, dict) else None
        if not isinstance(files, dict) or STATE not in files:
            return f"its {MARKER} doesn't list its files"
        return next((fault for name in files if (fault := _fault_of_file(checkpoint / name, files[name]))), "")
    except (OSError, ValueError) as error:
        return f"it can't be read ({error})"


def _fault_of_file(path: Path, expected: str) -> str:
    if not path.is_file():
        return f"{path.name} is missing"
    return "" if sha256_of(path) == expected else f"{path.name} isn't as it was written (its SHA-256 differs)"


def _fault_of_best(checkpoint: Path) -> str:
    """What is wrong with the best weights that a valid checkpoint counts on; from an older one they are found again."""
    best = best_of(checkpoint)
    if best in (None, checkpoint):
        return ""
    return f"the best weights so far, in {best.name}, can't be used: {fault}" if (fault := fault_of(best)) else ""


def best_of(checkpoint: Path) -> Path | None:
    """The checkpoint beside a valid one with the best weights until then; None where nothing was watched."""
    state = read_json(checkpoint / STATE)
    return named(checkpoint.parent, state["best_global_step"]) if state.get("best_model_checkpoint") else None


@contextlib.contextmanager
def told(folder: Path, step: int, needed: int) -> Iterator[None]:
    """Raise what keeps the checkpoint of ``step`` (about ``needed`` bytes) from being saved, with its cure."""
    try:
        with in_words(f"saving the checkpoint of step {step:,}", folder, needed):
            yield
    except OSError as error:
        shutil.rmtree(folder / STAGING, ignore_errors=True)  # it may be what fills the disk
        raise OSError(f"{error}. {_what_is_safe(folder)}") from error


def _what_is_safe(folder: Path) -> str:
    try:
        there, last = folder.is_dir(), newest_valid(folder).checkpoint
    except OSError:
        there = False
    if not there:  # a drive that went away, or a folder that was moved
        return "Once it is back, the same command goes on from the last checkpoint in it"
    if last is None:
        return "There is no earlier checkpoint: the same command starts from the beginning"
    return f"The checkpoint of step {step_of(last):,} is whole: the same command goes on from there"


def publish(staged: Path, target: Path) -> None:
    """Mark a checkpoint that was written aside as whole and put it in place."""
    (staged / PICKLED).unlink(missing_ok=True)
    files = sorted(path for path in staged.rglob("*") if path.is_file())
    for path in files:
        flush(path)
    hashes = {path.relative_to(staged).as_posix(): sha256_of(path) for path in files}
    write_json_atomic(staged / MARKER, {"files": hashes})
    flush(staged)
    if target.exists():
        shutil.rmtree(target)  # damaged, or of the same step and so the same
    try:
        os.replace(staged, target)
    except OSError:  # some network drives rename no folders
        _copy(staged, target, [*hashes, MARKER])
    shutil.rmtree(staged.parent, ignore_errors=True)
    flush(target.parent)


def _copy(staged: Path, target: Path, names: Iterable[str]) -> None:
    """Copy a whole checkpoint, its marker last: until then it doesn't count."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(staged / name, target / name)
        flush(target / name)


def rotate(folder: Path, newest: int, best: int | None) -> None:
    """Remove all but the checkpoint just written, the best one, and up to `KEPT` in all of those before.

    Later ones than ``newest`` are damaged leftovers: the run went back behind them.
    """
    keep = {named(folder, newest), named(folder, best or newest)}
    for path in all_in(folder):
        if len(keep) < KEPT and step_of(path) < newest and not fault_of(path):
            keep.add(path)
    for path in all_in(folder):
        if path not in keep:
            shutil.rmtree(path, ignore_errors=True)
