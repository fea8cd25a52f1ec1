"""Where files live and how they are written: the shipped data, the learner's cache, atomic writes, hashes."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pricelab.disk import flush


def data_dir() -> Path:
    """The folder of shipped data: ``data/`` beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).parent
    for folder in (package.parent / "data", package / "data"):
        if (folder / "catalog").is_dir() or (folder / "tiny-base").is_dir():  # a container may carry the base alone
            return folder
    raise FileNotFoundError(f"no data folder beside or inside {package}; install pricelab from its repository")


def cache_dir() -> Path:
    """The folder for downloads and runs: ``PRICELAB_CACHE``, else the user's cache folder. Created when missing."""
    import platformdirs

    folder = Path(os.environ.get("PRICELAB_CACHE") or platformdirs.user_cache_dir("pricelab"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file to write; it takes the place of ``path`` at the end, and only if nothing was raised.

    A reader sees the old file or the new one, never half of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(name)
        flush(Path(name))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text_atomic(path: Path, text: str) -> None:
    """Write ``text`` whole or not at all."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def drop_half_a_line(path: Path) -> None:
    """Cut what stands behind the last line feed: a machine that went off while it wrote leaves half a line."""
    end = path.stat().st_size
    with open(path, "rb+") as file:
        while end:
            start = max(end - (1 << 16), 0)
            file.seek(start)
            place = file.read(end - start).rfind(b"\n")
            if place >= 0:
                end = start + place + 1
                break
            end = start
        file.truncate(end)


def write_json_atomic(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_text_atomic(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; a broken file raises ``ValueError`` that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); delete it and make it again") from error
