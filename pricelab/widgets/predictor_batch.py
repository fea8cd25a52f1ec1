"""A whole file in the price predictor: looked at, priced piece by piece, and written with its estimates; no widgets.

No row is lost, and none is given a price of $0: a row without a description, one that the model fails on, and those
after a Cancel keep their place with a blank estimate and the reason. Rules for files are ``row_stream``'s and
``columns``', the columns that are added are ``batch``'s. Prices in US dollars.
"""

import codecs
import csv
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pricelab.batch import ADDED_COLUMNS, FILE_ENDINGS, PRICES, answer_of, check_columns, row_texts
from pricelab.columns import Columns, find_columns
from pricelab.widgets.predictor_files import without_formulas
from pricelab.widgets.predictor_work import Cancelled, Task, Work

MAX_BYTES = 8_000_000  # of a file: Jupyter's servers drop the connection at messages of more than 10 MB
CHUNK = 16  # rows between two looks at Cancel


@dataclass(frozen=True)
class Priced:
    """A priced file, ready to be saved."""

    name: str
    content: bytes
    rows: int
    without: int  # rows without a price
    formulas: int  # cells that got an apostrophe, because a spreadsheet would have run them
    finished: bool  # False: it was cancelled on the way


@dataclass
class BatchState:
    """One file and how far it is; every change calls ``on_change``."""

    pricer: Any
    name: str = ""  # of the file, as the person calls it
    status: str = "empty"  # "empty" | "loaded" | "pricing" | "done" | "failed"
    names: list[str] = field(default_factory=list)  # of its columns
    columns: Columns | None = None  # which of them describe the product; None: to be chosen
    rows: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list, repr=False)
    seconds: float = 0.0  # spent on the answers
    texts: list[str] = field(default_factory=list, repr=False)
    result: Priced | None = field(default=None, repr=False)
    error: str = ""
    on_change: Callable[[], None] = field(default=lambda: None, repr=False)
    work: Work = field(default_factory=Work, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _content: bytes = field(default=b"", repr=False)
    _path: Path = field(default=Path("file"), repr=False)  # where it lies while it is read

    def load(self, name: str, content: bytes) -> None:
        """Look at an uploaded file. What is wrong with it stands in ``error``."""
        self.name, self._content, self.result, self.error = name, content, None, ""
        self.names, self.columns, self.rows, self.answers, self.texts = [], None, 0, [], []
        self.status = "failed"
        try:
            self._look()
            self.status = "loaded"
        except (ValueError, OSError) as problem:
            self.error = self._in_words(problem)
        self.on_change()

    def choose(self, title: str | None, description: str | None) -> None:
        """Say which columns hold the title and the description; None: there is none."""
        if title is None and description is None or not self.names:
            self.columns = None
        else:
            self.columns = find_columns(self.names, {"title": title, "description": description}, price_required=False)
        self.on_change()

    @property
    def ready(self) -> bool:
        """Whether it could be priced."""
        return self.columns is not None and self.status in ("loaded", "done")

    def price(self) -> None:
        """Price every row, and wait."""
        self.work.run("batch", self._price, self._cancelled)

    def start(self) -> bool:
        """Price them in a thread; False when there is no file to price or something else is under way."""
        return self.ready and self.work.start("batch", self._price, self._cancelled)

    def _look(self) -> None:
        ending = Path(self.name).suffix.lower()
        if ending not in (*FILE_ENDINGS, ".xlsx"):
            raise ValueError(
                f"{self.name} is no {', '.join(FILE_ENDINGS)} file; save the list as CSV (UTF-8) and choose that"
            )
        if len(self._content) > MAX_BYTES:
            raise ValueError(
                f"{self.name} has {len(self._content) / 1e6:.1f} MB, a page sends at most {MAX_BYTES / 1e6:.0f} "
                "MB; price it in a terminal: pricelab predict RUN FILE --out FILE"
            )
        with tempfile.TemporaryDirectory() as folder:
            rows = self._read(Path(folder))
            check_columns(rows.path, rows.names)
            if not rows.rows:
                raise ValueError(f"{self.name} has a header and nothing below it; it needs one row an item")
            self.names, self.rows = rows.names, rows.rows
        try:
            self.columns = find_columns(self.names, price_required=False)
        except ValueError:  # not to be guessed: the person chooses
            self.columns = None

    def _read(self, folder: Path) -> Any:
        from pricelab.row_stream import read_through

        self._path = folder / f"file{Path(self.name).suffix.lower()}"
        self._path.write_bytes(self._content)
        return read_through(self._path)

    def _price(self, task: Task) -> None:
        task.tell(self._begin)
        try:
            with tempfile.TemporaryDirectory() as folder:
                self.texts = list(row_texts(self._read(Path(folder)), self.columns))  # type: ignore[arg-type]
            while len(self.answers) < len(self.texts):
                begun, place = self.clock(), len(self.answers)
                chunk = _answers(self.pricer, self.texts[place : place + CHUNK])
                took = self.clock() - begun
                task.tell(partial(self._add, chunk, took))
            task.tell(lambda: self._end(finished=True), last=True)
        except Cancelled:
            raise
        except Exception as problem:
            words = self._in_words(problem)
            task.tell(lambda: self._fail(words), last=True)
        finally:
            if self.status == "pricing" and not task.cancelled:  # the kernel was interrupted
                task.tell(self._cancelled, last=True)

    def _begin(self) -> None:
        self.status, self.answers, self.seconds, self.result, self.error = "pricing", [], 0.0, None, ""
        self.on_change()

    def _add(self, answers: list[dict[str, Any]], seconds: float) -> None:
        self.answers += answers
        self.seconds += seconds
        self.on_change()

    def _end(self, *, finished: bool) -> None:
        waiting = {**dict.fromkeys(PRICES), "warning": "not priced: cancelled before its turn"}
        answers = self.answers + [waiting] * (self.rows - len(self.answers))
        content, formulas = self._written(answers)
        without = sum(answer["estimate"] is None for answer in answers)
        name = f"{Path(self.name).stem}-priced{Path(self.name).suffix}"
        self.result = Priced(name, content, self.rows, without, formulas, finished)
        self.status = "done"
        self.on_change()

    def _fail(self, words: str) -> None:
        self.status, self.error = "failed", words
        self.on_change()

    def _cancelled(self) -> None:
        """What is priced so far can be saved; where nothing is, the file waits as before."""
        if self.answers:
            self._end(finished=False)
        else:
            self.status = "loaded"
            self.on_change()

    def _written(self, answers: list[dict[str, Any]]) -> tuple[bytes, int]:
        """The file with the answers beside its rows, and how many cells were made harmless."""
        with tempfile.TemporaryDirectory() as folder:
            rows = self._read(Path(folder))
            out = rows.path.with_name(f"priced{rows.path.suffix}")
            rows.write(out, answers, {name: float if name in PRICES else str for name in ADDED_COLUMNS})
            if not rows.mark:
                return out.read_bytes(), 0
            safe = io.StringIO(newline="")
            formulas = without_formulas(out, safe, rows.mark, csv.QUOTE_ALL if rows.text.lone_returns else 0)
        mark = codecs.BOM_UTF8 if self._content.startswith(codecs.BOM_UTF8) else b""
        return mark + safe.getvalue().encode(), formulas

    def _in_words(self, problem: Exception) -> str:
        """An error that names the file as the person calls it, not where it was put for a moment."""
        return (str(problem) or type(problem).__name__).replace(str(self._path), self.name)


def _answers(pricer: Any, texts: list[str]) -> list[dict[str, Any]]:
    """Answers to some rows; where the model fails on them together, each is tried alone and says what went wrong."""
    try:
        return [answer_of(estimate) for estimate in pricer.estimate(texts)]
    except Exception as problem:
        if len(texts) > 1:
            return [answer for text in texts for answer in _answers(pricer, [text])]
        words = f"not priced: the model failed: {str(problem) or type(problem).__name__}"
        return [{**dict.fromkeys(PRICES), "warning": words}]
