"""A text file looked at piece by piece, whatever its size: is it text, is anything in it, and which text is it?

What its rows are is left to `tables`. Notebook 12 introduces it.
"""

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

PACKED_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b")  # .xlsx and zip, .xls, gzip
PIECE = 1 << 20  # bytes read at a time
KINDS = "a CSV, TSV, JSON-lines or Parquet file"


@dataclass(frozen=True)
class TextFile:
    """A file that was read through once and is UTF-8."""

    path: Path
    sha256: str  # of its bytes
    lone_returns: bool  # whether a carriage return stands without a line feed, in a cell or between rows

    def open(self, newline: str = "") -> TextIO:
        """Its text from the beginning, without a byte-order mark; ``newline`` as for the built-in `open`."""
        return open(self.path, encoding="utf-8-sig", newline=newline)


def look_at(path: Path) -> TextFile:
    """Read ``path`` through once, in constant memory.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a folder, a packed file, an empty one, or one that is not UTF-8.
    """
    check_there(path)
    decoder, digest = codecs.getincrementaldecoder("utf-8")(), hashlib.sha256()
    read, returned, lone, blank = 0, False, False, True
    with open(path, "rb") as file:
        while True:
            piece = file.read(PIECE)
            if not read:
                _check_kind(path, piece)
            text = _decoded(path, decoder, piece, read)
            blank = blank and not text.removeprefix("\ufeff").strip()
            lone = lone or _lone_return(piece, returned)
            returned = piece.endswith(b"\r")
            digest.update(piece)
            read += len(piece)
            if not piece:
                break
    if blank:
        raise ValueError(f"{path} is empty; it needs a header and one row an item")
    return TextFile(path, digest.hexdigest(), lone)


def check_there(path: Path) -> None:
    """Refuse a path where there is nothing, or a folder."""
    if not path.exists():
        raise FileNotFoundError(f"no file {path}; give the path of {KINDS}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the path of {KINDS} inside it")


def _check_kind(path: Path, beginning: bytes) -> None:
    if beginning.startswith(PACKED_MAGIC):
        raise ValueError(f"{path} is a spreadsheet or a packed file; save it as CSV (UTF-8) and give that")
    if beginning.startswith(b"PAR1"):
        raise ValueError(f"{path} is a Parquet file; end its name in .parquet")


def _decoded(path: Path, decoder: codecs.IncrementalDecoder, piece: bytes, read: int) -> str:
    """The text of ``piece``, the end of the file when it is empty, with ``read`` bytes before it."""
    waiting = len(decoder.getstate()[0])  # bytes of a character that the piece before cut in two
    try:
        return decoder.decode(piece, final=not piece)
    except UnicodeDecodeError as error:
        place = read - waiting + error.start
        raise ValueError(f"{path} is not UTF-8 (first at byte {place}); save it again as CSV UTF-8") from error


def _lone_return(piece: bytes, returned: bool) -> bool:
    """Whether a carriage return without a line feed shows, ``returned``: the piece before ended in one."""
    if returned and not piece.startswith(b"\n"):
        return True
    return b"\r" in piece.removesuffix(b"\r").replace(b"\r\n", b"")
