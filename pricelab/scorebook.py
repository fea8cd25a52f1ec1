"""The learner's own file: which exercises are solved and which predictions came true. Nothing leaves the machine.

One small JSON file in the cache, ``{"exercises": {id: …}, "predictions": {id: …}}``. What an entry says is decided in
`checks` and `predictions`.
"""

import os
from pathlib import Path
from typing import Any

from pricelab.files import cache_dir, read_json, write_json_atomic

Entries = dict[str, dict[str, Any]]
KINDS = ("exercises", "predictions")


def path() -> Path:
    """Where the file is, or will be."""
    return cache_dir() / "scorebook.json"


def read(kind: str) -> Entries:
    """All entries of a kind; none when there is no file, or one that cannot be read."""
    return _read_all()[kind]


def write(kind: str, name: str, entry: dict[str, Any]) -> None:
    """Put one entry into the file. A file that cannot be read is kept beside it, under another name."""
    book = _read_all(set_aside=True)
    book[kind][name] = entry
    write_json_atomic(path(), book)


def _read_all(set_aside: bool = False) -> dict[str, Entries]:
    empty: dict[str, Entries] = {kind: {} for kind in KINDS}
    try:
        book = read_json(path()) if path().exists() else empty
    except ValueError:
        book = None
    if isinstance(book, dict) and all(_is_entries(book.get(kind, {})) for kind in KINDS):
        return {**empty, **book}
    if set_aside:
        aside = path().with_suffix(".unreadable.json")
        os.replace(path(), aside)
        print(f"the file of your scores could not be read; it is kept as {aside.name}, and a new one begins")
    return empty


def _is_entries(found: Any) -> bool:
    return isinstance(found, dict) and all(isinstance(entry, dict) for entry in found.values())
