"""A Parquet file priced by many workers, on this machine or a cluster: ``pricelab predict … --engine ray``.

Ray Data hands out windows of rows; each worker holds one `Pricer` and reads its windows from the file itself, so all of
them must see the folder and the file under the same path. Answers come back in the windows' order, and the process that
asked writes them beside the rows. A worker that dies is replaced and its window handed out again, `RETRIES` times at
most. Needs the extra ``ray``. One worker, any format and going on after an interruption are left to `batch`. Prices in
US dollars; ``docs/serving-many.md`` has the arithmetic.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pricelab.batch import PRICES, WINDOW, answer_of, check_columns, check_output
from pricelab.processes import ProcessEnded
from pricelab.ray_session import import_ray, running, share
from pricelab.row_stream import PARQUET_GROUP
from pricelab.tables import arrow_cells, file_kind, open_parquet, parquet_names, readable

RETRIES = 2  # of a window whose worker died: chance may end one worker, hardly three in a row
Window = tuple[int, int, int]  # row group, first row in it, rows
Load = Callable[[str], Any]  # folder → a Pricer


def predict_parquet(
    folder: Path, source: Path, out: Path, *, workers: int = 2, address: str | None = None,
    gpus: float | None = None, columns: Mapping[str, str] | None = None, overwrite: bool = False,
    window_rows: int = WINDOW, load: Load | None = None,
) -> int:  # fmt: skip
    """Write ``source`` to ``out``, rows and columns in order, with estimate, low, high and warning; returns the rows.

    Args:
        folder: what `finetune` left; verified before Ray starts, and by each worker.
        source: a Parquet file.
        out: the Parquet file to write; it appears whole or not at all.
        workers: how many predictors work at the same time.
        address: of a Ray cluster, such as ``"auto"``; None starts Ray on this machine. Where the caller has a session
            of Ray already, that is used and left running.
        gpus: that a worker takes, 0.5 for two on one; by default 1 where there is a GPU. There are no more workers than
            GPUs for them.
        columns: as for `batch.predict_file`.
        overwrite: replace ``out``.
        window_rows: rows that a worker is handed at a time.
        load: makes a worker's predictor from ``folder``, which is then not verified here; by default `Pricer.load`.

    Raises:
        ValueError: Ray is missing, no finished run, another format, a file that can't be read, columns that are already
            there, an existing ``out`` unless ``overwrite``, more ``gpus`` than there are, or what a worker met.
        ConnectionError: Ray did not start, or the cluster can't be reached.
        ProcessEnded: a window ended its worker each time, or Ray itself ended.
    """
    from pricelab.artifacts import checked
    from pricelab.columns import find_columns

    ray = import_ray()
    check_output(source, out, overwrite)
    if file_kind(source) != "Parquet":
        raise ValueError(f"{source} is no Parquet file; many workers read only those, leave --engine out")
    if workers < 1 or window_rows < 1:
        raise ValueError(f"{workers} workers and windows of {window_rows} rows; give at least 1 of each")
    if gpus is not None and gpus < 0:
        raise ValueError(f"{gpus} GPUs for a worker; give 0 or more")
    names = parquet_names(source)
    check_columns(source, names)
    found = find_columns(names, columns, price_required=False)
    if load is None:
        checked(folder)
    with open_parquet(source) as file, running(ray, workers, address):
        windows = list(_windows(file, window_rows))
        asked = (str(folder.resolve()), str(source.resolve()), found.title, found.description, load)
        workers, device = share(ray.cluster_resources().get("GPU", 0), workers, gpus)
        return _write(file, out, windows, _answers(ray, windows, workers, device, asked))


def _windows(file: Any, rows: int) -> Iterator[Window]:
    for group in range(file.num_row_groups):
        total = file.metadata.row_group(group).num_rows
        for first in range(0, total, rows):
            yield group, first, min(rows, total - first)


def _answers(
    ray: Any, windows: list[Window], workers: int, device: dict[str, float], asked: tuple[Any, ...]
) -> Iterator[tuple[int, list[Any]]]:
    """(number of the window, its answers), in the windows' order: Ray holds those that are early, in its store.

    A window whose worker died each time is left out.
    """
    items = [{"number": number, "window": list(window)} for number, window in enumerate(windows)]
    tasks = ray.data.from_items(items, override_num_blocks=len(items))
    context = tasks.context  # of this job alone; the caller's own stays as it is
    context.enable_progress_bars, context.execution_options.preserve_order = False, True
    context.max_errored_blocks = -1  # what is left out shows in the numbers, which say more than Ray's error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # it prints tracebacks of what is told in words here
    # One window at a time, so that a worker takes no other window with it
    pool = ray.data.ActorPoolStrategy(size=min(workers, len(items)), max_tasks_in_flight_per_actor=1)
    options = {**device, "max_task_retries": RETRIES}
    with warnings.catch_warnings(action="ignore"):  # the extra asks for a Ray that still takes such options
        done = tasks.map_batches(_Worker, fn_constructor_args=asked, compute=pool, batch_size=1, **options)
    try:
        for row in done.iter_rows():
            if row["failure"]:
                raise ValueError(row["failure"])
            yield int(row["number"]), json.loads(row["answers"])
    except ray.exceptions.RayError as error:
        told = str(error).strip().splitlines()[-1]
        raise ProcessEnded(f"Ray ended ({told}); nothing was written, run the command again") from error


class _Worker:
    """One predictor, which answers windows of the file.

    It is loaded with the first window: what fails then is told in words, and a worker that dies of it isn't replaced
    for ever.
    """

    def __init__(self, folder: str, source: str, title: str | None, description: str | None, load: Load | None) -> None:
        self.folder, self.source, self.load = Path(folder), Path(source), load
        self.title, self.description = title, description

    @cached_property
    def pricer(self) -> Any:
        from pricelab.pricer import Pricer

        return (self.load or Pricer.load)(str(self.folder))

    @cached_property
    def rows(self) -> "_Rows":
        return _Rows(open_parquet(self.source), [name for name in (self.title, self.description) if name])

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        (number,), (window,) = batch["number"], batch["window"]
        answers: list[list[Any]] = []
        failure = ""
        try:
            answers = self._each(self._texts(tuple(int(n) for n in window)))
        except Exception as error:
            failure = str(error) or type(error).__name__
        return {"number": [int(number)], "answers": [json.dumps(answers)], "failure": [failure]}

    def _texts(self, window: Any) -> list[str]:
        from pricelab.items import listing_text

        with readable(self.source):
            table = self.rows.of(window)
        cells = {name: arrow_cells(self.source, name, table[name]) for name in table.column_names}
        blank = [""] * table.num_rows
        titles, texts = (cells[name] if name else blank for name in (self.title, self.description))
        return [listing_text(*pair) for pair in zip(titles, texts, strict=True)]

    def _each(self, texts: list[str]) -> list[list[Any]]:
        """One answer for each text; a text that the predictor fails on keeps its place with the reason."""
        pricer = self.pricer
        try:
            return [list(answer_of(estimate).values()) for estimate in pricer.estimate(texts)]
        except Exception as error:  # whatever it is, it must cost one row and not the whole job
            if len(texts) == 1:
                return [[None, None, None, f"could not be priced ({type(error).__name__})"]]
            half = len(texts) // 2
            return self._each(texts[:half]) + self._each(texts[half:])


class _Rows:
    """The rows of windows; a row group can only be read whole, so it is kept for the windows that follow."""

    def __init__(self, file: Any, names: list[str] | None = None) -> None:
        self.file, self.names, self.group, self.table = file, names, -1, None

    def of(self, window: Window) -> Any:
        group, first, rows = window
        if group != self.group:
            self.table = None  # so that no two are held at a time
            self.table, self.group = self.file.read_row_group(group, columns=self.names), group
        return self.table.slice(first, rows)  # type: ignore[attr-defined]


def _write(file: Any, out: Path, windows: list[Window], answers: Iterator[tuple[int, list[Any]]]) -> int:
    """Write each window's rows with its answers, which come in the windows' order, `PARQUET_GROUP` at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pricelab.files import replacing

    added = [pa.field(name, pa.float64()) for name in PRICES] + [pa.field("warning", pa.string())]
    schema = pa.schema([*file.schema_arrow, *added], metadata=file.schema_arrow.metadata)
    source, turn, waiting = _Rows(file), 0, []
    with replacing(out) as new, pq.ParquetWriter(new, schema) as writer:
        for number, found in answers:
            if number != turn:
                raise ProcessEnded(_unanswered(windows, turn))
            table = source.of(windows[turn])
            for field, values in zip(added, zip(*found, strict=True), strict=True):
                table = table.append_column(field, pa.array(values, field.type))
            waiting.append(table.cast(schema))
            turn += 1
            if turn == len(windows) or sum(map(len, waiting)) >= PARQUET_GROUP or _ends_large_group(windows, turn - 1):
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
        if turn != len(windows):
            raise ProcessEnded(_unanswered(windows, turn))
    return sum(rows for *_, rows in windows)


def _ends_large_group(windows: list[Window], turn: int) -> bool:
    """Whether rows that wait would keep a large row group in memory beside the next one."""
    group, first, rows = windows[turn]
    return windows[turn + 1][0] != group and first + rows >= PARQUET_GROUP


def _unanswered(windows: list[Window], turn: int) -> str:
    before, rows = sum(rows for *_, rows in windows[:turn]), windows[turn][2]
    return (
        f"rows {before + 1:,} to {before + rows:,} got no answer: each worker that was given them died "
        f"({RETRIES + 1} tries); nothing was written. Give workers more memory, or price those rows by themselves to "
        "find the one at fault"
    )
