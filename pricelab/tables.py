"""Read somebody's product file: every cell a string, nothing converted, from CSV, TSV, JSON lines or Parquet.

Whether the file is text is left to ``text_files``, the rows of CSV to ``separated``, which column is what to
``columns``, what a price is to ``prices``, what becomes of a row to ``catalog``. Row numbers are those of the file: the
header of a CSV is row 1, and so is the first line of JSON lines and the first row of Parquet. See notebook 12.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pricelab.columns import Columns, find_columns
from pricelab.prices import Number
from pricelab.separated import TSV_SUFFIXES, csv_rows, csv_separator
from pricelab.text_files import PIECE, TextFile, check_there, look_at

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "file_kind", "find_columns", "read_table"]

JSON_LINES_SUFFIXES = (".jsonl", ".ndjson", ".json")
SUFFIXES = {
    **dict.fromkeys(JSON_LINES_SUFFIXES, "JSON lines"),
    **dict.fromkeys(TSV_SUFFIXES, "TSV"),
    **dict.fromkeys((".parquet", ".pq"), "Parquet"),
}  # everything else is CSV
PARQUET_ROWS = 1024  # read at a time


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
        header = parquet_names(path)
        rows = dict(parquet_rows(path))
    elif kind == "JSON lines":
        records = dict(json_records(look_at(path)))
        header = list(dict.fromkeys(name for record in records.values() for name in record))
        rows = {number: [record.get(name, "") for name in header] for number, record in records.items()}
    else:
        file = look_at(path)
        (_, header), *numbered = csv_rows(file, csv_separator(file))
        rows = dict(numbered)
    check_names(path, header)
    index = pd.Index(list(rows), name="row", dtype="int64")
    return pd.DataFrame(list(rows.values()), columns=pd.Index(header, dtype=object), index=index, dtype=object)


def file_kind(path: Path) -> str:
    """``"CSV"``, ``"TSV"``, ``"JSON lines"`` or ``"Parquet"``, by the ending of the name."""
    return SUFFIXES.get(path.suffix.lower(), "CSV")


def check_names(path: Path, header: Sequence[str]) -> None:
    """Raise ``ValueError`` when two columns share a name."""
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: the column name {twice[0]!r} occurs more than once; give each column its own name")


# ---- JSON lines


def json_lines(file: TextFile) -> Iterator[tuple[int, str]]:
    """The lines that aren't blank, as they are, with their numbers."""
    with file.open("\n") as lines:
        yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def json_records(file: TextFile) -> Iterator[tuple[int, dict[str, str]]]:
    """The objects as strings by key, with their numbers."""
    for number, line in json_lines(file):
        try:
            pairs = json.loads(line, object_pairs_hook=_Pairs, parse_float=Number, parse_int=Number, parse_constant=str)
            if not isinstance(pairs, _Pairs):
                raise ValueError("not an object in braces")
            if len({name for name, _ in pairs}) < len(pairs):
                raise ValueError("a key occurs twice")
            record = {name: _cell(value) for name, value in pairs}
            "".join([*record, *record.values()]).encode()  # half of a surrogate pair fails here, not in a tokenizer
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file.path}: line {number} is not a JSON object on one line ({error})") from error
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


def open_parquet(path: Path) -> Any:
    """A `pyarrow.parquet.ParquetFile` with at least one row, read through a small buffer."""
    import pyarrow as pa
    import pyarrow.parquet

    check_there(path)
    with readable(path):
        file = pa.parquet.ParquetFile(path, buffer_size=PIECE)
    if not file.metadata.num_rows:
        raise ValueError(f"{path} is empty; it needs one row an item")
    return file


def parquet_names(path: Path) -> list[str]:
    """The columns' names; `ValueError` when two are the same."""
    with open_parquet(path) as file:
        names: list[str] = file.schema_arrow.names
    check_names(path, names)
    return names


def parquet_batches(path: Path, columns: Sequence[str] | None = None, rows: int = PARQUET_ROWS) -> Iterator[Any]:
    """Arrow tables of at most ``rows`` rows, one after the other; all columns unless they are named."""
    import pyarrow as pa

    with open_parquet(path) as file, readable(path):
        for batch in file.iter_batches(rows, columns=columns):
            yield pa.Table.from_batches([batch])


def parquet_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[int, list[str]]]:
    """The rows as strings, with their numbers, from `PARQUET_ROWS` at a time."""
    number = 0
    for table in parquet_batches(path, columns):
        names = columns or table.column_names
        cells = [arrow_cells(path, name, table.column(name)) for name in names]
        for row in zip(*cells, strict=True):
            number += 1
            yield number, list(row)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """A block that reads Parquet: what fails there becomes a `ValueError` that names ``path``."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} can't be read as Parquet ({error}); write it again") from error


def arrow_cells(path: Path, name: str, column: Any) -> list[str]:
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
