"""Read somebody's product file: every cell a string, nothing converted, from CSV, TSV, JSON lines or Parquet.

Which column is what is left to ``columns``, what a price is to ``prices``, what becomes of a row to ``catalog``. Row
numbers are those of the file: the header of a CSV is row 1, and so is the first line of JSON lines and the first row of
Parquet. Notebook 12 introduces it.
"""

import csv
import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pricelab.columns import Columns, find_columns
from pricelab.prices import Number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "file_kind", "find_columns", "read_table", "separator"]

JSON_LINES_SUFFIXES = (".jsonl", ".ndjson", ".json")
SUFFIXES = {
    **dict.fromkeys(JSON_LINES_SUFFIXES, "JSON lines"),
    **dict.fromkeys((".tsv", ".tab"), "TSV"),
    **dict.fromkeys((".parquet", ".pq"), "Parquet"),
}  # everything else is CSV
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
PACKED_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b")  # .xlsx and zip, .xls, gzip
_KINDS = "a CSV, TSV, JSON-lines or Parquet file"


def read_table(path: str | Path) -> "pd.DataFrame":
    """A CSV (commas, semicolons or tabs; UTF-8), JSON-lines or Parquet file as strings; the index is the row number.

    Numbers of JSON and Parquet keep their digits and are `prices.Number`, ``null`` and absent keys become ``""``, lists
    and objects stay JSON text. Blank lines are skipped. Raises ``FileNotFoundError``, or a ``ValueError`` that says
    where the file breaks.
    """
    import pandas as pd

    path = Path(path)
    kind = file_kind(path)
    if kind == "Parquet":
        header, rows = _read_parquet(path)
    else:
        header, rows = (_read_json_lines if kind == "JSON lines" else _read_csv)(path, read_text(path))
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: the column name {twice[0]!r} occurs more than once; give each column its own name")
    index = pd.Index(list(rows), name="row", dtype="int64")
    return pd.DataFrame(list(rows.values()), columns=pd.Index(header, dtype=object), index=index, dtype=object)


def file_kind(path: Path) -> str:
    """``"CSV"``, ``"TSV"``, ``"JSON lines"`` or ``"Parquet"``, by the ending of the name."""
    return SUFFIXES.get(path.suffix.lower(), "CSV")


def read_text(path: Path) -> str:
    """The file's text. Raises ``FileNotFoundError``, or ``ValueError`` for what is no text."""
    _check_there(path)
    raw = path.read_bytes()
    if raw.startswith(PACKED_MAGIC):
        raise ValueError(f"{path} is a spreadsheet or a packed file; save it as CSV (UTF-8) and give that")
    if raw.startswith(b"PAR1"):
        raise ValueError(f"{path} is a Parquet file; end its name in .parquet")
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 (first at byte {error.start}); save it again as CSV UTF-8") from error
    if not text.strip():
        raise ValueError(f"{path} is empty; it needs a header and one row an item")
    return text


def _check_there(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"no file {path}; give the path of {_KINDS}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the path of {_KINDS} inside it")


# ---- CSV and TSV


def separator(path: Path, text: str) -> str:
    """What separates the columns: a tab in TSV; in CSV the separator that finds most columns, as many in each row."""
    if file_kind(path) == "TSV":
        return "\t"
    found = {mark: _widths(text, mark) for mark in SEPARATORS}
    even = {mark: widths[0] for mark, widths in found.items() if len(set(widths)) == 1 and widths[0] > 1}
    header = even or {mark: widths[0] for mark, widths in found.items() if widths}
    return max(header, key=lambda mark: header[mark]) if header else ","  # the first of equals, so the comma


def _widths(text: str, mark: str, rows: int = 20) -> list[int]:
    """Cells in each of the first rows that aren't blank; 0 where the text breaks."""
    widths = []
    try:
        for cells in islice(filter(None, _csv_reader(text, mark)), rows):
            widths.append(len(cells))
    except csv.Error:
        widths.append(0)
    return widths


def _csv_reader(text: str, mark: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)


def _read_csv(path: Path, text: str) -> tuple[list[str], dict[int, list[str]]]:
    mark = separator(path, text)
    reader = _csv_reader(text, mark)
    rows: dict[int, list[str]] = {}
    header: list[str] = []
    try:
        for number, cells in enumerate(reader, 1):
            if not header:
                header = cells
            elif cells or len(header) == 1:  # in a file of one column a blank line is an empty cell
                rows[number] = cells or [""]
                if len(cells or [""]) != len(header):
                    raise ValueError(
                        f"{path}: row {number} has {len(cells)} cells and the header {len(header)}; put texts that "
                        f'contain a {SEPARATORS[mark]} between double quotes, and write a quote inside them as ""'
                    )
    except csv.Error as error:
        raise ValueError(
            f"{path}: the CSV breaks at line {reader.line_num} ({error}); look for a stray quote"
        ) from error
    return header, rows


# ---- JSON lines


def _read_json_lines(path: Path, text: str) -> tuple[list[str], dict[int, list[str]]]:
    records = dict(_json_records(path, text))
    header = list(dict.fromkeys(name for record in records.values() for name in record))
    return header, {number: [record.get(name, "") for name in header] for number, record in records.items()}


def _json_records(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            pairs = json.loads(line, object_pairs_hook=_Pairs, parse_float=Number, parse_int=Number, parse_constant=str)
            if not isinstance(pairs, _Pairs):
                raise ValueError("not an object in braces")
            if len({name for name, _ in pairs}) < len(pairs):
                raise ValueError("a key occurs twice")
            record = {name: _cell(value) for name, value in pairs}
            "".join([*record, *record.values()]).encode()  # half of a surrogate pair fails here, not in a tokenizer
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: line {number} is not a JSON object on one line ({error})") from error
        yield number, record


class _Pairs(list):  # a JSON object whose repeated keys are still visible
    pass


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(_plain_json(value), ensure_ascii=False)


def _plain_json(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {name: _plain_json(inner) for name, inner in value}
    return [_plain_json(inner) for inner in value] if isinstance(value, list) else value


# ---- Parquet


def _read_parquet(path: Path) -> tuple[list[str], dict[int, list[str]]]:
    import pyarrow as pa
    import pyarrow.parquet

    _check_there(path)
    try:
        table = pa.parquet.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} can't be read as Parquet ({error}); write it again") from error
    if not table.num_rows:
        raise ValueError(f"{path} is empty; it needs one row an item")
    columns = [_arrow_cells(path, name, table.column(place)) for place, name in enumerate(table.column_names)]
    return table.column_names, dict(enumerate(map(list, zip(*columns, strict=True)), 1))


def _arrow_cells(path: Path, name: str, column: Any) -> list[str]:
    """A column as strings: numbers with their shortest digits, nested values as JSON."""
    import pyarrow as pa

    kind = column.type
    try:
        if pa.types.is_nested(kind):
            return [_cell(value) if value is None else json.dumps(value, ensure_ascii=False, default=str)
                    for value in column.to_pylist()]  # fmt: skip
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        cells = [cell or "" for cell in column.cast(pa.string()).to_pylist()]
        return [Number(cell) if number and cell else cell for cell in cells]
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: the column {name!r} ({kind}) is no text ({error}); leave it out") from error
