"""When writing fails: what happened, in words, with the space it takes and the cure; and bytes that really are on disk.

Full and read-only disks, and network drives that went away (a Drive folder of a Colab machine that was disconnected).
Used by `checkpoints`, `run_folder` and `finetuning`.
"""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EPERM, errno.EACCES, errno.EISDIR}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
CURES = {
    "full": "free some space there, or give a folder on a larger disk",
    "closed": "make the folder writable, or give another one",
    "gone": "see whether the disk is still connected (on Colab: mount Drive again)",
}
# What safetensors and torch raise instead of an OSError; their texts carry the system's words or none at all.
WRITERS = ("SafetensorError", "PytorchStreamWriter", "unexpected pos", "os error", "iostream error")


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on disk; where a drive can't say so, go on without."""
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except OSError as error:
        if error.errno in UNSUPPORTED:  # Windows opens no folders
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def in_words(doing: str, folder: Path, needed: int = 0, after: str = "") -> Iterator[None]:
    """Raise a failed write as an `OSError` that names the folder, the space it takes and the cure.

    Args:
        doing: what is being written, such as "saving a checkpoint".
        folder: where.
        needed: bytes that it takes, about; 0: unknown.
        after: what is safe and how to go on, told last.
    """
    try:
        yield
    except Exception as error:
        if not is_disk_error(error):
            raise
        told = re.search(r"os error (\d+)", str(error))  # as safetensors has it
        number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
        raise OSError(_told(doing, folder, needed, after, error, number)) from error


def is_disk_error(error: Exception) -> bool:
    """Whether ``error`` says that a file couldn't be written."""
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, OSError) or (
        type(error).__name__ in ("RuntimeError", "SafetensorError") and any(sign in text for sign in WRITERS)
    )


def free_bytes(folder: Path) -> int | None:
    """Bytes that are free where ``folder`` is or would be; None when that can't be said."""
    there = next((path for path in (folder, *folder.parents) if path.is_dir()), None)
    try:
        return shutil.disk_usage(there).free if there else None
    except OSError:
        return None


def _told(doing: str, folder: Path, needed: int, after: str, error: Exception, number: int | None) -> str:
    from pricelab.costs.units import human_bytes

    free = free_bytes(folder)
    full = number in FULL or (number is None and free is not None and free <= max(needed, 1_000_000))
    kind = "full" if full else "closed" if number in CLOSED else "gone"
    why = os.strerror(number) if number else "the disk is full" if full else str(error).splitlines()[0]
    space = f"; it takes about {human_bytes(needed)}" if needed else ""
    if free is not None and kind != "gone":  # of a folder that is gone, it would be said of another disk
        space += f"{' and' if space else ';'} {human_bytes(free)} are free"
    return f"{doing} in {folder} failed: {why}{space}; {CURES[kind]}{'. ' if after else ''}{after}"
