"""CSV and TSV row by row: what separates the columns, and the cells as they are.

Files and their other formats are left to ``tables``. Row numbers are those of the file. Notebook 12 introduces it.
"""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from pricelab.columns import unread_separator
from pricelab.text_files import TextFile

TSV_SUFFIXES = (".tsv", ".tab")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
MAX_CELL = 5_000_000  # characters: any listing fits, and a quote that never ends doesn't pull a huge file into memory


def csv_separator(file: TextFile) -> str:
    """What separates the columns: a tab in TSV; in CSV what its first line names as Excel does (``sep=;``).

    Without that line, the separator that finds most columns in the first rows, as many in each.
    """
    if file.path.suffix.lower() in TSV_SUFFIXES:
        return "\t"
    with file.open() as lines:
        first = lines.readline(8).rstrip("\r\n").lower()
    if first.startswith("sep=") and first[4:] in SEPARATORS:
        return first[4:]
    found = {mark: _widths(file, mark) for mark in SEPARATORS}
    even = {mark: widths[0] for mark, widths in found.items() if len(set(widths)) == 1 and widths[0] > 1}
    header = even or {mark: widths[0] for mark, widths in found.items() if widths}
    return max(header, key=lambda mark: header[mark]) if header else ","  # the first of equals, so the comma


def csv_rows(file: TextFile, mark: str) -> Iterator[tuple[int, list[str]]]:
    """The header and then the rows, with their numbers, one after the other."""
    header: list[str] = []
    with file.open() as lines:
        reader = _reader(lines, mark)
        try:
            for number, cells in enumerate(reader, 1):
                if number == 1 and [cell.lower() for cell in cells] == ["sep=", ""]:
                    continue
                if not header:
                    header = cells
                elif cells or len(header) == 1:  # in a file of one column a blank line is an empty cell
                    cells = cells or [""]
                    _check_width(file.path, number, cells, header, mark)
                if cells:
                    yield number, cells
        except csv.Error as error:
            long = f", or shorten a cell of more than {MAX_CELL:,} characters" if "field limit" in str(error) else ""
            raise ValueError(
                f"{file.path}: the CSV breaks at line {reader.line_num} ({error}); look for a stray quote{long}"
            ) from error
    if not header:
        raise ValueError(f"{file.path} has no header; it needs one, and one row an item")


def _reader(lines: TextIO, mark: str) -> Any:
    csv.field_size_limit(max(MAX_CELL, csv.field_size_limit()))  # of the whole process; at first it is 131,072
    return csv.reader(lines, delimiter=mark, strict=True)


def _widths(file: TextFile, mark: str, rows: int = 20) -> list[int]:
    """Cells in each of the first rows that aren't blank; 0 where the text breaks."""
    widths = []
    with file.open() as lines:
        try:
            for cells in islice(filter(None, _reader(lines, mark)), rows):
                widths.append(len(cells))
        except csv.Error:
            widths.append(0)
    return widths


def _check_width(path: Path, number: int, cells: list[str], header: list[str], mark: str) -> None:
    if len(cells) != len(header):
        raise ValueError(
            f"{path}: row {number} has {len(cells)} cells and the header {len(header)}; put texts that contain a "
            f'{SEPARATORS[mark]} between double quotes, and write a quote inside them as ""{unread_separator(header)}'
        )
