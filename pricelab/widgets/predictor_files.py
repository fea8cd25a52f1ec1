"""Files between a person and a widget: what was uploaded, what can be downloaded, and cells that would run as formulas.

An upload differs between ipywidgets 7.7 and 8. A download is a link with the file in it (a ``data:`` address), which
needs no server and works wherever HTML does.
"""

import base64
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pricelab.widgets.view import shown

# what a spreadsheet may take for a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NUMBER = re.compile(r"\s*[+-]?[$€£]?\s?\d[\d.,' ]*%?\s*")


def uploaded(value: Any) -> tuple[str, bytes] | None:
    """Name and content of the newest file in a ``FileUpload``'s value; None when there is none."""
    if not value:
        return None
    if isinstance(value, dict):  # ipywidgets 7: name → {"metadata": …, "content": bytes}
        name, file = list(value.items())[-1]
        return str(file.get("metadata", {}).get("name", name)), bytes(file["content"])
    return str(value[-1]["name"]), bytes(value[-1]["content"])  # ipywidgets 8: dictionaries, content a memoryview


def forget(upload: Any) -> None:
    """Empty a ``FileUpload``, so that the next file counts as new."""
    if isinstance(upload.value, dict):  # ipywidgets 7: the counter builds the value from the other two
        upload.metadata, upload.data = [], []
        upload._counter = 0
    else:
        upload.value = ()


def download_link(name: str, content: bytes, words: str) -> str:
    """HTML of a link that saves ``content`` as a file called ``name``."""
    kind = "text/csv" if Path(name).suffix.lower() in (".csv", ".tsv", ".tab", ".txt") else "application/octet-stream"
    data = base64.b64encode(content).decode()
    return (
        f'<a class="pricelab-download" download="{shown(name)}" href="data:{kind};charset=utf-8;base64,{data}">'
        f"{shown(words)}</a>"
    )


def harmless(cell: str) -> str:
    """The cell with an apostrophe in front if a spreadsheet would run it as a formula; a number is none."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def without_formulas(source: Path, out: TextIO, mark: str, quoting: int = csv.QUOTE_MINIMAL) -> int:
    """Copy a CSV with every cell made `harmless`; returns how many cells that changed."""
    changed = 0
    writer = csv.writer(out, delimiter=mark, lineterminator="\n", quoting=quoting)  # type: ignore[arg-type]
    for row in _rows(source, mark):
        safe = [harmless(cell) for cell in row]
        changed += sum(a != b for a, b in zip(row, safe, strict=True))
        writer.writerow(safe)
    return changed


def _rows(source: Path, mark: str) -> Iterator[list[str]]:
    with open(source, encoding="utf-8", newline="") as file:
        yield from csv.reader(file, delimiter=mark, strict=True)
