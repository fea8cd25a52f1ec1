"""A product file of any size: looked through once, then its rows again one by one, and written with more columns.

Memory stays that of a few rows. The rules are those of `tables`, what is written beside the rows is left to `batch`.
Introduced in notebook 12.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricelab.files import replacing, sha256_of
from pricelab.separated import csv_rows, csv_separator
from pricelab.tables import (
    check_names,
    file_kind,
    json_lines,
    json_records,
    parquet_batches,
    parquet_names,
    parquet_rows,
)
from pricelab.text_files import TextFile, look_at

PARQUET_GROUP = 8192  # rows of a row group that is written: few enough to hold, enough to compress


@dataclass(frozen=True)
class RowStream:
    """A file that was read through once, so that each row is known to be readable."""

    path: Path
    names: list[str]  # of its columns; of JSON lines all keys, in order of appearance
    rows: int
    sha256: str
    text: TextFile | None  # None: Parquet
    mark: str = ""  # what separates the columns of CSV and TSV

    def cells(self, columns: Sequence[str]) -> Iterator[list[str]]:
        """The rows' cells in ``columns`` as strings, absent ones empty."""
        if self.text is None:
            yield from (row for _, row in parquet_rows(self.path, columns))
        elif not self.mark:
            yield from ([record.get(name, "") for name in columns] for _, record in json_records(self.text))
        else:
            places = [self.names.index(name) for name in columns]
            rows = csv_rows(self.text, self.mark)
            next(rows)
            yield from ([row[place] for place in places] for _, row in rows)

    def write(self, out: Path, answers: Iterable[Mapping[str, Any]], kinds: Mapping[str, type]) -> None:
        """Write the rows to ``out`` as they are, each with one of ``answers``; whole or not at all.

        ``kinds`` are the names and types of what is added, `str` or `float`; a float may be None. Raises `ValueError`
        when the file is no longer what it was.
        """
        self._check_unchanged()
        with replacing(out) as new:
            if self.text is None:
                self._write_parquet(new, iter(answers), kinds)
            elif not self.mark:
                self._write_json(new, answers)
            else:
                self._write_csv(new, answers, list(kinds))
            self._check_unchanged()

    def _check_unchanged(self) -> None:
        if not self.path.is_file() or sha256_of(self.path) != self.sha256:
            raise ValueError(
                f"{self.path} was changed while its rows were read; put it back as it was and run the same command "
                "again to go on, or add --overwrite to begin again"
            )

    def _write_csv(self, new: Path, answers: Iterable[Mapping[str, Any]], added: list[str]) -> None:
        assert self.text is not None
        # csv quotes a lone carriage return only from Python 3.13 on
        quoting: Any = csv.QUOTE_ALL if self.text.lone_returns else csv.QUOTE_MINIMAL
        with open(new, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=self.mark, lineterminator="\n", quoting=quoting)
            rows = csv_rows(self.text, self.mark)
            writer.writerow([*next(rows)[1], *added])
            for (_, row), answer in zip(rows, answers, strict=True):
                writer.writerow([*row, *(answer[name] for name in added)])

    def _write_json(self, new: Path, answers: Iterable[Mapping[str, Any]]) -> None:
        assert self.text is not None
        with open(new, "w", encoding="utf-8", newline="\n") as file:
            for (_, line), answer in zip(json_lines(self.text), answers, strict=True):
                file.write(_extended(line, answer) + "\n")

    def _write_parquet(self, new: Path, answers: Iterator[Mapping[str, Any]], kinds: Mapping[str, type]) -> None:
        """The columns as they are, types included, and the answers behind them."""
        import pyarrow as pa
        import pyarrow.parquet

        arrow = {str: pa.string(), float: pa.float64()}
        writer = None
        try:
            for table in parquet_batches(self.path, rows=PARQUET_GROUP):
                found = [next(answers) for _ in range(table.num_rows)]
                for name, kind in kinds.items():
                    table = table.append_column(name, pa.array([answer[name] for answer in found], arrow[kind]))
                writer = writer or pa.parquet.ParquetWriter(new, table.schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def read_through(path: Path) -> RowStream:
    """Look at each row of ``path`` once, in constant memory.

    Raises:
        FileNotFoundError: there is none.
        ValueError: where the file breaks, in words; see `tables.read_table`.
    """
    kind = file_kind(path)
    if kind == "Parquet":
        names = parquet_names(path)
        return RowStream(path, names, sum(table.num_rows for table in parquet_batches(path)), sha256_of(path), None)
    text = look_at(path)
    if kind == "JSON lines":
        keys: dict[str, None] = {}
        count = 0
        for _, record in json_records(text):
            keys.update(dict.fromkeys(record))
            count += 1
        return RowStream(path, list(keys), count, text.sha256, text)
    mark = csv_separator(text)
    rows = csv_rows(text, mark)
    _, header = next(rows)
    check_names(path, header)
    return RowStream(path, header, sum(1 for _ in rows), text.sha256, text, mark)


def _extended(line: str, answer: Mapping[str, Any]) -> str:
    """The JSON object of ``line`` with more keys; what is there keeps its very digits."""
    head = line.strip().removesuffix("}").rstrip()
    return head + ("" if head.endswith("{") else ", ") + json.dumps(answer, ensure_ascii=False)[1:]
