"""A whole file at once: estimates written beside its rows, for ``pricelab predict``.

Reading is left to `catalog`, estimating to `pricer`. Prices in US dollars. Introduced in notebook 12.
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pricelab.files import replacing, write_text_atomic

if TYPE_CHECKING:
    from pricelab.pricer import Pricer

ADDED_COLUMNS = ("estimate", "low", "high", "warning")
FILE_ENDINGS = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".tab", ".tsv", ".txt", ".xlsx")


def predict_file(
    pricer: "Pricer",
    source: Path,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> int:
    """Write ``source`` to ``out``, rows and columns in order, with `ADDED_COLUMNS`; returns how many rows.

    CSV stays CSV, with its separator, and so do TSV, JSON lines and Parquet. A row without a description keeps its
    place with a blank estimate and a warning. Estimates are US dollars with a decimal point. Raises `ValueError` for
    another format, for columns that are already there, and for an existing ``out`` unless ``overwrite``; ``out``
    appears whole or not at all.
    """
    from pricelab.catalog import find_columns, listing_text, read_table
    from pricelab.tables import file_kind

    check_output(source, out, overwrite)
    table = read_table(source)
    if taken := [name for name in ADDED_COLUMNS if name in table.columns]:
        raise ValueError(f"{source} already has the columns {', '.join(taken)}; rename or remove them first")
    found = find_columns(list(table.columns), columns, price_required=False)
    titles, descriptions = (_cells(table, name) for name in (found.title, found.description))
    texts = [listing_text(*pair) for pair in zip(titles, descriptions, strict=True)]
    answers = [_answer(estimate) for estimate in pricer.estimate(texts, progress=progress)]
    if file_kind(source) == "Parquet":
        _write_parquet(source, out, answers)
    else:
        write_text_atomic(out, _with_answers(source, table, answers))
    return len(texts)


def as_file(what: str) -> Path | None:
    """The path when ``what`` names a file, None when it is a description.

    Raises `FileNotFoundError` when it looks like a file's name and there is none: that is no description.
    """
    path = Path(what)
    try:
        if path.is_file():
            return path
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        return None
    if what.lower().endswith(FILE_ENDINGS) and len(what.split()) == 1:
        raise FileNotFoundError(f"there is no file {what}")
    return None


def check_output(source: Path, out: Path, overwrite: bool) -> None:
    """Raise `ValueError` when ``out`` may not be written from ``source``."""
    from pricelab.tables import file_kind

    if file_kind(source) != file_kind(out):
        raise ValueError(f"{source.name} and {out.name} differ in format; end --out's name in {source.suffix}")
    if out.exists() and not overwrite:
        raise ValueError(f"{out} exists; choose another name, or add --overwrite")


def _cells(table: Any, column: str | None) -> list[str]:
    return list(table[column]) if column else [""] * len(table)


def _answer(estimate: Any) -> dict[str, Any]:
    prices = {name: _dollars(getattr(estimate, name)) for name in ("estimate", "low", "high")}
    return {**prices, "warning": estimate.warning or ""}


def _dollars(price: float) -> float | None:
    return None if math.isnan(price) else round(float(price), 2)


def _with_answers(source: Path, table: Any, answers: Sequence[dict[str, Any]]) -> str:
    from pricelab.tables import file_kind, separator

    text = source.read_bytes().decode("utf-8-sig")
    if file_kind(source) == "JSON lines":
        lines = text.split("\n")
        numbered = zip(table.index, answers, strict=True)
        return "".join(_extended(lines[number - 1], answer) + "\n" for number, answer in numbered)
    # csv quotes a lone carriage return only from Python 3.13 on
    quoting = csv.QUOTE_ALL if "\r" in text.replace("\r\n", "\n") else csv.QUOTE_MINIMAL
    form: dict[str, Any] = {"sep": separator(source, text), "lineterminator": "\n", "quoting": quoting}
    return table.assign(**_by_column(answers)).to_csv(index=False, **form)


def _by_column(answers: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [answer[name] for answer in answers] for name in ADDED_COLUMNS}


def _write_parquet(source: Path, out: Path, answers: Sequence[dict[str, Any]]) -> None:
    """The columns as they are, types included, and the answers behind them."""
    import pyarrow as pa
    import pyarrow.parquet

    table = pa.parquet.ParquetFile(source).read()
    for name, values in _by_column(answers).items():
        table = table.append_column(name, pa.array(values, pa.string() if name == "warning" else pa.float64()))
    with replacing(out) as new:
        pa.parquet.write_table(table, new)


def _extended(line: str, answer: dict[str, Any]) -> str:
    """The JSON object of ``line`` with more keys; what is there keeps its very digits."""
    head = line.strip().removesuffix("}").rstrip()
    return head + ("" if head.endswith("{") else ", ") + json.dumps(answer, ensure_ascii=False)[1:]
