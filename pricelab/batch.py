"""A whole file at once: estimates written beside its rows, for ``pricelab predict``.

Rows are answered window by window and noted in a journal beside the output, so memory stays flat, a file of any size
can be interrupted, and the same command goes on. Reading and writing rows is left to `row_stream`, the journal to
`answer_journal`, estimating to `pricer`. Prices in US dollars. Introduced in notebook 12.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pricelab.answer_journal import AnswerJournal
from pricelab.disk import in_words
from pricelab.show import progress_stream

if TYPE_CHECKING:
    from pricelab.columns import Columns
    from pricelab.pricer import Pricer
    from pricelab.row_stream import RowStream

PRICES = ("estimate", "low", "high")
ADDED_COLUMNS = (*PRICES, "warning")
FILE_ENDINGS = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".tab", ".tsv", ".txt")
PACKED_ENDINGS = (".gz", ".xls", ".xlsx", ".zip")  # refused, with what to do instead
WINDOW = 512  # rows that are sorted by length and priced together: what an interruption loses at most


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
    place with a blank estimate and a warning. Estimates are US dollars with a decimal point. ``out`` appears whole or
    not at all; until then `journal_path` keeps the answers, and the same call goes on from there to the same bytes.

    Raises:
        ValueError: another format, columns that are already there, an existing ``out`` unless ``overwrite``, or a
            half-done run of another file or predictor unless ``overwrite``, which then begins again.
        OSError: a disk that is full, read-only or gone, in words.
        KeyboardInterrupt: interrupted; it says how far it came.
    """
    from pricelab.columns import find_columns
    from pricelab.row_stream import read_through

    check_output(source, out, overwrite)
    rows = read_through(source)
    check_columns(source, rows.names)
    found = find_columns(rows.names, columns, price_required=False)
    depends_on = _depends_on(pricer, rows, found)
    journal = AnswerJournal(journal_path(out), depends_on, ADDED_COLUMNS, rows.rows, overwrite=overwrite)
    kinds = {name: float if name in PRICES else str for name in ADDED_COLUMNS}
    try:
        _answer_rest(pricer, rows, found, journal, progress)
        with in_words("writing the priced file", out.parent, after=journal.waits):
            rows.write(out, journal.answers(), kinds)
    except KeyboardInterrupt as error:
        told = f"interrupted after {journal.rows:,} of {rows.rows:,} rows; the same command goes on from there"
        raise KeyboardInterrupt(told) from error
    journal.remove()
    return rows.rows


def journal_path(out: Path) -> Path:
    """Where the answers for ``out`` wait until all of them are there."""
    return out.with_name(f"{out.name}.journal")


def as_file(what: str) -> Path | None:
    """The path when ``what`` names a file, None when it is a description.

    Raises `FileNotFoundError` when it looks like a file's name and there is none, `ValueError` for a folder: those are
    no descriptions.
    """
    path = Path(what)
    try:
        if path.is_file():
            return path
        folder = bool(what) and path.is_dir()
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        return None
    if folder:
        raise ValueError(f"{what} is a folder; give a file in it, or a description of more words")
    if what.lower().endswith((*FILE_ENDINGS, *PACKED_ENDINGS)):
        raise FileNotFoundError(f"there is no file {what}; if that is a description, end it with a full stop")
    return None


def check_output(source: Path, out: Path, overwrite: bool) -> None:
    """Raise `ValueError` when ``out`` may not be written from ``source``."""
    from pricelab.tables import file_kind

    if out.is_dir():
        raise ValueError(f"{out} is a folder; give --out the name of a file, such as {out / source.name}")
    if file := next((folder for folder in out.parents if folder.exists() and not folder.is_dir()), None):
        raise ValueError(f"{out} can't be written: {file} is a file and no folder; give --out another name")
    if file_kind(source) != file_kind(out):
        raise ValueError(f"{source.name} and {out.name} differ in format; end --out's name in {source.suffix}")
    if out.name.lower().endswith(PACKED_ENDINGS):
        raise ValueError(f"{out.name} would be a packed file, and none is written; end --out's name in {source.suffix}")
    if out.exists() and not overwrite:
        raise ValueError(f"{out} exists; choose another name, or add --overwrite")


def check_columns(source: Path, names: Sequence[str]) -> None:
    """Raise `ValueError` when the file has columns already that would be added."""
    if taken := [name for name in ADDED_COLUMNS if name in names]:
        raise ValueError(f"{source} already has the columns {', '.join(taken)}; rename or remove them first")


def _depends_on(pricer: "Pricer", rows: "RowStream", found: "Columns") -> dict[str, Any]:
    """What the answers depend on, in the words that an error names it by."""
    from pricelab import __version__

    return {
        "input file": rows.sha256,
        "choice of columns": [found.title, found.description],
        "predictor": [pricer.name, pricer.identity],
        "version of pricelab": __version__,
        "size of window": WINDOW,
    }


def _answer_rest(pricer: "Pricer", rows: "RowStream", found: "Columns", journal: AnswerJournal, progress: bool) -> None:
    """Price the rows that the journal hasn't yet, in windows that are the same whether or not it was interrupted."""
    from tqdm import tqdm

    if journal.rows == rows.rows:
        return
    texts = islice(row_texts(rows, found), journal.rows, None)
    options: dict[str, Any] = {"disable": not progress, "leave": False, "file": progress_stream()}
    with tqdm(total=rows.rows, initial=journal.rows, desc="rows", unit="row", **options) as bar:
        while window := list(islice(texts, WINDOW)):
            journal.add([answer_of(estimate) for estimate in pricer.estimate(window, progress=progress)])
            bar.update(len(window))


def row_texts(rows: "RowStream", found: "Columns") -> Iterator[str]:
    """The description of each row as it is priced, empty where the row has none."""
    from pricelab.items import listing_text

    names = {role: name for role in ("title", "description") if (name := getattr(found, role)) is not None}
    columns = list(dict.fromkeys(names.values()))
    for row in rows.cells(columns):
        cell = dict(zip(columns, row, strict=True))
        yield listing_text(*(cell[names[role]] if role in names else "" for role in ("title", "description")))


def answer_of(estimate: Any) -> dict[str, Any]:
    """What stands in `ADDED_COLUMNS` for one estimate; a price that is none is None."""
    prices = {name: _dollars(getattr(estimate, name)) for name in PRICES}
    return {**prices, "warning": estimate.warning or ""}


def _dollars(price: float) -> float | None:
    return None if math.isnan(price) else round(float(price), 2)
